from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conftest import StackLab


def test_a_one_shot_that_did_its_work_has_no_last_error(lab: StackLab) -> None:
    lab.start_with(lab.shell("mig", "exit 0", one_shot=True), lab.service("web"))
    status = lab.service_status("mig")
    assert (status["state"], status["last_error"]) == ("completed", None)


def test_a_one_shot_that_failed_has_one(lab: StackLab) -> None:
    lab.start_with(lab.shell("mig", "exit 3", one_shot=True), lab.service("web"))
    status = lab.service_status("mig")
    assert status["state"] == "failed"
    assert "exited with code 3" in status["last_error"]

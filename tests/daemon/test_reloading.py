"""Services are restarted when their files change, where that was asked for, and nothing else is."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from prismctl.domain.plan import Terms

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from prismctl.domain.plan import ServicePlan, StackPlan
    from tests.conftest import StackLab

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux alone tells of changes so")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    directory = tmp_path / "src"
    directory.mkdir()
    (directory / "main.sh").write_text("exec sleep 1000\n")
    return directory


def made_from(lab: StackLab, name: str, source: Path, **fields: Any) -> ServicePlan:
    return lab.service(name, "/bin/sh", str(source / "main.sh"), watch=(str(source),), **fields)


def watching(lab: StackLab, *services: ServicePlan) -> StackPlan:
    return replace(lab.plan(*services), terms=Terms(watch=True))


def changes(lab: StackLab) -> list[dict[str, Any]]:
    return [each for each in lab.client.events() if each["kind"] == "service.reloading"]


def is_following(lab: StackLab) -> bool:
    return any("when their files change" in each for each in lab.client.status()["notes"])


def wait_for_another(lab: StackLab, name: str, before: dict[str, int]) -> None:
    lab.wait_for_service(name, lambda service: service["pid"] not in {None, before[name]})


def test_a_change_restarts_the_service_that_is_made_from_it_and_no_other(
    lab: StackLab, source: Path, wait_until: Callable[..., None]
) -> None:
    lab.start()
    others = (lab.service("idle"), made_from(lab, "still", source.parent / "none"))
    lab.apply(watching(lab, made_from(lab, "web", source), *others))
    before = lab.pids()
    wait_until(lambda: is_following(lab))
    assert lab.client.status()["notes"] == ["restarted when their files change: web, still"]
    for number in (1, 2):
        (source / "page.txt").write_text(str(number))
        (source / ".page.txt.swp").write_text("noise")
        wait_for_another(lab, "web", before)
        lab.wait_for_service("web", lambda service: service["state"] == "healthy")
        after = lab.pids()
        assert (after["idle"], after["still"]) == (before["idle"], before["still"])
        assert len(changes(lab)) == number
        before = after
    first = changes(lab)[0]
    assert (first["service"], first["message"]) == ("web", "src/page.txt changed")
    assert first["details"] == {"files": [str(source / "page.txt")], "count": 1}


def test_without_watching_nothing_is_followed_until_a_start_asks_for_it_and_that_disturbs_nobody(
    lab: StackLab, source: Path, wait_until: Callable[..., None]
) -> None:
    lab.start()
    plain = lab.plan(made_from(lab, "web", source))
    lab.apply(plain)
    before = lab.pids()
    (source / "page.txt").write_text("1")
    lab.apply(replace(plain, terms=Terms(watch=True)))
    assert lab.pids() == before
    wait_until(lambda: is_following(lab))
    (source / "page.txt").write_text("2")
    wait_for_another(lab, "web", before)
    assert len(changes(lab)) == 1
    before = lab.pids()
    lab.apply(plain)
    assert lab.pids() == before
    assert lab.client.status()["notes"] == []


def test_a_daemon_that_takes_over_goes_on_with_it(
    lab: StackLab, source: Path, wait_until: Callable[..., None]
) -> None:
    lab.start()
    lab.apply(watching(lab, made_from(lab, "web", source)))
    before = lab.pids()
    killed = lab.daemon_pid()
    os.kill(killed, signal.SIGKILL)
    lab.wait_for_service("web", lambda service: service["state"] == "healthy")
    assert lab.daemon_pid() != killed
    wait_until(lambda: is_following(lab))
    assert lab.pids() == before
    (source / "page.txt").write_text("1")
    wait_for_another(lab, "web", before)


def test_what_is_broken_by_a_change_fails_as_ever_and_the_next_change_mends_it(
    lab: StackLab, source: Path, wait_until: Callable[..., None]
) -> None:
    lab.start()
    lab.apply(watching(lab, made_from(lab, "web", source), lab.service("idle")))
    before = lab.pids()
    wait_until(lambda: is_following(lab))
    (source / "main.sh").write_text("exit 3\n")
    wait_until(lambda: lab.service_status("web")["state"] in {"unhealthy", "failed"})
    assert "code 3" in lab.service_status("web")["reason"]
    (source / "main.sh").write_text("exec sleep 1000\n")
    wait_until(lambda: lab.service_status("web")["state"] == "healthy")
    assert lab.pids()["idle"] == before["idle"]


def test_what_was_scaled_to_nothing_stays_so(
    lab: StackLab, source: Path, wait_until: Callable[..., None]
) -> None:
    lab.start()
    asleep = made_from(lab, "asleep", source, replicas=0)
    lab.apply(watching(lab, asleep, made_from(lab, "web", source)))
    before = lab.pids()
    wait_until(lambda: is_following(lab))
    (source / "page.txt").write_text("1")
    wait_for_another(lab, "web", before)
    assert [each["service"] for each in changes(lab)] == ["web"]
    assert lab.service_status("asleep")["state"] == "stopped"


def test_who_asks_for_it_where_nothing_can_be_followed_is_told(lab: StackLab) -> None:
    lab.start()
    lab.apply(watching(lab, lab.service("web")))
    assert lab.client.status()["notes"] == [
        "--watch follows nothing: no service here has `watch` in the catalog"
    ]

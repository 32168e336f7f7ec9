"""Data of services that run: emptied, put back and copied by a real daemon with real processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from prismctl.domain.service import CheckType, HealthCheck
from prismctl.errors import RejectedError
from prismctl.files.service_data import ServiceData
from prismctl.files.snapshots import Snapshots
from tests.conftest import collect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from prismctl.domain.plan import ServicePlan
    from tests.conftest import StackLab

COUNTER = """
import os, pathlib, time
file = pathlib.Path("count")
number = int(file.read_text()) + 1 if file.exists() else 1
file.write_text(str(number))
print("count", number, flush=True)
time.sleep(1000)
"""
"""Counts its own starts, as long as its data is there."""


def make_counter(lab: StackLab, name: str, **fields: Any) -> ServicePlan:
    """A service that counts; it is ready once it has, not once it lives."""
    has_counted = HealthCheck(type=CheckType.LOG, pattern="count")
    return lab.python(name, COUNTER, check=has_counted, **fields)


def count_of(lab: StackLab, name: str = "counter") -> int:
    """How often the service has started on this data."""
    return int((lab.paths.data / name / "count").read_text())


def outcome(stream: Any) -> dict[str, Any]:
    result = collect(stream)[1]
    assert result["outcome"] == "ready", result
    data: dict[str, Any] = result["data"]
    return data


@pytest.fixture
def counting(lab: StackLab) -> StackLab:
    """A stack with a service that keeps data, one that needs it, and one that has nothing to do with it."""
    counter = make_counter(lab, "counter")
    lab.start_with(counter, lab.service("user", needs=("counter",)), lab.service("bystander"))
    assert count_of(lab) == 1
    return lab


def test_a_reset_service_starts_without_data_and_others_do_not_notice(counting: StackLab) -> None:
    before = counting.pids()
    list(counting.client.restart(["counter"]))
    assert count_of(counting) == 2

    data = outcome(counting.client.reset_data(["counter"]))

    assert count_of(counting) == 1
    assert data["restarted"] == ["counter"]
    after = counting.pids()
    assert after["counter"] != before["counter"]
    assert (after["user"], after["bystander"]) == (before["user"], before["bystander"])


def test_what_a_reset_put_aside_comes_back(counting: StackLab) -> None:
    list(counting.client.restart(["counter"]))
    outcome(counting.client.reset_data(["counter"]))

    outcome(counting.client.restore_data(["counter"], is_previous=True))

    assert count_of(counting) == 3
    outcome(counting.client.restore_data(["counter"], is_previous=True))
    assert count_of(counting) == 2


def test_a_snapshot_is_what_the_data_was_when_it_was_taken(counting: StackLab) -> None:
    data = outcome(counting.client.take_snapshot(["counter"], name="one"))
    assert data["snapshot"] == "one"
    assert count_of(counting) == 2
    list(counting.client.restart(["counter"]))

    outcome(counting.client.restore_data(["counter"], name="one"))

    assert count_of(counting) == 2
    saved = Snapshots(counting.paths.snapshots).find("one")
    assert saved is not None
    assert (saved.data("counter") / "counter/count").read_text() == "1"


def test_a_start_says_whose_data_is_fresh_and_whose_was_kept(lab: StackLab) -> None:
    plan = lab.plan(make_counter(lab, "fleeting"), make_counter(lab, "lasting", persist=True))
    lab.start()
    lab.apply(plan)
    list(lab.client.stop())
    lab.start()

    events, result = lab.apply(plan)

    assert result["data"] == {"fresh": ["fleeting"], "kept": ["lasting"]}
    accepted = next(event for event in events if event["kind"] == "plan.accepted")
    assert accepted["details"]["fresh"] == ["fleeting"]
    assert (count_of(lab, "fleeting"), count_of(lab, "lasting")) == (1, 2)
    assert ServiceData(lab.paths.data).names_of_previous() == ["fleeting"]


def test_data_that_a_fresh_start_put_aside_comes_back(
    lab: StackLab, wait_until: Callable[..., None]
) -> None:
    plan = lab.plan(make_counter(lab, "counter"))
    for _ in range(2):
        lab.start()
        lab.apply(plan)
        wait_until((lab.paths.data / "counter/count").exists)
        list(lab.client.stop())
    lab.start()
    lab.apply(plan)

    outcome(lab.client.restore_data([], is_previous=True))

    assert count_of(lab) == 2


def test_a_snapshot_of_nothing_is_refused_and_the_service_runs_on(lab: StackLab) -> None:
    before = lab.pids(lab.start_with(lab.service("idle")))

    with pytest.raises(RejectedError, match="idle has no data"):
        collect(lab.client.take_snapshot(["idle"], name="none"))

    assert lab.service_status("idle")["state"] in {"starting", "healthy"}
    lab.wait_for_service("idle", lambda service: service["state"] == "healthy")
    assert set(lab.pids()) == set(before)


@pytest.mark.parametrize("name", ["../outside", "/etc", ".hidden", ""])
def test_names_that_lead_elsewhere_are_refused(lab: StackLab, name: str) -> None:
    lab.start_with(lab.service("idle"))
    with pytest.raises(Exception, match="is not a name"):
        collect(lab.client.reset_data([name]))


def test_links_in_data_are_copied_as_links(counting: StackLab, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("not for a snapshot")
    (counting.paths.data / "counter/link").symlink_to(secret)
    (counting.paths.data / "counter/outside").symlink_to(tmp_path)

    outcome(counting.client.take_snapshot(["counter"], name="links"))

    copied = counting.paths.snapshots / "links/counter/counter"
    assert (copied / "link").is_symlink()
    assert (copied / "outside").is_symlink()
    assert {path.name for path in copied.iterdir()} == {"count", "link", "outside"}


def test_a_failed_service_is_tried_again_with_no_data(
    lab: StackLab, wait_until: Callable[..., None]
) -> None:
    lab.start()
    script = "if [ -e broken ]; then exit 1; fi; touch broken; exit 1"
    lab.apply(lab.plan(lab.shell("bad", script)))
    assert lab.service_status("bad")["state"] == "failed"

    result = collect(lab.client.reset_data(["bad"]))[1]

    assert result["failed"] == ["bad"]
    wait_until(lambda: lab.service_status("bad")["state"] == "failed")
    assert (lab.paths.data / ".previous/bad/bad/broken").exists()


def test_a_snapshot_leaves_a_failed_service_as_it_is(lab: StackLab) -> None:
    lab.start()
    bad = lab.shell("bad", "echo try >> tries; exit 1")
    lab.apply(lab.plan(make_counter(lab, "counter"), bad, lab.service("user", needs=("bad",))))
    tries = (lab.paths.data / "bad/tries").read_text()
    assert lab.service_status("bad")["state"] == "failed"

    events, result = collect(lab.client.take_snapshot(["counter", "bad"], name="one"))

    assert result["data"]["restarted"] == ["counter"]
    assert {event["service"] for event in events if event["service"]} == {"counter"}
    assert (lab.paths.data / "bad/tries").read_text() == tries
    assert lab.service_status("bad")["state"] == "failed"
    assert lab.service_status("user")["state"] == "failed"


def test_a_service_that_stands_still_is_told_to_have_stopped_once(counting: StackLab) -> None:
    events, _ = collect(counting.client.take_snapshot(["counter"], name="one"))
    stops = [event for event in events if event["kind"] == "service.stopped"]
    assert [(event["service"], event["message"]) for event in stops] == [("counter", "")]

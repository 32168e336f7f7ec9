from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from prismctl.domain.host_port import HostPort, PortProtocol
from prismctl.engine.nomad.layout import AgentLayout
from prismctl.engine.nomad.ports import (
    NAMES,
    AgentPorts,
    PortReservations,
    choose_agent_ports,
    ensure_agent_ports,
    is_free,
    load_agent_ports,
)
from prismctl.engine.nomad.processes import (
    ProcessFacts,
    ProcessId,
    find_process,
    is_alive,
    send_signal,
    wait_until_gone,
)
from prismctl.engine.nomad.sweep import find_leftovers, find_mounts, sweep
from prismctl.files.paths import StackPaths
from prismctl.machine import reserve_port

if TYPE_CHECKING:
    from collections.abc import Iterator

LAYOUT = AgentLayout(StackPaths(Path("/home/u/.prism/run/default"), "default"))
DATA = "/home/u/.prism/run/default/agents/nomad/data"


def process(pid: int, parent: int = 1, command: str = "", environment: str = "") -> ProcessFacts:
    return ProcessFacts(
        id=ProcessId(pid, 1), parent=parent, command=command, environment=environment
    )


def sleeper(environment: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], env=environment)


def found(*processes: ProcessFacts, spare: tuple[int, ...] = ()) -> list[int]:
    return sorted(one.id.pid for one in find_leftovers(processes, LAYOUT, spare))


def test_helpers_and_tasks_of_this_stack_are_found_with_their_children() -> None:
    assert found(
        process(2, command=f'nomad executor {{"LogFile":"{DATA}/alloc/x/y/executor.out"}}'),
        process(3, environment="A=1\0PRISM_AGENTS=/home/u/.prism/run/default/agents\0"),
        process(4, environment=f"NOMAD_ALLOC_DIR={DATA}/alloc/x/alloc\0"),
        process(5, parent=4),
        process(6, parent=5),
    ) == [2, 3, 4, 5, 6]


def test_other_stacks_and_onlookers_are_not() -> None:
    assert (
        found(
            process(2, command=f"tail -f {DATA}/alloc/x/alloc/logs/redis.stdout.0"),
            process(3, environment="PRISM_AGENTS=/home/u/.prism/run/default2/agents\0"),
            process(4, environment="NOMAD_ALLOC_DIR=/opt/nomad/alloc/x\0"),
            process(5, environment="X=PRISM_AGENTS=/home/u/.prism/run/default/agents\0"),
        )
        == []
    )


def test_what_is_spared_is_spared() -> None:
    mark = "PRISM_AGENTS=/home/u/.prism/run/default/agents\0"
    assert found(process(2, environment=mark), process(3, environment=mark), spare=(3,)) == [2]


def test_mounts_are_undone_from_the_inside_out() -> None:
    table = "\n".join(
        (
            "22 1 0:21 / / rw - ext4 /dev/vda rw",
            f"70 22 0:50 / {DATA}/alloc/x rw - tmpfs tmpfs rw",
            f"71 70 0:51 / {DATA}/alloc/x/my\\040task/secrets rw - tmpfs tmpfs rw",
            "72 22 0:52 / /home/u/.prism/run/default2 rw - tmpfs tmpfs rw",
        )
    )
    assert find_mounts(table, LAYOUT.nomad) == [
        f"{DATA}/alloc/x/my task/secrets",
        f"{DATA}/alloc/x",
    ]


async def test_a_sweep_ends_marked_processes_and_removes_files(tmp_path: Path) -> None:
    layout = AgentLayout(StackPaths(tmp_path / "default", "default"))
    layout.task_logs("x").mkdir(parents=True)
    environment = {**os.environ, "PRISM_AGENTS": str(layout.directory)}
    left = sleeper(environment)
    bystander = sleeper()
    try:
        swept = await sweep(layout)
        assert swept.processes == 1
        assert left.wait() == -signal.SIGKILL
        assert bystander.poll() is None
        assert not layout.nomad.exists()
        assert not await sweep(layout)
    finally:
        bystander.kill()
        bystander.wait()
        left.kill()
        left.wait()


async def test_a_recycled_pid_is_never_signalled() -> None:
    child = sleeper()
    try:
        real = find_process(child.pid)
        assert real is not None
        stranger = ProcessId(real.pid, (real.start_ticks or 0) - 1)
        assert not is_alive(stranger)
        assert not send_signal(stranger, signal.SIGKILL)
        await wait_until_gone(stranger)
        assert is_alive(real)
        assert send_signal(real, signal.SIGTERM)
        await wait_until_gone(real)
        assert not is_alive(real)
    finally:
        child.kill()
        child.wait()


def test_usual_ports_are_taken_where_they_are_free() -> None:
    assert choose_agent_ports(lambda _name, _number: True) == AgentPorts()


def test_only_the_taken_port_is_replaced() -> None:
    chosen = choose_agent_ports(lambda _name, number: number != 4646)
    assert chosen.nomad_http != 4646
    assert chosen.consul_http == 8500


def test_a_port_held_for_udp_alone_is_not_free() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("127.0.0.1", 0))
        number = holder.getsockname()[1]
        assert not is_free(number, udp=True)


@pytest.fixture
def reservations() -> Iterator[PortReservations]:
    made = PortReservations()
    yield made
    made.keep_only(None)


@pytest.fixture
def others() -> Iterator[PortReservations]:
    made = PortReservations()
    yield made
    made.keep_only(None)


def record_unusual_ports(record: Path) -> AgentPorts:
    usual = {getattr(AgentPorts(), name) for name in NAMES}
    ports = choose_agent_ports(
        lambda _name, number: number not in usual and is_free(number, udp=True)
    )
    record.write_text(json.dumps(asdict(ports)), encoding="utf-8")
    return ports


def test_ports_stay_the_same_until_somebody_takes_one(
    tmp_path: Path, reservations: PortReservations
) -> None:
    record = tmp_path / "ports.json"
    assert load_agent_ports(record) is None
    first = record_unusual_ports(record)
    assert ensure_agent_ports(record, reservations) == first
    with socket.create_server(("127.0.0.1", first.consul_http)):
        second = ensure_agent_ports(record, reservations)
    assert second.consul_http != first.consul_http
    assert load_agent_ports(record) == second


@pytest.mark.skipif(sys.platform != "linux", reason="nothing can be reserved elsewhere")
def test_what_one_stack_has_chosen_another_does_not_choose(
    tmp_path: Path, reservations: PortReservations, others: PortReservations
) -> None:
    record = tmp_path / "ports.json"
    first = record_unusual_ports(record)
    assert ensure_agent_ports(record, reservations) == first
    second = ensure_agent_ports(record, others)
    numbers = [{getattr(one, name) for name in NAMES} for one in (first, second)]
    assert not numbers[0] & numbers[1]
    reservations.keep_only(None)
    assert others.reserve(first.nomad_http)


@pytest.mark.skipif(sys.platform != "linux", reason="nothing can be reserved elsewhere")
def test_a_port_of_gossip_is_kept_from_services_of_both_protocols(
    tmp_path: Path, reservations: PortReservations
) -> None:
    record = tmp_path / "ports.json"
    ports = record_unusual_ports(record)
    assert ensure_agent_ports(record, reservations) == ports
    assert not reserve_port(HostPort(ports.consul_dns, PortProtocol.UDP), "somebody")
    assert not reserve_port(HostPort(ports.consul_dns), "somebody")
    assert reserve_port(HostPort(ports.nomad_http, PortProtocol.UDP), "somebody")
    assert not reserve_port(HostPort(ports.nomad_http), "somebody")


def test_a_damaged_record_is_as_good_as_none(tmp_path: Path) -> None:
    record = tmp_path / "ports.json"
    record.write_text('{"nomad_http": "many"}', encoding="utf-8")
    assert load_agent_ports(record) is None


@pytest.mark.parametrize("pid", [2**22 - 1])
def test_nobody_is_nobody(pid: int) -> None:
    assert find_process(pid) is None

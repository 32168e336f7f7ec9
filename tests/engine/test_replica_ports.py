from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from prismctl.domain.observation import InstanceKey
from prismctl.domain.plan import EngineName, Port, ServicePlan, ServiceTemplate, StackPlan
from prismctl.domain.service import DEFAULT_STACK, Runtime, ServiceName, ServiceType
from prismctl.engine.nomad.applied import prepare, shim_place
from prismctl.engine.replica_ports import ReplicaPorts
from prismctl.files.paths import StackPaths

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from prismctl.domain.host_port import HostPort

WEB = InstanceKey(ServiceName("web"), 0)
SECOND = InstanceKey(ServiceName("web"), 1)


@pytest.fixture
def paths(tmp_path: Path) -> Iterator[StackPaths]:
    made = StackPaths(tmp_path / "run" / "default", "default")
    made.ensure()
    yield made
    if made.socket_directory != made.directory:
        made.socket_directory.rmdir()


@pytest.fixture
def plan(paths: StackPaths) -> StackPlan:
    own = ServicePlan(
        name=WEB.service,
        type=ServiceType.APPLICATION,
        source="--with",
        runtime=Runtime.NATIVE,
        runtime_reason="",
        command=("/bin/sleep", "7070", f"{paths.data}/web"),
        ports=(Port(name="http", number=7070),),
        replicas=2,
        template=ServiceTemplate(command=("/bin/sleep", "${self.port}", "${self.data}")),
    )
    return StackPlan(
        stack=DEFAULT_STACK,
        engine=EngineName.LOCAL,
        engine_reason="",
        origin="minimal",
        services=(own,),
    )


def test_the_first_instance_is_as_planned(paths: StackPaths, plan: StackPlan) -> None:
    assert ReplicaPorts(paths).plan_instance(WEB, plan) == plan.service("web")


def test_a_further_instance_has_free_ports_and_data_of_its_own(
    paths: StackPaths, plan: StackPlan
) -> None:
    tried: list[int] = []

    def is_free(port: HostPort) -> bool:
        tried.append(port.number)
        return len(tried) == 3

    second = ReplicaPorts(paths, is_free=is_free).plan_instance(SECOND, plan)
    number = second.ports[0].number
    assert number == tried[-1]
    assert second.command == ("/bin/sleep", str(number), f"{paths.data}/web#1")


def test_kept_ports_are_found_again_while_the_names_are_the_same(
    paths: StackPaths, plan: StackPlan
) -> None:
    first = ReplicaPorts(paths)
    ports = first.plan_instance(SECOND, plan).ports
    first.keep({str(SECOND)})
    # Taken by the very instance that has them.
    again = ReplicaPorts(paths, is_free=lambda _: False)
    assert again.plan_instance(SECOND, plan).ports == ports


def test_a_port_of_the_plan_is_nobody_elses_even_before_anything_listens(
    paths: StackPaths, plan: StackPlan
) -> None:
    number = ReplicaPorts(paths).plan_instance(SECOND, plan).ports[0].number
    other = replace(
        plan.service("web"),
        name=ServiceName("other"),
        ports=(Port(name="http", number=number),),
    )
    crowded = replace(plan, services=(*plan.services, other))
    assert ReplicaPorts(paths).plan_instance(SECOND, crowded).ports[0].number != number


def test_instances_on_nomad_do_not_share_a_data_directory(
    paths: StackPaths, plan: StackPlan
) -> None:
    applied = prepare(plan, paths, 8500)
    told = shim_place(paths).environment_file(SECOND).read_bytes()
    assert f"A{paths.data}/web#1".encode() in told.split(b"\0")
    assert applied.ports[SECOND] == ReplicaPorts(paths).plan_instance(SECOND, plan).ports

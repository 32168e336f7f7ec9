from __future__ import annotations

from dataclasses import replace

import pytest

from prismctl.domain.addressing import assign_ports
from prismctl.domain.host_port import PortProtocol
from prismctl.domain.moved_ports import describe_move, warn_of_fixed_ports
from prismctl.domain.plan import (
    EngineName,
    Port,
    ServicePlan,
    StackPlan,
    plan_from_json,
    plan_to_json,
)
from prismctl.domain.service import (
    PortDefinition,
    Runtime,
    ServiceDefinition,
    ServiceName,
    ServiceType,
    StackName,
)
from prismctl.present.plan import plain_plan_lines, plan_lines, render_plan

MOVED = Port(name="http", number=21899, is_dynamic=True, wanted=18711, taken_by="PID 7, python3")


def planned(*command: str, port: Port = MOVED, env: dict[str, str] | None = None) -> ServicePlan:
    return ServicePlan(
        name=ServiceName("a"),
        type=ServiceType.APPLICATION,
        source="default",
        runtime=Runtime.NATIVE,
        runtime_reason="",
        command=command,
        env=env or {},
        ports=(port,),
    )


def stack(service: ServicePlan) -> StackPlan:
    return StackPlan(
        stack=StackName("default"),
        engine=EngineName.LOCAL,
        engine_reason="",
        origin="test",
        services=(service,),
    )


def wanting(name: str, number: int, *, is_explicit: bool = True) -> ServiceDefinition:
    port = PortDefinition(name="http", number=number, is_explicit=is_explicit)
    return ServiceDefinition(name=ServiceName(name), ports=(port,))


def test_a_moved_port_knows_its_wanted_number_and_who_has_it() -> None:
    assigned = assign_ports(
        [wanting("a", 18711), wanting("b", 18712)],
        stack="x",
        is_free=lambda port: port.number != 18711,
        replaces_taken=True,
        who_has=lambda port: f"PID 7, holder of {port}",
    )
    (moved,) = assigned.ports[ServiceName("a")]
    assert (moved.wanted, moved.taken_by) == (18711, "PID 7, holder of 18711")
    (kept,) = assigned.ports[ServiceName("b")]
    assert (kept.number, kept.wanted, kept.taken_by) == (18712, None, "")


def test_a_udp_port_that_was_moved_is_told_as_one() -> None:
    moved = replace(MOVED, protocol=PortProtocol.UDP)
    assert (
        describe_move(moved)
        == f"{moved.number}/udp instead of {moved.wanted}/udp ({moved.taken_by})"
    )


def test_a_packaged_port_that_another_service_of_the_plan_has_names_that_service() -> None:
    assigned = assign_ports(
        [wanting("launcher", 9093), wanting("kafka", 9093, is_explicit=False)],
        stack="x",
        is_free=lambda _: True,
        who_has=lambda _: "nobody was to be asked",
    )
    (moved,) = assigned.ports[ServiceName("kafka")]
    assert (moved.wanted, moved.taken_by) == (9093, "launcher")


def test_where_a_number_comes_from_changes_nothing_that_runs() -> None:
    service = planned("web")
    alike = replace(service, ports=(replace(MOVED, wanted=None, taken_by=""),))
    assert service.digest == alike.digest


def test_a_moved_port_crosses_the_socket() -> None:
    plan = stack(planned("web"))
    assert plan_from_json(plan_to_json(plan)) == plan


@pytest.mark.parametrize(
    ("command", "env", "is_warned"),
    [
        (("python3", "-m", "http.server", "18711"), {}, True),
        (("web", "--listen=127.0.0.1:18711"), {}, True),
        (("web", "--listen", "21899", "--peer", "18711"), {}, False),
        (("sh", "-c", "web ${PORT:-18711}"), {}, False),
        (("web", "18711"), {"LISTEN": "0.0.0.0:21899"}, False),
        (("web", "187110"), {}, False),
        (("web",), {}, False),
    ],
)
def test_a_fixed_port_in_a_command_is_warned_of_when_it_moves(
    command: tuple[str, ...], env: dict[str, str], *, is_warned: bool
) -> None:
    warnings = warn_of_fixed_ports(planned(*command, env=env))
    assert bool(warnings) is is_warned
    if is_warned:
        assert warnings[0] == (
            "a listens on a fixed port: its command says 18711, and it is looked for on 21899; "
            "write `${self.port}` in place of 18711"
        )


def test_a_port_that_did_not_move_is_nobody_s_worry() -> None:
    port = Port(name="http", number=18711)
    assert describe_move(port) == ""
    assert warn_of_fixed_ports(planned("web", "18711", port=port)) == []


def test_a_container_keeps_its_number_inside() -> None:
    mapped = replace(planned(), args=("--port", "18711"), ports=(replace(MOVED, target=18711),))
    assert warn_of_fixed_ports(mapped) == []


def test_a_moved_port_is_not_silent_in_any_form_of_the_plan() -> None:
    plan = stack(planned("web", "18711"))
    told = "port 21899 instead of 18711 (PID 7, python3)"
    people = ["".join(span.text for span in line) for line in plan_lines(plan, width=200)]
    assert f"    {told}" in people
    assert any(line.startswith("    ! a listens on a fixed port") for line in people)
    plain = ["".join(span.text for span in line) for line in plain_plan_lines(plan)]
    assert f"note     a {told}" in plain
    assert any(line.startswith("warning  a listens on a fixed port") for line in plain)
    document = render_plan(plan)
    (port,) = document["services"][0]["ports"]
    assert (port["port"], port["wanted"], port["taken_by"]) == (21899, 18711, "PID 7, python3")
    assert document["warnings"][0].startswith("a listens on a fixed port")

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING, Any

import pytest

from prismctl.domain.plan import EngineName, Port, ServicePlan, StackPlan
from prismctl.domain.service import DEFAULT_STACK, Runtime, ServiceName, ServiceType
from prismctl.errors import MissingToolError, PrismError
from prismctl.files.paths import StackPaths
from prismctl.runtime.command import render_command
from prismctl.runtime.replica_ports import choose_replica_ports, replace_port_numbers

if TYPE_CHECKING:
    from pathlib import Path


def make_service(**changes: Any) -> ServicePlan:
    fields: dict[str, Any] = {
        "name": ServiceName("prism-admin"),
        "type": ServiceType.CORE,
        "source": "required",
        "runtime": Runtime.BUILTIN,
        "runtime_reason": "",
        "program": "prism-admin",
        "args": ("serve", "--port=8981", "--metrics-port", "9190"),
        "ports": (Port(name="grpc", number=8981), Port(name="metrics-http", number=9190)),
    }
    return ServicePlan(**{**fields, **changes})


def make_plan(*services: ServicePlan) -> StackPlan:
    return StackPlan(
        stack=DEFAULT_STACK,
        engine=EngineName.NOMAD,
        engine_reason="",
        origin="minimal",
        services=services,
        base_env={"PATH": "/usr/bin:/bin", "HOME": "/home/somebody"},
    )


@pytest.fixture
def paths(tmp_path: Path) -> StackPaths:
    return StackPaths(tmp_path / "run" / "default", "default")


def test_a_packaged_service_is_a_module_of_this_interpreter(paths: StackPaths) -> None:
    service = make_service()
    command = render_command(service, 0, make_plan(service), paths)
    assert command.argv[:3] == (sys.executable, "-m", "prism_services.admin")
    assert command.argv[3:] == service.args
    assert command.cwd == str(paths.data / "prism-admin")


def test_a_process_learns_its_ports_and_who_it_is(paths: StackPaths) -> None:
    service = make_service(env={"LEVEL": "debug", "PRISM_STACK": "made up"})
    environment = render_command(service, 0, make_plan(service), paths).env
    assert environment == {
        "PATH": "/usr/bin:/bin",
        "HOME": "/home/somebody",
        "PORT": "8981",
        "PORT_GRPC": "8981",
        "PORT_METRICS_HTTP": "9190",
        "LEVEL": "debug",
        "PRISM_STACK": "default",
        "PRISM_SERVICE": "prism-admin",
        "PRISM_REPLICA": "0",
    }


def test_the_second_replica_listens_elsewhere_and_is_told_so(paths: StackPaths) -> None:
    service = make_service(env={"ADDRESS": "127.0.0.1:8981", "SERIAL": "18981"})
    ports = (Port(name="grpc", number=40001), Port(name="metrics-http", number=40002))
    command = render_command(service, 1, make_plan(service), paths, ports=ports)
    assert command.argv[3:] == ("serve", "--port=40001", "--metrics-port", "40002")
    assert command.env["ADDRESS"] == "127.0.0.1:40001"
    assert command.env["SERIAL"] == "18981"
    assert command.env["PORT"] == "40001"
    assert command.ports == ports
    assert command.cwd == str(paths.data / "prism-admin#1")


def test_replica_ports_are_free_and_differ_from_the_plans() -> None:
    service = make_service()
    ports = choose_replica_ports(service, 1)
    assert choose_replica_ports(service, 0) == service.ports
    assert [port.name for port in ports] == ["grpc", "metrics-http"]
    for port in ports:
        with socket.socket() as listener:
            listener.bind((port.host, port.number))


def test_exchanged_port_numbers_do_not_chain() -> None:
    assert replace_port_numbers("1:2", {1: 2, 2: 3}) == "2:3"


def test_a_native_program_is_found_on_the_services_own_path(
    paths: StackPaths, tmp_path: Path
) -> None:
    program = tmp_path / "tool"
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    service = make_service(
        runtime=Runtime.NATIVE, command=("tool", "-x"), env={"PATH": str(tmp_path)}
    )
    assert render_command(service, 0, make_plan(service), paths).argv == (str(program), "-x")


def test_a_missing_native_program_is_named(paths: StackPaths) -> None:
    service = make_service(runtime=Runtime.NATIVE, command=("no-such-server",))
    with pytest.raises(MissingToolError, match="no-such-server") as caught:
        render_command(service, 0, make_plan(service), paths)
    assert caught.value.hint


def test_a_binary_that_went_away_is_refused(paths: StackPaths, tmp_path: Path) -> None:
    service = make_service(runtime=Runtime.BINARY, program=str(tmp_path / "gone"))
    with pytest.raises(MissingToolError, match="gone"):
        render_command(service, 0, make_plan(service), paths)


def test_a_container_is_refused_with_the_native_alternative(paths: StackPaths) -> None:
    service = make_service(runtime=Runtime.CONTAINER, program="redis:7-alpine")
    with pytest.raises(MissingToolError, match="redis:7-alpine") as caught:
        render_command(service, 0, make_plan(service), paths)
    assert "--runtime native" in caught.value.hint


def test_an_unknown_packaged_service_is_refused(paths: StackPaths) -> None:
    service = make_service(program="prism-nonsense")
    with pytest.raises(PrismError, match="prism-nonsense"):
        render_command(service, 0, make_plan(service), paths)

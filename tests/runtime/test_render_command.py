from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from prismctl.domain.plan import EngineName, Port, ServicePlan, StackPlan
from prismctl.domain.service import DEFAULT_STACK, Runtime, ServiceName, ServiceType
from prismctl.errors import MissingToolError, PrismError
from prismctl.files.paths import StackPaths
from prismctl.runtime.command import render_command

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


def test_a_container_without_anything_to_run_it_is_refused(paths: StackPaths) -> None:
    service = make_service(runtime=Runtime.CONTAINER, program="redis:7-alpine")
    with pytest.raises(MissingToolError, match="redis:7-alpine") as caught:
        render_command(service, 0, make_plan(service), paths)
    assert "prismctl dev init" in caught.value.hint


def test_an_unknown_packaged_service_is_refused(paths: StackPaths) -> None:
    service = make_service(program="prism-nonsense")
    with pytest.raises(PrismError, match="prism-nonsense"):
        render_command(service, 0, make_plan(service), paths)

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from prismctl.domain.containers import DOCKER, PODMAN, ContainerTool
from prismctl.domain.host_port import PortProtocol
from prismctl.domain.plan import EngineName, Port, ServicePlan, StackPlan
from prismctl.domain.service import DEFAULT_STACK, Resources, Runtime, ServiceName, ServiceType
from prismctl.files.paths import StackPaths
from prismctl.runtime.command import render_command
from prismctl.runtime.run_container import VARIABLE_PREFIX, hand_over, split_environment
from prismctl.runtime.servers import data_check_here

TOOL = ContainerTool(
    kind=PODMAN, program="/usr/bin/podman", environment={"CONTAINERS_CONF": "/h/containers.conf"}
)
REDIS = ServicePlan(
    name=ServiceName("redis"),
    type=ServiceType.BACKEND,
    source="--with",
    runtime=Runtime.CONTAINER,
    runtime_reason="",
    program="redis:7-alpine",
    args=("--maxmemory", "64mb"),
    env={"SECRET": "hush", "HOME": "/inside"},
    ports=(Port(name="db", number=26379, target=6379),),
    volumes=("/h/run/default/data/redis:/data",),
)


def make_plan(service: ServicePlan, tool: ContainerTool = TOOL) -> StackPlan:
    return StackPlan(
        stack=DEFAULT_STACK,
        engine=EngineName.LOCAL,
        engine_reason="",
        origin="redis",
        services=(service,),
        base_env={"PATH": "/usr/bin:/bin", "HOME": "/home/somebody"},
        containers=tool,
    )


@pytest.fixture
def paths(tmp_path: Path) -> StackPaths:
    return StackPaths(tmp_path / "run" / "default", "default")


def words_after(argv: tuple[str, ...], option: str) -> list[str]:
    return [after for word, after in itertools.pairwise(argv) if word == option]


def test_ports_are_mapped_to_loopback_and_the_server_keeps_its_own_number(
    paths: StackPaths,
) -> None:
    command = render_command(REDIS, 0, make_plan(REDIS), paths)
    assert words_after(command.argv, "--publish") == ["127.0.0.1:26379:6379"]
    assert command.env[f"{VARIABLE_PREFIX}PORT"] == "6379"
    assert command.argv[-3:] == ("redis:7-alpine", "--maxmemory", "64mb")
    assert words_after(command.argv, "--volume") == ["/h/run/default/data/redis:/data"]


def test_a_udp_port_is_published_as_one(paths: StackPaths) -> None:
    ports = (
        Port(name="dns", number=26353, target=53, protocol=PortProtocol.UDP),
        Port(name="dns-tcp", number=26353, target=53),
    )
    service = replace(REDIS, ports=ports)
    argv = render_command(service, 0, make_plan(service), paths).argv
    assert words_after(argv, "--publish") == ["127.0.0.1:26353:53/udp", "127.0.0.1:26353:53"]


def test_the_network_of_the_machine_is_shared_where_the_plan_says_so(paths: StackPaths) -> None:
    service = replace(REDIS, has_host_network=True)
    argv = render_command(service, 0, make_plan(service), paths).argv
    assert words_after(argv, "--network") == ["host"]
    assert "--publish" not in argv


def test_nothing_that_a_container_is_given_is_in_the_command_line(paths: StackPaths) -> None:
    command = render_command(REDIS, 0, make_plan(REDIS), paths)
    assert "hush" not in " ".join(command.argv)


def test_the_client_has_its_own_environment_and_the_container_what_the_catalog_says(
    paths: StackPaths,
) -> None:
    environment = render_command(REDIS, 0, make_plan(REDIS), paths).env
    own, given = split_environment(environment)
    assert own == {
        "PATH": "/usr/bin:/bin",
        "HOME": "/home/somebody",
        "CONTAINERS_CONF": "/h/containers.conf",
    }
    assert (given["HOME"], given["SECRET"], given["PRISM_SERVICE"]) == ("/inside", "hush", "redis")
    assert "PATH" not in given


def test_memory_is_limited_only_where_somebody_has_said_so(paths: StackPaths) -> None:
    assert "--memory" not in render_command(REDIS, 0, make_plan(REDIS), paths).argv
    limited = replace(REDIS, resources=Resources(memory_limit_mb=64))
    argv = render_command(limited, 0, make_plan(limited), paths).argv
    assert words_after(argv, "--memory") == ["64m"]


def test_two_instances_and_two_homes_have_containers_of_different_names(tmp_path: Path) -> None:
    one, other = (StackPaths(tmp_path / name / "run" / "default", "default") for name in "ab")
    plan = make_plan(REDIS)
    names = {
        render_command(REDIS, replica, plan, paths).argv[6]
        for replica in (0, 1)
        for paths in (one, other)
    }
    assert len(names) == 4
    assert all(name.startswith("prism-") for name in names)


def test_docker_is_never_asked_for_what_it_does_not_know(paths: StackPaths) -> None:
    plan = make_plan(REDIS, ContainerTool(kind=DOCKER, program="/usr/bin/docker"))
    argv = render_command(REDIS, 0, plan, paths).argv
    assert argv[4:6] == ("docker", "/usr/bin/docker")


def test_what_a_line_cannot_hold_goes_by_the_environment_of_the_client(tmp_path: Path) -> None:
    given = {
        "SPACES": ' a "b" $c # d',
        "UNICODE": "größe ☃",
        "EMPTY": "",
        "LINES": "one\ntwo",
        "LONG": "x" * 100_000,
    }
    file = tmp_path / "variables"
    arguments, environment = hand_over(given, {"PATH": "/bin"}, file)
    assert file.read_text() == 'SPACES= a "b" $c # d\nUNICODE=größe ☃\nEMPTY=\n'
    assert file.stat().st_mode & 0o777 == 0o600
    assert arguments == ["--env-file", str(file), "--env", "LINES", "--env", "LONG"]
    assert environment == {"PATH": "/bin", "LINES": "one\ntwo", "LONG": "x" * 100_000}


def test_the_data_of_a_postgres_is_looked_at_before_there_is_a_container(paths: StackPaths) -> None:
    service = replace(REDIS, name=ServiceName("db"), driver="postgres", volumes=("pg:/data",))
    argv = render_command(service, 0, make_plan(service), paths).argv
    data = str(paths.data_of("db", 0))
    assert Path(argv[3]).name == "data_check_here.py"
    assert argv[4:8] == (data, data_check_here.ANY_ACCOUNT, "24", "")
    assert Path(argv[11]).name == "postgres_image_check_here.py"
    assert argv[12:18] == (data, PODMAN, TOOL.program, "redis:7-alpine", "1", f"{data}/pg:/data")
    assert Path(argv[21]).name == "run_container.py"

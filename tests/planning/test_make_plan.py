from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from prismctl.domain.addressing import PortConflict, PortHolder
from prismctl.domain.host_port import HostPort, PortProtocol
from prismctl.domain.plan import EngineName, compare_plans
from prismctl.domain.service import Runtime, ServiceName
from prismctl.errors import ConfigError, MissingToolError
from prismctl.machine import is_port_free
from prismctl.planning import (
    PlanRequest,
    PortTakenError,
    foresee_plan,
    render_conflict,
)
from tests.free_ports import take_port
from tests.port_holder import holding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.planning.conftest import Desk

LISTENER = """
import socket, sys
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
sys.stdin.read()
"""


@contextmanager
def listener() -> Iterator[tuple[int, int]]:
    process = subprocess.Popen(
        [sys.executable, "-c", LISTENER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline()), process.pid
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(timeout=10)


def test_nothing_said_is_the_minimal_stack_on_the_local_engine(desk: Desk) -> None:
    plan = desk.plan()
    assert plan.names == ("prism-admin", "pattern-launcher", "memstore")
    assert (plan.origin, plan.engine) == ("minimal", EngineName.LOCAL)
    assert {service.runtime for service in plan.services} == {Runtime.BUILTIN}
    assert desk.home.catalog.exists()


def test_planning_again_changes_nothing(desk: Desk) -> None:
    first = desk.plan(preset="minimal")
    second = desk.plan(preset="minimal")
    assert not compare_plans(first, second)


def test_a_trial_writes_nothing(desk: Desk) -> None:
    desk.plan(is_trial=True)
    assert not desk.home.directory.exists()


def test_both_tools_make_nomad_the_engine(desk: Desk) -> None:
    for tool in ("nomad", "consul"):
        desk.program(tool, desk.home.tools)
    assert desk.plan().engine is EngineName.NOMAD
    assert desk.plan(engine="local").engine is EngineName.LOCAL


def test_a_missing_server_program_is_told_with_how_to_get_it(desk: Desk) -> None:
    with pytest.raises(MissingToolError) as raised:
        desk.plan(preset="redis")
    assert "redis needs `redis-server`, which is not installed" in raised.value.message
    desk.program("redis-server")
    redis = desk.plan(preset="redis").service("redis")
    assert (redis.runtime, redis.source) == (Runtime.NATIVE, "preset redis")
    assert redis.command[0] == str(desk.path / "redis-server")


def test_a_program_in_build_binaries_replaces_what_ships(desk: Desk) -> None:
    desk.program("prism-admin", desk.project / "build" / "binaries")
    admin = desk.plan().service("prism-admin")
    assert (admin.runtime, admin.runtime_reason) == (
        Runtime.BINARY,
        "build/binaries/prism-admin is there",
    )


def test_all_impossible_flags_are_told_at_once(desk: Desk) -> None:
    with pytest.raises(ConfigError) as raised:
        desk.plan(
            preset="mesaging",
            with_services=("rdeis",),
            without_services=("admin",),
            engine="nomda",
            runtime="nativ",
            stack="No Good",
        )
    found = [str(problem) for problem in raised.value.problems]
    for part in (
        "unknown preset `mesaging`; did you mean `messaging`?",
        "--with: unknown service `rdeis`; did you mean `redis`?",
        "prism-admin is required and cannot be left out (--without)",
        "unknown engine `nomda`; did you mean `nomad`?",
        "unknown runtime `nativ`; did you mean `native`?",
        "stack name `No Good` is impossible",
    ):
        assert any(part in each for each in found), part
    assert len(found) == 6


def test_mistakes_of_catalog_settings_and_flags_are_told_together(desk: Desk) -> None:
    file = desk.write("mine.yaml", "services:\n  - name: web\n    comand: x\n")
    desk.home.directory.mkdir()
    desk.home.settings.write_text("engin: local\n", encoding="utf-8")
    with pytest.raises(ConfigError) as raised:
        desk.plan(services_file=file, preset="nope")
    suggestions = [problem.suggestion for problem in raised.value.problems]
    assert "engine" in suggestions
    assert "command" in suggestions
    assert any("unknown preset `nope`" in each.message for each in raised.value.problems)


def test_a_catalog_for_one_call_starts_what_is_default_in_it(desk: Desk) -> None:
    desk.program("web-server")
    desk.write(
        "mine.yaml",
        "services:\n"
        "  - {name: web, command: web-server, default: true, port: auto}\n"
        "  - {name: other, command: web-server}\n",
    )
    plan = desk.plan(services_file=Path("mine.yaml"))
    assert plan.names == ("prism-admin", "pattern-launcher", "web")
    assert plan.service("web").source == "default"
    assert plan.origin.endswith("mine.yaml")


def test_a_relative_program_is_found_beside_the_catalog(desk: Desk) -> None:
    desk.program("serve", desk.project / "bin")
    desk.write(
        "mine.yaml", "core: false\nservices: [{name: web, command: ./bin/serve, default: true}]"
    )
    plan = desk.plan(services_file=Path("mine.yaml"))
    assert plan.service("web").command == (str(desk.project / "bin" / "serve"),)


@pytest.mark.parametrize("command", ["[web, --fast]", "web --fast"])
def test_args_beside_a_command_do_nothing(desk: Desk, command: str) -> None:
    desk.program("web")
    file = desk.write(
        "own.yaml",
        f"""
core: false
services:
  - name: web
    port: 18080
    command: {command}
    args: [--port, "${{self.port}}"]
    default: true
""",
    )
    (service,) = desk.plan(services_file=file).services
    assert service.command == (str(desk.path / "web"), "--fast", "--port", "18080")
    # The other instances have them, too, with their own numbers.
    assert service.template is not None
    assert service.template.command[-2:] == ("--port", "${self.port}")


def test_args_of_a_packaged_server_do_nothing_where_it_is_a_program(desk: Desk) -> None:
    desk.program("redis-server")
    text = "core: false\nservices: [{name: redis, default: true, args: [redis-server, --maxclients, 7]}]"
    (service,) = desk.plan(services_file=desk.write("own.yaml", text)).services
    assert service.command[0] == str(desk.path / "redis-server")
    assert service.command[1] == "--bind"
    assert service.command[-2:] == ("--maxclients", "7")
    assert service.command.count("redis-server") == 0


def test_packaged_arguments_of_an_image_are_not_given_to_the_program(desk: Desk) -> None:
    desk.program("nats-server")
    (service,) = (
        each for each in desk.plan(with_services=("nats",)).services if each.name == "nats"
    )
    assert "/data" not in service.command


def test_a_mistake_in_args_is_told_at_its_place(desk: Desk) -> None:
    desk.program("web")
    text = "core: false\nservices:\n  - name: web\n    default: true\n    command: web\n    args: [a, '${NOPE}']\n"
    with pytest.raises(ConfigError) as caught:
        desk.plan(services_file=desk.write("own.yaml", text))
    assert "own.yaml:6:15: web: variable `NOPE` is not set" in caught.value.message
    assert caught.value.hint == (
        "`export NOPE=…` before the start, or `${NOPE:-text}` in the file, gives it a value"
    )


def test_a_mistake_in_a_reference_is_told_with_its_place_in_the_catalog(desk: Desk) -> None:
    desk.program("x")
    file = desk.write(
        "mine.yaml",
        "core: false\nservices:\n  - name: web\n    default: true\n    command: [x, '${HOEM}']\n",
    )
    with pytest.raises(ConfigError) as raised:
        desk.plan(services_file=file)
    (problem,) = raised.value.problems
    assert (problem.line, problem.column, problem.suggestion) == (5, 18, "HOME")


def test_two_services_with_the_same_port_are_told_with_what_to_do(desk: Desk) -> None:
    for name in ("x", "redis-server"):
        desk.program(name)
    text = """
core: false
services:
  - {name: a, command: x, port: 18081}
  - name: b
    command: x
    port: 18081
    default: true
    depends_on: a
"""
    file = desk.write("own.yaml", text)
    for auto_ports in (False, True):
        with pytest.raises(ConfigError) as caught:
            desk.plan(services_file=file, auto_ports=auto_ports)
        (problem,) = caught.value.problems
        assert problem.message == "port 18081 is asked for by both a and b"
        assert (problem.line, problem.column) == (7, 11)
        assert "another number, or `auto`" in caught.value.hint
    # The way out leads out.
    desk.write("own.yaml", text.replace("port: 18081\n    default", "port: auto\n    default"))
    assert len(desk.plan(services_file=file).services) == 2


def test_a_preset_names_services_that_a_catalog_leaves_out(desk: Desk) -> None:
    file = desk.write("own.yaml", "services: [{name: web, command: x}]")
    with pytest.raises(ConfigError) as caught:
        desk.plan(services_file=file, preset="redis")
    assert [each.message.partition(";")[0] for each in caught.value.problems] == [
        "preset redis: unknown service `memstore`",
        "preset redis: unknown service `redis`",
    ]
    assert caught.value.hint == (
        f"`- name: memstore` and `- name: redis` among the services of {file} bring the packaged ones"
    )
    # The way out leads out.
    desk.program("redis-server")
    desk.write("own.yaml", "services: [{name: web, command: x}, {name: memstore}, {name: redis}]")
    assert "redis" in [each.name for each in desk.plan(services_file=file, preset="redis").services]


def test_an_unknown_service_that_is_like_no_other_has_no_way_to_be_there(desk: Desk) -> None:
    with pytest.raises(ConfigError) as caught:
        desk.plan(with_services=("clickhouse",))
    assert "an entry with `name` and `command` or `container` in " in caught.value.hint
    with pytest.raises(ConfigError) as caught:
        desk.plan(with_services=("reddis",))
    assert "did you mean `redis`" in caught.value.message
    assert not caught.value.hint


def test_what_is_needed_cannot_be_left_out_and_nobody_says_how(desk: Desk) -> None:
    desk.program("x")
    file = desk.write(
        "own.yaml",
        """
core: false
services:
  - {name: a, command: x, default: true, depends_on: b}
  - {name: b, command: x, depends_on: c}
  - {name: c, command: x}
  - {name: d, command: x, default: true}
""",
    )
    with pytest.raises(ConfigError) as caught:
        desk.plan(services_file=file, without_services=("c",))
    assert caught.value.message == "c is needed by b and cannot be left out (--without)"
    assert caught.value.hint == "`--without a --without b` leaves out what needs c, too"
    plan = desk.plan(services_file=file, without_services=("c", "a", "b"))
    assert [each.name for each in plan.services] == ["d"]


def test_what_a_required_service_needs_stays(desk: Desk) -> None:
    text = "core: false\nservices: [{name: a, command: x, required: true, depends_on: b}, {name: b, command: x}]"
    with pytest.raises(ConfigError) as caught:
        desk.plan(services_file=desk.write("own.yaml", text), without_services=("b",))
    assert caught.value.hint == "keep b: a cannot be left out"


def test_a_required_service_can_be_made_a_choice(desk: Desk) -> None:
    file = desk.write("own.yaml", "services: [{name: web, command: x}]")
    with pytest.raises(ConfigError) as caught:
        desk.plan(services_file=file, without_services=("pattern-launcher",))
    assert "`- {name: pattern-launcher, required: false}`" in caught.value.hint


def test_a_taken_port_names_its_holder(desk: Desk) -> None:
    desk.program("web")
    with listener() as (port, pid):
        file = desk.write(
            "mine.yaml",
            f"core: false\nservices: [{{name: web, command: web, default: true, port: {port}}}]",
        )
        with pytest.raises(PortTakenError) as raised:
            desk.plan(services_file=file, auto_ports=False)
        assert raised.value.exit_code == 1
        start = f"port {port} (web) is in use by PID {pid}, {Path(sys.executable).name} -c import"
        assert raised.value.message.startswith(start)
        assert raised.value.hint == "end it, or start with --auto-ports"
        assert raised.value.conflicts[0].holder is not None

        elsewhere = desk.plan(services_file=file, auto_ports=True)
        moved = elsewhere.service("web").ports[0]
        assert moved.is_dynamic
        web = replace(elsewhere.service("web"), ports=(replace(moved, number=port),))
        running = replace(elsewhere, services=(web,))
        ours = desk.plan(services_file=file, auto_ports=False, held_by=running)
        assert ours.service("web").ports[0].number == port
        second = desk.plan(services_file=file, auto_ports=None, stack="second")
        assert second.service("web").ports[0].is_dynamic
    assert desk.plan(services_file=file, auto_ports=False).service("web").ports[0].number == port


def test_a_taken_udp_port_names_its_holder_and_can_be_replaced(desk: Desk) -> None:
    desk.program("dns")
    port = take_port()
    file = desk.write(
        "mine.yaml",
        "core: false\n"
        f"services: [{{name: dns, command: dns, default: true, ports: [{port}/udp, {port}]}}]",
    )
    with holding(port, protocol="udp") as holder:
        with pytest.raises(PortTakenError) as raised:
            desk.plan(services_file=file, auto_ports=False)
        start = f"port {port}/udp (dns) is in use by PID {holder.pid}, python"
        assert raised.value.message.startswith(start)
        assert ", since " in raised.value.message

        moved, kept = desk.plan(services_file=file, auto_ports=True).service("dns").ports
        assert (moved.protocol, moved.wanted) == (PortProtocol.UDP, port)
        assert moved.number != port
        assert is_port_free(*moved.host_port)
        assert kept.host_port == HostPort(port)
    udp, _ = desk.plan(services_file=file, auto_ports=False).service("dns").ports
    assert udp.host_port == HostPort(port, PortProtocol.UDP)


def test_an_overlay_that_moves_a_udp_port_leaves_it_one(desk: Desk) -> None:
    desk.program("dns")
    desk.write(
        "mine.local.yaml",
        "services: [{name: dns, ports: {dns: 15354, web: 15353/tcp}}]",
    )
    file = desk.write(
        "mine.yaml",
        "core: false\n"
        "services: [{name: dns, command: dns, default: true, ports: {dns: 15353/udp, web: auto/udp}}]",
    )
    dns, web = desk.plan(services_file=file, auto_ports=True).service("dns").ports
    assert (dns.protocol, web.protocol) == (PortProtocol.UDP, PortProtocol.TCP)
    assert dns.wanted in {None, 15354}


def test_who_only_looks_is_shown_the_plan_and_the_ports_that_are_taken(desk: Desk) -> None:
    desk.program("web")
    with listener() as (port, pid):
        file = desk.write(
            "mine.yaml",
            f"core: false\nservices: [{{name: web, command: web, default: true, port: {port}}}]",
        )
        plan, conflicts = foresee_plan(
            PlanRequest(services_file=file),
            home=desk.home,
            environment=desk.environment,
            working_directory=desk.project,
        )
    assert [(each.number, each.service) for each in conflicts] == [(port, "web")]
    assert conflicts[0].holder is not None
    assert conflicts[0].holder.pid == pid
    (moved,) = plan.service("web").ports
    assert moved.number != port
    assert moved.wanted == port
    assert moved.taken_by.startswith(f"PID {pid}, ")
    assert not desk.home.directory.exists()


def test_who_only_looks_at_a_strangers_catalog_runs_nothing_of_it(desk: Desk) -> None:
    for name, directory in (("stranger", desk.project), ("installed", desk.path)):
        desk.program(name, directory)
        (directory / name).write_text(f"#!/bin/sh\necho 1.0 | tee {desk.project}/{name}-ran\n")
    file = desk.write(
        "mine.yaml",
        """
core: false
services:
  - {name: web, command: ./stranger, native: {version: ">=1"}, default: true}
  - {name: db, command: installed, native: {version: ">=1"}, default: true}
""",
    )

    plan, _ = foresee_plan(
        PlanRequest(services_file=file),
        home=desk.home,
        environment=desk.environment,
        working_directory=desk.project,
    )

    assert not (desk.project / "stranger-ran").exists()
    assert (desk.project / "installed-ran").exists()
    assert "is asked its version by a start, >=1 is wanted" in plan.service("web").runtime_reason
    desk.plan(services_file=file)
    assert (desk.project / "stranger-ran").exists()


def test_whoever_wants_no_other_ports_gets_none_in_a_second_stack_either(desk: Desk) -> None:
    desk.program("web")
    with listener() as (port, _):
        file = desk.write(
            "mine.yaml",
            f"core: false\nservices: [{{name: web, command: web, default: true, port: {port}}}]",
        )
        with pytest.raises(PortTakenError):
            desk.plan(services_file=file, auto_ports=False, stack="second")


def test_a_service_can_be_given_another_port_alone(desk: Desk) -> None:
    desk.program("web")
    with listener() as (first, _), listener() as (second, _):
        file = desk.write(
            "mine.yaml",
            "core: false\nservices: [{name: web, command: web, default: true, "
            f"ports: {{main: {first}, other: {second}}}}}]",
        )
        with pytest.raises(PortTakenError) as raised:
            desk.plan(
                services_file=file,
                auto_ports=False,
                replaceable_ports=frozenset({("web", "main")}),
            )
    assert [each.number for each in raised.value.conflicts] == [second]


def test_all_taken_ports_are_named(desk: Desk) -> None:
    desk.program("web")
    with listener() as (first, _), listener() as (second, _):
        file = desk.write(
            "mine.yaml",
            "core: false\nservices: "
            f"[{{name: web, command: web, default: true, ports: [{first}, {second}]}}]",
        )
        with pytest.raises(PortTakenError) as raised:
            desk.plan(services_file=file, auto_ports=False)
    assert raised.value.message == "2 ports are in use"
    messages = [problem.message for problem in raised.value.problems]
    assert messages[0].startswith(f"port {first} (web) is in use by PID ")
    assert messages[1].startswith(f"port {second} (web) is in use by PID ")
    assert raised.value.hint == "end them, or start with --auto-ports"


@pytest.mark.parametrize(
    ("holder", "text"),
    [
        (None, "port 1 (web) is in use by another process"),
        (PortHolder(user="ana"), "port 1 (web) is in use by another process, user ana"),
        (
            PortHolder(pid=12345, command="python3 server.py", user="ana"),
            "port 1 (web) is in use by PID 12345, python3 server.py, user ana",
        ),
    ],
)
def test_a_conflict_is_one_line(holder: PortHolder | None, text: str) -> None:
    assert render_conflict(PortConflict(1, ServiceName("web"), "main", holder)) == text


def test_a_project_says_what_is_started_and_has_a_stack_of_its_own(desk: Desk) -> None:
    desk.program("redis-server")
    desk.program("nats-server")
    desk.program("shopd")
    desk.write(
        "prism.yaml",
        "preset: redis\n"
        "without: memstore\n"
        "with: [shop]\n"
        "services:\n"
        "  - {name: shop, command: shopd, depends_on: [nats]}\n"
        "settings: {persist: true}\n",
    )
    plan = desk.plan()
    assert plan.stack == "shop"
    assert plan.names == ("prism-admin", "pattern-launcher", "redis", "nats", "shop")
    assert plan.service("nats").source == "needed by shop"
    assert plan.service("shop").source == "prism.yaml"
    assert Path(plan.project).name == "prism.yaml"
    assert Path(plan.project).is_absolute()
    assert all(service.persist for service in plan.services)
    assert plan.service("redis").env == {}
    assert desk.plan(preset="minimal").names == ("prism-admin", "pattern-launcher", "memstore")


def test_an_unknown_service_of_a_project_is_told_with_its_place(desk: Desk) -> None:
    desk.write("prism.yaml", "with:\n  - rdeis\n")
    with pytest.raises(ConfigError) as raised:
        desk.plan()
    (problem,) = raised.value.problems
    assert (problem.line, problem.column, problem.suggestion) == (2, 5, "redis")


def test_a_profile_goes_before_a_preset_and_changes_services(desk: Desk) -> None:
    desk.program("redis-server")
    desk.home.profiles.mkdir(parents=True)
    (desk.home.profiles / "mine.yaml").write_text(
        "services: [redis]\nconfig: {redis: {memory_mb: 512}}\n", encoding="utf-8"
    )
    plan = desk.plan(profile="mine", preset="minimal")
    assert plan.origin == "profile mine"
    assert plan.names == ("prism-admin", "pattern-launcher", "redis")
    assert plan.service("redis").resources.memory_mb == 512
    assert plan.service("redis").source == "profile mine"


@pytest.mark.parametrize("word", ["./team.yaml", "team.yaml", "{directory}/team.yaml"])
def test_a_profile_can_be_a_file_that_a_team_shares(desk: Desk, word: str) -> None:
    desk.program("redis-server")
    desk.write("team.yaml", "services: [redis]\n")
    plan = desk.plan(profile=word.format(directory=desk.project))
    assert plan.origin == "profile team"


def test_the_picker_goes_before_a_preset(desk: Desk) -> None:
    plan = desk.plan(picked=("memstore",), preset="redis")
    assert plan.names == ("prism-admin", "pattern-launcher", "memstore")
    assert plan.service("memstore").source == "picker"


def test_a_random_preset_draws_only_what_can_run_here(desk: Desk) -> None:
    assert len(desk.plan(preset="random", random_seed=1).services) == 3
    desk.program("redis-server")
    for seed in range(5):
        plan = desk.plan(preset="random", random_seed=seed)
        assert plan.names[-1] == "redis"
        assert "-" in plan.origin


def test_patterns_beside_the_project_are_the_launchers(desk: Desk) -> None:
    (desk.project / "patterns").mkdir()
    args = desk.plan().service("pattern-launcher").args
    assert args[-1] == str(desk.project / "patterns")

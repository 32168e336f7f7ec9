"""Services are planned beside those that run: with all they need, on the running stack's terms, and nothing else."""

from __future__ import annotations

import socket
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from prismctl.domain.plan import EngineName, plan_from_json, plan_to_json
from prismctl.domain.plan_change import add_to_plan, remove_from_plan
from prismctl.domain.service import Runtime, ServiceName
from prismctl.errors import ConfigError, MissingToolError
from prismctl.planning import PortTakenError, list_addable, survey_addable
from tests.free_ports import take_port

if TYPE_CHECKING:
    from prismctl.domain.plan import StackPlan
    from tests.planning.conftest import Desk


def own(*lines: str) -> str:
    return "core: false\nservices:\n" + "".join(f"  - {line}\n" for line in lines)


def strict(running: StackPlan) -> StackPlan:
    """The same, as if nobody had said that taken ports are replaced."""
    return replace(running, terms=replace(running.terms, auto_ports=False))


def test_only_what_is_added_is_planned_and_the_running_plan_is_kept_to_the_letter(
    desk: Desk,
) -> None:
    running = desk.plan()
    desk.program("redis-server")
    # None of this is a matter of what runs.
    desk.program("prism-admin", desk.project / "build" / "binaries")
    desk.environment["LANG"] = "C.UTF-8"

    addition = desk.add(running, "redis")

    assert addition.plan.names == ("redis",)
    assert addition.plan.service("redis").source == "added"
    after = add_to_plan(running, addition.plan)
    assert after.services[: len(running.services)] == running.services
    assert (after.base_env, after.engine) == (running.base_env, running.engine)
    assert after.origin == "minimal + redis"


def test_what_it_needs_comes_along_and_is_told_for_whom(desk: Desk) -> None:
    for name in ("redis-server", "w"):
        desk.program(name)
    desk.write(
        "prism.yaml",
        "services: [{name: worker, command: [w, '${redis.port}'], depends_on: [redis, admin]}]\n",
    )
    running = desk.plan(preset="minimal")
    plan = desk.add(running, "worker").plan
    assert {each.name: each.source for each in plan.services} == {
        "redis": "needed by worker",
        "worker": "added",
    }
    assert plan.service("worker").depends_on == ("redis", "prism-admin")
    assert plan.service("worker").command[1] == str(plan.service("redis").ports[0].number)


def test_references_are_to_what_runs_where_it_runs(desk: Desk) -> None:
    desk.program("w")
    desk.write("prism.yaml", "services: [{name: worker, command: [w, '${prism-admin.port}']}]\n")
    running = desk.plan(preset="minimal")
    admin = running.service("prism-admin")
    moved = replace(admin, ports=(replace(admin.ports[0], number=31999), *admin.ports[1:]))
    running = replace(running, services=(moved, *running.services[1:]))
    assert desk.add(running, "worker").plan.service("worker").command[1] == "31999"


def test_what_runs_already_is_told_and_nothing_is_planned(desk: Desk) -> None:
    running = desk.plan()
    addition = desk.add(running, "admin", "memstore", "prism-admin")
    assert addition.present == ("prism-admin", "memstore")
    assert addition.plan.services == ()


def test_a_name_that_nobody_knows_gets_the_nearest(desk: Desk) -> None:
    running = desk.plan()
    with pytest.raises(ConfigError) as caught:
        desk.add(running, "rdeis", "nast")
    assert [each.suggestion for each in caught.value.problems] == ["redis", "nats"]


def test_what_is_required_elsewhere_is_not_brought_along(desk: Desk) -> None:
    """Only what is needed comes: a stack that was started without the core services stays without."""
    desk.program("w")
    desk.program("redis-server")
    mine = desk.write("mine.yaml", own("{name: web, command: w}"))
    running = desk.plan(services_file=mine)
    assert desk.add(
        running, "redis", services_file=desk.write("x.yaml", own("name: redis"))
    ).plan.names == ("redis",)


def test_the_catalog_that_the_stack_was_started_from_is_that_of_what_is_added(desk: Desk) -> None:
    desk.program("w")
    desk.write(
        "mine.yaml", own("{name: web, command: w, default: true}", "{name: api, command: w}")
    )
    running = desk.plan(services_file="mine.yaml")
    assert running.terms.catalog == str(desk.project / "mine.yaml")
    assert desk.add(plan_from_json(plan_to_json(running)), "api").plan.names == ("api",)


def test_services_of_another_catalog_come_beside_those_it_does_not_know(desk: Desk) -> None:
    desk.program("w")
    port = take_port()
    desk.write("one.yaml", own(f"{{name: web, command: w, port: {port}}}"))
    running = strict(desk.plan(services_file="one.yaml", picked=("web",)))
    two = desk.write(
        "two.yaml", own("{name: api, command: w}", f"{{name: bad, command: w, port: {port}}}")
    )

    assert desk.add(running, "api", services_file=two).plan.names == ("api",)

    with pytest.raises(ConfigError, match=rf"port {port} \(bad\) is that of web") as caught:
        desk.add(running, "bad", services_file=two)
    assert "--auto-ports" in caught.value.hint
    moved = (
        desk.add(running, "bad", services_file=two, auto_ports=True).plan.service("bad").ports[0]
    )
    assert (moved.wanted, moved.taken_by) == (port, "web")


def test_the_profile_of_the_stack_holds_for_what_is_added(desk: Desk) -> None:
    desk.program("redis-server")
    port = take_port()
    desk.write(
        "team.yaml", f"name: team\nservices: [memstore]\nconfig:\n  redis: {{port: {port}}}\n"
    )
    running = desk.plan(profile="./team.yaml")
    assert desk.add(running, "redis").plan.service("redis").ports[0].number == port

    (desk.project / "team.yaml").unlink()
    assert desk.add(running, "redis", auto_ports=True).plan.names == ("redis",)


def test_the_terms_of_the_start_hold_for_what_is_added(desk: Desk) -> None:
    desk.program("redis-server")
    assert not desk.add(desk.plan(), "redis", auto_ports=True).plan.service("redis").persist
    running = desk.plan(persist=True)
    assert desk.add(running, "redis").plan.service("redis").persist
    assert desk.add(desk.plan(), "redis", persist=True).plan.service("redis").persist


def test_the_engine_is_that_of_what_runs(desk: Desk) -> None:
    desk.program("redis-server")
    running = desk.plan(engine="local")
    for tool in ("nomad", "consul"):
        desk.program(tool, desk.home.tools)
    assert desk.add(running, "redis").plan.engine is EngineName.LOCAL


def test_a_project_is_that_of_the_stack_wherever_somebody_stands(desk: Desk) -> None:
    desk.program("w")
    desk.write("prism.yaml", "services: [{name: worker, command: w}]\n")
    running = desk.plan(preset="minimal")
    desk.project = desk.path
    assert desk.add(running, "worker").plan.names == ("worker",)


def test_a_port_that_somebody_else_has_is_refused_or_replaced(desk: Desk) -> None:
    desk.program("w")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        desk.write("prism.yaml", f"services: [{{name: worker, command: w, port: {port}}}]\n")
        running = strict(desk.plan(preset="minimal", stack="default"))
        with pytest.raises(PortTakenError) as caught:
            desk.add(running, "worker")
        assert f"port {port} (worker)" in caught.value.message
        assert caught.value.hint.endswith("or add --auto-ports")
        (conflict,) = caught.value.conflicts
        one = frozenset({(conflict.service, conflict.port_name)})
        moved = desk.add(running, "worker", replaceable_ports=one).plan.service("worker").ports[0]
        assert moved.wanted == port


def test_a_port_of_a_service_that_stands_still_is_not_free(desk: Desk) -> None:
    desk.program("w")
    port = take_port()
    desk.write(
        "prism.yaml",
        "services:\n"
        f"  - {{name: one, command: w, port: {port}}}\n"
        f"  - {{name: two, command: w, port: {port}}}\n",
    )
    running = desk.plan(preset="minimal", with_services=("one",), stack="default")
    with pytest.raises(ConfigError, match=f"port {port} "):
        desk.add(strict(running), "two")


def test_a_program_that_is_missing_is_told_with_how_to_get_it(desk: Desk) -> None:
    with pytest.raises(MissingToolError, match="redis needs `redis-server`"):
        desk.add(desk.plan(), "redis")


def test_what_was_removed_is_planned_as_it_was(desk: Desk) -> None:
    desk.program("redis-server")
    running = desk.plan(preset="redis")
    without = remove_from_plan(running, ["redis"]).plan
    again = add_to_plan(without, desk.add(without, "redis").plan)
    assert again.service("redis").digest == running.service("redis").digest
    assert again.origin == running.origin


def test_the_runtime_that_the_stack_prefers_is_that_of_what_is_added(desk: Desk) -> None:
    desk.program("redis-server")
    running = desk.plan(runtime="native")
    assert running.terms.runtime == "native"
    assert desk.add(running, "redis").plan.service("redis").runtime is Runtime.NATIVE


def test_what_can_be_added_is_what_the_stacks_own_files_know_and_does_not_run(desk: Desk) -> None:
    desk.program("w")
    desk.write("prism.yaml", "services: [{name: worker, command: w, description: works}]\n")
    running = desk.plan(preset="minimal")
    known = list_addable(
        running, home=desk.home, environment=desk.environment, working_directory=desk.path
    )
    assert known[ServiceName("worker")] == "works"
    assert "redis" in known
    assert "memstore" not in known

    desk.write("mine.yaml", own("{name: web, command: w}", "{name: api, command: w}"))
    running = desk.plan(services_file="mine.yaml", picked=("web",))
    known = list_addable(
        running, home=desk.home, environment=desk.environment, working_directory=desk.path
    )
    assert set(known) == {"api"}


def test_what_would_come_along_is_known_before_anything_is_added(desk: Desk) -> None:
    desk.write(
        "mine.yaml",
        own(
            "{name: web, command: w}",
            "{name: cache, command: w}",
            "{name: db, command: w, depends_on: [cache, web]}",
            "{name: api, command: w, depends_on: [db], description: answers}",
        ),
    )
    desk.program("w")
    running = desk.plan(services_file="mine.yaml", picked=("web",))

    found = survey_addable(
        running, home=desk.home, environment=desk.environment, working_directory=desk.path
    )

    assert {name: set(each.brings) for name, each in found.items()} == {
        "cache": set(),
        "db": {"cache"},
        "api": {"db", "cache"},
    }
    assert found[ServiceName("api")].purpose == "answers"

"""Services and instances more or fewer: what a plan is afterwards, what else it touches, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prismctl.domain.needs import Condition, Need
from prismctl.domain.plan import (
    EngineName,
    Port,
    ServicePlan,
    ServiceTemplate,
    StackPlan,
    compare_plans,
)
from prismctl.domain.plan_change import (
    ADDED,
    add_to_plan,
    name_services,
    remove_from_plan,
    scale_plan,
)
from prismctl.domain.replicas import plan_replica
from prismctl.domain.selection import REQUIRED, needed_by
from prismctl.domain.service import Runtime, ServiceName, ServiceType, StackName
from prismctl.errors import RejectedError


def service(name: str, *needs: str, **fields: Any) -> ServicePlan:
    fields.setdefault("source", "--with")
    fields.setdefault("type", ServiceType.APPLICATION)
    fields.setdefault("runtime", Runtime.NATIVE)
    return ServicePlan(
        name=ServiceName(name),
        runtime_reason="",
        command=fields.pop("command", ("sleep", "1")),
        depends_on=tuple(ServiceName(each) for each in needs),
        **fields,
    )


def stack(*services: ServicePlan, origin: str = "minimal", name: str = "default") -> StackPlan:
    return StackPlan(
        stack=StackName(name),
        engine=EngineName.LOCAL,
        engine_reason="",
        origin=origin,
        services=services,
    )


def refusal(change: Any) -> tuple[str, str]:
    with pytest.raises(RejectedError) as caught:
        change()
    return caught.value.message, caught.value.hint


# Scaling.


def test_scaling_changes_nothing_but_the_number() -> None:
    before = stack(service("web"), service("other"))
    changes = compare_plans(before, scale_plan(before, ServiceName("web"), 3))
    assert (changes.scaled, changes.changed, changes.added, changes.removed) == (
        ("web",),
        (),
        (),
        (),
    )


def test_as_many_as_there_are_is_no_change() -> None:
    before = stack(service("web"))
    assert scale_plan(before, ServiceName("web"), 1) is before


@pytest.mark.parametrize(
    ("one", "words", "hint"),
    [
        (service("x", runtime=Runtime.EXTERNAL), "runs elsewhere", "dev status"),
        (service("x", one_shot=True), "runs once, to its end", "dev restart x"),
        (service("prism-admin"), "there can be one prism-admin", "--stack two"),
        (
            service("x", persist=True, type=ServiceType.BACKEND),
            "keeps its data in one directory",
            "without `persist`",
        ),
        (
            service("x", command=("serve", "--port", "7000"), ports=(Port(name="p", number=7000),)),
            "listens on port 7000, whichever instance it is",
            "${self.port}",
        ),
        (
            service(
                "x",
                runtime=Runtime.CONTAINER,
                has_host_network=True,
                args=("--listen=:7000",),
                ports=(Port(name="p", number=7000),),
            ),
            "listens on port 7000",
            "${self.port}",
        ),
        (
            service(
                "x",
                runtime=Runtime.CONTAINER,
                type=ServiceType.BACKEND,
                volumes=("/srv/x:/data",),
            ),
            "keeps its data in /srv/x",
            "volume with a name",
        ),
    ],
)
def test_more_instances_than_make_sense_are_refused(
    one: ServicePlan, words: str, hint: str
) -> None:
    message, way_on = refusal(lambda: scale_plan(stack(one), one.name, 2))
    assert words in message
    assert hint in way_on


@pytest.mark.parametrize(
    "one",
    [
        service("x", ports=(Port(name="p", number=7000),)),
        service(
            "x",
            command=("sh", "-c", "serve 7000 || serve $PORT"),
            ports=(Port(name="p", number=7000),),
        ),
        service(
            "x",
            command=("serve", "7000"),
            ports=(Port(name="p", number=7000),),
            template=ServiceTemplate(command=("serve", "${self.port}")),
        ),
        service(
            "x",
            runtime=Runtime.CONTAINER,
            args=("--port", "7000"),
            ports=(Port(name="p", number=7000),),
        ),
        service(
            "x",
            runtime=Runtime.CONTAINER,
            type=ServiceType.BACKEND,
            volumes=("/srv/x.conf:/etc/x.conf:ro", "data:/data"),
        ),
        service("x", persist=True),
        service("x", command=("serve", "17000"), ports=(Port(name="p", number=7000),)),
    ],
)
def test_more_instances_where_each_can_listen_are_possible(one: ServicePlan) -> None:
    assert scale_plan(stack(one), one.name, 2).services[0].replicas == 2


def test_fewer_instances_are_possible_where_more_are_not() -> None:
    admin = service("prism-admin", source=REQUIRED)
    assert scale_plan(stack(admin), admin.name, 0).services[0].replicas == 0


@pytest.mark.parametrize("replicas", [-1, 101, 10**9])
def test_an_impossible_number_is_refused(replicas: int) -> None:
    message, _ = refusal(lambda: scale_plan(stack(service("x")), ServiceName("x"), replicas))
    assert message == f"x can have 0 to 100 instances, not {replicas}"


def test_short_names_count_and_strangers_are_named() -> None:
    running = stack(service("prism-admin"), service("x"))
    assert name_services(running, ["admin", "prism-admin", "x"]) == ["prism-admin", "x"]
    message, hint = refusal(lambda: name_services(running, ["y", "z"]))
    assert message == "y, z are not part of the stack"
    assert hint == "it has prism-admin, x"


# Removing.


def test_what_is_removed_takes_those_along_that_need_it_and_says_why() -> None:
    removal = remove_from_plan(
        stack(
            service("base"), service("middle", "base"), service("top", "middle"), service("other")
        ),
        ["base"],
    )
    assert removal.plan.names == ("other",)
    assert dict(removal.dependents) == {"middle": "base", "top": "middle"}
    assert removal.removed == ("base", "middle", "top")
    message, hint = refusal(removal.refuse_dependents)
    assert message == "base cannot be removed alone: middle needs base, top needs middle"
    assert hint == "`prismctl dev remove base --cascade` removes them, too"


def test_who_can_do_without_it_stays_and_does_not_notice() -> None:
    loose = Need(Condition.STARTED, is_required=False)
    before = stack(service("base"), service("top", "base", needs={ServiceName("base"): loose}))
    removal = remove_from_plan(before, ["base"])
    assert not removal.dependents
    assert removal.plan.service("top").depends_on == ()
    assert removal.plan.service("top").digest == before.service("top").digest


def test_what_is_required_stays() -> None:
    running = stack(
        service("prism-admin", source=REQUIRED),
        service("pattern-launcher", "prism-admin", source=REQUIRED),
        service("db", source="--with"),
        name="two",
    )
    assert refusal(lambda: remove_from_plan(running, ["launcher"])) == (
        "pattern-launcher is required and cannot be removed",
        "`prismctl dev scale pattern-launcher 0 --stack two` has it stand still",
    )


def test_what_something_required_needs_stays() -> None:
    running = stack(service("db"), service("core", "db", source=REQUIRED))
    message, _ = refusal(lambda: remove_from_plan(running, ["db"]))
    assert message == "db cannot be removed: core needs it, and is required"


def test_the_last_service_is_stopped_instead() -> None:
    message, hint = refusal(lambda: remove_from_plan(stack(service("x")), ["x"]))
    assert message == "that is all that stack `default` has"
    assert hint == "`prismctl dev stop` stops it"


def test_what_came_along_only_for_it_stays_unless_asked() -> None:
    running = stack(
        service("disk", source=needed_by("db")),
        service("db", "disk", source=needed_by("ui")),
        service("ui", "db"),
        service("other"),
    )
    removal = remove_from_plan(running, ["ui"])
    assert dict(removal.dependencies) == {"db": "ui", "disk": "db"}
    assert removal.plan.names == ("disk", "db", "other")
    assert removal.plan.service("db").source == "was needed by ui"
    assert removal.plan.service("disk").source == needed_by("db")

    gone = remove_from_plan(running, ["ui"], takes_dependencies=True)
    assert gone.plan.names == ("other",)
    assert set(gone.removed) == {"ui", "db", "disk"}


def test_what_somebody_else_needs_too_came_along_for_them() -> None:
    running = stack(
        service("db", source=needed_by("ui")), service("ui", "db"), service("api", "db")
    )
    removal = remove_from_plan(running, ["ui"], takes_dependencies=True)
    assert not removal.dependencies
    assert removal.plan.service("db").source == needed_by("api")


# Adding.


def test_what_is_added_comes_in_an_order_in_which_it_can_start() -> None:
    running = stack(service("base"))
    plan = add_to_plan(
        running,
        stack(service("db", source=needed_by("ui")), service("ui", "db", "base", source=ADDED)),
    )
    assert plan.names == ("base", "db", "ui")
    assert plan.origin == "minimal + ui"


def test_what_runs_already_is_left_alone() -> None:
    running = stack(service("base"))
    again = replace(service("base"), source=ADDED)
    assert add_to_plan(running, stack(again)).services == running.services


def test_another_service_of_the_same_name_is_refused() -> None:
    other = service("base", command=("sleep", "2"))
    message, _ = refusal(lambda: add_to_plan(stack(service("base")), stack(other)))
    assert message == "base runs already, and differently"


def test_what_is_needed_and_was_removed_meanwhile_is_told() -> None:
    message, hint = refusal(lambda: add_to_plan(stack(service("x")), stack(service("ui", "db"))))
    assert message == "ui needs db, which is not part of stack `default`"
    assert hint == "`prismctl dev add db` adds it"


def test_a_port_that_was_given_to_somebody_else_meanwhile_is_told() -> None:
    port = Port(name="p", number=7000)
    message, _ = refusal(
        lambda: add_to_plan(
            stack(service("one", ports=(port,))), stack(service("two", ports=(port,)))
        )
    )
    assert message == "port 7000 is asked for by both one and two"


def test_what_was_planned_for_another_engine_is_refused() -> None:
    nomad = replace(stack(service("x")), engine=EngineName.NOMAD)
    message, _ = refusal(lambda: add_to_plan(stack(service("y")), nomad))
    assert (
        message
        == "this was planned for stack `default` on nomad, and stack `default` runs on local"
    )


def test_the_words_for_what_was_chosen_follow() -> None:
    running = stack(service("x"), service("redis"), origin="redis")
    without = remove_from_plan(running, ["redis"]).plan
    assert without.origin == "redis without redis"
    again = add_to_plan(without, stack(service("redis", source=ADDED)))
    assert again.origin == "redis"
    more = add_to_plan(again, stack(service("nats", source=ADDED)))
    assert more.origin == "redis + nats"
    assert remove_from_plan(more, ["nats"]).plan.origin == "redis"


# Any sequence.

NAMES = ("a", "b", "c", "d", "e")


@st.composite
def catalogs(draw: st.DrawFn) -> list[ServicePlan]:
    """Services that need only those before them, some of which they can do without."""
    services = []
    for index, name in enumerate(NAMES):
        needs = draw(st.lists(st.sampled_from(NAMES[:index]), unique=True)) if index else []
        loose = {
            ServiceName(each): Need(is_required=False) for each in needs if draw(st.booleans())
        }
        source = draw(st.sampled_from(["--with", REQUIRED, needed_by(NAMES[-1])]))
        services.append(service(name, *needs, needs=loose, source=source))
    return services


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("scale"), st.sampled_from(NAMES), st.integers(-1, 4)),
        st.tuples(st.just("remove"), st.sampled_from(NAMES), st.booleans()),
        st.tuples(st.just("add"), st.sampled_from(NAMES), st.none()),
    ),
    max_size=12,
)


@settings(max_examples=200, deadline=None)
@given(catalogs(), STEPS)
def test_any_sequence_leaves_a_plan_that_is_whole_and_touches_nothing_else(
    catalog: list[ServicePlan], steps: list[tuple[str, str, Any]]
) -> None:
    plan = stack(*catalog)
    by_name = {each.name: each for each in catalog}
    for verb, name, value in steps:
        before = plan
        allowed: set[str] = set()
        try:
            if verb == "scale":
                plan = scale_plan(plan, ServiceName(name), value)
            elif verb == "remove":
                removal = remove_from_plan(plan, [name], takes_dependencies=value)
                plan = removal.plan
                allowed = set(removal.removed)
            else:
                plan = add_to_plan(plan, stack(by_name[ServiceName(name)]))
                allowed = {name}
        except RejectedError:
            assert plan is before
            continue
        changes = compare_plans(before, plan)
        assert not changes.changed
        assert set(changes.scaled) <= ({name} if verb == "scale" else set())
        assert {*changes.added, *changes.removed} <= allowed
        seen: set[str] = set()
        for each in plan.services:
            assert set(each.depends_on) <= set(plan.names)
            assert set(each.needs) <= set(each.depends_on)
            required = {need for need in each.depends_on if each.need_of(need).is_required}
            assert required <= seen
            seen.add(each.name)
        assert plan.services


def test_a_further_instance_of_a_container_has_a_directory_of_its_own() -> None:
    redis = service(
        "redis",
        runtime=Runtime.CONTAINER,
        volumes=("/stack/data/redis:/data",),
        template=ServiceTemplate(volumes=("${self.data}:/data",)),
    )
    assert scale_plan(stack(redis), redis.name, 2).services[0].replicas == 2
    second = plan_replica(redis, ports=(), data="/stack/data/redis#1")
    assert second.volumes == ("/stack/data/redis#1:/data",)

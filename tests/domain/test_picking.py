"""Choosing services one by one, and the command that says the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prismctl.domain.offering import Catalog
from prismctl.domain.packaged import PACKAGED
from prismctl.domain.picking import Picking, command_words, pick_layer
from prismctl.domain.presets import PRESETS
from prismctl.domain.problems import Problems
from prismctl.domain.selection import Addition, Layer, find_preset, preset_layer, select_services
from prismctl.domain.service import ServiceDefinition, ServiceName

if TYPE_CHECKING:
    from collections.abc import Sequence

CATALOG = Catalog(services=PACKAGED, file="services.yaml", is_generated=True)
REDIS, NATS, MEMSTORE = ServiceName("redis"), ServiceName("nats"), ServiceName("memstore")
ADMIN, LAUNCHER = ServiceName("prism-admin"), ServiceName("pattern-launcher")


def own(name: str, *needs: str, required: bool = False, default: bool = False) -> ServiceDefinition:
    return ServiceDefinition(
        name=ServiceName(name),
        command=("true",),
        depends_on=tuple(ServiceName(each) for each in needs),
        required=required,
        default=default,
    )


def catalog_of(*services: ServiceDefinition, packaged: bool = True) -> Catalog:
    base = PACKAGED if packaged else {}
    return Catalog(services={**base, **{each.name: each for each in services}}, file="mine.yaml")


def run(words: Sequence[str], catalog: Catalog) -> set[ServiceName]:
    """What a typed command would start."""
    assert words[:3] == ("prismctl", "dev", "start")
    problems = Problems()
    layers = []
    additions, removals = [], []
    for word in words[3:]:
        flag, _, value = word.partition("=")
        if flag == "--preset":
            preset = find_preset(value, problems)
            assert preset is not None
            layers.append(preset_layer(preset))
        elif flag == "--without":
            removals.append(Addition(value, flag))
        elif flag.startswith("--with-"):
            additions.append(Addition(flag.removeprefix("--with-"), "--with"))
        else:
            assert flag == "--no-input"
    selection = select_services(
        catalog, layers, additions=additions, removals=removals, problems=problems
    )
    problems.raise_if_any()
    return set(selection.sources)


def test_what_is_required_cannot_be_taken_out() -> None:
    picking = pick_layer(CATALOG)
    assert picking.toggle(ADMIN) == picking
    assert picking.selected[ADMIN] == "required"


def test_taking_a_service_in_brings_what_it_needs_and_says_for_whom() -> None:
    catalog = catalog_of(own("api", "worker"), own("worker", "redis"))
    picking = pick_layer(catalog)
    assert picking.coming_with(ServiceName("api")) == (REDIS, "worker")
    picking = picking.toggle(ServiceName("api"))
    assert picking.selected[REDIS] == "needed by worker"
    assert picking.selected[ServiceName("worker")] == "needed by api"
    assert picking.selected[ServiceName("api")] == "chosen"


def test_taking_a_dependency_out_says_what_else_goes_and_takes_it_along() -> None:
    catalog = catalog_of(own("api", "worker"), own("worker", "redis"))
    picking = pick_layer(catalog).toggle(ServiceName("api"))
    assert picking.going_with(REDIS) == ("api", "worker")
    assert picking.toggle(REDIS).selected == pick_layer(catalog).selected


def test_what_somebody_chose_stays_when_what_needed_it_goes() -> None:
    catalog = catalog_of(own("api", "redis"))
    picking = pick_layer(catalog).toggle(REDIS).toggle(ServiceName("api"))
    assert REDIS in picking.toggle(ServiceName("api")).selected


def test_what_something_required_needs_cannot_be_taken_out() -> None:
    catalog = catalog_of(own("core", "redis", required=True))
    picking = pick_layer(catalog)
    assert picking.toggle(REDIS) == picking


def test_all_of_a_group_go_in_and_out() -> None:
    group = [ServiceName("nats"), ServiceName("kafka")]
    picking = pick_layer(CATALOG).toggle(NATS).toggle_all(group)
    assert set(group) <= picking.selected.keys()
    assert not set(group) & picking.toggle_all(group).selected.keys()


@pytest.mark.parametrize(
    ("changes", "command"),
    [
        ((), "--preset=minimal"),
        ((REDIS,), "--preset=redis"),
        ((REDIS, NATS), "--preset=redis --with-nats"),
        ((MEMSTORE,), "--preset=minimal --without=memstore"),
        ((NATS, ServiceName("kafka")), "--preset=messaging"),
        (tuple(map(ServiceName, ("redis", "postgres", "nats", "kafka"))), "--preset=full"),
    ],
)
def test_the_shortest_command_is_told(changes: tuple[ServiceName, ...], command: str) -> None:
    picking = pick_layer(CATALOG)
    for name in changes:
        picking = picking.toggle(name)
    assert " ".join(command_words(picking)) == f"prismctl dev start {command}"


def test_a_catalog_that_knows_no_preset_is_told_by_what_it_starts_itself() -> None:
    catalog = catalog_of(own("api", default=True), own("tool"), packaged=False)
    picking = pick_layer(catalog)
    assert command_words(picking)[3:] == ("--no-input",)
    assert command_words(picking.toggle(ServiceName("tool")))[3:] == ("--with-tool",)


def test_what_started_from_a_profile_is_told_with_it_because_its_settings_count() -> None:
    profile = Layer("profile team", ("redis",))
    picking = pick_layer(CATALOG, profile).toggle(NATS)
    told = command_words(picking, profile=profile, others=("--stack=two",))
    assert told[3:] == ("--profile=team", "--with-nats", "--stack=two")


def test_what_came_along_and_is_chosen_then_for_its_own_sake_is_in_the_command() -> None:
    catalog = catalog_of(own("store"), own("page", "store", default=True), packaged=False)
    store = ServiceName("store")
    picking = pick_layer(catalog).toggle(store).toggle(store)
    assert command_words(picking)[3:] == ("--with-store", "--without=page")


@pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda preset: preset.name)
def test_a_preset_is_picked_as_it_is(preset: object) -> None:
    picking = pick_layer(CATALOG, preset_layer(preset))  # type: ignore[arg-type]
    assert command_words(picking)[3:] == (f"--preset={preset.name}",)  # type: ignore[attr-defined]


@st.composite
def catalogs(draw: st.DrawFn) -> Catalog:
    """Services that need only earlier ones, some required or default, with the packaged ones or without."""
    names = [f"s{number}" for number in range(draw(st.integers(1, 8)))]
    services = []
    for position, name in enumerate(names):
        earlier = names[:position]
        needs = draw(st.lists(st.sampled_from(earlier), unique=True, max_size=3)) if earlier else []
        kind = draw(st.sampled_from(["", "", "", "required", "default"]))
        services.append(own(name, *needs, required=kind == "required", default=kind == "default"))
    return catalog_of(*services, packaged=draw(st.booleans()))


@given(catalogs(), st.data())
def test_any_toggles_leave_what_the_printed_command_starts(
    catalog: Catalog, data: st.DataObject
) -> None:
    names = list(catalog.services)
    picking: Picking = pick_layer(catalog)
    for name in data.draw(st.lists(st.sampled_from(names), max_size=12)):
        before = picking.selected
        going = {name, *picking.going_with(name)}
        picking = picking.toggle(name)
        if name not in before:
            assert name in picking.selected
        elif picking.selected != before:
            assert not going & picking.selected.keys()
    selected = picking.selected
    for name in selected:
        assert set(catalog.services[name].requires) <= selected.keys()
    assert {name for name, each in catalog.services.items() if each.required} <= selected.keys()
    assert run(command_words(picking), catalog) == set(selected)

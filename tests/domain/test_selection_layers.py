from __future__ import annotations

from random import Random

import pytest

from prismctl.domain.offering import Catalog
from prismctl.domain.packaged import PACKAGED
from prismctl.domain.presets import PRESETS, Preset, draw_preset
from prismctl.domain.problems import Place, Problems
from prismctl.domain.selection import (
    REQUIRED,
    Addition,
    Layer,
    Selection,
    find_needing,
    find_preset,
    is_chosen,
    needed_by,
    preset_layer,
    select_services,
)
from prismctl.domain.service import ServiceDefinition, ServiceName
from prismctl.errors import ConfigError

CATALOG = Catalog(services=PACKAGED, file="services.yaml", is_generated=True)


def select(
    *layers: Layer | None,
    added: tuple[str, ...] = (),
    removed: tuple[str, ...] = (),
    catalog: Catalog = CATALOG,
) -> Selection:
    problems = Problems()
    selection = select_services(
        catalog,
        layers,
        additions=[Addition(word, "--with") for word in added],
        removals=[Addition(word, "--without") for word in removed],
        problems=problems,
    )
    problems.raise_if_any()
    return selection


def test_nothing_chosen_is_the_minimal_stack() -> None:
    selection = select()
    assert selection.origin == "minimal"
    assert selection.sources == {
        "prism-admin": "required",
        "pattern-launcher": "required",
        "memstore": "default",
    }


@pytest.mark.parametrize(
    ("preset", "more"),
    [
        ("minimal", []),
        ("redis", ["redis"]),
        ("messaging", ["nats", "kafka"]),
        ("postgres", ["postgres"]),
        ("full", ["redis", "postgres", "nats", "kafka"]),
    ],
)
def test_a_preset_is_what_the_table_says(preset: str, more: list[str]) -> None:
    selection = select(preset_layer(PRESETS[preset]))
    assert list(selection.sources) == ["prism-admin", "pattern-launcher", "memstore", *more]
    assert selection.origin == preset
    assert all(selection.sources[ServiceName(name)] == f"preset {preset}" for name in more)


def test_the_highest_layer_that_names_any_replaces_the_lower_ones() -> None:
    selection = select(None, Layer("profile mine", ["nats"]), preset_layer(PRESETS["redis"]))
    assert selection.sources == {
        "prism-admin": "required",
        "pattern-launcher": "required",
        "nats": "profile mine",
    }


def test_a_layer_without_services_names_nothing() -> None:
    assert "redis" in select(Layer("picker", []), preset_layer(PRESETS["redis"])).sources


def test_with_adds_and_without_takes_away() -> None:
    selection = select(added=("redis",), removed=("memstore",))
    assert selection.sources == {
        "prism-admin": "required",
        "pattern-launcher": "required",
        "redis": "--with",
    }
    assert selection.origin == "minimal + redis"


def test_short_names_work_everywhere() -> None:
    selection = select(Layer("picker", ["admin", "launcher"]), added=("keyvalue",))
    assert list(selection.sources) == ["prism-admin", "pattern-launcher", "keyvalue-runner"]


def test_a_service_of_the_users_goes_before_a_short_name() -> None:
    own = ServiceDefinition(name=ServiceName("admin"), command=("x",))
    catalog = Catalog(services={**PACKAGED, own.name: own}, file="services.yaml")
    assert select(added=("admin",), catalog=catalog).sources[ServiceName("admin")] == "--with"


def test_dependencies_come_along_and_say_for_whom() -> None:
    worker = ServiceDefinition(
        name=ServiceName("worker"), command=("x",), depends_on=(ServiceName("redis"),)
    )
    catalog = Catalog(services={**PACKAGED, worker.name: worker}, file="services.yaml")
    sources = select(added=("worker",), catalog=catalog).sources
    assert sources[ServiceName("redis")] == "needed by worker"


@pytest.mark.parametrize(
    ("added", "removed", "message"),
    [
        (("rdeis",), (), "--with: unknown service `rdeis`; did you mean `redis`?"),
        ((), ("memstroe",), "--without: unknown service `memstroe`; did you mean `memstore`?"),
        ((), ("admin",), "prism-admin is required and cannot be left out (--without)"),
        (("redis",), ("redis",), "redis is both added and left out"),
    ],
)
def test_impossible_flags_are_told(
    added: tuple[str, ...], removed: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        select(added=added, removed=removed)
    assert raised.value.message == message


def test_what_another_service_needs_cannot_be_left_out() -> None:
    worker = ServiceDefinition(
        name=ServiceName("worker"), command=("x",), depends_on=(ServiceName("redis"),)
    )
    catalog = Catalog(services={**PACKAGED, worker.name: worker}, file="services.yaml")
    with pytest.raises(ConfigError, match="redis is needed by worker and cannot be left out"):
        select(added=("worker",), removed=("redis",), catalog=catalog)


def test_an_unknown_service_of_a_profile_is_told_with_its_place() -> None:
    layer = Layer("profile mine", ["rdeis"], [Place("mine.yaml", 3, 5)])
    with pytest.raises(ConfigError) as raised:
        select(layer)
    assert raised.value.message == ("mine.yaml:3:5: unknown service `rdeis`; did you mean `redis`?")


def test_all_impossible_words_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as raised:
        select(added=("a1", "b2"), removed=("c3", "admin"))
    assert len(raised.value.problems) == 4


def test_a_preset_without_its_service_in_the_catalog_is_told() -> None:
    catalog = Catalog(
        services={name: each for name, each in PACKAGED.items() if name != "redis"}, file="s.yaml"
    )
    with pytest.raises(ConfigError, match="preset redis: unknown service `redis`"):
        select(preset_layer(PRESETS["redis"]), catalog=catalog)


def test_an_unknown_preset_has_the_nearest_name() -> None:
    problems = Problems()
    assert find_preset("mesaging", problems) is None
    assert str(problems.found[0]) == "unknown preset `mesaging`; did you mean `messaging`?"


def draw(seed: int, *candidates: str) -> Preset:
    random = Random(seed)  # noqa: S311 - a surprise, not a secret
    return draw_preset(random, [ServiceName(name) for name in candidates])


def test_a_random_preset_is_the_same_for_the_same_seed_and_always_has_the_core() -> None:
    candidates = ("redis", "postgres", "nats", "kafka")
    for seed in range(50):
        preset = draw(seed, *candidates)
        assert preset == draw(seed, *candidates)
        assert preset.services[:3] == PRESETS["minimal"].services
        assert len(preset.services) > 3
        select(preset_layer(preset))


def test_a_random_preset_with_nothing_to_draw_from_is_the_minimal_one() -> None:
    assert draw(1).services == PRESETS["minimal"].services


def test_what_was_taken_away_is_told_with_who_did_so() -> None:
    problems = Problems()
    selection = select_services(
        CATALOG,
        [preset_layer(PRESETS["full"])],
        removals=[Addition("redis", "prism.yaml"), Addition("redis", "--without")],
        problems=problems,
    )
    problems.raise_if_any()
    assert selection.removed == {"redis": Addition("redis", "--without")}
    assert "redis" not in selection.sources


@pytest.mark.parametrize(
    ("source", "chosen"),
    [
        ("preset redis", True),
        ("--with", True),
        ("default", True),
        (REQUIRED, False),
        (needed_by("redis"), False),
    ],
)
def test_what_is_required_or_came_along_is_nobodys_choice(source: str, *, chosen: bool) -> None:
    assert is_chosen(source) is chosen


def test_what_came_along_tells_what_needs_it() -> None:
    assert find_needing(needed_by("kafka")) == "kafka"
    assert find_needing("preset kafka") == ""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import pytest

from prismctl.domain.offering import Catalog
from prismctl.domain.packaged import PACKAGED
from prismctl.domain.plan import FailurePolicy
from prismctl.domain.service import Runtime, ServiceDefinition, ServiceName
from prismctl.errors import ConfigError
from prismctl.files.paths import Home
from prismctl.files.profiles import (
    apply_profile,
    delete_profile,
    list_profiles,
    load_profile,
)
from prismctl.files.project import Project, find_stack_name, load_project, name_stack
from prismctl.files.settings import Settings, load_settings

if TYPE_CHECKING:
    from pathlib import Path

CATALOG = Catalog(services=PACKAGED, file="services.yaml", is_generated=True)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    directory = tmp_path / "home"
    directory.mkdir()
    return Home(directory)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return path


def problems(error: ConfigError) -> list[str]:
    return [
        f"{each.line}:{each.column} {each.message}|{each.suggestion}" for each in error.problems
    ]


def test_no_settings_are_the_defaults(home: Home) -> None:
    assert load_settings(home) == Settings()
    write(home.settings, "")
    assert load_settings(home) == Settings()


def test_every_setting_is_read(home: Home) -> None:
    write(
        home.settings,
        """
        engine: local
        runtime: native
        auto_ports: true
        persist: true
        on_failure: stop
        wait_timeout: 2m
        ports: {dashboard: 3100}
        limits: {log_mb: 4}
        theme: nord
        keys: {services.restart: R}
        """,
    )
    settings = load_settings(home)
    assert settings.engine == "local"
    assert settings.runtime is Runtime.NATIVE
    assert settings.auto_ports
    assert settings.persist
    assert settings.on_failure is FailurePolicy.STOP
    assert settings.wait_timeout_seconds == 120.0
    assert settings.dashboard_port == 3100
    assert settings.max_log_bytes == 4 << 20
    assert settings.theme == "nord"
    assert settings.keys == {"services.restart": "R"}
    assert settings.place("engine")[1:] == (2, 1)
    assert settings.place("nothing").file == ""


def test_mistakes_in_settings_are_told_at_once(home: Home) -> None:
    write(home.settings, "engine: nomda\nauto_port: true\nports: {dashboard: 0}\n")
    with pytest.raises(ConfigError) as raised:
        load_settings(home)
    assert problems(raised.value) == [
        "1:9 unknown engine `nomda`|nomad",
        "2:1 unknown key `auto_port`|auto_ports",
        "3:20 port 0 is not between 1 and 65535|",
    ]


def load(path: Path) -> Project:
    project = load_project(path)
    assert project is not None
    return project


def test_outside_of_a_project_there_is_none(tmp_path: Path) -> None:
    assert load_project(tmp_path) is None


def test_a_project_is_found_upwards_and_its_stack_is_named_after_the_directory(
    tmp_path: Path,
) -> None:
    file = write(tmp_path / "My App (2)" / "prism.yaml", "preset: redis\nwith: nats\n")
    inside = file.parent / "a" / "b"
    inside.mkdir(parents=True)
    project = load(inside)
    assert project.stack == "my-app-2"
    assert (project.preset, project.with_services) == ("redis", ("nats",))
    assert find_stack_name("", {}, inside) == "my-app-2"


def test_an_empty_project_file_is_a_project(tmp_path: Path) -> None:
    write(tmp_path / "shop" / "prism.yaml", "")
    assert load(tmp_path / "shop").stack == "shop"


@pytest.mark.parametrize("text", ["stack: mine\n", 'preset: redis\nstack:  "mine"  # ours\n'])
def test_the_name_of_a_stack_is_found_without_reading_yaml(tmp_path: Path, text: str) -> None:
    write(tmp_path / "shop" / "prism.yaml", text)
    assert find_stack_name("", {}, tmp_path / "shop") == "mine"
    assert load(tmp_path / "shop").stack == "mine"


def test_a_flag_goes_before_the_environment_and_that_before_the_project(tmp_path: Path) -> None:
    write(tmp_path / "shop" / "prism.yaml", "")
    directory = tmp_path / "shop"
    assert find_stack_name("flag", {"PRISM_STACK": "env"}, directory) == "flag"
    assert find_stack_name("", {"PRISM_STACK": "env"}, directory) == "env"
    assert find_stack_name("", {}, tmp_path) == "default"


@pytest.mark.parametrize(
    ("directory", "stack"), [("A_b.C", "a-b-c"), ("---", "default"), ("x" * 80, "x" * 40)]
)
def test_any_directory_gives_a_possible_name(directory: str, stack: str) -> None:
    assert name_stack(directory) == stack


def test_mistakes_in_a_project_file_are_told_at_once(tmp_path: Path) -> None:
    write(tmp_path / "prism.yaml", "stack: Not Good\nprest: redis\nsettings: {persit: true}\n")
    with pytest.raises(ConfigError) as raised:
        load_project(tmp_path)
    assert [each.suggestion for each in raised.value.problems] == ["", "preset", "persist"]


def test_a_wrong_preset_of_a_project_is_told_with_its_place_beside_its_other_mistakes(
    tmp_path: Path,
) -> None:
    write(tmp_path / "prism.yaml", "preset: minimall\nwiht: [redis]\n")
    with pytest.raises(ConfigError) as raised:
        load_project(tmp_path)
    assert [(each.line, each.column, each.suggestion) for each in raised.value.problems] == [
        (1, 9, "minimal"),
        (2, 1, "with"),
    ]


PROFILE = """\
name: my-redis-setup
description: Redis backend with NATS messaging
services:
  - prism-admin
  - pattern-launcher
  - memstore
  - redis
  - nats
config:
  redis:
    memory_mb: 512
    persist: true
  nats:
    jetstream: true
"""


def put(home: Home, name: str, text: str) -> None:
    write(home.profiles / f"{name}.yaml", text)


def test_the_profile_of_the_request_is_understood(home: Home) -> None:
    put(home, "my-redis-setup", PROFILE)
    profile = load_profile(home, "my-redis-setup")
    assert profile.services[-2:] == ("redis", "nats")
    services = apply_profile(CATALOG, profile).services
    redis, nats = services[ServiceName("redis")], services[ServiceName("nats")]
    assert (redis.resources.memory_mb, redis.persist) == (512, True)
    assert "-js" in nats.command
    assert services[ServiceName("memstore")] == PACKAGED[ServiceName("memstore")]


def change(home: Home, config: str) -> dict[str, ServiceDefinition]:
    text = f"services: [redis]\nconfig:\n{textwrap.indent(textwrap.dedent(config), '  ')}"
    put(home, "x", text)
    services = apply_profile(CATALOG, load_profile(home, "x")).services
    return {str(name): definition for name, definition in services.items()}


def test_a_profile_changes_ports_environment_and_streams(home: Home) -> None:
    services = change(
        home, "redis: {port: 7000, env: {A: 1}, replicas: 2}\nnats: {jetstream: false}\n"
    )
    assert services["redis"].ports[0].number == 7000
    assert services["redis"].env == {"A": "1"}
    assert services["redis"].replicas == 2
    assert services["nats"].config == {"jetstream": False}


def test_mistakes_in_what_a_profile_changes_are_told_with_their_place(home: Home) -> None:
    with pytest.raises(ConfigError) as raised:
        change(home, "rdeis: {persist: true}\nredis: {jetstream: true}\n")
    assert problems(raised.value) == [
        "3:3 unknown service `rdeis`|redis",
        "4:11 redis: jetstream is for nats only|",
    ]


def test_a_profile_that_is_not_there_has_the_nearest_name(home: Home) -> None:
    put(home, "my-setup", PROFILE)
    with pytest.raises(ConfigError, match="unknown profile `my-setpu`; did you mean `my-setup`"):
        load_profile(home, "my-setpu")
    with pytest.raises(ConfigError, match="unknown profile `other`; saved: my-setup"):
        load_profile(home, "other")


def test_profiles_are_listed_and_deleted(home: Home) -> None:
    assert list_profiles(home) == []
    for name in ("b", "a"):
        put(home, name, PROFILE)
    assert list_profiles(home) == ["a", "b"]
    assert delete_profile(home, "a") == home.profiles / "a.yaml"
    assert list_profiles(home) == ["b"]
    with pytest.raises(ConfigError, match="unknown profile `a`"):
        delete_profile(home, "a")
    with pytest.raises(ConfigError, match=r"`b\.yaml` is a file, not the name of a saved profile"):
        delete_profile(home, "b.yaml")


def test_a_setting_of_another_server_is_a_mistake(home: Home) -> None:
    with pytest.raises(ConfigError) as raised:
        change(home, "redis: {partitions: 3}\nkafka: {partitions: 3, memory_mb: 512}\n")
    assert problems(raised.value) == ["3:11 redis: partitions is for kafka only|"]


def test_a_profile_changes_what_servers_are_told(home: Home) -> None:
    services = change(
        home,
        "redis: {memory_mb: 512, persist: true}\nkafka: {retention_hours: 5}\nmemstore: {memory_mb: 64}\n",
    )
    assert services["redis"].config == {"memory_mb": 512, "persist": True}
    assert services["kafka"].config == {"retention_hours": 5}
    assert services["memstore"].config == {}
    assert services["memstore"].resources.memory_mb == 64

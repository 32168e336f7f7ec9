from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import pytest

from prismctl.cli.commands.start import start
from prismctl.cli.completion import complete_settings
from prismctl.cli.invocation import Invocation
from prismctl.cli.selection_flags import SELECTION_FLAGS
from prismctl.cli.start_settings import settle_start
from prismctl.domain.packaged import PACKAGED
from prismctl.domain.plan import ENGINES, FailurePolicy
from prismctl.domain.service import ServiceDefinition, ServiceName
from prismctl.domain.service_settings import known_keys
from prismctl.domain.setting_names import OWN_KEYS, SERVICE_KEYS, STACK_KEYS
from prismctl.files.catalog import ensure_catalog
from prismctl.files.preferences import PREFERENCES
from prismctl.files.settings import RUNTIMES
from prismctl.planning import PlanRequest

if TYPE_CHECKING:
    from pathlib import Path

    from prismctl.files.paths import Home

PROFILE = """\
services: [redis]
config:
  redis:
    memory_mb: 64
"""


@pytest.fixture
def team(home: Home) -> Home:
    ensure_catalog(home)
    home.profiles.mkdir(parents=True)
    (home.profiles / "team.yaml").write_text(PROFILE, encoding="utf-8")
    return home


def test_a_value_is_told_with_file_and_line_and_with_what_it_beats(
    prismctl: Any, team: Home
) -> None:
    answer = prismctl("dev", "config", "explain", "redis.memory_mb", "--profile", "team")
    first, source, beaten, *_ = answer.out.splitlines()
    assert (answer.code, first) == (0, "redis.memory_mb = 64")
    assert source.split() == ["from", "profile", "team,", f"{team.profiles / 'team.yaml'}:4"]
    assert beaten.split(None, 1) == ["beats", "no limit (default)"]


def test_the_same_as_a_document(prismctl: Any, team: Home) -> None:
    answer = prismctl("dev", "config", "explain", "redis.memory_mb", "--profile=team", "-o", "json")
    assert answer.document == {
        "schema": 1,
        "key": "redis.memory_mb",
        "value": 64,
        "source": "profile team",
        "file": str(team.profiles / "team.yaml"),
        "line": 4,
        "outcome": "",
        "beaten": [{"value": "no limit", "source": "default", "file": None, "line": None}],
        "related": ["redis.resources.memory"],
        "is_running": False,
        "next_start": None,
    }


def test_an_untouched_catalog_has_lines_too(prismctl: Any, team: Home) -> None:
    answer = prismctl("dev", "config", "explain", "redis.port", "-o", "json").document
    line = team.catalog.read_text(encoding="utf-8").splitlines()[answer["line"] - 1]
    assert (answer["file"], line.strip()) == (str(team.catalog), "port: 6379")


def test_why_a_service_is_in_the_stack(prismctl: Any, team: Home) -> None:
    del team
    answer = prismctl("dev", "config", "explain", "nats", "--with-nats", "-o", "json").document
    assert (answer["value"], answer["source"]) == (True, "--with")


def test_a_misspelt_key_is_refused_with_the_nearest(prismctl: Any) -> None:
    answer = prismctl("dev", "config", "explain", "redis.memroy_mb")
    assert answer.code == 2
    assert "unknown key `redis.memroy_mb`; did you mean `redis.memory_mb`?" in answer.err
    assert "hint: `prismctl dev config show -v` lists every key" in answer.err


def test_an_impossible_selection_is_refused_like_a_start(prismctl: Any) -> None:
    assert prismctl("dev", "config", "show", "--profile", "nobody").code == 2


def test_everything_is_listed_with_its_source(prismctl: Any, team: Home) -> None:
    answer = prismctl("dev", "config", "show", "--profile", "team", "--engine", "local")
    rows = {line.split()[0]: line.split()[1:] for line in answer.out.splitlines()}
    assert rows["engine"] == ["local", "--engine"]
    assert rows["persist"] == ["false", "default"]
    assert rows["redis.memory_mb"][:2] == ["64", "profile"]
    assert "redis.replicas" not in rows
    all_rows = prismctl("dev", "config", "show", "--profile", "team", "-v").out
    assert "redis.replicas" in all_rows
    keys = [
        each["key"]
        for each in prismctl("dev", "config", "show", "--profile=team", "-o", "json").document[
            "settings"
        ]
    ]
    assert len(keys) == len(set(keys))
    assert {"engine", "services", "redis", "redis.replicas"} <= set(keys)
    del team


def test_looking_writes_nothing(prismctl: Any, home: Home) -> None:
    assert prismctl("dev", "config", "show").code == 0
    assert not home.directory.exists()


def test_the_flags_are_those_of_start() -> None:
    assert {each.name for each in start.params} >= set(SELECTION_FLAGS)


def test_the_engines_and_runtimes_of_the_flags_are_those_of_the_settings() -> None:
    choices = {
        each.name: tuple(each.type.choices)
        for each in start.params
        if isinstance(each.type, click.Choice)
    }
    assert (choices["engine"], choices["runtime"]) == (ENGINES, RUNTIMES)


@pytest.mark.parametrize(
    ("typed", "settled"),
    [
        ({}, (FailurePolicy.STOP, 7.0)),
        ({"wait_seconds": 9.0}, (FailurePolicy.STOP, 9.0)),
        ({"on_failure": "keep"}, (FailurePolicy.KEEP, 7.0)),
    ],
)
def test_a_project_says_how_long_a_start_waits_and_what_happens_when_a_service_fails(
    home: Home, tmp_path: Path, typed: dict[str, Any], settled: tuple[FailurePolicy, float]
) -> None:
    (tmp_path / "work" / "prism.yaml").write_text(
        "settings:\n  on_failure: stop\n  wait_timeout: 7s\n", encoding="utf-8"
    )
    answer = settle_start(Invocation(home=home, stack="default"), PlanRequest(**typed))
    assert answer[:2] == settled


def test_a_start_without_files_waits_as_its_help_says(home: Home) -> None:
    defaults = {each.name: each.default for each in start.params}
    answer = settle_start(Invocation(home=home, stack="default"), PlanRequest())
    assert answer == (defaults["on_failure"], defaults["wait_timeout"], None)


def test_the_names_for_the_tab_key_are_those_of_the_settings() -> None:
    common = known_keys(ServiceDefinition(name=ServiceName("mine")))
    assert [*PREFERENCES, "services"] == list(STACK_KEYS)
    assert common == list(SERVICE_KEYS)
    assert set(OWN_KEYS) == set(PACKAGED)
    for name, definition in PACKAGED.items():
        known = {key for key in known_keys(definition) if not key.startswith("env.")}
        assert known - set(common) == set(OWN_KEYS[name])


def test_keys_are_completed(home: Home) -> None:
    del home
    context: Any = None

    def complete(incomplete: str) -> list[str]:
        return complete_settings(context, context, incomplete)

    assert complete("eng") == ["engine"]
    assert "redis" in complete("re")
    assert complete("ports.") == ["ports.dashboard"]
    assert complete("redis.mem") == ["redis.memory_limit_mb", "redis.memory_mb"]
    assert complete("admin.ports.m") == ["admin.ports.metrics"]
    assert complete("nobody.") == []

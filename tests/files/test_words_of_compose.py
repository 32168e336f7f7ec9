"""What somebody is told who writes a catalog as if it were a compose file, or gives one for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from prismctl.domain.catalog_keys import HEALTH_CHECK, SERVICE
from prismctl.domain.compose_words import COMPOSE_CHECK_WORDS, COMPOSE_WORDS
from prismctl.errors import ConfigError, Problem
from prismctl.files.catalog import parse_catalog

if TYPE_CHECKING:
    from pathlib import Path


def refuse(text: str, directory: Path) -> ConfigError:
    with pytest.raises(ConfigError) as raised:
        parse_catalog(text, directory / "file.yaml")
    return raised.value


def problems_of(entry: str, directory: Path) -> list[Problem]:
    text = f"services:\n  - name: web\n    container: web\n{entry}\n"
    return list(refuse(text, directory).problems)


@pytest.mark.parametrize(
    ("entry", "meant"),
    [
        ("    image: web", "container"),
        ("    environment: {A: b}", "env"),
        ("    healthcheck: {}", "health_check"),
        ("    health_check: {test: [a]}", "command"),
    ],
)
def test_a_key_of_compose_is_answered_with_the_catalogs_own(
    entry: str, meant: str, tmp_path: Path
) -> None:
    (problem,) = problems_of(entry, tmp_path)
    assert problem.suggestion == meant


@pytest.mark.parametrize("word", ["restart", "build", "networks"])
def test_a_key_of_compose_without_a_counterpart_is_answered_with_one_sentence(
    word: str, tmp_path: Path
) -> None:
    (problem,) = problems_of(f"    {word}: x", tmp_path)
    assert problem.message == f"web: unknown key `{word}`: {COMPOSE_WORDS[word]}"


def test_the_list_of_all_keys_is_told_once(tmp_path: Path) -> None:
    found = problems_of("    colour: red\n    flavour: sweet", tmp_path)
    assert [problem.message.count("known: name, type") for problem in found] == [1, 0]


def test_no_word_of_compose_hides_a_key_that_there_is() -> None:
    assert SERVICE.keys.keys().isdisjoint(COMPOSE_WORDS)
    assert HEALTH_CHECK.keys.keys().isdisjoint(COMPOSE_CHECK_WORDS)
    # A single word is meant as a key, and has to be one.
    assert {each for each in COMPOSE_WORDS.values() if " " not in each} <= SERVICE.keys.keys()


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("services:\n  web:\n    image: nginx\n", "compose file"),
        ("services:\n  web:\n    build: .\n", "compose file"),
        ("web: python app.py\nworker: python worker.py\n", "Procfile"),
        ("web: bundle exec puma -p $PORT: x\n", "Procfile"),
    ],
)
def test_a_file_of_another_tool_is_called_what_it_is(text: str, what: str, tmp_path: Path) -> None:
    error = refuse(text, tmp_path)
    assert [problem.message for problem in error.problems] == [f"this is a {what}, not a catalog"]
    assert error.hint is not None
    assert "`prismctl dev catalog import " in error.hint


def test_a_catalog_whose_services_are_a_mapping_is_still_a_catalog(tmp_path: Path) -> None:
    error = refuse("services:\n  web:\n    container: nginx\n", tmp_path)
    assert "write a list of entries" in error.problems[0].message

from __future__ import annotations

import pytest

from prismctl.domain.problems import Place, Problems, nearest_name
from prismctl.errors import ConfigError

SERVICES = ("prism-admin", "pattern-launcher", "memstore", "redis", "postgres", "nats", "kafka")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("rdeis", "redis"),
        ("Redis", "redis"),
        ("reids", "redis"),
        ("postgresql", "postgres"),
        ("pattern-luancher", "pattern-launcher"),
        ("memstor", "memstore"),
        ("nast", "nats"),
        ("kafak", "kafka"),
        ("prism", "prism-admin"),
        ("clickhouse", ""),
        ("", ""),
        ("x" * 5000, ""),
    ],
)
def test_the_nearest_name_is_what_was_meant(typed: str, meant: str) -> None:
    assert nearest_name(typed, SERVICES) == meant


def test_a_swap_of_two_letters_counts_as_one_mistake() -> None:
    assert nearest_name("contianer", ["command", "container"]) == "container"


def test_an_unknown_name_without_a_near_one_lists_what_there_is() -> None:
    problems = Problems()
    problems.add_unknown("preset", "zzz", ["minimal", "full"])
    assert str(problems.found[0]) == "unknown preset `zzz`; known: minimal, full"


def test_the_same_problem_is_told_once() -> None:
    problems = Problems()
    for _ in range(3):
        problems.add("port 1 is bad", Place("a.yaml", 1, 2))
    with pytest.raises(ConfigError) as raised:
        problems.raise_if_any()
    assert raised.value.message == "a.yaml:1:2: port 1 is bad"


def test_problems_of_one_file_are_counted_under_its_name() -> None:
    problems = Problems()
    problems.add("one", Place("a.yaml", 1, 2))
    problems.add("two", Place("a.yaml", 2, 2))
    with pytest.raises(ConfigError, match=r"^2 problems in a\.yaml$"):
        problems.raise_if_any()


def test_no_problem_raises_nothing() -> None:
    Problems().raise_if_any()


def test_a_word_of_a_name_is_nearer_than_a_name_that_looks_like_it() -> None:
    names = ["--without", "--wait-timeout", "--with"]
    assert nearest_name("--timeout", names) == "--wait-timeout"
    assert nearest_name("timeout", ["wait_timeout_seconds", "timed"]) == "wait_timeout_seconds"
    # A slip of one letter says more than a word that several have.
    assert nearest_name("--wit", names) == "--with"
    assert nearest_name("port", ["grpc-port", "http-port"]) == ""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prismctl.present.log_levels import Level, LevelFilter, level_of
from prismctl.present.loglines import LogPrinter, colour_of


def entry(text: str, service: str = "redis", replica: int = 0) -> dict[str, Any]:
    return {
        "time": "2026-01-02T03:04:05.678901234Z",
        "service": service,
        "replica": replica,
        "stream": "stdout",
        "text": text,
    }


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ('{"level":"error","msg":"x"}', Level.ERROR),
        ('{"severity": "WARNING"}', Level.WARN),
        ("ts=1 level=info msg=started", Level.INFO),
        ("2026-01-02T03:04:05 [DEBUG] agent: x", Level.DEBUG),
        ("2026-01-02 03:04:05.000 UTC [71] FATAL:  no", Level.FATAL),
        ("ERROR something", Level.ERROR),
        ("no errors were found", None),
        ("the INFORMATION", None),
        ("", None),
    ],
)
def test_a_level_is_found_where_loggers_write_it(text: str, level: Level | None) -> None:
    assert level_of(text) is level


def test_lines_without_a_level_stay_with_the_line_before_them() -> None:
    levels = LevelFilter(Level.ERROR)
    shown = [
        text
        for text in ["INFO fine", "  more", "ERROR broken", "Traceback:", "  at x", "INFO fine"]
        if levels.admits(entry(text))
    ]
    assert shown == ["ERROR broken", "Traceback:", "  at x"]


def test_the_lines_of_one_service_do_not_open_another() -> None:
    levels = LevelFilter(Level.ERROR)
    assert levels.admits(entry("ERROR broken", "redis"))
    assert not levels.admits(entry("who knows", "nats"))


def test_names_are_aligned_and_replicas_told_apart() -> None:
    printer = LogPrinter(["redis", "prism-admin"], has_prefix=True, has_colour=False)
    first = printer.render(entry("one"))
    second = printer.render(entry("two", "prism-admin"))
    assert first.startswith("redis        ")
    assert first.index("one") == second.index("two")
    assert printer.render(entry("three", "redis", 1)).startswith("redis#1 ")


def test_a_service_keeps_its_colour() -> None:
    assert colour_of("redis") == colour_of("redis")
    assert "\x1b[" in LogPrinter(["redis"], has_prefix=True, has_colour=True).render(entry("x"))


@given(st.text(), st.text(min_size=1))
def test_without_colour_nothing_but_text_is_printed(text: str, service: str) -> None:
    printer = LogPrinter([service], has_prefix=True, has_colour=False)
    assert printer.render(entry(text, service)).replace(" ", "a").isprintable()

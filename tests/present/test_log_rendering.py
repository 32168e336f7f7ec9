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


@pytest.mark.parametrize(
    ("printed", "readable"),
    [
        ("2026-01-02T03:04:05.678Z [INFO] agent: ready", "[INFO] agent: ready"),
        ("2026-01-02 03:04:05.000 UTC [71] LOG:  ready", "[71] LOG:  ready"),
        ("[2026-01-02 03:04:05,678] INFO ready (kafka)", "INFO ready (kafka)"),
        ("[71] 2026/01/02 03:04:05.678901 [INF] ready", "[71] [INF] ready"),
        ("71:M 02 Jan 2026 03:04:05.678 * ready", "71:M * ready"),
        ("2026-01-02 was a Friday", "2026-01-02 was a Friday"),
        ("at 2026-01-02T03:04:05Z it began", "at 2026-01-02T03:04:05Z it began"),
    ],
)
def test_a_terminal_shows_one_time_before_a_line_and_not_two(printed: str, readable: str) -> None:
    assert shown(printed) == readable
    raw = LogPrinter(["redis"], has_prefix=False, has_colour=False)
    assert raw.render(entry(printed)).endswith(printed)


def shown(text: str, *, has_colour: bool = False, **options: Any) -> str:
    """The text of a line as a terminal shows it, without the time in front."""
    printer = LogPrinter(
        ["redis"], has_prefix=False, has_colour=has_colour, is_readable=True, **options
    )
    return printer.render(entry(text)).partition("  ")[2]


def test_a_line_of_json_begins_with_its_message() -> None:
    text = '{"level":"warn","time":"x","msg":"it is slow","ms":12,"user":"a b"}'
    assert shown(text) == 'WARN it is slow ms=12 user="a b"'


def test_fields_are_dim_and_bad_levels_coloured() -> None:
    text = shown('{"level":"error","msg":"no","ms":12}', has_colour=True)
    assert text == "\x1b[31mERROR\x1b[0m no \x1b[2mms=12\x1b[0m"


def test_json_cannot_steer_the_terminal_either() -> None:
    text = shown('{"msg":"\\u001b]0;owned\\u0007\\u001b[2Jx","k":"\\u001b[H"}', has_colour=True)
    assert "\x1b]" not in text
    assert "\x1b[2J" not in text
    assert "\x1b[H" not in text


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("10 %\r50 %\r100 %", "100 %"),
        ("10 %\r50 %\r", "50 %"),
        ("\rstarting", "starting"),
        ("10 %\r    \r", "10 %"),
        ("\r\r", ""),
    ],
)
def test_of_a_progress_bar_the_last_state_is_shown(text: str, state: str) -> None:
    assert shown(text) == state


def test_a_megabyte_is_cut_where_it_would_fill_screens_and_says_so() -> None:
    text = shown("x" * 1_000_000)
    assert len(text) < 10_100
    assert text.endswith("… (1,000,000 characters, all of them with --raw)")


def test_a_line_as_it_was_printed_is_all_of_it() -> None:
    printer = LogPrinter(["redis"], has_prefix=False, has_colour=False, is_exact=True)
    text = '{"msg":"x"}\r\x1b[2J' + "x" * 20_000
    assert printer.render(entry(text)).partition("  ")[2] == text


@pytest.mark.parametrize(
    "attack",
    [
        "\x1b]0;title\x07",
        "\x1b]8;;http://evil\x1b\\click\x1b]8;;\x1b\\",
        "\x1b]52;c;cm0gLXJm\x07",
        "\x1b[2J\x1b[H",
        "\x1b[?1049h",
        "\x1b[6n",
        "\x1bc",
        "\x9b2J",
        "\x1bP1$r0m\x1b\\",
        "\x1b[8m",
        "\x1b[5m",
        "\x0e",
        "\u202e",
    ],
)
def test_no_line_can_take_the_terminal_over(attack: str) -> None:
    text = shown(f"before{attack}after", has_colour=True)
    assert "before" in text
    assert "after" in text
    assert "\x1b" not in text.removesuffix("\x1b[0m")
    assert "\x9b" not in text
    assert "\u202e" not in text


def test_colours_of_a_service_stay_and_end_with_its_line() -> None:
    assert shown("\x1b[1;32mok\x1b[0m go", has_colour=True) == "\x1b[1;32mok\x1b[0m go\x1b[0m"
    assert shown("\x1b[1;32mok\x1b[0m go") == "ok go"

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from prismctl.present.banner import ready_banner, stopped_lines
from prismctl.present.events import event_line, fields
from prismctl.present.failure import failure_card
from prismctl.present.text import line_width, plain

STATUS: dict[str, Any] = {
    "stack": "default",
    "origin": "redis",
    "endpoints": {"nomad_ui": "http://127.0.0.1:4646/ui/"},
    "services": [{"name": "prism-admin", "type": "core"}, {"name": "redis", "type": "backend"}],
}


def words(rows: Any) -> str:
    return "\n".join(plain(row) for row in rows)


def test_the_banner_names_only_addresses_that_exist() -> None:
    text = words(ready_banner(STATUS, ready_seconds=2.94, width=100))
    assert "Ready in: 2.9 seconds" in text
    assert "Stack: redis" in text
    assert "prismctl dev ui nomad" in text
    assert "Dashboard" not in text
    assert "ui consul" not in text
    assert "prismctl dev logs -f redis" in text


def test_the_banner_of_another_stack_names_it_in_every_command() -> None:
    text = words(ready_banner({**STATUS, "stack": "two"}, ready_seconds=1.0, width=60))
    commands = [row for row in text.splitlines() if "prismctl dev" in row]
    assert commands
    assert all("--stack two" in row for row in commands)


@given(st.integers(20, 200), st.text(max_size=60))
def test_the_banner_fits(width: int, origin: str) -> None:
    rows = ready_banner({**STATUS, "origin": origin}, ready_seconds=None, width=width)
    assert all(line_width(row) <= width for row in rows)


def test_a_failure_says_why_what_it_printed_what_waits_and_what_to_try() -> None:
    card = failure_card(
        {"name": "postgres", "state": "failed", "reason": "exited with code 1"},
        said=[{"time": "2026-01-02T03:04:05.678Z", "text": "FATAL:  wrong ownership\x1b[2J"}],
        waiting=["keyvalue-runner"],
        width=80,
    )
    text = words(card)
    assert text.splitlines()[0] == "✗ postgres failed: exited with code 1"
    assert "FATAL:  wrong ownership" in text
    assert "what waits      keyvalue-runner" in text
    assert "prismctl dev logs postgres" in text
    assert "\x1b" not in text


@given(
    st.text(min_size=1, max_size=40),
    st.lists(st.text(max_size=200), max_size=30),
    st.lists(st.text(max_size=40), max_size=10),
    st.integers(30, 160),
)
def test_a_failure_card_fits(name: str, said: list[str], waiting: list[str], width: int) -> None:
    card = failure_card(
        {"name": name, "state": "failed", "reason": name},
        said=[{"time": "", "text": text} for text in said],
        waiting=waiting,
        width=width,
    )
    assert all(line_width(row) <= width for row in card)
    assert len(card) < 20


def test_what_was_stopped_is_counted() -> None:
    text = words(
        stopped_lines(
            stack="default", seconds=0.9, services=4, components=["nomad", "consul"], width=80
        )
    )
    assert text == "stopped default in 0.9 s: 4 services, Nomad, Consul. Nothing is left running."


def test_plain_event_lines_are_one_word_and_what_it_happened_to() -> None:
    ready = {
        "kind": "component.ready",
        "service": "consul",
        "details": {"seconds": 0.127},
        "message": "",
    }
    failed = {
        "kind": "service.failed",
        "service": "redis",
        "details": {},
        "message": "exited with code 1",
    }
    assert plain(event_line(ready) or ()) == "ready    consul 0.13s"
    assert plain(event_line(failed) or ()) == "failed   redis exited with code 1"


def test_events_nobody_waits_for_are_told_only_when_asked() -> None:
    starting = {"kind": "service.starting", "service": "redis", "details": {}, "message": ""}
    assert event_line(starting) is None
    assert plain(event_line(starting, is_verbose=True) or ()) == "starting redis"


def test_values_with_spaces_are_quoted_and_empty_ones_left_out() -> None:
    assert fields(stack="default", origin="a b", port="") == 'stack=default origin="a b"'

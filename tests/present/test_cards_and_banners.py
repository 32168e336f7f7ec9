from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prismctl.present.banner import ready_banner, stopped_lines
from prismctl.present.events import event_line, fields
from prismctl.present.failure import failure_card, find_missing
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
        dependants=[("keyvalue-runner", "waiting")],
        width=80,
    )
    text = words(card)
    assert text.splitlines()[0] == "✗ postgres failed: exited with code 1"
    assert "FATAL:  wrong ownership" in text
    assert "what needs it   ○ keyvalue-runner waiting" in text
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
        dependants=[(each, "waiting") for each in waiting],
        width=width,
    )
    assert all(line_width(row) <= width for row in card)
    assert len(card) <= 50


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


LONG_REASON = (
    "the data in /home/somebody/.prism/run/default/data/postgres was made by PostgreSQL 14, and /usr/lib/postgresql/15/bin/"
    "postgres is PostgreSQL 15, which cannot read it; put PostgreSQL 14 first on PATH, or start without `--persist` for an "
    "empty database: the old data is put aside, not removed"
)


def card_of(reason: str, *said: str, **options: Any) -> str:
    service = {"name": "db", "state": "failed", "reason": reason}
    entries = [{"time": "", "text": text} for text in said]
    return words(failure_card(service, said=entries, dependants=(), **{"width": 80, **options}))


@given(st.integers(30, 160))
def test_a_long_reason_is_wrapped_and_whole(width: int) -> None:
    shown = card_of(LONG_REASON, width=width).partition("what it said")[0]
    assert LONG_REASON.replace(" ", "") in "".join(shown.split()) or width < 60


def test_the_line_that_tells_the_trouble_is_shown_though_much_was_printed_after_it() -> None:
    trace = [f"    at org.example.Thing.method{number}" for number in range(30)]
    card = card_of(
        *("exited with code 1", "starting", "reading", "ERROR the disk of doom", *trace, "bye"),
        most_lines=8,
    )
    assert "  ✗ ERROR the disk of doom" in card
    assert "reading" in card
    assert "starting" not in card
    assert "… 25 lines" in card
    assert card.index("method29") < card.index("bye")


def test_an_error_of_long_ago_is_not_the_trouble() -> None:
    calm = [f"INFO all is well, {number}" for number in range(40)]
    assert "doom" not in card_of("ended", "ERROR doom", *calm)


def test_a_level_says_more_than_the_words_beside_it() -> None:
    card = card_of("ended", "INFO 0 failed, 0 errors", "WARN could not find cache", "FATAL bad")
    assert "✗ FATAL bad" in card


def test_a_long_line_of_the_trouble_is_shown_as_a_whole() -> None:
    trouble = "FATAL: " + " ".join(f"word{number}" for number in range(20))
    shown = "".join(card_of("ended", "before", trouble).split())
    assert trouble.replace(" ", "") in shown


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (LONG_REASON, "nothing special"),
        ("exited with code 1", "Bad file format reading the append only file: make a backup"),
        ("exited with code 1", "PANIC:  could not locate a valid checkpoint record"),
    ],
)
def test_data_that_cannot_be_read_is_not_tried_again_but_left_behind(
    reason: str, said: str
) -> None:
    card = card_of(reason, said, has_previous=True, stack="two", width=100)
    assert "prismctl dev data reset db --stack two" in card
    assert "prismctl dev data restore --previous db --stack two" in card
    assert "dev restart" not in card
    assert "--previous" not in card_of(reason, said)


def test_what_another_try_may_mend_is_tried_again() -> None:
    card = card_of("port 25686 is in use by PID 12, python3 grab.py", "bind: address in use")
    assert "prismctl dev restart db" in card
    assert "data reset" not in card


@pytest.mark.parametrize("state", ["unhealthy", "starting"])
def test_what_a_check_says_is_told_once_however_long_it_has_said_so(state: str) -> None:
    service = {
        "name": "slow",
        "state": state,
        "reason": "HTTP 404 from 127.0.0.1:80/health, 41.6 s",
        "last_error": "HTTP 404 from 127.0.0.1:80/health, 30.2 s",
    }
    text = words(failure_card(service, said=[], dependants=[], width=100))
    assert text.count("HTTP 404") == 1


def test_what_another_check_said_before_is_a_sentence() -> None:
    service = {
        "name": "slow",
        "state": "unhealthy",
        "reason": "HTTP 404 from 127.0.0.1:80/health, 41.6 s",
        "last_error": "connection refused at 127.0.0.1:80",
    }
    text = words(failure_card(service, said=[], dependants=[], width=100))
    assert "\n  before that: connection refused at 127.0.0.1:80\n" in text
    killed = {**service, "last_error": "was killed by SIGKILL", "restarts": 2}
    text = words(failure_card(killed, said=[], dependants=[], width=100))
    assert "\n  it was killed by SIGKILL; restarted 2 times\n" in text


SERVICES: list[dict[str, Any]] = [
    {"name": "disk", "state": "failed", "depends_on": []},
    {"name": "db", "state": "waiting", "depends_on": ["disk"]},
    {"name": "cache", "state": "healthy", "depends_on": []},
    {"name": "api", "state": "waiting", "depends_on": ["db", "cache"], "reason": "waits for db"},
]


def test_one_that_never_ran_is_not_tried_again_but_what_it_lacks() -> None:
    missing = find_missing(SERVICES, "api")
    assert missing == [("disk", "failed")]
    card = failure_card(SERVICES[3], said=[], dependants=[], missing=missing, width=100, stack="v")
    text = words(card)
    assert "nothing: it has not run" in text
    assert "what it needs   ✗ disk failed" in text
    assert "prismctl dev logs disk --stack v" in text
    assert "prismctl dev restart disk --stack v" in text
    assert "restart api" not in text


@pytest.mark.parametrize("width", [100, 80, 60, 40])
def test_what_to_try_was_cut_off_where_the_name_of_a_stack_made_it_long(width: int) -> None:
    service = {"name": "needs-broken", "state": "failed", "reason": "broken failed"}
    card = failure_card(
        {**service, "instances": [{"started_at": None}]},
        said=[],
        dependants=[],
        missing=[("broken", "failed")],
        stack="checkout-42",
        width=width,
    )
    assert max(map(line_width, card)) <= width
    told = " ".join(words(card).split())
    assert "prismctl dev logs broken --stack checkout-42 why broken is not up" in told
    assert (
        "restart broken --stack checkout-42 tries it again; needs-broken follows by itself" in told
    )


def test_nothing_is_missing_that_is_up_and_a_circle_has_an_end() -> None:
    assert find_missing(SERVICES, "cache") == []
    assert find_missing(SERVICES, "disk") == []
    circle = [
        {"name": "one", "state": "waiting", "depends_on": ["two"]},
        {"name": "two", "state": "waiting", "depends_on": ["one"]},
    ]
    assert find_missing(circle, "one") == [("two", "waiting")]


def test_the_last_twenty_lines_are_shown_with_the_first_error_marked() -> None:
    said = [f"step {number}" for number in range(30)]
    said[15] = "ERROR no disk"
    said[20] = "ERROR giving up"
    shown = card_of("exited with code 1", *said).splitlines()
    assert sum("step" in row or "ERROR" in row for row in shown) == 20
    assert [row.split("✗ ")[-1] for row in shown[1:] if "✗" in row] == ["ERROR no disk"]


def test_the_card_of_a_stopping_service_does_not_tell_of_an_earlier_failure() -> None:
    service = {"name": "redis", "state": "stopping", "reason": "", "last_error": "exited with 1"}
    text = words(failure_card(service, said=[], dependants=[], width=80))
    assert "exited with 1" not in text


def test_the_card_of_what_runs_elsewhere_advises_nothing_that_cannot_be_done_here() -> None:
    service = {
        "name": "redis",
        "state": "unhealthy",
        "runtime": "external",
        "reason": "no such host",
    }
    text = words(
        failure_card(service, said=[], dependants=[("web", "waiting")], width=80, stack="v")
    )
    assert "redis is unhealthy: no such host" in text
    assert "what needs it   ○ web waiting" in text
    assert "logs" not in text
    assert "restart" not in text
    assert "what it said" not in text
    assert "prismctl dev wait redis --stack v" in text


def test_the_last_of_what_was_chosen_is_the_example_whose_logs_are_followed() -> None:
    names = {"prism-admin": "core", "memstore": "backend", "redis": "backend"}
    status = {
        "stack": "default",
        "origin": "redis",
        "services": [{"name": name, "type": kind} for name, kind in names.items()],
    }
    text = "\n".join(map(plain, ready_banner(status, ready_seconds=1.0, width=80)))
    assert "prismctl dev logs -f redis" in text

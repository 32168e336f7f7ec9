from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from prismctl.domain.events import EventKind
from prismctl.present.progress import (
    Progress,
    begin_progress,
    culprit_of,
    fold_event,
    fold_status,
    progress_lines,
    waiting_for,
)
from prismctl.present.text import line_width, plain

DEPENDENCIES = {"admin": (), "launcher": ("admin",), "redis": (), "worker": ("redis", "launcher")}


def event(kind: str, service: str, time: float = 0.0, message: str = "", **details: Any) -> Any:
    return {"kind": kind, "service": service, "time": time, "message": message, "details": details}


def folded(*events: Any) -> Progress:
    progress = begin_progress(DEPENDENCIES)
    for each in events:
        progress = fold_event(progress, each)
    return progress


def test_agents_are_waited_for_before_services() -> None:
    progress = folded(event("component.starting", "nomad", 1.0))
    culprit = culprit_of(progress)
    assert culprit is not None
    assert culprit.name == "nomad"
    assert next(iter(progress.steps)) == "nomad"


def test_the_culprit_is_the_one_with_most_waiting_behind_it() -> None:
    culprit = culprit_of(
        folded(event("service.starting", "redis"), event("service.starting", "admin"))
    )
    assert culprit is not None
    assert culprit.name == "admin"


def test_a_dependent_is_the_culprit_once_all_it_needs_is_up() -> None:
    progress = folded(
        event("service.healthy", "admin"),
        event("service.healthy", "redis"),
        event("service.starting", "launcher"),
    )
    culprit = culprit_of(progress)
    assert culprit is not None
    assert culprit.name == "launcher"


def test_nobody_is_waited_for_once_all_is_settled() -> None:
    progress = folded(
        event("service.healthy", "admin"),
        event("service.healthy", "redis"),
        event("service.completed", "launcher"),
        event("service.failed", "worker"),
    )
    assert culprit_of(progress) is None
    assert progress.is_settled


def test_a_service_takes_the_time_since_its_own_beginning_an_agent_what_was_measured() -> None:
    progress = folded(
        event("service.starting", "admin", 10.0),
        event("service.healthy", "admin", 12.5, seconds=7.0),
        event("service.healthy", "redis", 12.5, seconds=0.11),
        event("component.starting", "nomad", 1.0),
        event("component.ready", "nomad", 5.0, seconds=1.6),
    )
    assert progress.steps["admin"].seconds == 2.5
    assert progress.steps["redis"].seconds == 0.11
    assert progress.steps["nomad"].seconds == 1.6


def test_an_exit_is_told_until_the_service_is_up_again() -> None:
    progress = folded(
        event("service.starting", "redis", 1.0),
        event("service.exited", "redis", 2.0, "exited with code 1"),
    )
    assert progress.steps["redis"].message == "exited with code 1"
    assert fold_event(progress, event("service.healthy", "redis", 3.0)).steps["redis"].message == ""


def test_probe_errors_come_from_the_status_document() -> None:
    progress = fold_status(
        folded(event("service.starting", "redis")),
        {"services": [{"name": "redis", "reason": "connection refused"}]},
    )
    assert progress.steps["redis"].message == "connection refused"


def test_what_waits_is_found_through_others() -> None:
    assert waiting_for(DEPENDENCIES, "admin") == ["launcher", "worker"]
    assert waiting_for(DEPENDENCIES, "worker") == []


def test_the_last_line_names_what_everything_waits_for() -> None:
    progress = folded(event("service.starting", "admin", 1.0))
    last = plain(progress_lines(progress, now=3.0, began_at=0.7, width=80, height=20)[-1])
    assert last.strip() == "2.3 s · everything waits for admin"


def test_a_low_terminal_shows_what_is_still_to_come() -> None:
    progress = folded(
        event("service.healthy", "admin"),
        event("service.healthy", "redis"),
        event("service.starting", "launcher"),
    )
    text = "\n".join(
        plain(row) for row in progress_lines(progress, now=1.0, began_at=0.0, width=60, height=4)
    )
    assert "launcher" in text
    assert "worker" in text
    assert "redis" not in text


EVENTS = st.builds(
    event,
    st.sampled_from([kind.value for kind in EventKind]),
    st.sampled_from(["", "nomad", "consul", *DEPENDENCIES, "stranger\x1b[2J"]),
    st.floats(0, 1e9),
    st.text(max_size=80),
)


@given(st.lists(EVENTS, max_size=30), st.integers(20, 160), st.integers(3, 40))
def test_any_history_is_drawn_within_the_screen(
    history: list[Any], width: int, height: int
) -> None:
    rows = progress_lines(folded(*history), now=1e9, began_at=0.0, width=width, height=height)
    assert len(rows) <= height
    assert all(line_width(row) <= width for row in rows)
    assert all("\x1b" not in plain(row) for row in rows)


@given(st.lists(EVENTS, max_size=30))
def test_a_start_is_settled_exactly_when_nobody_is_waited_for(history: list[Any]) -> None:
    progress = folded(*history)
    assert progress.is_settled == (culprit_of(progress) is None)


def test_the_last_line_does_not_say_ready_when_a_service_has_failed() -> None:
    progress = folded(
        event("service.healthy", "admin"),
        event("service.healthy", "redis"),
        event("service.completed", "launcher"),
        event("service.failed", "worker"),
    )
    last = plain(progress_lines(progress, now=3.0, began_at=0.7, width=80, height=20)[-1])
    assert last.strip() == "2.3 s · worker failed"

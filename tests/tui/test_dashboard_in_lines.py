"""The dashboard in lines: what is said when something changes, and what is done when something is typed."""

from __future__ import annotations

import io
import os
from dataclasses import replace

import pytest

from prismctl.present.question import Choice
from prismctl.present.text import plain
from prismctl.tui.dashboard import arrivals
from prismctl.tui.dashboard.doing import KeyQuestion
from prismctl.tui.dashboard.feeds import Loss
from prismctl.tui.dashboard.plain import PlainDashboard, change_lines
from prismctl.tui.dashboard.rows import fit_table, row_line, title_line
from prismctl.tui.dashboard.state import DashboardState
from tests.tui.stacks import ADMIN, BROKEN, FAILED, REDIS, RUNNING, SAID, service, status
from tests.tui.test_dashboard_app import Hands


def shown(document: dict[str, object]) -> DashboardState:
    return arrivals.take_status(DashboardState(), document, 0.0)


def test_at_first_all_is_told() -> None:
    assert change_lines(DashboardState(), shown(BROKEN)) == [
        "stack default is degraded, 4 services",
        "postgres failed: exited 6 times with code 1; not tried again",
        "prism-admin is healthy, port 8981, 45 req/s, 38 MB",
        "pattern-launcher is healthy, port 7070, 8 req/s, 38 MB",
        "postgres is failed, port 5432, exited 6 times with code 1; not tried again, restarted 5 times",
        "keyvalue-runner is waiting, waits for postgres, which failed",
    ]


@pytest.mark.parametrize("is_heard", [True, False])
def test_nobody_who_cannot_type_is_told_to_type_help(*, is_heard: bool) -> None:
    written: list[str] = []
    dashboard = PlainDashboard(DashboardState(), Hands().doing(), written.append)
    dashboard.mailbox.put_status(RUNNING)
    dashboard.mailbox.put_loss(Loss("it was stopped", "", is_stopped=True))
    reader, writer = os.pipe()
    # Who types has not ended before the stack has.
    with os.fdopen(reader) as typed, os.fdopen(writer, "w"):
        dashboard.run(typed if is_heard else None)
    assert ("type help for what can be done" in written) is is_heard


@pytest.mark.timeout(20)
@pytest.mark.parametrize("words", ["stop redis", "stop-stack"])
def test_the_end_of_the_input_was_an_answer_and_nothing_ended_it_then(words: str) -> None:
    hands, written = Hands(), list[str]()
    dashboard = PlainDashboard(shown(RUNNING), hands.doing(), written.append)
    dashboard.run(io.StringIO(f"{words}\n"))
    assert written[-1].endswith("type yes")
    assert not hands.done


def test_a_udp_port_is_told_as_one() -> None:
    dns = service("dns", ports=[{"port": 5353, "protocol": "udp"}])
    assert "dns is healthy, port 5353/udp, 38 MB" in change_lines(
        DashboardState(), shown(status(dns))
    )
    table = fit_table([dns, ADMIN], 120)
    lines = [
        plain(row_line(each, (), table, is_selected=False, is_stale=False)) for each in (dns, ADMIN)
    ]
    end = plain(title_line(table)).index("PORT") + len("PORT")
    assert [each[:end].split()[-1] for each in lines] == ["5353/udp", "8981"]
    assert [each[end : end + 2] for each in lines] == ["  ", "  "]


def test_then_only_what_is_different_and_no_figures() -> None:
    before = shown(status(ADMIN, REDIS))
    busier = {**ADMIN, "requests_per_second": 99.0, "memory_bytes": 1}
    assert change_lines(before, shown(status(busier, REDIS))) == []
    fallen = service("redis", "failed", reason="killed by SIGKILL")
    assert change_lines(before, shown(status(ADMIN, fallen, state="degraded"))) == [
        "stack default is degraded",
        "redis is failed, killed by SIGKILL",
    ]


def test_services_that_come_and_go_are_told() -> None:
    lines = change_lines(shown(status(ADMIN, REDIS)), shown(status(ADMIN, FAILED)))
    assert "postgres was added, and is failed" in lines
    assert "redis was taken out" in lines


def test_a_daemon_that_is_lost_and_found_again_is_told() -> None:
    before = shown(RUNNING)
    lost = arrivals.lose(before, Loss("the daemon is suspended (PID 7)", ""), 1.0)
    assert change_lines(before, lost) == ["stale: the daemon is suspended (PID 7); trying again"]
    assert change_lines(lost, arrivals.take_status(lost, RUNNING, 2.0)) == ["connected again"]


def typed(*lines: str, hands: Hands | None = None, **more: object) -> tuple[list[str], Hands]:
    """What is written after some lines were typed, and what was done."""
    hands = hands or Hands()
    written: list[str] = []
    state = replace(shown(RUNNING), **more)  # type: ignore[arg-type]
    dashboard = PlainDashboard(state, hands.doing(), written.append)
    dashboard.logbook.add(SAID)
    for each in lines:
        dashboard.do(each)
    return written, hands


def test_what_is_typed_is_done() -> None:
    written, hands = typed("restart redis", "scale redis 3", "add kafka")
    assert hands.done == [("restart", "redis"), ("scale", "redis", 3), ("add", "kafka")]
    assert written[0] == "did restart redis"


@pytest.mark.parametrize(("answer", "done"), [("yes", [("stop", "redis")]), ("no", []), ("", [])])
def test_what_cannot_be_taken_back_is_asked_about(answer: str, done: list[object]) -> None:
    written, hands = typed("stop redis", answer)
    assert written[0] == "take redis, and what needs it: web, out of the stack? type yes"
    assert hands.done == done


@pytest.mark.parametrize(("answer", "done"), [("k", [("add", "kafka", "k")]), ("q", []), ("", [])])
def test_what_to_do_about_a_taken_port_is_asked(answer: str, done: list[object]) -> None:
    question = KeyQuestion(
        "port 9092 (kafka) is in use by PID 7", (Choice("k", "end PID 7"), Choice("q", "stop here"))
    )
    written, hands = typed("add kafka", answer, hands=Hands(in_the_way=question))
    assert written[:3] == [question.words, "type k: end PID 7", "type q: stop here"]
    assert hands.done == done


def test_logs_that_were_not_read_yet_are_not_taken_for_none() -> None:
    assert "not read yet" in typed("logs redis-2")[0][0]


def test_logs_are_read_out_without_anything_around_them() -> None:
    written, _ = typed("logs prism-admin")
    assert [each[9:] for each in written] == [
        "[INFO] serving on :8981",
        "[WARN] launcher is late",
        "[INFO] launcher registered",
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("restart", "type help"),
        ("scale redis", "type help"),
        ("dance", "dance: type help"),
        ('restart "redis', "No closing quotation"),
        ("scale redis many", "scale: `many` is not a number"),
    ],
)
def test_what_cannot_be_understood_is_said_and_does_nothing(words: str, said: str) -> None:
    written, hands = typed(words)
    assert said in " ".join(written)
    assert not hands.done


def test_a_read_only_one_does_nothing() -> None:
    written, hands = typed("restart redis", "stop-stack", "yes", is_read_only=True)
    assert "read-only" in written[0]
    assert not hands.done

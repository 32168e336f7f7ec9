from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prismctl.domain.observation import InstanceKey, ProbeResult
from prismctl.domain.service import CheckType, ServiceName
from prismctl.probes.cadence import FAST_SECONDS, next_delay
from prismctl.probes.question import Question, hide_secrets
from prismctl.probes.scheduler import ANSWER_LENGTH, ProbeScheduler
from tests.free_ports import take_port


def ask_port(port: int, run: str = "1", replica: int = 0, **fields: float) -> Question:
    key = InstanceKey(ServiceName("web"), replica)
    base = Question(key=key, run=run, type=CheckType.TCP, port=port, started_at=time.time())
    return replace(base, **fields)  # type: ignore[arg-type] # durations only


@pytest.fixture
def closed_port() -> int:
    return take_port()


async def test_readiness_is_seen_soon_after_the_fact(closed_port: int) -> None:
    answers: asyncio.Queue[ProbeResult] = asyncio.Queue()
    async with ProbeScheduler(answers.put_nowait) as scheduler, asyncio.timeout(20):
        scheduler.ask(ask_port(closed_port))
        assert not (await answers.get()).is_ok
        server = await asyncio.start_server(
            lambda _, writer: writer.close(), "127.0.0.1", closed_port
        )
        opened_at = time.time()
        answer = await answers.get()
        while not answer.is_ok:
            answer = await answers.get()
        server.close()
        await server.wait_closed()

    # Generous, because this machine may be busy; the benchmark holds it to a tenth of a second.
    assert answer.at - opened_at < 1.0


async def test_failures_in_a_row_are_counted(closed_port: int) -> None:
    answers: asyncio.Queue[ProbeResult] = asyncio.Queue()
    async with ProbeScheduler(answers.put_nowait) as scheduler, asyncio.timeout(20):
        scheduler.ask(ask_port(closed_port))
        counted = [(await answers.get()).consecutive_failures for _ in range(3)]

    assert counted == [1, 2, 3]


async def test_a_new_run_is_asked_at_once_and_the_old_one_no_more(closed_port: int) -> None:
    answers: asyncio.Queue[ProbeResult] = asyncio.Queue()
    async with ProbeScheduler(answers.put_nowait) as scheduler, asyncio.timeout(20):
        scheduler.ask(ask_port(closed_port, run="1"))
        await answers.get()
        scheduler.ask(ask_port(closed_port, run="2"))
        runs = {(await answers.get()).run for _ in range(3)}

    assert runs == {"2"}


async def test_the_same_question_again_changes_nothing(closed_port: int) -> None:
    answers: asyncio.Queue[ProbeResult] = asyncio.Queue()
    asked = ask_port(closed_port)
    async with ProbeScheduler(answers.put_nowait) as scheduler, asyncio.timeout(20):
        scheduler.ask(asked)
        await answers.get()
        scheduler.ask(asked)

        assert (await answers.get()).consecutive_failures == 2


async def test_what_is_forgotten_is_not_asked_and_no_task_is_left(closed_port: int) -> None:
    answers: list[ProbeResult] = []
    async with ProbeScheduler(answers.append) as scheduler:
        scheduler.ask(ask_port(closed_port))
        scheduler.forget(InstanceKey(ServiceName("web"), 0))

    assert answers == []
    assert len(asyncio.all_tasks()) == 1


@given(
    failing=st.floats(0, 1000),
    patience=st.floats(0, 60),
    interval=st.floats(0.05, 60),
    took=st.floats(0, 5),
    askers=st.integers(1, 200),
)
def test_a_service_that_does_not_answer_is_asked_neither_too_often_nor_too_seldom(
    *, failing: float, patience: float, interval: float, took: float, askers: int
) -> None:
    delay = next_delay(
        is_ok=False,
        interval_seconds=interval,
        failing_seconds=failing,
        patience_seconds=patience,
        question_seconds=took,
        askers=askers,
    )

    assert delay >= max(FAST_SECONDS, took)
    assert delay <= max(1.0, took, askers * 0.001)


def test_a_steady_service_is_asked_at_its_own_interval() -> None:
    delay = next_delay(
        is_ok=True,
        interval_seconds=10.0,
        failing_seconds=0.0,
        patience_seconds=30.0,
        question_seconds=0.1,
        askers=1,
    )

    assert delay == 10.0


async def test_a_secret_that_a_check_prints_is_in_no_answer() -> None:
    answers: asyncio.Queue[ProbeResult] = asyncio.Queue()
    question = Question(
        key=InstanceKey(ServiceName("web"), 0),
        run="1",
        type=CheckType.EXEC,
        command=("/bin/sh", "-c", 'echo "login with $KEY failed"; exit 3'),
        env={"KEY": "correct horse"},
        secrets=frozenset({"horse", "correct horse", "two\nlines", ""}),
        timeout_seconds=20,
    )
    async with ProbeScheduler(answers.put_nowait) as scheduler, asyncio.timeout(30):
        scheduler.ask(question)
        answer = await answers.get()

    assert answer.message == "`/bin/sh` exited with code 3: login with ••• failed"


async def test_a_check_that_explains_itself_in_paragraphs_is_told_in_one_line() -> None:
    answers: asyncio.Queue[ProbeResult] = asyncio.Queue()
    question = Question(
        key=InstanceKey(ServiceName("web"), 0),
        run="1",
        type=CheckType.EXEC,
        command=("/bin/sh", "-c", "seq -s ' ' 1000; exit 3"),
        timeout_seconds=20,
    )
    async with ProbeScheduler(answers.put_nowait) as scheduler, asyncio.timeout(30):
        scheduler.ask(question)
        answer = await answers.get()

    assert answer.message.startswith("`/bin/sh` exited with code 3: 1 2 3 4 5")
    assert len(answer.message) == ANSWER_LENGTH
    assert "\n" not in answer.message


def test_every_line_of_a_secret_is_hidden() -> None:
    assert hide_secrets("key: lines", frozenset({"two\nlines"})) == "key: •••"
    assert hide_secrets("nothing to hide", frozenset()) == "nothing to hide"

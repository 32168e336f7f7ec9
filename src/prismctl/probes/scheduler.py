"""Decides when each instance is asked, and sees to it that no question outlives the run it was about."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final, Self

from prismctl.domain.observation import ProbeResult
from prismctl.domain.problems import shorten
from prismctl.domain.service import CheckType
from prismctl.probes.alive import require_container, sees_udp_ports
from prismctl.probes.cadence import ALARMED_SECONDS, next_delay
from prismctl.probes.question import NotReadyError, hide_secrets
from prismctl.probes.stranger import explain_stranger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

    from prismctl.domain.observation import InstanceKey
    from prismctl.probes.question import Question

ANSWER_LENGTH: Final = 200
"""How much of an answer is kept: servers explain themselves in paragraphs."""


class ProbeScheduler:
    """Asks every instance it was told of, each at its own pace, until told that the run is over.

    An asynchronous context manager: leaving it ends all questions.
    """

    def __init__(self, report: Callable[[ProbeResult], None]) -> None:
        self._report = report
        self._asking: dict[InstanceKey, tuple[Question, asyncio.Task[None]]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._fast: set[InstanceKey] = set()
        self._in_flight: set[InstanceKey] = set()
        self._answers: dict[InstanceKey, tuple[str, int]] = {}

    async def __aenter__(self) -> Self:
        """Nothing is asked yet."""
        return self

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End all questions and wait until they are gone."""
        for key in list(self._asking):
            self.forget(key)
        if self._ending:
            await asyncio.wait(self._ending)

    def ask(self, question: Question) -> None:
        """Ask from now on; the first question goes out at once, one about an earlier run ends."""
        known = self._asking.get(question.key)
        if known is not None and known[0] == question:
            return
        self._end(question.key)
        task = asyncio.get_running_loop().create_task(
            self._ask_for_ever(question), name=f"probe {question.key}"
        )
        self._asking[question.key] = (question, task)

    def forget(self, key: InstanceKey) -> None:
        """Stop asking an instance."""
        self._end(key)
        self._answers.pop(key, None)

    def _end(self, key: InstanceKey) -> None:
        known = self._asking.pop(key, None)
        self._fast.discard(key)
        if known is not None:
            task = known[1]
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
            task.cancel()

    def count_answers(self, key: InstanceKey) -> int | None:
        """How often the present run was found ready; ``None`` while it is just being asked."""
        return None if key in self._in_flight else self._answers.get(key, ("", 0))[1]

    async def _ask_for_ever(self, question: Question) -> None:
        if question.type is None and not sees_udp_ports(question):
            age = time.time() - question.started_at
            await asyncio.sleep(max(0.0, question.min_uptime_seconds - age))
        probe = _load_probe(question)
        was_ok = False
        failures = 0
        failing_since = question.started_at or time.time()
        while True:
            began = time.monotonic()
            self._in_flight.add(question.key)
            try:
                message = await _ask_once(probe, question)
            finally:
                self._in_flight.discard(question.key)
            self._note_answer(question, is_ok=not message)
            if not message and not was_ok:
                message = await explain_stranger(question)
            now = time.time()
            if message and not failures and was_ok:
                failing_since = now
            failures = failures + 1 if message else 0
            was_ok = was_ok or not message
            self._note_pace(question.key, is_fast=bool(message))
            self._report(
                ProbeResult(
                    key=question.key,
                    run=question.run,
                    is_ok=not message,
                    at=now,
                    message=message,
                    consecutive_failures=failures,
                )
            )
            if not message and question.type in {None, CheckType.LOG}:
                # Once is for ever, as long as this run lasts.
                return
            await asyncio.sleep(
                next_delay(
                    is_ok=not message,
                    interval_seconds=question.interval_seconds,
                    failing_seconds=now - failing_since,
                    patience_seconds=ALARMED_SECONDS if was_ok else question.start_period_seconds,
                    question_seconds=time.monotonic() - began,
                    askers=len(self._fast),
                )
            )

    def _note_answer(self, question: Question, *, is_ok: bool) -> None:
        run, count = self._answers.get(question.key, ("", 0))
        self._answers[question.key] = (
            question.run,
            int(is_ok) + (count if run == question.run else 0),
        )

    def _note_pace(self, key: InstanceKey, *, is_fast: bool) -> None:
        if is_fast:
            self._fast.add(key)
        else:
            self._fast.discard(key)


async def _ask_once(probe: Callable[[], Awaitable[None]], question: Question) -> str:
    """Ask, within the time that one question has; why not, or nothing when it is ready."""
    try:
        async with asyncio.timeout(question.timeout_seconds):
            require_container(question)
            await probe()
    except NotReadyError as error:
        return shorten(hide_secrets(str(error), question.secrets), ANSWER_LENGTH)
    except TimeoutError:
        return f"no answer within {question.timeout_seconds:g} s{_place(question)}"
    return ""


def _place(question: Question) -> str:
    if question.type is CheckType.EXEC:
        return f" from `{question.command[0]}`"
    return f" from {question.host}:{question.port}" if question.port else ""


def _load_probe(question: Question) -> Callable[[], Awaitable[None]]:
    """The way to ask; only what is used is imported."""
    if question.type is CheckType.LOG:
        from prismctl.probes.log import LogQuestion

        return LogQuestion(question).probe
    probe = _load_probe_of(question.type)
    return lambda: probe(question)


def _load_probe_of(kind: CheckType | None) -> Callable[[Question], Awaitable[None]]:
    """The way to ask that remembers nothing from one question to the next."""
    if kind is None:
        from prismctl.probes.alive import probe_alive as probe
    elif kind is CheckType.EXEC:
        from prismctl.probes.exec import probe_exec as probe
    elif kind is CheckType.HTTP:
        from prismctl.probes.http import probe_http as probe
    elif kind is CheckType.GRPC:
        from prismctl.probes.grpc import probe_grpc as probe
    elif kind is CheckType.REDIS:
        from prismctl.probes.redis import probe_redis as probe
    elif kind is CheckType.POSTGRES:
        from prismctl.probes.postgres import probe_postgres as probe
    elif kind is CheckType.NATS:
        from prismctl.probes.nats import probe_nats as probe
    elif kind is CheckType.KAFKA:
        from prismctl.probes.kafka import probe_kafka as probe
    else:
        from prismctl.probes.tcp import probe_tcp as probe
    return probe

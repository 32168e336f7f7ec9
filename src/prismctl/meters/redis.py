"""Redis: how often each command was called, and how long the calls took, from ``INFO`` and ``LATENCY HISTOGRAM``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from prismctl.domain.rates import add_buckets, split_cumulative
from prismctl.meters.line import Line
from prismctl.meters.meter import Counts
from prismctl.probes.connect import describe_stranger
from prismctl.probes.question import NotReadyError
from prismctl.probes.redis import render_command

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

    from prismctl.domain.rates import Buckets
    from prismctl.probes.question import Question

NOT_COUNTED: Final = frozenset(
    {"auth", "client", "command", "hello", "info", "latency", "ping", "quit", "select"}
)
"""Checks and meters ask with these, and clients introduce themselves: work is what is left."""
MAX_TEXT_BYTES: Final = 1024 * 1024
MAX_ITEMS: Final = 64 * 1024
MAX_LINE_BYTES: Final = 64 * 1024
MAX_DIGITS: Final = 20

_MICROSECONDS: Final = 1e-6
_COMMAND: Final = re.compile(r"^cmdstat_([^:\s]+):(.*)$", re.MULTILINE)


class RedisMeter:
    """The counters of one Redis."""

    def __init__(self, question: Question) -> None:
        self._question = question
        self._line = Line(question, limit=MAX_LINE_BYTES)

    async def read(self) -> Counts:
        """The counters now.

        Raises:
            NotReadyError: it refuses, or is no Redis.
        """
        question = self._question
        is_new = not self._line.is_open
        async with self._line.conversation() as (reader, writer):
            answers = _Answers(reader, question.port)
            if is_new and question.password:
                names = (question.user,) if question.user else ()
                writer.write(render_command("AUTH", *names, question.password))
                await answers.read_text()
            writer.write(
                render_command("INFO", "commandstats") + render_command("LATENCY", "HISTOGRAM")
            )
            counts = decode_commands(await answers.read_text())
            return counts._replace(latency=decode_histograms(await answers.read()))

    def close(self) -> None:
        """Hang up."""
        self._line.close()


def decode_commands(info: str) -> Counts:
    """How often commands were called, and how often that failed where the server (6.2 or newer) counts it.

    Raises:
        NotReadyError: it is another text.
    """
    requests, errors, counts_errors = 0, 0, True
    try:
        for name, text in _COMMAND.findall(info):
            figures = dict(pair.split("=", 1) for pair in text.strip().split(","))
            if _is_work(name):
                requests += int(figures["calls"])
                counts_errors = counts_errors and "failed_calls" in figures
                errors += int(figures.get("failed_calls", 0))
                # What was refused was not called.
                requests += int(figures.get("rejected_calls", 0))
                errors += int(figures.get("rejected_calls", 0))
    except (ValueError, KeyError) as error:
        raise NotReadyError(f"INFO commandstats is not as it should be: {error}") from error
    return Counts(requests, errors=errors if counts_errors else None)


def decode_histograms(answer: Any) -> Buckets:
    """The histograms of all commands as one; none where the server does not have them (before Redis 7)."""
    if not isinstance(answer, list):
        return ()
    merged = []
    for name, about in _pairs(answer):
        figures = dict(_pairs(about)) if isinstance(about, list) else {}
        bounds = figures.get("histogram_usec")
        if isinstance(name, str) and _is_work(name) and isinstance(bounds, list):
            counts = [(bound, count) for bound, count in _pairs(bounds) if _are_whole(bound, count)]
            merged.append(_with_lower_bounds(split_cumulative(counts)))
    return add_buckets(merged)


def _with_lower_bounds(counts: dict[float, int]) -> dict[float, int]:
    """In seconds. Bounds are powers of two, and empty buckets are left out: without them, others would seem wider."""
    found: dict[float, int] = {}
    for bound, count in counts.items():
        found.setdefault(bound / 2 * _MICROSECONDS, 0)
        found[bound * _MICROSECONDS] = count
    return found


def _is_work(name: str) -> bool:
    return name.lower().partition("|")[0] not in NOT_COUNTED


def _are_whole(*values: Any) -> bool:
    return all(isinstance(value, int) and value >= 0 for value in values)


def _pairs(items: list[Any]) -> Iterator[tuple[Any, Any]]:
    return zip(items[::2], items[1::2], strict=False)


class _Answers:
    """What comes from the server, answer by answer."""

    def __init__(self, reader: asyncio.StreamReader, port: int) -> None:
        self._reader = reader
        self._port = port
        self._items = 0

    async def read_text(self) -> str:
        """The next answer, which is a text.

        Raises:
            NotReadyError: it is a refusal, or no text.
        """
        answer = await self.read()
        if isinstance(answer, NotReadyError):
            raise answer
        if not isinstance(answer, str):
            raise NotReadyError(f"Redis at port {self._port} answered with no text")
        return answer

    async def read(self) -> Any:
        """The next answer: text, number, list, ``None``, or the error that it is."""
        line = await self._reader.readuntil(b"\r\n")
        self._items += 1
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest.decode(errors="replace")
        if kind == b"-":
            said = rest.decode(errors="replace")
            return NotReadyError(f"Redis at port {self._port} answered {said}")
        is_number = rest.removeprefix(b"-").isdigit() and len(rest) <= MAX_DIGITS
        if kind not in {b":", b"$", b"*"} or not is_number:
            raise NotReadyError(describe_stranger("Redis", self._port, line))
        number = int(rest)
        if kind == b":":
            return number
        if number < 0:
            return None
        if number > MAX_TEXT_BYTES or self._items > MAX_ITEMS:
            raise NotReadyError(f"Redis at port {self._port} answered more than is asked for")
        if kind == b"$":
            text = await self._reader.readexactly(number + 2)
            return text[:-2].decode(errors="replace")
        return await self._read_list(number)

    async def _read_list(self, length: int) -> list[Any]:
        return [await self.read() for _ in range(length)]

"""What happened to the stack: numbered, written down, and followed by whoever wants to know."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from prismctl.domain.events import StackEvent, event_from_json, event_to_json
from prismctl.domain.redaction import NOTHING_HIDDEN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from prismctl.domain.events import EventKind

MAX_FILE_BYTES: Final = 2 * 1024 * 1024
"""The file is moved aside at this size; the one before it is dropped."""
MAX_KEPT: Final = 2000
"""How many events are kept in memory; older ones are read from the file."""


class EventLog:
    """Events of one stack; the sequence goes on where an earlier daemon left it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._recent: deque[StackEvent] = deque(maxlen=MAX_KEPT)
        self._recent.extend(_read_events(path.with_name(path.name + ".1")))
        self._recent.extend(_read_events(path))
        self._arrived = asyncio.Event()
        self._is_written = True
        self.redactor = NOTHING_HIDDEN
        """Hides secrets in what events say."""

    @property
    def last_sequence(self) -> int:
        """Of the newest event; 0 when nothing has happened."""
        return self._recent[-1].sequence if self._recent else 0

    def begin(self) -> None:
        """A new life of the stack: the count starts again, the events of the last one are moved aside."""
        self._recent.clear()
        if self._path.exists():
            self._path.replace(self._path.with_name(self._path.name + ".last"))
        self._path.with_name(self._path.name + ".1").unlink(missing_ok=True)

    def append(
        self,
        kind: EventKind,
        *,
        service: str = "",
        instance: int | None = None,
        message: str = "",
        details: dict[str, Any] | None = None,
    ) -> StackEvent:
        """Something happened now."""
        event = StackEvent(
            sequence=self.last_sequence + 1,
            time=time.time(),
            kind=kind,
            service=service,
            instance=instance,
            message=self.redactor.hide_text(message),
            details=self.redactor.hide_deep(details or {}),
        )
        self._recent.append(event)
        self._write(event)
        self.wake()
        return event

    @property
    def arrival(self) -> asyncio.Event:
        """Set at the next event, or when somebody is to look again."""
        return self._arrived

    def wake(self) -> None:
        """Let everybody who follows look again."""
        self._arrived.set()
        self._arrived = asyncio.Event()

    def after(self, sequence: int) -> list[StackEvent]:
        """The events with a higher sequence, as far back as they are kept."""
        if self._recent and self._recent[0].sequence > sequence + 1:
            older = [
                event
                for path in (self._path.with_name(self._path.name + ".1"), self._path)
                for event in _read_events(path)
                if sequence < event.sequence < self._recent[0].sequence
            ]
            return [*older, *self._recent]
        return [event for event in self._recent if event.sequence > sequence]

    async def follow(self, sequence: int) -> AsyncIterator[StackEvent]:
        """The events with a higher sequence, and then each as it happens."""
        while True:
            arrived = self._arrived
            for event in self.after(sequence):
                sequence = event.sequence
                yield event
            if self.last_sequence <= sequence:
                await arrived.wait()

    def _write(self, event: StackEvent) -> None:
        line = json.dumps(event_to_json(event)).encode() + b"\n"
        try:
            descriptor = os.open(
                self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600
            )
            try:
                _append_whole(descriptor, line)
                is_full = os.fstat(descriptor).st_size >= MAX_FILE_BYTES
            finally:
                os.close(descriptor)
            if is_full:
                self._path.replace(self._path.with_name(self._path.name + ".1"))
            self._is_written = True
        except OSError as error:
            # They are still told to whoever listens; said once, because the disk may be full for long.
            if self._is_written:
                sys.stderr.write(f"cannot write {self._path}: {error.strerror}\n")
            self._is_written = False


def _append_whole(descriptor: int, line: bytes) -> None:
    """Append a line after what is there; all of it or nothing.

    Raises:
        OSError: it does not fit.
    """
    size = os.fstat(descriptor).st_size
    if size and os.pread(descriptor, 1, size - 1) != b"\n":
        # Whoever was killed in the middle of a line left it for the next one to be glued to.
        line = b"\n" + line
    rest = memoryview(line)
    try:
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    except OSError:
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, size)
        raise


def _read_events(path: Path) -> list[StackEvent]:
    """What a file holds; a torn line, as a kill leaves one, is left out."""
    events = []
    try:
        lines = path.read_bytes().splitlines()
    except OSError:
        return []
    for line in lines:
        try:
            events.append(event_from_json(json.loads(line)))
        except (ValueError, KeyError, TypeError):
            continue
    return events

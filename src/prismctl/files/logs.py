"""Reads what services printed: several files as one stream in order of time, across rotation, from any position.

How a log file is written, and what a sequence is, says ``log_cursor.py``. Times have one width, so they are compared
as text.

Standard library only and cheap to import, because the logs of a stopped stack are read without a daemon.
"""

from __future__ import annotations

import heapq
import re
from typing import TYPE_CHECKING, Final, Self

from prismctl.domain.redaction import NOTHING_HIDDEN
from prismctl.files.log_cursor import LOG_SUFFIX, LogCursor
from prismctl.files.log_line import render_stamp

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path
    from types import TracebackType

    from prismctl.domain.redaction import Redactor
    from prismctl.files.log_line import LogLine

_LOG_NAME: Final = re.compile(rf"(.+){re.escape(LOG_SUFFIX)}(?:\.\d+)?")
BUNDLE_LINES: Final = 500
BUNDLE_CHARACTERS: Final = 256 * 1024


def find_logs(directory: Path, services: Iterable[str] = ()) -> list[Path]:
    """The logs of the named services or agents; of all services when none is named."""
    wanted = frozenset(services)
    try:
        names = [path.name for path in directory.iterdir()]
    except FileNotFoundError:
        return []
    # One of whose files has its name is enough: while files are moved aside, the current one may not be there.
    keys = {match[1] for match in map(_LOG_NAME.fullmatch, names) if match is not None}
    chosen = [key for key in keys if (key.partition("#")[0] in wanted if wanted else "#" in key)]
    return [directory / f"{key}{LOG_SUFFIX}" for key in sorted(chosen)]


def key_of(path: Path) -> str:
    """The instance whose log this is, as ``after`` of a follower names it; an agent is its own only one."""
    name = path.name.removesuffix(LOG_SUFFIX)
    return name if "#" in name else f"{name}#0"


def read_logs(
    directory: Path,
    services: Iterable[str] = (),
    *,
    tail: int | None = None,
    since: float | None = None,
    after: Mapping[str, str] | None = None,
    redactor: Redactor = NOTHING_HIDDEN,
) -> Iterator[LogLine]:
    """All there is, in order of time; the arguments are those of `LogFollower`.

    Whatever shows the lines to somebody passes a ``redactor``.
    """
    with LogFollower(
        find_logs(directory, services), tail=tail, since=since, after=after, redactor=redactor
    ) as follower:
        yield from follower.read_history()


class LogFollower:
    """Several logs as one: what is there in order of time, and then what comes.

    Args:
        paths: of the logs.
        tail: keeps the last lines of each instance.
        since: in seconds since the epoch.
        after: for some instances, the sequence of the last line that is not wanted again; for them, neither of the
            others counts.
        redactor: what is hidden in the lines.

    Raises:
        ValueError: a text in ``after`` is no sequence.
    """

    def __init__(
        self,
        paths: Iterable[Path],
        *,
        tail: int | None = None,
        since: float | None = None,
        after: Mapping[str, str] | None = None,
        redactor: Redactor = NOTHING_HIDDEN,
    ) -> None:
        self._stamp = "" if since is None else render_stamp(since)
        self._tail = tail
        self._after = dict(after or {})
        self._redactor = redactor
        self._cursors: dict[Path, LogCursor] = {}
        self._waiting: dict[Path, list[LogLine]] = {}
        """Lines that were read and are younger than what another file may still have."""
        for path in paths:
            self._cursors[path] = self._open(path)

    def __enter__(self) -> Self:
        """Files are opened as they are needed."""
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the files."""
        self.close()

    def include(self, paths: Iterable[Path]) -> None:
        """Follow these too, from their beginning; those already followed are left alone."""
        for path in paths:
            if path not in self._cursors:
                self._cursors[path] = LogCursor(path, self._redactor)

    def read_history(self) -> Iterator[LogLine]:
        """What is there, merged; a file that grows meanwhile is read as far as it got."""
        whole = [self._read_to_end(path, cursor) for path, cursor in self._cursors.items()]
        if len(whole) == 1:
            return whole[0]
        return heapq.merge(*whole, key=lambda line: line.time)

    def read_new(self) -> list[LogLine]:
        """What came since the last reading, in order of time; at most a block of each file.

        Of a file that has more than a block, the next line is not known yet: younger lines of others wait for it.
        """
        horizon: str | None = None
        for path, cursor in self._cursors.items():
            if path in self._waiting:
                continue
            lines, has_more = self._read_block(path, cursor)
            if lines:
                self._waiting[path] = lines
                if has_more and (horizon is None or lines[-1].time < horizon):
                    horizon = lines[-1].time
        if len(self._waiting) == 1:
            return self._waiting.popitem()[1]
        ready: list[LogLine] = []
        for path, lines in list(self._waiting.items()):
            count = len(lines) if horizon is None else _count_until(lines, horizon)
            ready += lines[:count]
            if count == len(lines):
                del self._waiting[path]
            elif count:
                self._waiting[path] = lines[count:]
        ready.sort(key=lambda line: line.time)
        return ready

    def skip_to_tail(self, count: int) -> None:
        """Go on with the last ``count`` lines of each instance; how many come before them is told in their place."""
        for cursor in self._cursors.values():
            cursor.skip_to_tail(count)

    def close(self) -> None:
        """Close the files."""
        for cursor in self._cursors.values():
            cursor.close()

    def _open(self, path: Path) -> LogCursor:
        cursor = LogCursor(path, self._redactor)
        known = self._after.get(key_of(path))
        if known is not None:
            cursor.seek_after(known)
        elif self._tail is not None:
            cursor.seek_tail(self._tail)
        elif self._stamp:
            cursor.seek_time(self._stamp)
        return cursor

    def _read_block(self, path: Path, cursor: LogCursor) -> tuple[list[LogLine], bool]:
        lines, has_more = self._read_wanted(path, cursor)
        while has_more and not lines:
            lines, has_more = self._read_wanted(path, cursor)
        return lines, has_more

    def _read_wanted(self, path: Path, cursor: LogCursor) -> tuple[list[LogLine], bool]:
        lines, has_more = cursor.read()
        if self._stamp and key_of(path) not in self._after:
            lines = [line for line in lines if line.time >= self._stamp]
        return lines, has_more

    def _read_to_end(self, path: Path, cursor: LogCursor) -> Iterator[LogLine]:
        has_more = True
        while has_more:
            lines, has_more = self._read_block(path, cursor)
            yield from lines


def part_lines(lines: Iterable[LogLine]) -> Iterator[list[LogLine]]:
    """Lines in bundles that are worth the way through a socket, and short enough to let others have their turn."""
    bundle: list[LogLine] = []
    characters = 0
    for line in lines:
        bundle.append(line)
        characters += len(line.text)
        if len(bundle) >= BUNDLE_LINES or characters >= BUNDLE_CHARACTERS:
            yield bundle
            bundle, characters = [], 0
    if bundle:
        yield bundle


def _count_until(lines: list[LogLine], moment: str) -> int:
    """How many lines come before the first that is younger."""
    return next((at for at, line in enumerate(lines) if line.time > moment), len(lines))

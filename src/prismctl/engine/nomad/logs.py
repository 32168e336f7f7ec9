"""What tasks print, on its way from Nomad's files to ours: in the keeper's format, each line once.

Nomad writes ``ALLOCATION/alloc/logs/TASK.stdout.N``; readers of this project read ``logs/SERVICE#REPLICA.log``.
One thread carries everything, woken by the kernel. How far it has come is recorded beside the size that our
file then had: after a crash the file is cut to that size and the rest copied again, so nothing is lost or doubled.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import select
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from prismctl.engine.nomad.inotify import IN_CREATE, IN_MODIFY, IS_AVAILABLE, Inotify
from prismctl.keeper.logs import LogFile, Stamper

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from prismctl.domain.observation import InstanceKey

MAX_LOG_BYTES: Final = 16 * 1024 * 1024
MAX_LOG_FILES: Final = 4
"""The same caps that the keeper has for what it runs."""
READ_BYTES: Final = 256 * 1024
"""The most that is taken from one stream before others have their turn; longer lines are written in parts."""
_REMEMBERED: Final = 32
"""Of how many streams that ended the position is kept, so that none is copied twice after a restart of ours."""
_POLL_SECONDS: Final = 0.1
"""Where the kernel cannot tell, or a directory is not there yet."""


@dataclass(slots=True)
class _Stream:
    """One of the two outputs of one task."""

    source: str
    """``ALLOCATION/TASK.stdout``."""
    label: bytes
    directory: Path
    prefix: str
    index: int = 0
    offset: int = 0
    """What has been copied: everything before here, in the file of this index."""
    carried: bytes = b""
    """The beginning of a line whose rest is in the next file; counted as not copied."""
    reading: tuple[int, int] | None = None
    """Where reading goes on when that is another file than where copying stands."""
    descriptor: int = -1

    def close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


@dataclass(slots=True)
class _Target:
    """One of our files, with everything that flows into it."""

    log: LogFile
    record: Path
    streams: dict[str, _Stream] = field(default_factory=dict)
    recorded: dict[str, list[int]] = field(default_factory=dict)
    """Positions by source, also of streams that are not followed again yet."""


@dataclass(slots=True)
class _Source:
    """One allocation."""

    directory: Path
    target: _Target
    streams: list[_Stream]
    watch: int | None = None


class LogPump:
    """Copies the output of all tasks, in a thread of its own; methods may be called from any other."""

    def __init__(
        self,
        log_path: Callable[[InstanceKey], Path],
        task_logs: Callable[[str], Path],
        records: Path,
    ) -> None:
        self._log_path = log_path
        self._task_logs = task_logs
        self._records = records
        self._requests: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._wake_reader, self._wake_writer = os.pipe()
        os.set_blocking(self._wake_reader, False)
        os.set_blocking(self._wake_writer, False)
        self._inotify = Inotify() if IS_AVAILABLE else None
        self._targets: dict[InstanceKey, _Target] = {}
        self._sources: dict[str, _Source] = {}
        self._by_watch: dict[int, _Source] = {}
        self._stamper = Stamper()
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="nomad-logs", daemon=True)

    def start(self) -> None:
        """Begin to copy."""
        self._records.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._thread.start()

    def follow(self, key: InstanceKey, allocation: str, task: str) -> None:
        """Copy what a task prints and has printed; once is enough, twice is fine."""
        self._submit(lambda: self._follow(key, allocation, task))

    def finish(self, allocation: str) -> Future[None]:
        """Copy what is left of an allocation that ended, unfinished last lines included, then forget it."""
        done: Future[None] = Future()

        def finish() -> None:
            self._finish(allocation)
            done.set_result(None)

        self._submit(finish)
        return done

    def finish_all(self) -> Future[None]:
        """The same for everything that is followed."""
        done: Future[None] = Future()

        def finish() -> None:
            for allocation in list(self._sources):
                self._finish(allocation)
            done.set_result(None)

        self._submit(finish)
        return done

    def close(self) -> None:
        """Copy what is there now and end; what is followed can be followed again by the next one."""

        def close() -> None:
            self._is_closing = True

        self._submit(close)
        if self._thread.is_alive():
            self._thread.join()
        for target in self._targets.values():
            target.log.close()
            for stream in target.streams.values():
                stream.close()
        os.close(self._wake_reader)
        os.close(self._wake_writer)
        if self._inotify is not None:
            self._inotify.close()

    def _submit(self, request: Callable[[], None]) -> None:
        self._requests.put(request)
        with contextlib.suppress(BlockingIOError):
            os.write(self._wake_writer, b"!")

    def _run(self) -> None:
        busy: set[str] = set()
        while not self._is_closing:
            changed = self._wait(0.0 if busy else self._idle_seconds())
            while not self._requests.empty():
                self._requests.get_nowait()()
            busy = {
                allocation
                for allocation in busy | changed
                if allocation in self._sources and self._pump(self._sources[allocation])
            }
        for source in self._sources.values():
            while self._pump(source):
                pass

    def _idle_seconds(self) -> float | None:
        is_blind = any(source.watch is None for source in self._sources.values())
        return _POLL_SECONDS if is_blind else None

    def _wait(self, seconds: float | None) -> set[str]:
        """Until something happens; the allocations that may have printed something."""
        descriptors = [self._wake_reader]
        if self._inotify is not None:
            descriptors.append(self._inotify.descriptor)
        readable, _, _ = select.select(descriptors, [], [], seconds)
        if self._wake_reader in readable:
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake_reader, 4096)
        changed = set()
        if self._inotify is not None and self._inotify.descriptor in readable:
            watches = {change.watch for change in self._inotify.read()}
            # A full queue of the kernel says -1: then anything may have changed.
            is_overflown = -1 in watches
            changed = {
                name
                for name, source in self._sources.items()
                if is_overflown or source.watch in watches
            }
        for name, source in self._sources.items():
            if source.watch is None:
                self._watch(source)
                changed.add(name)
        return changed

    def _watch(self, source: _Source) -> None:
        if self._inotify is None or source.watch is not None:
            return
        with contextlib.suppress(OSError):
            source.watch = self._inotify.add(source.directory, IN_MODIFY | IN_CREATE)

    def _follow(self, key: InstanceKey, allocation: str, task: str) -> None:
        if allocation in self._sources:
            return
        target = self._targets.get(key)
        if target is None:
            target = self._targets[key] = self._open_target(key)
        directory = self._task_logs(allocation)
        streams = []
        for label in ("stdout", "stderr"):
            source = f"{allocation}/{task}.{label}"
            index, offset = target.recorded.get(source, (0, 0))
            stream = _Stream(
                source=source,
                label=label.encode(),
                directory=directory,
                prefix=f"{task}.{label}.",
                index=index,
                offset=offset,
            )
            target.streams[source] = stream
            streams.append(stream)
        followed = _Source(directory=directory, target=target, streams=streams)
        self._sources[allocation] = followed
        self._watch(followed)
        # What was printed before the watch was there, nobody will announce.
        while self._pump(followed):
            pass

    def _finish(self, allocation: str) -> None:
        source = self._sources.pop(allocation, None)
        if source is None:
            return
        while self._pump(source):
            pass
        for stream in source.streams:
            rest = stream.carried + self._read(stream)
            if rest:
                source.target.log.write(self._render(stream, rest, b"F"))
                self._settle(stream, len(rest))
            stream.close()
        self._record(source.target)
        for stream in source.streams:
            source.target.streams.pop(stream.source, None)
        if source.watch is not None and self._inotify is not None:
            self._inotify.remove(source.watch)

    @staticmethod
    def _settle(stream: _Stream, count: int) -> None:
        """Count ``count`` bytes from where copying stands on as copied."""
        index, offset = stream.reading or (stream.index, stream.offset)
        stream.index, stream.offset = index, offset + count - len(stream.carried)
        stream.carried = b""
        stream.reading = None

    def _pump(self, source: _Source) -> bool:
        """Carry a bounded part of both streams; whether more is there already."""
        has_more = False
        is_changed = False
        for stream in source.streams:
            lines, stream_has_more = self._take(stream)
            if lines:
                source.target.log.write(lines)
                is_changed = True
            has_more = has_more or stream_has_more
        if is_changed:
            self._record(source.target)
        return has_more

    def _take(self, stream: _Stream) -> tuple[bytes, bool]:
        """Finished lines in our format, and whether more can be had at once."""
        chunk = self._read(stream)
        if not chunk:
            return b"", self._advance(stream, b"")
        data = stream.carried + chunk
        end = data.rfind(b"\n") + 1
        if end:
            lines = self._render(stream, data[: end - 1], b"F")
        elif len(data) >= READ_BYTES:
            end = len(data)
            lines = self._render(stream, data, b"P")
        else:
            return b"", self._advance(stream, data)
        self._settle(stream, end)
        return lines, True

    def _read(self, stream: _Stream) -> bytes:
        index, offset = stream.reading or (stream.index, stream.offset)
        if stream.descriptor < 0:
            with contextlib.suppress(OSError):
                stream.descriptor = os.open(
                    stream.directory / f"{stream.prefix}{index}", os.O_RDONLY | os.O_CLOEXEC
                )
        return b"" if stream.descriptor < 0 else os.pread(stream.descriptor, READ_BYTES, offset)

    def _advance(self, stream: _Stream, rest: bytes) -> bool:
        """Go to the next file when this one is done; whether there was one."""
        index, offset = stream.reading or (stream.index, stream.offset)
        following = _next_index(stream.directory, stream.prefix, index)
        if following is None:
            return False
        if stream.descriptor >= 0:
            # It may have grown before the next one was begun.
            size = os.fstat(stream.descriptor).st_size
            if size > offset + len(rest) - len(stream.carried):
                return True
        stream.close()
        stream.carried = rest or stream.carried
        if stream.carried:
            stream.reading = (following, 0)
        else:
            stream.index, stream.offset, stream.reading = following, 0, None
        return True

    def _render(self, stream: _Stream, text: bytes, tag: bytes) -> bytes:
        head = b"%s %s %s " % (self._stamper.stamp(time.time_ns()), stream.label, tag)
        body = text.removesuffix(b"\n") if tag == b"F" else text
        return b"%s%s\n" % (head, body.replace(b"\n", b"\n" + head))

    def _open_target(self, key: InstanceKey) -> _Target:
        path = self._log_path(key)
        record = self._records / f"{key}.json"
        recorded = _load_record(record)
        if recorded:
            _cut(path, recorded["inode"], recorded["size"])
        log = LogFile(str(path), max_bytes=MAX_LOG_BYTES, max_files=MAX_LOG_FILES)
        streams = recorded.get("streams", {})
        return _Target(log=log, record=record, recorded=dict(streams))

    def _record(self, target: _Target) -> None:
        """Write down how far everything that flows into one file has come, and how long the file is now."""
        for stream in target.streams.values():
            target.recorded[stream.source] = [stream.index, stream.offset]
        for source in [name for name in target.recorded if name not in target.streams][
            :-_REMEMBERED
        ]:
            del target.recorded[source]
        descriptor = target.log.descriptor
        if descriptor is None:
            return
        status = os.fstat(descriptor)
        content = json.dumps(
            {"inode": status.st_ino, "size": status.st_size, "streams": target.recorded}
        )
        # Against a crash of ours, not of the machine: flushing would cost more than all the rest.
        temporary = target.record.with_suffix(".new")
        with contextlib.suppress(OSError):
            temporary.write_text(content, encoding="utf-8")
            temporary.replace(target.record)


def _next_index(directory: Path, prefix: str, index: int) -> int | None:
    """The smallest number above ``index`` of which there is a file; numbers go missing when nobody copies for long."""
    try:
        names = [path.name for path in directory.iterdir()]
    except OSError:
        return None
    pattern = re.compile(re.escape(prefix) + r"(\d+)")
    numbers = [int(match[1]) for name in names if (match := pattern.fullmatch(name))]
    return min((number for number in numbers if number > index), default=None)


def _load_record(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        streams = {str(name): [int(a), int(b)] for name, (a, b) in data["streams"].items()}
        return {"inode": int(data["inode"]), "size": int(data["size"]), "streams": streams}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _cut(path: Path, inode: int, size: int) -> None:
    """Take away what was written after the record: it will be copied again."""
    for candidate in (path, path.with_name(f"{path.name}.1")):
        try:
            status = candidate.stat()
        except OSError:
            continue
        if status.st_ino != inode:
            continue
        if status.st_size > size:
            os.truncate(candidate, size)
        if candidate != path:
            # The present file was begun after the record, in the same step.
            path.unlink(missing_ok=True)
            candidate.replace(path)
        return

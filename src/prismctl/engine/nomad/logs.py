"""What tasks print, on its way from Nomad's files to ours: in the keeper's format, each line once.

Nomad writes ``ALLOCATION/alloc/logs/TASK.stdout.N``; readers of this project read ``logs/SERVICE#REPLICA.log``.
One thread carries everything, woken by the kernel.
"""

from __future__ import annotations

import contextlib
import os
import queue
import select
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from prismctl.engine.nomad.inotify import IN_CREATE, IN_MODIFY, IS_AVAILABLE, Inotify
from prismctl.engine.nomad.log_stream import LogStream
from prismctl.engine.nomad.log_target import LogTarget
from prismctl.keeper.logs import Stamper

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from prismctl.domain.observation import InstanceKey

_POLL_SECONDS: Final = 0.1
"""Where the kernel cannot tell, or a directory is not there yet."""


@dataclass(slots=True)
class _Source:
    """One allocation."""

    directory: Path
    target: LogTarget
    streams: dict[str, LogStream]
    """By ``ALLOCATION/TASK.stdout``, the name in the target's record."""
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
        self._targets: dict[InstanceKey, LogTarget] = {}
        self._sources: dict[str, _Source] = {}
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
            target.close()
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
            target = LogTarget(self._log_path(key), self._records / f"{key}.json")
            self._targets[key] = target
        directory = self._task_logs(allocation)
        streams = {}
        for label in ("stdout", "stderr"):
            name = f"{allocation}/{task}.{label}"
            stream = LogStream(directory, task, label, target.position(name), self._stamper)
            target.attach(name, stream)
            streams[name] = stream
        source = _Source(directory=directory, target=target, streams=streams)
        self._sources[allocation] = source
        self._watch(source)
        # What was printed before the watch was there, nobody will announce.
        while self._pump(source):
            pass

    def _finish(self, allocation: str) -> None:
        source = self._sources.pop(allocation, None)
        if source is None:
            return
        while self._pump(source):
            pass
        for name, stream in source.streams.items():
            if line := stream.take_rest():
                source.target.write(name, line)
            stream.close()
            source.target.detach(name)
        source.target.save_record()
        if source.watch is not None and self._inotify is not None:
            self._inotify.remove(source.watch)

    @staticmethod
    def _pump(source: _Source) -> bool:
        """Carry a bounded part of both streams; whether more is there already."""
        has_more = False
        for name, stream in source.streams.items():
            lines, stream_has_more = stream.take()
            if lines:
                source.target.write(name, lines)
            has_more = has_more or stream_has_more
        return has_more

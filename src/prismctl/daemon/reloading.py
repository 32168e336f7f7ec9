"""Restarts services whose files change, for who starts a stack with ``--watch``; nothing is done until one does."""

from __future__ import annotations

import asyncio
import errno
import os
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from prismctl.daemon.background import begin
from prismctl.daemon.operations.restart import restart
from prismctl.domain.counting import count_of
from prismctl.domain.events import EventKind
from prismctl.domain.reloading import ReloadPace, find_affected, find_watched
from prismctl.errors import PrismError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prismctl.daemon.source_tree import SourceTree
    from prismctl.daemon.stack import Stack
    from prismctl.domain.plan import StackPlan
    from prismctl.domain.reloading import Reload
    from prismctl.domain.service import ServiceName

_NOTES: Final = "watch"
"""Whose notes these are."""
_LIMITS: Final = {
    errno.EMFILE: "`sysctl fs.inotify.max_user_instances` says how many programs may",
    errno.ENFILE: "the system has no more files to give",
}


class Reloading:
    """Follows the files of the plan in force; one life of a daemon has one of these."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._watched: dict[ServiceName, tuple[str, ...]] = {}
        self._tree: SourceTree | None = None
        self._opening: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._pace = ReloadPace()
        self._queued: set[ServiceName] = set()
        """Those that will be restarted once it is their turn: what changes until then is part of it."""

    def follow(self, plan: StackPlan | None) -> None:
        """Follow what a plan says, from now on; where that is what was followed already, just go on."""
        watched = find_watched(plan)
        is_asked_for = plan is not None and plan.terms.watch
        if watched != self._watched:
            self.close()
            self._watched = watched
            if watched and sys.platform == "linux":
                self._opening = begin(self._open(), "watch files")
        self._stack.monitor.show_notes(self._describe() if is_asked_for else (), _NOTES)

    def close(self) -> None:
        """Follow nothing."""
        if self._opening is not None:
            self._opening.cancel()
            self._opening = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._tree is not None:
            asyncio.get_running_loop().remove_reader(self._tree.fileno())
            self._tree.close()
            self._tree = None
        self._pace.forget()
        self._watched = {}

    async def _open(self) -> None:
        """Begin to look at the files; a tree of thousands of directories takes a moment."""
        from prismctl.daemon.source_tree import SourceTree

        roots = [root for roots in self._watched.values() for root in roots]
        try:
            tree = SourceTree(roots, excluded=str(self._stack.paths.directory.parent))
        except OSError as error:
            why = f"{os.strerror(error.errno or 0).lower()}; {_LIMITS.get(error.errno or 0, '')}"
            note = f"changes of files are not seen: {why.removesuffix('; ')}"
            self._stack.monitor.show_notes((note,), _NOTES)
            return
        scanning = asyncio.ensure_future(asyncio.to_thread(tree.scan))
        try:
            await asyncio.shield(scanning)
        except asyncio.CancelledError:
            # A thread cannot be interrupted, and what it works with has to be there until its end.
            scanning.add_done_callback(lambda _: tree.close())
            raise
        self._tree = tree
        asyncio.get_running_loop().add_reader(tree.fileno(), self._take_changes)
        self._show_notes()
        # What changed while it was looked for is told already.
        self._take_changes()

    def _take_changes(self) -> None:
        if self._tree is None:
            return
        now = time.monotonic()
        for file in self._tree.read():
            for service in find_affected(file, self._watched):
                self._pace.note(service, file, now)
        self._go_on()

    def _go_on(self) -> None:
        """Restart what is due, and come back when the next is."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = time.monotonic()
        for reload in self._pace.take_due(now):
            self._restart(reload)
        self._show_notes()
        next_at = self._pace.next_at
        if next_at is not None:
            delay = max(0.0, next_at - now)
            self._timer = asyncio.get_running_loop().call_later(delay, self._go_on)

    def _restart(self, reload: Reload) -> None:
        stack, name = self._stack, reload.service
        plan = stack.monitor.plan
        if plan is None or stack.is_ending or name not in plan.names:
            return
        # A service that was scaled to nothing has the change in it when it is wanted again.
        if name in self._queued or not plan.service(name).replicas:
            return
        stack.events.append(
            EventKind.SERVICE_RELOADING,
            service=name,
            message=self._describe_files(reload),
            details={"files": list(reload.files), "count": reload.count},
        )
        self._queued.add(name)
        stack.operations.start(f"reload {name}", lambda: self._carry_out(name))

    async def _carry_out(self, name: ServiceName) -> dict[str, Any]:
        try:
            async with self._stack.operations.turn:
                self._queued.discard(name)
            return await restart(self._stack, [name])
        except PrismError as error:
            self._stack.monitor.add_note(
                f"{name} was not restarted after a change: {error.message}"
            )
            raise
        finally:
            self._queued.discard(name)

    def _describe_files(self, reload: Reload) -> str:
        """The latest file that is still there, as its catalog would call it, and how many others."""
        files = [file for file in reload.files if os.path.lexists(file)] or list(reload.files)
        latest = files[-1]
        root = find_affected(latest, self._watched).get(reload.service, latest)
        shown = os.path.relpath(latest, os.path.dirname(root))  # noqa: PTH120 - texts throughout
        others = reload.count - 1
        rest = f" and {count_of(others, 'other file')}" if others else ""
        return f"{shown}{rest} changed"

    def _show_notes(self) -> None:
        self._stack.monitor.show_notes(self._describe(), _NOTES)

    def _describe(self) -> tuple[str, ...]:
        """What somebody who looks at the stack should know of this."""
        if not self._watched:
            return ("--watch follows nothing: no service here has `watch` in the catalog",)
        if sys.platform != "linux":
            return ("--watch follows nothing: it needs Linux, which tells of changes",)
        if self._tree is None:
            return ()
        told = [f"restarted when their files change: {', '.join(self._watched)}"]
        told += self._tree.problems.values()
        told += self._describe_held_back(self._pace.find_held_back(time.monotonic()))
        return tuple(told)

    def _describe_held_back(self, names: Iterable[ServiceName]) -> list[str]:
        return [
            f"{name} changes as often as it is restarted, and waits; does it write where it is watched?"
            for name in names
        ]

"""All that a page shows and that changes, as one stream: states, events, log lines.

One, because a browser keeps no more than six connections to a server, for all its pages together. What a page is too
slow to read is merged (states) or left out and counted (log lines): it never falls behind, and costs nobody anything.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from prismctl.daemon.web.log_feed import LogFeed
from prismctl.domain.events import event_to_json
from prismctl.domain.snapshot import render_status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Sequence

    from prismctl.daemon.stack import Stack
    from prismctl.daemon.web.wishes import Wishes
    from prismctl.domain.snapshot import StackSnapshot

STATUS_SECONDS: Final = 0.05
"""States are told no more often than this."""
MAX_EVENTS: Final = 500
BEAT_SECONDS: Final = 10.0
"""Something is said at least this often, so that a page knows that it is still connected."""


def render_sse(document: dict[str, Any]) -> bytes:
    """One message of an event stream; JSON has no line ends that would break it up."""
    return f"event: {document['event']}\ndata: {json.dumps(document['data'])}\n\n".encode()


class StatusChanges:
    """What of each status document a page does not know yet."""

    def __init__(self) -> None:
        self._stack: dict[str, Any] = {}
        self._services: dict[str, dict[str, Any]] = {}
        self._names: list[str] = []

    def render(self, document: dict[str, Any], now: float) -> dict[str, Any] | None:
        """What has changed since the last one; ``None`` when nothing has. That time passes is no change."""
        services = {service["name"]: service for service in document["services"]}
        stack = {name: value for name, value in document.items() if name != "services"}
        changed = [
            service
            for name, service in services.items()
            if _lasting(service) != _lasting(self._services.get(name))
        ]
        names = list(services)
        is_known = _lasting(stack) == _lasting(self._stack) and names == self._names
        if is_known and not changed:
            return None
        told: dict[str, Any] = {"at": now, "stack": stack, "services": changed}
        if names != self._names:
            told["names"] = names
        self._stack, self._services, self._names = stack, services, names
        return told


def _render_document(snapshot: StackSnapshot, now: float) -> dict[str, Any]:
    """The status document with how the stack stands in words: those of the terminal's dashboard."""
    # Words are needed only where somebody looks.
    from prismctl.present.standing import describe_standing

    document = render_status(snapshot, now)
    words, tone = describe_standing(document)
    return {**document, "standing": {"text": words, "tone": tone.value}}


def _lasting(document: dict[str, Any] | None) -> dict[str, Any]:
    """Without what only tells how late it is."""
    if document is None:
        return {}
    lasting = {name: value for name, value in document.items() if name != "uptime_seconds"}
    if "instances" in lasting:
        lasting["instances"] = [_lasting(instance) for instance in lasting["instances"]]
    return lasting


class Live:
    """What one page is told, from when it connects until it goes away."""

    def __init__(self, stack: Stack, wishes: Wishes, count_pages: Callable[[], int]) -> None:
        self._stack = stack
        self._wishes = wishes
        self._feed = LogFeed(stack, wishes, count_pages)
        self._snapshot: StackSnapshot | None = None
        self._events: deque[dict[str, Any]] = deque(maxlen=MAX_EVENTS)
        self._moved_to = ""
        self._is_over = False
        self._news = asyncio.Event()

    async def tell(self) -> AsyncIterator[dict[str, Any]]:
        """``{"event", "data"}`` each; ends with the stack, or with its page being served elsewhere."""
        changes = StatusChanges()
        works = [
            self._watch_status(),
            self._watch_events(),
            self._watch_address(),
            self._watch_end(),
        ]
        if self._wishes.has_logs:
            works.append(self._feed.read_for_ever(self._news.set))
        tasks = [asyncio.ensure_future(self._guarded(work)) for work in works]
        try:
            yield {"event": "hello", "data": {"stack": self._stack.paths.name}}
            while True:
                is_over = self._is_over
                for told in self._collect(changes):
                    yield told
                if self._moved_to:
                    yield {"event": "moved", "data": {"url": self._moved_to}}
                    return
                if is_over:
                    yield {"event": "end", "data": {}}
                    return
                self._raise_failure(tasks)
                if not await self._wait_for_news():
                    yield {"event": "beat", "data": {"at": time.time()}}
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _wait_for_news(self) -> bool:
        """Whether there are any; ``False`` after a while without."""
        try:
            async with asyncio.timeout(BEAT_SECONDS):
                await self._news.wait()
        except TimeoutError:
            return False
        self._news.clear()
        return True

    def _collect(self, changes: StatusChanges) -> list[dict[str, Any]]:
        collected: list[dict[str, Any]] = []
        snapshot, self._snapshot = self._snapshot, None
        if snapshot is not None:
            now = time.time()
            told = changes.render(_render_document(snapshot, now), now)
            if told is not None:
                collected.append({"event": "status", "data": told})
        if self._events:
            collected.append({"event": "events", "data": list(self._events)})
            self._events.clear()
        bundle = self._feed.bundle.take()
        if bundle is not None:
            collected.append({"event": "logs", "data": bundle})
        return collected

    async def _guarded(self, work: Coroutine[None, None, None]) -> None:
        """Wake the sender when the work fails, so that this is not kept from anybody."""
        try:
            await work
        finally:
            self._news.set()

    def _raise_failure(self, tasks: Sequence[asyncio.Future[None]]) -> None:
        for task in tasks:
            if task.done():
                task.result()

    async def _watch_status(self) -> None:
        self._stack.usage.refresh()
        self._stack.usage.note_watcher()
        self._stack.monitor.refresh()
        async for snapshot in self._stack.monitor.snapshots.watch():
            self._snapshot = snapshot
            self._news.set()
            await asyncio.sleep(STATUS_SECONDS)

    async def _watch_events(self) -> None:
        async for event in self._stack.events.follow(self._wishes.after):
            self._events.append(event_to_json(event))
            self._news.set()

    async def _watch_address(self) -> None:
        self._moved_to = await self._stack.dashboard.wait_until_moved()
        self._is_over = not self._moved_to
        self._news.set()

    async def _watch_end(self) -> None:
        await self._stack.ended.wait()
        self._is_over = True
        self._news.set()

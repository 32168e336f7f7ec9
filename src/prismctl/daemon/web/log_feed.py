"""Log lines for pages: in bundles, the newest ones where there are more than anybody can read, the others counted.

Floods are the services' business; that the daemon keeps up with everything else is ours. So reading for all pages
together takes a part of a core at most, and who falls too far behind goes on at the end.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from prismctl.domain.shown_logs import MOST_CHARACTERS, cut_line
from prismctl.files.log_line import SKIPPED, count_in, line_to_json
from prismctl.files.logs import LogFollower, find_logs

if TYPE_CHECKING:
    from collections.abc import Callable

    from prismctl.daemon.stack import Stack
    from prismctl.daemon.web.wishes import Wishes
    from prismctl.files.log_line import LogLine

BUNDLE_SECONDS: Final = 0.1
"""Nobody reads faster, and a page draws a bundle at once."""
QUIET_SECONDS: Final = 0.25
"""While nothing is printed, files are looked at this often: there may be hundreds of them."""
MAX_LINES: Final = 2000
"""How many lines wait to be sent, of no more than `MOST_CHARACTERS`; of more, the newest are."""
REST: Final = 2.0
"""How many times longer all pages together rest than they read."""
MOST_BEHIND: Final = 20
"""After so many readings in a row that did not come to the end, the rest is left out."""


class LogBundle:
    """Lines that wait to be sent: the newest of them, and how many more there were."""

    def __init__(self) -> None:
        self._lines: deque[LogLine] = deque()
        self._characters = 0
        self._skipped = 0
        self._has_gap = False
        """There were more that nobody can count."""

    def add(self, lines: list[LogLine]) -> None:
        """Let them wait; where there are too many, the oldest are only counted."""
        for line in lines:
            shown = line._replace(text=cut_line(line.text))
            self._lines.append(shown)
            self._characters += len(shown.text)
            while len(self._lines) > MAX_LINES or self._characters > MOST_CHARACTERS:
                self._leave_out(self._lines.popleft())

    def _leave_out(self, line: LogLine) -> None:
        self._characters -= len(line.text)
        count = 1 if line.stream != SKIPPED else count_in(line_to_json(line))
        self._skipped += count or 0
        self._has_gap = self._has_gap or count is None

    def take(self) -> dict[str, Any] | None:
        """All that waits, to be sent now; ``None`` when nothing does."""
        if not self._lines:
            return None
        told = {
            "skipped": self._skipped,
            "has_gap": self._has_gap,
            "lines": [list(each) for each in self._lines],
        }
        self._lines.clear()
        self._characters, self._skipped, self._has_gap = 0, 0, False
        return told


class LogFeed:
    """Reads what one page wants to see."""

    def __init__(self, stack: Stack, wishes: Wishes, count_pages: Callable[[], int]) -> None:
        self.bundle = LogBundle()
        self._stack = stack
        self._wishes = wishes
        self._count_pages = count_pages

    async def read_for_ever(self, wake: Callable[[], None]) -> None:
        """Fill the bundle, and wake whoever sends it."""
        since = self._wishes.since
        tail: int | None = None if since is not None else self._wishes.tail
        with self._open(tail, since) as follower:
            while True:
                await self._read_until_too_late(follower, wake)
                follower.skip_to_tail(MAX_LINES)

    def _open(self, tail: int | None, since: float | None) -> LogFollower:
        return LogFollower(self._find(), tail=tail, since=since, redactor=self._stack.redactor)

    async def _read_until_too_late(self, follower: LogFollower, wake: Callable[[], None]) -> None:
        behind = 0
        while behind < MOST_BEHIND:
            began = time.perf_counter()
            lines = follower.read_new()
            took = time.perf_counter() - began
            if lines:
                self.bundle.add(lines)
                wake()
            behind = behind + 1 if len(lines) > MAX_LINES else 0
            if not lines:
                await asyncio.sleep(QUIET_SECONDS)
                follower.include(self._find())
            else:
                await asyncio.sleep(max(BUNDLE_SECONDS, REST * took * self._count_pages()))

    def _find(self) -> list[Any]:
        return find_logs(self._stack.paths.logs, self._wishes.services)

"""To which file all output is appended now, if to any: begun, changed, carried on and finished."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from prismctl.daemon.background import begin
from prismctl.daemon.log_copy import LogCopy

if TYPE_CHECKING:
    from prismctl.daemon.monitor import Monitor
    from prismctl.domain.redaction import Redactor
    from prismctl.files.paths import StackPaths

COPY_END_SECONDS: Final = 5.0
"""How long a stop waits for the rest of the logs to be in the file that was asked for."""


class LogCopying:
    """At most one copy at a time."""

    def __init__(self, paths: StackPaths, redactor: Redactor, monitor: Monitor) -> None:
        self._paths = paths
        self._redactor = redactor
        self._monitor = monitor
        self.target = ""
        """The file; empty: none."""
        self._copy: LogCopy | None = None
        self._running: asyncio.Task[None] | None = None

    def copy_to(self, target: str, *, is_resumed: bool = False) -> None:
        """Append all output to a file from now on; empty: no more. A copy to the same file goes on as it is."""
        if target == self.target:
            return
        self.target = target
        if self._running is not None:
            self._running.cancel()
        self._copy = self._running = None
        if target:
            self._copy = LogCopy(
                self._paths,
                target,
                redactor=self._redactor,
                show_problem=lambda text: self._monitor.show_notes((text,) if text else (), "copy"),
            )
            self._running = begin(self._copy.run(is_resumed=is_resumed), "log copy")

    async def finish(self) -> None:
        """Copy what is left, the services' last words included."""
        if self._copy is not None and self._running is not None:
            self._copy.finish()
            await asyncio.wait({self._running}, timeout=COPY_END_SECONDS)
        self.copy_to("")

    async def close(self) -> None:
        """Stop as it is; the next daemon carries it on."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait({self._running})

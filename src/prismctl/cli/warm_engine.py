"""The engine's agents, brought up while somebody still chooses."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from prismctl.client import StackClient, start_daemon
from prismctl.errors import PrismError

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from prismctl.cli.invocation import Invocation
    from prismctl.client import StartingDaemon


class WarmEngine:
    """The engine's agents, brought up while somebody chooses; a context manager that takes them down again.

    What is begun goes on only if it is handed over with `keep`.
    """

    def __init__(self, call: Invocation) -> None:
        self._call = call
        self._daemon: StartingDaemon | None = None
        self._is_kept = False

    def __enter__(self) -> Self:
        """Nothing is begun yet."""
        return self

    def begin(self, engine: str) -> None:
        """Bring up the agents of an engine, if any; a failure is told by the start itself."""
        if engine:
            with contextlib.suppress(PrismError):
                self._daemon = start_daemon(self._call.paths, engine)
            threading.Thread(target=self._hold, args=(engine,), daemon=True).start()

    @property
    def is_warm(self) -> bool:
        """Whether agents are being brought up."""
        return self._daemon is not None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Take down what nobody wants any more; what somebody has given a plan meanwhile runs on."""
        if self._daemon is not None and not self._is_kept:
            from prismctl.cli.stopping import take_down

            with contextlib.suppress(PrismError):
                self._daemon.wait()
                take_down(StackClient(self._call.paths))

    def keep(self) -> StartingDaemon | None:
        """Leave it to the start, which goes on with it."""
        self._is_kept = True
        return self._daemon

    def _hold(self, engine: str) -> None:
        """Have the daemon know that somebody is choosing, to the end of this process, whatever ends it."""
        if self._daemon is None:
            return
        with contextlib.suppress(PrismError):
            self._daemon.wait()
            for _ in StackClient(self._call.paths).hold_warm(engine):
                pass

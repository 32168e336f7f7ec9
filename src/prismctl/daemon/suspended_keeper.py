"""A keeper that a signal holds: it answers nobody until it is continued, and nothing but looking at it tells."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Any, Final, TypeVar

from prismctl.daemon.process_table import read_process
from prismctl.daemon.sweep import signal_process
from prismctl.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from prismctl.daemon.process_table import ProcessFacts

_Answer = TypeVar("_Answer")

LOOK_SECONDS: Final = 0.5
"""How long an answer may be missing before the keeper is looked at, and looked at again."""


class SuspendedError(UnavailableError):
    """The keeper cannot answer until somebody continues it."""

    def __init__(self, pid: int) -> None:
        super().__init__(f"the keeper (PID {pid}) is suspended; `kill -CONT {pid}` lets it go on")


def find_hold(keeper: ProcessFacts | None) -> int | None:
    """The PID of this very keeper when it is suspended."""
    if keeper is None:
        return None
    present = read_process(keeper.pid)
    is_same = present is not None and present.started == keeper.started
    return keeper.pid if present is not None and is_same and present.is_suspended else None


def end_hold(keeper: ProcessFacts) -> None:
    """Let it go on; a debugger's hold stays."""
    signal_process(keeper, signal.SIGCONT)


def describe_hold(name: str, pid: int) -> str:
    """What to know and to type about a keeper or an agent that is suspended."""
    return f"{name} (PID {pid}) is suspended: services run on, and nobody restarts them; `kill -CONT {pid}` lets it go on"


async def attend(work: Coroutine[Any, Any, _Answer], look: Callable[[], None]) -> _Answer:
    """Do the work, and look now and then while it takes long; what ``look`` raises is its end."""
    task = asyncio.get_running_loop().create_task(work)
    try:
        while not (await asyncio.wait({task}, timeout=LOOK_SECONDS))[0]:
            look()
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
            if not task.cancelled():
                # Why it is over has been told; how it took that is of no interest any more.
                task.exception()
    return task.result()

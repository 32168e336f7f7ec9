"""Work that goes on beside everything else: an error that nobody awaits is a bug, and no less one for that."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Coroutine


def begin(work: Coroutine[None, None, None], name: str) -> asyncio.Task[None]:
    """Begin it; the caller keeps the task, and ``name`` is for whoever reads of its failure."""
    task = asyncio.get_running_loop().create_task(work, name=name)
    task.add_done_callback(_tell_failure)
    return task


def _tell_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (failure := task.exception()) is not None:
        task.get_loop().call_exception_handler({"message": task.get_name(), "exception": failure})

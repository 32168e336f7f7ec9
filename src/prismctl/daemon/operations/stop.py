"""Takes everything down, the engine's agents and the keeper included, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

from prismctl.daemon.operations.result import render_stopped
from prismctl.daemon.state_file import remove_files
from prismctl.daemon.sweep import end_leftovers
from prismctl.domain.events import EventKind
from prismctl.errors import PrismError
from prismctl.runtime.container_sweep import sweep_containers

if TYPE_CHECKING:
    from prismctl.daemon.stack import Stack


async def stop(stack: Stack, *, kill: bool) -> dict[str, Any]:
    """Stop the stack; the daemon ends once this is told.

    Raises:
        PrismError: something could not be ended; it is named.
    """
    async with stack.operations.turn:
        await take_down(stack, kill=kill)
    return {**render_stopped(stack.monitor.refresh()), "notes": stack.stop_notes}


async def take_down(stack: Stack, *, kill: bool) -> None:
    """End the services in reverse dependency order, then the agents, then the keeper, then this daemon.

    Raises:
        PrismError: something could not be ended; the plan stays, so that the next command sweeps.
    """
    if not kill:
        stack.starts.note_memory()
    stack.events.append(EventKind.STACK_STOPPING, message="killed" if kill else "")
    stack.monitor.mark_stopping()
    stack.begin_stopping()
    try:
        await stack.stop_everything(kill=kill)
        # The keeper ends what it kept; this is for what got away from it while it was itself being killed.
        ended = await asyncio.to_thread(
            end_leftovers, stack.paths.keeper_id, spare=(os.getpid(),), grace_seconds=0.0
        )
        ended += await asyncio.to_thread(sweep_containers, stack.paths)
        # Who is told that nothing runs may remove home at once.
        await stack.starts.finish()
    except PrismError:
        stack.end()
        raise
    if ended:
        stack.events.append(
            EventKind.SWEPT,
            message=f"ended {len(ended)} leftovers",
            details={"processes": ended},
        )
    await stack.log_copying.finish()
    remove_files(stack.paths)
    stack.monitor.refresh()
    stack.monitor.end()
    stack.monitor.refresh()
    stack.events.append(EventKind.STACK_STOPPED)
    stack.end()

"""Reads what a child process says, within bounds, and ends it with whatever it has started."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from typing import Any, Final

_CHUNK_BYTES: Final = 1 << 16
_GRACE_SECONDS: Final = 2.0


async def start_child(*command: str, **options: Any) -> asyncio.subprocess.Process:
    """Start a program in a process group of its own, as `asyncio.create_subprocess_exec` does.

    A child that began to run before the task that started it was cancelled is ended with its group: the library
    would end the child alone.

    Raises:
        OSError: it cannot be started.
    """
    starting = asyncio.ensure_future(asyncio.create_subprocess_exec(*command, **options))
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        with contextlib.suppress(OSError):
            await end_group(await starting)
        raise


async def read_output(stream: asyncio.StreamReader | None, *, max_bytes: int) -> str:
    """What comes out of a pipe until its end; what is too much is read and forgotten."""
    if stream is None:
        raise AssertionError("it is a pipe")
    data = bytearray()
    while chunk := await stream.read(_CHUNK_BYTES):
        data += chunk[: max_bytes - len(data)]
    return data.decode(errors="replace")


async def end_group(process: asyncio.subprocess.Process) -> None:
    """End a child that leads a process group, and its own children, unless all of them are gone.

    Its outputs, as far as they are pipes, are closed once they were read to their end.
    """
    pipes = [pipe for pipe in (process.stdout, process.stderr) if pipe is not None]
    if process.returncode is not None and all(pipe.at_eof() for pipe in pipes):
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    # Bounded, because a child in a group of its own could hold the pipes for ever.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_GRACE_SECONDS):
            await asyncio.gather(*(read_output(pipe, max_bytes=0) for pipe in pipes))
            await process.wait()

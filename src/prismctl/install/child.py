"""Reads what a child process says, within bounds, and ends it with whatever it has started."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from typing import Final

_CHUNK_BYTES: Final = 1 << 16
_GRACE_SECONDS: Final = 2.0


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

    Both of its outputs are pipes; they are closed once they were read to their end.
    """
    if process.returncode is not None and _has_ended(process.stdout, process.stderr):
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    # Bounded, because a child in a group of its own could hold the pipes for ever.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_GRACE_SECONDS):
            await asyncio.gather(
                read_output(process.stdout, max_bytes=0), read_output(process.stderr, max_bytes=0)
            )
            await process.wait()


def _has_ended(*streams: asyncio.StreamReader | None) -> bool:
    return all(stream is None or stream.at_eof() for stream in streams)

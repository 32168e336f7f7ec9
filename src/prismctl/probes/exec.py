"""Ready when a command exits with 0."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from typing import TYPE_CHECKING, Final

from prismctl.domain.observation import describe_exit
from prismctl.probes.question import NotReadyError

if TYPE_CHECKING:
    from prismctl.probes.question import Question

MAX_OUTPUT_BYTES: Final = 4 * 1024
"""How much of the end of its output is kept."""


async def probe_exec(question: Question) -> None:
    """Run the command in a session of its own; nothing of it outlives the question.

    Raises:
        NotReadyError: it exited otherwise, or could not be started.
    """
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    output = bytearray()
    loop = asyncio.get_running_loop()
    try:
        process = await _start(question, writing)
        loop.add_reader(reading, _drain, loop, reading, output)
        try:
            code = await process.wait()
        finally:
            await _end_group(process)
            loop.remove_reader(reading)
        _drain(loop, reading, output)
    finally:
        os.close(reading)
    if code:
        ended = describe_exit(code, None) if code > 0 else describe_exit(None, -code)
        said = _last_line(bytes(output))
        program = question.program or question.command[0]
        raise NotReadyError(f"`{program}` {ended}{f': {said}' if said else ''}")


async def _start(question: Question, output: int) -> asyncio.subprocess.Process:
    """Start the command with its output going to a descriptor, which is closed here."""
    try:
        return await asyncio.create_subprocess_exec(
            *question.command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=question.env,
            cwd=question.directory,
            start_new_session=True,
        )
    except OSError as error:
        raise NotReadyError(f"`{question.command[0]}`: {_words(error)}") from error
    finally:
        os.close(output)


async def _end_group(process: asyncio.subprocess.Process) -> None:
    """Kill what is left of the command, and wait for it so that no zombie stays."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    if process.returncode is None:
        await asyncio.shield(process.wait())


def _drain(loop: asyncio.AbstractEventLoop, reading: int, output: bytearray) -> None:
    try:
        chunk = os.read(reading, 64 * 1024)
    except BlockingIOError:
        return
    if not chunk:
        loop.remove_reader(reading)
        return
    output += chunk
    del output[:-MAX_OUTPUT_BYTES]


def _last_line(output: bytes) -> str:
    lines = output.decode(errors="replace").strip().splitlines()
    return lines[-1].strip() if lines else ""


def _words(error: OSError) -> str:
    return (error.strerror or str(error)).lower()

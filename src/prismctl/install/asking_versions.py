"""Asks a program for its version: bounded in time and output, away from the terminal, with nothing left running."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import re
import signal
import subprocess
from typing import TYPE_CHECKING, Final

from prismctl.errors import PrismError
from prismctl.install.child import end_group, read_output, start_child
from prismctl.install.versions import Version, parse_version

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MAX_OUTPUT_BYTES: Final = 1 << 16
_KEPT_VARIABLES: Final = ("HOME", "PATH", "TMPDIR", "XDG_RUNTIME_DIR")
_WRONG_MACHINE: Final = {errno.ENOEXEC, getattr(errno, "EBADARCH", 86)}
# Another thread that starts a process holds, for a moment, every file that was open for writing.
_BUSY_TRIES: Final = 50
_BUSY_SECONDS: Final = 0.02
_NOWHERE: Final = "/proc/none"
"""Is not there, and not even root can make it."""
_SHOWN_CHARACTERS: Final = 120


async def ask_version(
    program: Path, arguments: Sequence[str], *, timeout_seconds: float, title: str = ""
) -> Version:
    """The version that a program says it has; whatever it started is gone afterwards.

    Args:
        program: to be run.
        arguments: that make it say its version.
        timeout_seconds: how long it may take.
        title: what it must call itself, in capital or small letters; empty: anything.

    Raises:
        PrismError: it does not run on this machine, fails, does not answer in time, names no version,
            or is another program of that name.
    """
    command = " ".join([str(program), *arguments])
    process = await _start(program, arguments)
    try:
        async with asyncio.timeout(timeout_seconds):
            output, complaint = await asyncio.gather(
                read_output(process.stdout, max_bytes=MAX_OUTPUT_BYTES),
                read_output(process.stderr, max_bytes=MAX_OUTPUT_BYTES),
            )
            status = await process.wait()
    except TimeoutError as error:
        raise PrismError(
            f"`{command}` did not answer within {timeout_seconds:g} s",
            hint=f"try it by hand: `{command}`",
        ) from error
    finally:
        await end_group(process)
    if status != 0:
        raise PrismError(f"`{command}` {_describe_status(status)}{_quote(complaint or output)}")
    if title and not re.search(rf"\b{re.escape(title)}\b", output, re.IGNORECASE):
        raise PrismError(f"{program} is not {title}{_quote(output or complaint)}")
    version = parse_version(output)
    if version is None:
        raise PrismError(f"`{command}` names no version{_quote(output or complaint)}")
    return version


async def _start(program: Path, arguments: Sequence[str]) -> asyncio.subprocess.Process:
    environment = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    for tries_left in reversed(range(_BUSY_TRIES)):
        try:
            return await start_child(
                str(program),
                *arguments,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd="/",
                env={
                    **environment,
                    "LC_ALL": "C",
                    # HashiCorp's programs ask home for news unless they are told not to.
                    "CHECKPOINT_DISABLE": "1",
                    # Go counts each of its calls in a directory that it would make for that, and cannot here;
                    # below a file, such as /dev/null, Podman would not even say its version.
                    "XDG_CONFIG_HOME": _NOWHERE,
                },
                start_new_session=True,
            )
        except OSError as error:
            if error.errno == errno.ETXTBSY and tries_left:
                # Somebody still has it open for writing, a child that has not yet become another program: a moment later nobody has.
                await asyncio.sleep(_BUSY_SECONDS)
                continue
            raise _cannot_run(program, error) from error
    raise AssertionError("the last try returns or raises")


def _cannot_run(program: Path, error: OSError) -> PrismError:
    if error.errno in _WRONG_MACHINE:
        return PrismError(
            f"{program} does not run on this machine: it was built for another kind",
            hint=f"`file {program}` and `uname -sm` tell which kinds",
        )
    if error.errno == errno.ENOENT and program.exists():
        return PrismError(
            f"{program} does not run on this machine: what it needs to be run with is not here",
            hint=f"`file {program}` names its interpreter",
        )
    if error.errno == errno.EACCES and os.access(program, os.R_OK):
        return PrismError(
            f"{program} may not be run: {error.strerror}",
            hint=f"look whether {program.parent} is mounted noexec: `findmnt -T {program.parent}`",
        )
    return PrismError(f"{program} does not run on this machine: {error.strerror}")


def _describe_status(status: int) -> str:
    if status < 0:
        with contextlib.suppress(ValueError):
            return f"was ended by {signal.Signals(-status).name}"
    return f"failed with status {status}"


def _quote(text: str) -> str:
    """The first line of what a program said, fit for a message; empty where it said nothing."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    shown = "".join(character for character in line if character.isprintable())
    return f": {shown[:_SHOWN_CHARACTERS]}" if shown else ""

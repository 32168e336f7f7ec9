"""Runs other programs to their end: bounded in time and output, away from the terminal, with nothing left running."""

from __future__ import annotations

import asyncio
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from prismctl.errors import PrismError, UnavailableError
from prismctl.install.child import end_group, read_output, start_child

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping, Sequence

MAX_OUTPUT_BYTES: Final = 1 << 22
_SHOWN_CHARACTERS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a program that has ended said."""

    status: int
    """Negative: the number of the signal that ended it."""
    output: str
    complaint: str
    """From its standard error."""

    @property
    def is_success(self) -> bool:
        """Whether it ended well."""
        return self.status == 0

    @property
    def lines(self) -> tuple[str, ...]:
        """All that it said, line by line: first the output, then the complaint."""
        return tuple(line for line in (self.output + "\n" + self.complaint).splitlines() if line)


async def run_command(
    command: Sequence[str], *, environment: Mapping[str, str], timeout_seconds: float
) -> Answer:
    """Run a program that is expected to end by itself; whatever it started is gone afterwards.

    Raises:
        UnavailableError: it did not end in time.
        PrismError: it cannot be run.
    """
    try:
        process = await start_child(
            *command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd="/",
            env={**environment, "LC_ALL": "C"},
            # A group of its own, in the same session: `sudo` remembers who gave the password by session.
            process_group=0,
        )
    except OSError as error:
        raise PrismError(f"`{command[0]}` cannot be run: {error.strerror}") from error
    try:
        async with asyncio.timeout(timeout_seconds):
            output, complaint = await asyncio.gather(
                read_output(process.stdout, max_bytes=MAX_OUTPUT_BYTES),
                read_output(process.stderr, max_bytes=MAX_OUTPUT_BYTES),
            )
            status = await process.wait()
    except TimeoutError as error:
        shown = " ".join(command)
        raise UnavailableError(
            f"`{shorten_line(shown)}` did not end within {timeout_seconds:g} s",
            hint="try it by hand",
        ) from error
    finally:
        await end_group(process)
    return Answer(status=status, output=output, complaint=complaint)


def shorten_line(text: str) -> str:
    """A line of somebody else's output, fit for a message."""
    shown = "".join(character for character in text.strip() if character.isprintable())
    return shown if len(shown) <= _SHOWN_CHARACTERS else f"{shown[: _SHOWN_CHARACTERS - 1]}…"


async def finish(work: Coroutine[None, None, None]) -> None:
    """Await work to its end, however often this task is cancelled meanwhile; cancelled, it is so afterwards.

    For what has to be put in order before anybody may leave; the work has to be bounded by itself.
    """
    task = asyncio.get_running_loop().create_task(work)
    is_cancelled = False
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            is_cancelled = True
    task.result()
    if is_cancelled:
        raise asyncio.CancelledError

"""Lets a package manager work: follows what it prints, bounds its silence, and never ends it halfway."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from prismctl.errors import InterruptedByUserError, PrismError, UnavailableError
from prismctl.install.commands import finish, shorten_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from prismctl.install.package_managers.manager import PackageManager, ProgressReader
    from prismctl.install.provider import Progress

_LAST_LINES: Final = 40
_SHOWN_LINES: Final = 3
_MAX_LINE_BYTES: Final = 1 << 16
_STATUS_WORDS: Final = ("dlstatus:", "pmstatus:")


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a package manager may take for what."""

    silence_seconds: float = 300.0
    """Without a word: its network hangs, or a package of it asks somebody who is not there."""
    stop_seconds: float = 120.0
    """To come to a consistent end once it was asked to stop."""


class FailedTransactionError(PrismError):
    """A package manager ended badly, for a reason that nothing here knows."""


async def run_transaction(
    command: Sequence[str],
    manager: PackageManager,
    reader: ProgressReader,
    report: Callable[[Progress], None],
    *,
    environment: Mapping[str, str],
    patience: Patience,
) -> None:
    """Run one command of a package manager to its end.

    Cancelled, the package manager is asked to stop and waited for: half an installation is worse than a late end.

    Raises:
        UnavailableError: the network, a lock or the rights are missing, or it fell silent.
        InterruptedByUserError: it was cancelled and has left something half installed.
        PrismError: it failed otherwise; the message has its last words.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd="/",
            env={**environment, "LC_ALL": "C"},
            limit=_MAX_LINE_BYTES,
            # Ctrl-C at the terminal reaches prismctl alone, which then asks for a stop that breaks nothing;
            # the session stays the same, because `sudo` remembers by session who gave the password.
            process_group=0,
        )
    except OSError as error:
        raise PrismError(f"`{command[0]}` cannot be run: {error.strerror}") from error
    last: deque[str] = deque(maxlen=_LAST_LINES)
    try:
        status = await _follow(process, reader, report, last, patience)
    except TimeoutError as error:
        await _stop(process, command, environment, patience)
        raise UnavailableError(
            f"{manager.name} said nothing for {patience.silence_seconds:g} s and was stopped{_quote(last)}",
            hint=await _describe_way_out(manager) or "look at the network, then try again",
        ) from error
    except asyncio.CancelledError:
        # Shielded from a second cancellation: somebody who presses Ctrl-C twice must not break dpkg either.
        await finish(_leave(process, command, manager, environment, patience))
        raise
    finally:
        _close(process)
    if status != 0:
        raise _explain(manager, command, last, status)


async def _follow(
    process: asyncio.subprocess.Process,
    reader: ProgressReader,
    report: Callable[[Progress], None],
    last: deque[str],
    patience: Patience,
) -> int:
    if process.stdout is None:
        raise AssertionError("it is a pipe")
    while True:
        async with asyncio.timeout(patience.silence_seconds):
            try:
                raw = await process.stdout.readline()
            except ValueError:
                # A line without an end; what was read of it is gone, and nothing is lost with it.
                continue
        if not raw:
            break
        # What a terminal would overwrite is one line of which only the end counts.
        line = raw.decode(errors="replace").rstrip("\r\n").rpartition("\r")[2]
        if progress := reader.read(line):
            report(progress)
        if line.strip() and not line.startswith(_STATUS_WORDS):
            last.append(line)
    async with asyncio.timeout(patience.silence_seconds):
        return await process.wait()


async def _leave(
    process: asyncio.subprocess.Process,
    command: Sequence[str],
    manager: PackageManager,
    environment: Mapping[str, str],
    patience: Patience,
) -> None:
    has_ended = await _stop(process, command, environment, patience)
    if not has_ended:
        raise InterruptedByUserError(
            f"{manager.name} (PID {process.pid}) is still at work and was left to finish",
            hint="try again once it has",
        )
    damage = await manager.describe_damage()
    if damage:
        raise InterruptedByUserError(
            f"the installation was interrupted; half installed: {damage}",
            hint=f"`sudo {manager.tidies_up}` finishes it",
        )


async def _stop(
    process: asyncio.subprocess.Process,
    command: Sequence[str],
    environment: Mapping[str, str],
    patience: Patience,
) -> bool:
    """Ask a package manager to stop, and wait until it has; whether it has.

    Only its first process is told: it lets those that unpack finish what they are at.
    """
    try:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
    except ProcessLookupError:
        pass
    except PermissionError:
        await _interrupt_as_root(process.pid, command, environment)
    try:
        async with asyncio.timeout(patience.stop_seconds):
            if process.stdout is not None:
                while await process.stdout.read(_MAX_LINE_BYTES):
                    pass
            await process.wait()
    except TimeoutError:
        return False
    return True


async def _interrupt_as_root(
    pid: int, command: Sequence[str], environment: Mapping[str, str]
) -> None:
    """Send the signal by the same way that the rights came from; `sudo` hands it on to its command."""
    killer = await asyncio.create_subprocess_exec(
        *command[: command.index("-n") + 1],
        "kill",
        "-INT",
        str(pid),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=dict(environment),
    )
    await killer.wait()


async def _describe_way_out(manager: PackageManager) -> str:
    damage = await manager.describe_damage()
    return f"half installed: {damage}; `sudo {manager.tidies_up}` finishes it" if damage else ""


def _explain(
    manager: PackageManager, command: Sequence[str], last: Sequence[str], status: int
) -> PrismError:
    text = "\n".join(last)
    if command[0].rpartition("/")[2] == "sudo" and "sudo:" in text:
        return UnavailableError(
            f"`sudo` refused: {shorten_line(next(line for line in last if 'sudo:' in line))}",
            hint=f"by hand: `{' '.join(('sudo', *command[2:]))}`",
        )
    known = manager.explain(tuple(last))
    if known is not None:
        return known
    how = f"was ended by signal {-status}" if status < 0 else f"failed with status {status}"
    return FailedTransactionError(f"{manager.name} {how}{_quote(last)}")


def _quote(last: Sequence[str]) -> str:
    words = [shorten_line(line) for line in list(last)[-_SHOWN_LINES:]]
    return f": {'; '.join(words)}" if words else ""


def _close(process: asyncio.subprocess.Process) -> None:
    """Give the pipe back, should the process live on."""
    transport = process._transport  # type: ignore[attr-defined]  # noqa: SLF001 - asyncio has no other way
    if process.returncode is None:
        # Closing kills what still runs, which is what must not happen to a package manager.
        with contextlib.suppress(OSError):
            os.close(transport.get_pipe_transport(1).get_extra_info("pipe").fileno())
    transport.close()

"""Lets a package manager work: follows what it prints, bounds its silence, and never ends it halfway."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from prismctl.errors import InterruptedByUserError, PrismError, UnavailableError
from prismctl.install.commands import finish, shorten_line

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Mapping, Sequence

    from prismctl.install.package_managers.interface import PackageManager, ProgressReader
    from prismctl.install.provider import Progress

LAST_LINES: Final = 40
"""How much of what was said is kept to explain a failure."""
_SHOWN_LINES: Final = 3
_MAX_LINE_BYTES: Final = 1 << 16
_LOOK_SECONDS: Final = 0.02
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


class _Process:
    """A program that may outlive us: nothing ends it when it is forgotten, as asyncio's own processes would be."""

    def __init__(
        self, pid: int, output: asyncio.StreamReader, transport: asyncio.ReadTransport
    ) -> None:
        self.pid = pid
        self.output = output
        """What it says, complaints included."""
        self._transport = transport
        self._status: int | None = None

    async def wait(self) -> int:
        """Its status; negative: the number of the signal that ended it."""
        # It closes its output as it ends, so that this waits for an instant.
        while (status := self._poll()) is None:  # noqa: ASYNC110 - nothing notifies on every system
            await asyncio.sleep(_LOOK_SECONDS)
        return status

    def interrupt(self) -> None:
        """Ask it to stop, unless it has ended.

        Raises:
            PermissionError: it belongs to root.
        """
        if self._poll() is None:
            os.kill(self.pid, signal.SIGINT)

    def close(self) -> None:
        """Hear no more of it."""
        self._transport.close()

    def _poll(self) -> int | None:
        if self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._status = os.waitstatus_to_exitcode(status) if pid else None
        return self._status


async def _spawn(command: Sequence[str], environment: Mapping[str, str]) -> _Process:
    pid, reading = _start(command, environment)
    output = asyncio.StreamReader(limit=_MAX_LINE_BYTES)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(output), os.fdopen(reading, "rb", 0)
    )
    return _Process(pid, output, transport)


def _start(command: Sequence[str], environment: Mapping[str, str]) -> tuple[int, int]:
    """The PID of a program, and the descriptor that its output is read from."""
    path = shutil.which(command[0], path=environment.get("PATH", "")) or command[0]
    reading, writing = os.pipe()
    try:
        pid = os.posix_spawn(
            path,
            tuple(command),
            environment,
            file_actions=(
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, writing, 1),
                (os.POSIX_SPAWN_DUP2, writing, 2),
            ),
            # Ctrl-C at the terminal reaches prismctl alone, which then asks for a stop that breaks nothing;
            # the session stays the same, because `sudo` remembers by session who gave the password.
            setpgroup=0,
        )
    except OSError as error:
        os.close(reading)
        raise PrismError(f"`{command[0]}` cannot be run: {error.strerror}") from error
    finally:
        os.close(writing)
    return pid, reading


async def run_transaction(
    command: Sequence[str],
    manager: PackageManager,
    reader: ProgressReader,
    report: Callable[[Progress], None],
    *,
    environment: Mapping[str, str],
    patience: Patience,
    heard: deque[str],
) -> None:
    """Run one command of a package manager to its end.

    Cancelled, the package manager is asked to stop and waited for: half an installation is worse than a late end.

    Args:
        command: that is run.
        manager: whose it is.
        reader: understands its progress.
        report: told of it.
        environment: it is run with.
        patience: how long it may take.
        heard: what was said so far, to which is added what this command says.

    Raises:
        UnavailableError: the network, a lock or the rights are missing, or it fell silent.
        InterruptedByUserError: it was cancelled and has left something half installed.
        PrismError: it failed otherwise; the message has its last words.
    """
    process = await _spawn(command, {**environment, "LC_ALL": "C"})
    try:
        status = await _follow(process, reader, report, heard, patience)
    except TimeoutError as error:
        await _stop(process, command, environment, patience)
        raise UnavailableError(
            f"{manager.name} said nothing for {patience.silence_seconds:g} s and was stopped{_quote(heard)}",
            hint=await _describe_way_out(manager) or "look at the network, then try again",
        ) from error
    except asyncio.CancelledError:
        # Shielded from a second cancellation: somebody who presses Ctrl-C twice must not break dpkg either.
        await finish(_leave(process, command, manager, environment, patience))
        raise
    finally:
        process.close()
    if status != 0:
        raise _explain(manager, command, heard, status)


async def _follow(
    process: _Process,
    reader: ProgressReader,
    report: Callable[[Progress], None],
    last: deque[str],
    patience: Patience,
) -> int:
    while True:
        async with asyncio.timeout(patience.silence_seconds):
            try:
                raw = await process.output.readline()
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
    process: _Process,
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
    process: _Process,
    command: Sequence[str],
    environment: Mapping[str, str],
    patience: Patience,
) -> bool:
    """Ask a package manager to stop, and wait until it has; whether it has.

    Only its first process is told: it lets those that unpack finish what they are at.
    """
    try:
        process.interrupt()
    except PermissionError:
        await _interrupt_as_root(process.pid, command, environment)
    try:
        async with asyncio.timeout(patience.stop_seconds):
            while await process.output.read(_MAX_LINE_BYTES):
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

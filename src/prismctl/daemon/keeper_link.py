"""The daemon's way to its keeper: connect to the one that is there, or start one."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from prismctl.daemon.process_table import read_process
from prismctl.daemon.suspended_keeper import SuspendedError, attend, find_hold
from prismctl.errors import RejectedError, UnavailableError
from prismctl.keeper.client import KeeperClient
from prismctl.keeper.launch import KeeperPlace, start_keeper

if TYPE_CHECKING:
    from prismctl.daemon.process_table import ProcessFacts
    from prismctl.files.paths import StackPaths
    from prismctl.keeper.client import KeeperFacts

OPEN_SECONDS: Final = 30.0
"""How long a keeper may take to be there and answer."""
_RETRY_SECONDS: Final = 0.01
"""Nothing tells when a lock is let go: it is tried so often, for `OPEN_SECONDS` at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeeperLink:
    """An open connection, and who is at the other end."""

    client: KeeperClient
    facts: KeeperFacts
    process: ProcessFacts | None
    """The keeper as the system knows it."""


async def open_keeper(paths: StackPaths, starting: int | None = None) -> KeeperLink:
    """Connect and introduce this daemon, so that the keeper starts it again.

    ``starting`` is a pipe on which a keeper that was started beside this daemon says that it listens.

    Raises:
        UnavailableError: there is no keeper and none can be started.
        SuspendedError: a signal holds it.
        RejectedError: the keeper speaks another protocol.
    """
    if starting is not None:
        await asyncio.to_thread(_wait_for_line, starting)
    try:
        async with asyncio.timeout(OPEN_SECONDS):
            while True:
                client = await _connect(paths)
                link = await _introduce(client, paths) if client is not None else None
                if link is not None:
                    return link
                if not await _start(paths):
                    # Another one holds the lock: it listens soon, or it is about to end.
                    await asyncio.sleep(_RETRY_SECONDS)
    except TimeoutError as error:
        raise UnavailableError(
            f"no keeper answers at {paths.keeper_socket}",
            hint=f"`cat {paths.keeper_log}` shows what it said",
        ) from error


async def _introduce(client: KeeperClient, paths: StackPaths) -> KeeperLink | None:
    """Say hello; ``None`` when the keeper ended meanwhile."""
    try:
        facts = await attend(
            client.hello(
                daemon_argv=daemon_argv(paths), daemon_cwd="/", daemon_log=paths.daemon_log
            ),
            lambda: _refuse_held(client),
        )
    except SuspendedError:
        await client.close()
        raise
    except UnavailableError:
        await client.close()
        return None
    except BaseException:
        await client.close()
        raise
    return KeeperLink(client=client, facts=facts, process=read_process(facts.pid))


def _refuse_held(client: KeeperClient) -> None:
    held = find_hold(read_process(client.listener_pid))
    if held is not None:
        raise SuspendedError(held)


def daemon_argv(paths: StackPaths) -> list[str]:
    """The command line by which the keeper starts a successor of this daemon."""
    home = str(paths.directory.parent.parent)
    program = [sys.executable, "-P", "-m", "prismctl.daemon"]
    return [*program, "--home", home, "--stack", paths.name, "--resume"]


async def _connect(paths: StackPaths) -> KeeperClient | None:
    try:
        return await KeeperClient.connect(paths.keeper_socket)
    except UnavailableError:
        return None


async def _start(paths: StackPaths) -> bool:
    """Start a keeper; ``False`` when another one holds the lock."""
    place = KeeperPlace(
        socket_path=paths.keeper_socket,
        lock_path=paths.keeper_lock,
        log_path=paths.keeper_log,
        keeper_id=paths.keeper_id,
    )
    try:
        await asyncio.to_thread(start_keeper, place)
    except RejectedError:
        return False
    return True


def _wait_for_line(descriptor: int) -> None:
    """Return when the other end has said something or is gone."""
    try:
        os.read(descriptor, 4096)
    finally:
        os.close(descriptor)

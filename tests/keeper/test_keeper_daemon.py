from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from prismctl.keeper.client import KeeperClient
from prismctl.keeper.launch import keeper_argv
from prismctl.keeper.protocol import ProcessState

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Callable
    from pathlib import Path

    from prismctl.keeper.launch import KeeperPlace
    from tests.keeper.conftest import RunningKeeper

# Appends its PID, says hello on the socket, and lives until it is told to go.
DAEMON = """
import json, os, socket, sys, time
directory, path = sys.argv[1:]
line = f"{os.getpid()} {'PRISM_KEEPER' in os.environ} {os.environ.get('MINE')}\\n"
connection = socket.socket(socket.AF_UNIX)
connection.connect(path)
daemon = {"pid": os.getpid(), "argv": sys.orig_argv, "env": dict(os.environ), "log_path": directory + "/daemon.log"}
connection.sendall(json.dumps({"id": 1, "do": "hello", "daemon": daemon}).encode() + b"\\n")
connection.makefile().readline()
open(directory + "/daemons", "a").write(line)
print("daemon", os.getpid(), "is up", flush=True)
if not os.path.exists(directory + "/live"):
    sys.exit(3)
while not os.path.exists(directory + "/goodbye"):
    time.sleep(0.01)
connection.sendall(b'{"id": 2, "do": "goodbye"}\\n')
connection.makefile().readline()
"""


def daemon_argv(place: KeeperPlace) -> list[str]:
    python = [sys.executable, "-I", "-S", "-c", DAEMON]
    return [*python, str(place.log_path.parent), str(place.socket_path)]


async def begin(place: KeeperPlace, env: dict[str, str] | None = None) -> Process:
    return await asyncio.create_subprocess_exec(
        *daemon_argv(place), env=env, stdout=subprocess.DEVNULL
    )


def daemons(directory: Path) -> list[list[str]]:
    path = directory / "daemons"
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


async def test_a_killed_daemon_is_started_again_and_services_run_on(
    keeper: RunningKeeper, alive: Callable[[int], bool]
) -> None:
    service = await keeper.client.spawn(keeper.spec("a", "sleep", "1000"))
    (keeper.directory / "live").touch()
    env = {"PATH": os.environ["PATH"], "MINE": "yes", "PRISM_KEEPER": "someone-else"}
    first = await begin(keeper.place, env)
    await keeper.until(lambda: len(daemons(keeper.directory)) == 1)
    first.kill()
    await first.wait()
    await keeper.until(lambda: len(daemons(keeper.directory)) == 2)
    pid, has_mark, mine = daemons(keeper.directory)[1]
    assert (has_mark, mine) == ("False", "yes")
    assert [s.pid for s in await keeper.client.list()] == [service.pid]
    log = keeper.directory / "daemon.log"
    await keeper.until(lambda: f"daemon {pid} is up" in log.read_text())
    # The second one is the keeper's own child: it is reaped and started again as well.
    os.kill(int(pid), signal.SIGKILL)
    await keeper.until(lambda: len(daemons(keeper.directory)) == 3)
    assert not alive(int(pid))
    (keeper.directory / "goodbye").touch()
    last = int(daemons(keeper.directory)[2][0])
    await keeper.until(lambda: not alive(last))


async def test_a_daemon_that_says_goodbye_stays_away(keeper: RunningKeeper) -> None:
    (keeper.directory / "live").touch()
    (keeper.directory / "goodbye").touch()
    assert await (await begin(keeper.place)).wait() == 0
    await keeper.client.list()
    assert len(daemons(keeper.directory)) == 1
    assert "started" not in keeper.own_log()


async def test_a_daemon_that_keeps_dying_is_given_up_and_services_run_on(
    keeper: RunningKeeper,
) -> None:
    await keeper.client.spawn(keeper.spec("a", "sleep", "1000"))
    assert await (await begin(keeper.place)).wait() == 3
    message = "daemon ended 6 times in a row; not started again, services run on"
    await keeper.until(lambda: message in keeper.own_log())
    assert len(daemons(keeper.directory)) == 6
    assert [s.state for s in await keeper.client.list()] == [ProcessState.RUNNING]


async def test_shutdown_spares_the_daemon_that_asked_for_it(
    keeper: RunningKeeper, alive: Callable[[int], bool]
) -> None:
    (keeper.directory / "live").touch()
    first = await begin(keeper.place)
    await keeper.until(lambda: len(daemons(keeper.directory)) == 1)
    first.kill()
    await first.wait()
    await keeper.until(lambda: len(daemons(keeper.directory)) == 2)
    daemon = int(daemons(keeper.directory)[1][0])
    await keeper.client.shutdown()
    assert keeper.wait() == 0
    assert alive(daemon)
    os.kill(daemon, signal.SIGKILL)
    await keeper.until(lambda: not alive(daemon))


async def test_a_daemon_that_lives_without_its_connection_gets_no_rival(
    keeper: RunningKeeper,
) -> None:
    async with await KeeperClient.connect(keeper.place.socket_path) as client:
        await client.hello(daemon_argv=["touch", str(keeper.directory / "rival")])
    await keeper.until(lambda: f"daemon pid={os.getpid()} is disconnected" in keeper.own_log())
    async with await KeeperClient.connect(keeper.place.socket_path) as client:
        await client.hello(daemon_argv=["touch", str(keeper.directory / "rival")])
        await client.goodbye()
    await keeper.client.list()
    assert not (keeper.directory / "rival").exists()


async def test_a_keeper_can_be_told_to_start_the_daemon_itself(
    directory: Path, place: KeeperPlace, alive: Callable[[int], bool]
) -> None:
    (directory / "live").touch()
    argv = [
        *keeper_argv(place),
        *("--daemon-argv", json.dumps(daemon_argv(place))),
        *("--daemon-log", str(directory / "first.log")),
    ]
    process = await asyncio.create_subprocess_exec(*argv)
    async with asyncio.timeout(20):
        while not daemons(directory):  # noqa: ASYNC110 - other processes notify nobody
            await asyncio.sleep(0.005)
    daemon = int(daemons(directory)[0][0])
    (directory / "goodbye").touch()
    async with asyncio.timeout(20):
        while alive(daemon):  # noqa: ASYNC110 - other processes notify nobody
            await asyncio.sleep(0.005)
    process.terminate()
    assert await process.wait() == 0
    assert "is up" in (directory / "first.log").read_text()


async def test_a_keeper_whose_daemon_never_came_does_not_stay(place: KeeperPlace) -> None:
    argv = [*keeper_argv(place), "--patience-seconds", "0.05"]
    keeper = await asyncio.create_subprocess_exec(*argv, stderr=subprocess.DEVNULL)
    assert await asyncio.wait_for(keeper.wait(), 20) == 0
    assert not place.socket_path.exists()

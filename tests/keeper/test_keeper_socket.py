from __future__ import annotations

import asyncio
import fcntl
import json
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from prismctl.errors import RejectedError, UnavailableError
from prismctl.keeper.client import KeeperClient
from prismctl.keeper.connection import MAX_UNSENT_BYTES
from prismctl.keeper.launch import start_keeper
from prismctl.keeper.protocol import MAX_LINE_BYTES, KeeperEvent, ProcessState, spec_to_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from prismctl.keeper.launch import KeeperPlace
    from tests.keeper.conftest import RunningKeeper


async def test_hello_says_who_it_is_and_what_it_keeps(keeper: RunningKeeper) -> None:
    await keeper.client.spawn(keeper.spec("a", "sleep", "1000", digest="d1"))
    facts = await keeper.client.hello()
    assert (facts.pid, facts.keeper_id) == (keeper.pid, keeper.place.keeper_id)
    assert [(s.key, s.digest) for s in facts.processes] == [("a", "d1")]


async def test_only_the_user_may_touch_the_socket(keeper: RunningKeeper) -> None:
    assert keeper.place.socket_path.stat().st_mode & 0o777 == 0o600
    assert keeper.place.lock_path.stat().st_mode & 0o777 == 0o600
    assert keeper.place.log_path.stat().st_mode & 0o777 == 0o600


async def test_another_user_is_refused(keeper: RunningKeeper) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can be another user")
    keeper.directory.chmod(0o711)
    keeper.place.socket_path.chmod(0o666)
    script = """
import os, socket, sys
os.setuid(65534)
stranger = socket.socket(socket.AF_UNIX)
stranger.connect(sys.argv[1])
try:
    stranger.sendall(b'{"id":1,"do":"list"}\\n')
    print(stranger.recv(100))
except ConnectionError:
    print(b"")
"""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", "-c", script, str(keeper.place.socket_path)),
        stdout=subprocess.PIPE,
    )
    said, _ = await process.communicate()
    assert (said, process.returncode) == (b"b''\n", 0)
    await keeper.until(lambda: "refused a connection of user 65534" in keeper.own_log())


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"GET / HTTP/1.1\r\n", "a line is not a JSON object"),
        (b"[1]\n", "a line is not a JSON object"),
        (b"\xff\xfe\n", "a line is not a JSON object"),
        (b"[" * 100_000 + b"\n", "a line is not a JSON object"),
        (b"x" * (MAX_LINE_BYTES + 1), f"a line is longer than {MAX_LINE_BYTES} bytes"),
    ],
    ids=["http", "no-object", "no-utf8", "deep", "over-long"],
)
async def test_garbage_is_refused_and_the_connection_ended(
    keeper: RunningKeeper, line: bytes, error: str
) -> None:
    reader, writer = await asyncio.open_unix_connection(keeper.place.socket_path)
    writer.write(line)
    assert json.loads(await reader.readline()) == {"id": None, "ok": False, "error": error}
    assert await reader.read() == b""
    writer.close()
    assert await keeper.client.list() == ()


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        ({"do": "dance"}, "unknown request 'dance'"),
        ({}, "unknown request None"),
        ({"do": ["x"]}, "unknown request ['x']"),
        ({"do": "stop"}, "key is not a string"),
        ({"do": "stop", "key": "a", "kill": 1}, "kill is not true or false"),
        ({"do": "signal", "key": "a", "signal": 0}, "signal is not possible: 0"),
        ({"do": "spawn"}, "process is not an object"),
        ({"do": "spawn", "process": {"key": "a"}}, "process lacks argv, env, cwd, log_path"),
        ({"do": "hello", "protocol": 99}, "protocol 99 is not spoken here, 1 is"),
        ({"do": "hello", "daemon": {"pid": 1}}, "daemon.argv is not a list of words"),
    ],
)
async def test_an_impossible_request_is_refused_by_name(
    keeper: RunningKeeper, request_: dict[str, object], error: str
) -> None:
    reader, writer = await asyncio.open_unix_connection(keeper.place.socket_path)
    writer.write(json.dumps({"id": 5, **request_}).encode() + b"\n")
    assert json.loads(await reader.readline()) == {"id": 5, "ok": False, "error": error}
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("argv", []),
        ("argv", ["a\0b"]),
        ("argv", ["\ud800"]),
        ("env", {"A=B": "x"}),
        ("env", {"A": 1}),
        ("stop", [{"signal": 99, "grace_seconds": 1}]),
        ("stop", [{"signal": 9}]),
        ("restart", {"max_restarts": -1}),
        ("max_log_bytes", True),
        ("key", ""),
    ],
)
async def test_an_impossible_process_is_refused_and_the_keeper_lives(
    keeper: RunningKeeper, field: str, value: object
) -> None:
    spec = {**spec_to_json(keeper.spec("a", "true")), field: value}
    reader, writer = await asyncio.open_unix_connection(keeper.place.socket_path)
    writer.write(json.dumps({"id": 1, "do": "spawn", "process": spec}).encode() + b"\n")
    reply = json.loads(await reader.readline())
    assert not reply["ok"]
    assert "process" in reply["error"]
    writer.close()
    await writer.wait_closed()
    assert await keeper.client.list() == ()


async def test_unknown_fields_are_ignored(keeper: RunningKeeper) -> None:
    spec = spec_to_json(keeper.spec("a", "sleep", "1000"))
    spec |= {"novelty": 1, "restart": {**spec["restart"], "novelty": 2}}
    reader, writer = await asyncio.open_unix_connection(keeper.place.socket_path)
    request = {"id": 1, "do": "spawn", "process": spec, "novelty": 3}
    writer.write(json.dumps(request).encode() + b"\n")
    assert json.loads(await reader.readline())["status"]["state"] == "running"
    writer.close()
    await writer.wait_closed()


async def test_pipelined_requests_are_all_answered(keeper: RunningKeeper) -> None:
    reader, writer = await asyncio.open_unix_connection(keeper.place.socket_path)
    writer.write(b"".join(b'{"id":%d,"do":"list"}\n' % number for number in range(500)))
    ids = [json.loads(await reader.readline())["id"] for _ in range(500)]
    assert ids == list(range(500))
    writer.close()
    await writer.wait_closed()


async def test_a_watch_begins_with_the_present_state(keeper: RunningKeeper) -> None:
    await keeper.client.spawn(keeper.spec("a", "sleep", "1000"))
    changes = keeper.client.watch()
    event, status = await anext(changes)
    assert (event, status.key, status.state) == (KeeperEvent.PRESENT, "a", ProcessState.RUNNING)
    await keeper.client.stop("a")
    assert (await anext(changes))[0] is KeeperEvent.STOPPING
    assert (await anext(changes))[0] is KeeperEvent.STOPPED
    await changes.aclose()  # type: ignore[attr-defined]


async def test_a_watcher_that_does_not_read_is_dropped(keeper: RunningKeeper) -> None:
    deaf = socket.socket(socket.AF_UNIX)
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.connect(str(keeper.place.socket_path))
    deaf.sendall(b'{"id":1,"do":"watch"}\n')
    # A digest of a megabyte makes each event that large.
    digest = "d" * (MAX_UNSENT_BYTES // 4)
    await keeper.client.list()
    for _ in range(3):
        await keeper.client.spawn(keeper.spec("a", "sleep", "1000", digest=digest))
        await keeper.client.stop("a")
    await keeper.until(lambda: "it does not read what it is sent" in keeper.own_log())
    deaf.close()
    assert len(await keeper.client.list()) == 1


async def test_a_second_keeper_on_the_same_lock_refuses(keeper: RunningKeeper) -> None:
    with pytest.raises(RejectedError, match=f"another keeper holds {keeper.place.lock_path}"):
        start_keeper(keeper.place)
    assert (await keeper.client.hello()).pid == keeper.pid


async def test_a_stale_socket_and_a_stale_lock_are_no_obstacle(
    place: KeeperPlace, reap: Callable[[int], None]
) -> None:
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(place.socket_path))
    stale.close()
    place.lock_path.write_text("4711\n")
    pid = start_keeper(place)
    async with await KeeperClient.connect(place.socket_path) as client:
        assert (await client.hello()).pid == pid
        await client.shutdown()
    reap(pid)


def test_a_socket_is_left_alone_while_its_lock_is_held(place: KeeperPlace) -> None:
    place.socket_path.touch()
    with place.lock_path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(RejectedError):
            start_keeper(place)
    assert place.socket_path.exists()


def test_a_socket_path_that_is_too_long_is_said_to_be(place: KeeperPlace) -> None:
    long = place._replace(socket_path=place.socket_path.parent / ("x" * 150))
    with pytest.raises(UnavailableError, match=r"socket path is \d+ bytes long, at most 107"):
        start_keeper(long)


def test_a_place_that_cannot_be_written_is_named(place: KeeperPlace) -> None:
    nowhere = place._replace(lock_path=place.lock_path.parent / "none" / "lock")
    with pytest.raises(UnavailableError, match=r"lock .*/none/lock: no such file"):
        start_keeper(nowhere)


async def test_no_keeper_is_unavailable(place: KeeperPlace) -> None:
    with pytest.raises(UnavailableError, match="no keeper answers at"):
        await KeeperClient.connect(place.socket_path)


async def test_a_reply_nobody_waits_for_any_more_does_no_harm(keeper: RunningKeeper) -> None:
    await keeper.client.spawn(
        keeper.shell("a", "trap '' TERM; echo x; while :; do sleep 0.02; done")
    )
    await keeper.until(lambda: b"F x\n" in keeper.log_bytes("a"))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await keeper.client.stop("a")
    assert (await keeper.client.stop("a", kill=True)).state is ProcessState.STOPPED

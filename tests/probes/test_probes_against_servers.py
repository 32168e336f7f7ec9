from __future__ import annotations

import asyncio
import os
import socket
import struct
import sys
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from prismctl.domain.service import CheckType
from prismctl.files.log_line import render_stamp
from prismctl.probes.scheduler import ProbeScheduler
from tests.free_ports import take_port
from tests.probes.conversations import ask_once, question, reset, saying, serving, silence

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from prismctl.domain.observation import ProbeResult
    from prismctl.probes.question import Question

CONVERSATIONS = [each for each in CheckType if each.is_asked_at_port and each is not CheckType.TCP]


@pytest.mark.parametrize("check", [CheckType.TCP, *CONVERSATIONS])
async def test_nobody_listening_is_a_refusal_with_the_address(check: CheckType) -> None:
    port = take_port()

    answer = await ask_once(question(check, port=port))

    assert answer.message == f"connection refused at 127.0.0.1:{port}"


async def test_tcp_is_ready_when_somebody_accepts() -> None:
    async with serving(silence) as port:
        assert (await ask_once(question(CheckType.TCP, port=port))).is_ok


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.0 204 No Content\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: /login\r\n\r\n",
        b"HTTP/1.1 200\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: %s\r\n" % (n, b"y" * 900) for n in range(400)),
    ],
    ids=["ok", "no-content", "redirect", "no-reason", "huge-headers"],
)
async def test_http_is_ready_below_400(head: bytes) -> None:
    async with serving(saying(head)) as port:
        answer = await ask_once(question(CheckType.HTTP, port=port))

    assert (answer.is_ok, answer.message) == (True, "")


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (b"HTTP/1.1 503 Nope\r\n\r\n", "HTTP 503 from 127.0.0.1:{port}/ready"),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", "HTTP 404 from 127.0.0.1:{port}/ready"),
        (
            b"-ERR unknown command\r\n",
            "not HTTP: port {port} answered '-ERR unknown command\\r\\n'",
        ),
        (b"\x00\x01\x02", "not HTTP: port {port} answered '\\x00\\x01\\x02'"),
        (b"", "127.0.0.1:{port} closed the connection without an answer"),
        (b"x" * 20000, "not HTTP: 127.0.0.1:{port} sent "),
    ],
    ids=["503", "404", "redis", "binary", "nothing", "endless-line"],
)
async def test_http_says_what_answered_instead(said: bytes, message: str) -> None:
    async with serving(saying(said)) as port:
        answer = await ask_once(question(CheckType.HTTP, port=port, path="/ready"))

    assert not answer.is_ok
    assert answer.message.startswith(message.format(port=port))


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        (
            b"HTTP/1.0 400 Bad Request\r\n\r\nThis port speaks SQL.\r\nAsk 8123 for HTTP.\r\n",
            ": This port speaks SQL. Ask 8123 for HTTP.",
        ),
        (
            b'HTTP/1.1 503 No\r\nContent-Length: 15\r\n\r\n{"db": "is off"}',
            ': {"db": "is off"}',
        ),
        (
            b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n7\r\nno disk\r\n",
            ": no disk",
        ),
        (b"HTTP/1.1 404 No\r\n\r\n<html><h1>Not Found</h1></html>", ""),
        (b"HTTP/1.1 500 No\r\n\r\n\x1b[2J\x00\x01", ""),
        (b"HTTP/1.1 500 No\r\n\r\n" + b"long " * 9000, f": {'long ' * 40}"[:121] + "…"),
    ],
    ids=["two-lines", "json", "chunked", "page", "binary", "long"],
)
async def test_http_says_what_an_error_says_of_itself(said: bytes, complaint: str) -> None:
    async with serving(saying(said)) as port:
        answer = await ask_once(question(CheckType.HTTP, port=port, path="/ready"))

    status = said.split()[1].decode()
    assert answer.message == f"HTTP {status} from 127.0.0.1:{port}/ready{complaint}"


@pytest.mark.parametrize("check", CONVERSATIONS)
async def test_a_server_that_hangs_is_given_up_in_time(check: CheckType) -> None:
    async with serving(silence) as port:
        answer = await ask_once(question(check, port=port, timeout_seconds=0.1))

    assert answer.message == f"no answer within 0.1 s from 127.0.0.1:{port}"


async def test_a_server_that_trickles_is_given_up_in_time() -> None:
    trickle = saying(*(b"H",) * 100, pause=0.02)
    async with serving(trickle) as port:
        answer = await ask_once(question(CheckType.HTTP, port=port, timeout_seconds=0.1))

    assert answer.message.startswith("no answer within 0.1 s")


@pytest.mark.parametrize("check", CONVERSATIONS)
async def test_a_reset_is_told_as_one(check: CheckType) -> None:
    async with serving(reset) as port:
        answer = await ask_once(question(check, port=port))

    assert answer.message == f"connection reset at 127.0.0.1:{port}"


@asynccontextmanager
async def grpc_server(status: int | None) -> AsyncIterator[int]:
    server = grpc.aio.server()
    if status is not None:
        servicer = health.aio.HealthServicer()
        await servicer.set("", status)
        health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield port
    finally:
        await server.stop(None)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (health_pb2.HealthCheckResponse.SERVING, ""),
        (health_pb2.HealthCheckResponse.NOT_SERVING, "gRPC NOT_SERVING from port {port}"),
        (health_pb2.HealthCheckResponse.UNKNOWN, "gRPC UNKNOWN from port {port}"),
        (None, "gRPC UNIMPLEMENTED: no health service at port {port}"),
    ],
)
async def test_grpc_asks_the_standard_health_service(status: int | None, message: str) -> None:
    async with grpc_server(status) as port:
        answer = await ask_once(question(CheckType.GRPC, port=port, timeout_seconds=5.0))

    assert answer.message == message.format(port=port)
    assert answer.is_ok == (not message)


SETTINGS = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    head = struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream)
    return head + payload


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "not gRPC: port {port} speaks HTTP/1"),
        (b"-ERR unknown command 'PRI'\r\n", "not gRPC: port {port} answered '-ERR unkn'"),
        (frame(0, 0, 1, b""), "not gRPC: port {port} does not speak HTTP/2"),
        (SETTINGS + frame(7, 0, 0, bytes(8)), "gRPC server at port {port} is going away"),
        (SETTINGS + frame(3, 0, 1, bytes(4)), "gRPC call refused by port {port}"),
        (SETTINGS + frame(1, 5, 1, b"\xff\xff"), "not gRPC: port {port} sent headers that"),
        (SETTINGS + frame(1, 5, 1, b"\x88"), "not gRPC: HTTP 200 from port {port}"),
        (SETTINGS + frame(0, 1, 1, b"\x01\x00\x00\x00\x02\x08\x01"), "not gRPC: the answer is no"),
        (SETTINGS + frame(0, 1, 1, b"\x00\x00\x00\x00\x02\x12\x00"), "not gRPC health"),
        (SETTINGS + frame(8, 0, 0, bytes(4)) * 70, "not gRPC: port {port} talks without"),
        (SETTINGS, "not gRPC: port {port} closed the connection"),
        (b"", "not gRPC: port {port} closed the connection"),
    ],
)
async def test_grpc_says_what_answered_instead(said: bytes, message: str) -> None:
    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(24)
        writer.write(said)
        await writer.drain()
        writer.write_eof()
        await reader.read()

    async with serving(converse) as port:
        answer = await ask_once(question(CheckType.GRPC, port=port))

    assert not answer.is_ok
    assert answer.message.startswith(message.format(port=port))


async def test_grpc_understands_padding_priority_and_split_messages() -> None:
    body = frame(1, 0x2C, 1, b"\x02" + bytes(5) + b"\x88" + bytes(2))
    body += frame(0, 8, 1, b"\x01" + b"\x00\x00\x00" + b"\x00") + frame(
        0, 0, 1, b"\x00\x02\x08\x01"
    )

    async with serving(saying(SETTINGS, body)) as port:
        answer = await ask_once(question(CheckType.GRPC, port=port))

    assert answer.is_ok


def command(*words: str, **fields: Any) -> Question:
    return question(CheckType.EXEC, command=words, env={"PATH": "/usr/bin:/bin"}, **fields)


async def test_a_command_is_ready_at_exit_0() -> None:
    assert (await ask_once(command("true"))).is_ok


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("sh", "-c", "echo one; echo two >&2; exit 3"), "`sh` exited with code 3: two"),
        (("sh", "-c", "kill -9 $$"), "`sh` was killed by SIGKILL"),
        (("/no/such/program",), "`/no/such/program`: no such file or directory"),
    ],
)
async def test_a_command_says_how_it_ended(words: tuple[str, ...], message: str) -> None:
    assert (await ask_once(command(*words))).message == message


async def test_nothing_of_a_command_outlives_its_time(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    script = f"sleep 1000 & echo $! > {pid_file}.new; mv {pid_file}.new {pid_file}; wait"

    answer = await ask_once(command("sh", "-c", script, timeout_seconds=1.0))

    assert answer.message == "no answer within 1 s from `sh`"
    await wait_until_gone(int(pid_file.read_text()))


async def test_a_background_child_of_a_command_is_neither_waited_for_nor_left(
    tmp_path: Path,
) -> None:
    pid_file = tmp_path / "pid"

    answer = await ask_once(
        command("sh", "-c", f"sleep 1000 & echo $! > {pid_file}", timeout_seconds=5.0)
    )

    assert answer.is_ok
    await wait_until_gone(int(pid_file.read_text()))


async def test_much_output_of_a_command_is_no_obstacle() -> None:
    script = "import sys; sys.stdout.write('x' * 5_000_000 + '\\nthe end\\n'); sys.exit(1)"

    answer = await ask_once(command(sys.executable, "-c", script, timeout_seconds=10.0))

    assert answer.message.endswith(": the end")


async def wait_until_gone(pid: int) -> None:
    """A killed process takes a moment to be gone."""
    async with asyncio.timeout(5):
        while is_alive(pid):  # noqa: ASYNC110 - the end of a process that is no child cannot be awaited
            await asyncio.sleep(0.01)


def is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:  # noqa: PTH123 - one look at /proc
            return file.read().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except FileNotFoundError:
        return False


async def test_a_pattern_counts_only_in_the_output_of_the_present_run(tmp_path: Path) -> None:
    log = tmp_path / "subject#0.log"
    log.write_text(f"{render_stamp(1000)} stdout F listening on 80\n")
    asked = question(CheckType.LOG, log=log, pattern="listening on \\d+", started_at=2000.0)
    answers: asyncio.Queue[ProbeResult] = asyncio.Queue()

    async with ProbeScheduler(answers.put_nowait) as scheduler, asyncio.timeout(20):
        scheduler.ask(asked)
        assert not (await answers.get()).is_ok
        with log.open("a") as file:
            file.write(f"{render_stamp(2001)} stdout F listening on 80\n")
        while not (await answers.get()).is_ok:
            pass


async def test_without_a_check_what_has_ended_is_not_ready_however_long_ago_it_began() -> None:
    process = await asyncio.create_subprocess_exec("true")
    await process.wait()

    answer = await ask_once(question(None, started_at=1.0, pid=process.pid))

    assert (answer.is_ok, answer.message) == (False, "it has ended")


async def test_what_takes_datagrams_is_ready_once_it_does_and_no_earlier() -> None:
    number = take_port()
    asked = question(None, started_at=time.time(), pid=os.getpid(), udp_ports=(number,))

    early = await ask_once(asked)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", number))
        late = await ask_once(asked)

    assert (early.is_ok, early.message) == (False, f"takes no datagrams at port {number}")
    assert late.is_ok


async def test_without_a_check_living_long_enough_is_ready() -> None:
    began = time.time()

    asked = question(None, started_at=began, min_uptime_seconds=0.1, pid=os.getpid())
    answer = await ask_once(asked)

    assert answer.is_ok
    assert answer.at - began >= 0.1

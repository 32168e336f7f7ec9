from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from prism_services.serving.failure import ServiceError
from prism_services.serving.metrics import Counter, Gauge, Histogram, Metrics
from prism_services.serving.pages import LARGEST_HEAD, Answer, PageServer
from prism_services.serving.ports import listening_socket

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def pages() -> AsyncIterator[PageServer]:
    server = PageServer({"/health": lambda: Answer(status=200, body="serving\n")})
    await server.open("127.0.0.1", 0, flag="--port")
    yield server
    await server.close()


async def talk(port: int, request: bytes) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer.decode()


async def test_a_page_is_answered_with_its_length(pages: PageServer) -> None:
    answer = await talk(pages.port, b"GET /health?x=1 HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.startswith("HTTP/1.1 200 OK\r\n")
    assert "Content-Length: 8\r\n" in answer
    assert answer.endswith("\r\n\r\nserving\n")


async def test_head_has_no_body(pages: PageServer) -> None:
    answer = await talk(pages.port, b"HEAD /health HTTP/1.1\r\n\r\n")
    assert answer.endswith("\r\n\r\n")
    assert "Content-Length: 8\r\n" in answer


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET /nothing HTTP/1.1\r\n\r\n", "404"),
        (b"POST /health HTTP/1.1\r\n\r\n", "405"),
        (b"hello\r\n\r\n", "400"),
        (b"\x16\x03\x01\xff\r\n\r\n", "400"),
        (b"GET /" + b"a" * LARGEST_HEAD + b" HTTP/1.1\r\n\r\n", "431"),
    ],
)
async def test_other_requests_are_refused(
    pages: PageServer, request_bytes: bytes, status: str
) -> None:
    assert (await talk(pages.port, request_bytes)).startswith(f"HTTP/1.1 {status} ")


async def test_a_silent_client_does_not_keep_the_server_from_closing() -> None:
    server = PageServer({})
    await server.open("127.0.0.1", 0, flag="--port")
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    await talk(server.port, b"GET / HTTP/1.1\r\n\r\n")
    await server.close()
    async with asyncio.timeout(2):
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
    writer.close()


def test_a_service_that_ends_while_somebody_asks_prints_no_traceback() -> None:
    complaints: list[str] = []

    async def serve_and_end() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: complaints.append(context["message"]))
        server = PageServer({})
        await server.open("127.0.0.1", 0, flag="--port")
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        await talk(server.port, b"GET / HTTP/1.1\r\n\r\n")
        await server.close()
        writer.transport.abort()

    asyncio.run(serve_and_end())
    assert complaints == []


def test_a_taken_port_names_itself_and_the_flag() -> None:
    with listening_socket("127.0.0.1", 0, flag="--port") as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServiceError, match=f"port {port} on 127.0.0.1 is already in use") as e:
            listening_socket("127.0.0.1", port, flag="--port")
    assert "--port 0" in e.value.hint


def test_an_address_that_is_not_ours_is_refused_in_words() -> None:
    with pytest.raises(ServiceError, match="cannot listen on"):
        listening_socket("192.0.2.1", 0, flag="--port")


def test_metrics_are_written_as_prometheus_reads_them() -> None:
    counter = Counter("calls_total", "Calls.", ("method",))
    counter.add(('a"b\n',))
    counter.add(("c",), 2)
    seconds = Histogram("seconds", "Time.", ("method",), bounds=(0.1, 1.0))
    for value in (0.1, 0.5, 7.0):
        seconds.observe(value, ("c",))
    page = Metrics([counter, Gauge("keys", "Keys.", lambda: 3), seconds]).render()
    assert page.splitlines() == [
        "# HELP calls_total Calls.",
        "# TYPE calls_total counter",
        'calls_total{method="a\\"b\\n"} 1',
        'calls_total{method="c"} 2',
        "# HELP keys Keys.",
        "# TYPE keys gauge",
        "keys 3",
        "# HELP seconds Time.",
        "# TYPE seconds histogram",
        'seconds_bucket{method="c",le="0.1"} 1',
        'seconds_bucket{method="c",le="1"} 2',
        'seconds_bucket{method="c",le="+Inf"} 3',
        'seconds_sum{method="c"} 7.6',
        'seconds_count{method="c"} 3',
    ]

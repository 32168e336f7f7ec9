from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from prismctl.daemon.http import MAX_HEAD_BYTES, Answer, Request, RequestError, Stream
from prismctl.daemon.http_server import DEFAULT_LIMITS, HttpServer, Limits
from prismctl.daemon.unix_socket import listen
from prismctl.errors import MissingToolError, RejectedError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


async def count_for_ever() -> AsyncIterator[dict[str, Any]]:
    number = 0
    while True:
        yield {"number": number, "padding": "x" * 10_000}
        number += 1


async def count_to_three() -> AsyncIterator[dict[str, Any]]:
    for number in range(3):
        yield {"number": number}


async def never() -> AsyncIterator[dict[str, Any]]:
    await asyncio.Event().wait()
    yield {}


async def answer(request: Request) -> Answer | Stream:
    streams = {"/three": count_to_three, "/endless": count_for_ever, "/never": never}
    errors: dict[str, Exception] = {
        "/rejected": RejectedError("no", hint="ask nicely"),
        "/unavailable": UnavailableError("gone"),
        "/missing-tool": MissingToolError("nothing installed"),
        "/not-found": RequestError(404, "there is no such thing"),
    }
    if request.path in streams:
        return Stream(documents=streams[request.path]())
    if request.path in errors:
        raise errors[request.path]
    body = request.json() if request.body else None
    return Answer(document={"path": request.path, "query": request.query, "body": body})


@asynccontextmanager
async def serving(limits: Limits = DEFAULT_LIMITS) -> AsyncIterator[tuple[HttpServer, Path]]:
    with tempfile.TemporaryDirectory(prefix="prism-") as directory:
        path = Path(directory, "api.sock")
        server = HttpServer(answer, limits=limits, headers=(("X-Own", "1"),))
        await server.serve(listen(path))
        try:
            async with asyncio.timeout(30):
                yield server, path
        finally:
            await server.close(grace_seconds=0.0)


async def exchange(path: Path, request: bytes) -> bytes:
    """Everything the server says until it hangs up."""
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(request)
    await writer.drain()
    try:
        return await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()


def get(target: str) -> bytes:
    return f"GET {target} HTTP/1.1\r\nHost: prism\r\nConnection: close\r\n\r\n".encode()


def post(target: str, body: bytes, *headers: str) -> bytes:
    more = "".join(f"{header}\r\n" for header in headers)
    length = f"Content-Length: {len(body)}\r\n"
    return f"POST {target} HTTP/1.1\r\nConnection: close\r\n{length}{more}\r\n".encode() + body


def body_of(said: bytes) -> Any:
    return json.loads(said.partition(b"\r\n\r\n")[2])


async def test_query_and_body_arrive_decoded() -> None:
    async with serving() as (_, path):
        said = await exchange(path, post("/a%20b?service=x&service=y", b'{"one": 1}'))

    assert body_of(said) == {
        "path": "/a b",
        "query": {"service": ["x", "y"]},
        "body": {"one": 1},
    }


async def test_a_connection_serves_several_requests() -> None:
    async with serving() as (_, path):
        first = b"GET /1 HTTP/1.1\r\nHost: prism\r\n\r\n"
        said = await exchange(path, first + get("/2"))

    assert said.count(b"HTTP/1.1 200 OK") == 2


async def test_curl_style_expectations_are_met() -> None:
    async with serving() as (_, path):
        said = await exchange(path, post("/x", b"{}", "Expect: 100-continue"))

    assert said.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"hello\r\n\r\n", 400),
        (b"GET / SPDY/3\r\n\r\n", 400),
        (post("/", b"[1]"), 400),
        (post("/", b"{"), 400),
        (b"POST / HTTP/1.1\r\nContent-Length: minus\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", 413),
        (b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n", 431),
        (get("/not-found"), 404),
        (get("/rejected"), 409),
        (get("/missing-tool"), 409),
        (get("/unavailable"), 503),
    ],
)
async def test_what_cannot_be_answered_is_refused_in_words(
    request_bytes: bytes, status: int
) -> None:
    async with serving() as (_, path):
        said = await exchange(path, request_bytes)

    assert said.startswith(f"HTTP/1.1 {status} ".encode())
    assert set(body_of(said)["error"]) == {"code", "message", "hint"}


async def test_somebody_without_a_token_cannot_fill_memory_with_headers() -> None:
    async with serving() as (_, path):
        reader, writer = await asyncio.open_unix_connection(path)
        # No end: who waited for it would go on to collect what comes.
        headers = b"".join(b"h%d: " % number + b"x" * 60_000 + b"\r\n" for number in range(3))
        writer.write(b"GET / HTTP/1.1\r\n" + headers)
        said = await reader.read()
        writer.close()

    assert said.startswith(b"HTTP/1.1 431 ")
    assert f"more than {MAX_HEAD_BYTES} bytes" in body_of(said)["error"]["message"]


async def test_a_stream_is_lines_in_chunks_with_an_end() -> None:
    async with serving() as (_, path):
        said = await exchange(path, get("/three"))

    assert said.endswith(b'd\r\n{"number": 2}\n\r\n0\r\n\r\n'.replace(b"d\r\n", b"e\r\n", 1))
    assert b"application/x-ndjson" in said


async def test_a_client_that_hangs_up_ends_its_stream() -> None:
    async with serving() as (server, path):
        for target in ("/never", "/endless"):
            reader, writer = await asyncio.open_unix_connection(path)
            writer.write(get(target))
            await reader.readuntil(b"\r\n\r\n")
            assert server.connections == 1
            writer.close()
            await writer.wait_closed()
            while server.connections:  # noqa: ASYNC110 - only the server knows, and tells nobody
                await asyncio.sleep(0.001)


async def test_a_client_that_does_not_read_holds_up_nobody_else() -> None:
    async with serving() as (_, path):
        _, lazy = await asyncio.open_unix_connection(path)
        lazy.write(get("/endless"))
        await lazy.drain()

        assert b'"path": "/"' in await exchange(path, get("/"))
        lazy.close()
        await lazy.wait_closed()


async def test_closing_cuts_what_does_not_end() -> None:
    async with serving() as (server, path):
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(get("/never"))
        await reader.readuntil(b"\r\n\r\n")

        await server.close(grace_seconds=0.0)

        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()


async def test_a_request_that_trickles_in_is_given_up() -> None:
    async with serving(Limits(request_seconds=0.1)) as (server, path):
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b"GET / HTTP/1.1\r\nX-Slow: ")

        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        assert server.connections == 0


async def test_who_has_asked_for_nothing_gives_way_where_there_are_too_many() -> None:
    async with serving(Limits(connections=2)) as (_, path):
        silent = [await asyncio.open_unix_connection(path) for _ in range(2)]

        assert b'"path": "/"' in await exchange(path, get("/"))

        first, _ = silent[0]
        assert await first.read() == b"", "the one that came first"
        for _, writer in silent:
            writer.close()


async def test_who_is_being_answered_gives_way_to_nobody() -> None:
    async with serving(Limits(connections=1)) as (_, path):
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(get("/never"))
        await reader.readuntil(b"\r\n\r\n")

        with contextlib.suppress(ConnectionResetError):
            assert await exchange(path, get("/")) == b""

        writer.close()
        await writer.wait_closed()


async def test_who_never_reads_is_hung_up_on_in_the_end() -> None:
    async with serving(Limits(unread_bytes=1024, stall_seconds=0.1)) as (server, path):
        _, writer = await asyncio.open_unix_connection(path)
        writer.write(get("/endless"))
        await writer.drain()

        while not server.connections:  # noqa: ASYNC110 - only the server knows, and tells nobody
            await asyncio.sleep(0.001)
        while server.connections:  # noqa: ASYNC110 - the same
            await asyncio.sleep(0.001)
        writer.close()


async def test_a_server_that_keeps_no_connections_says_so() -> None:
    async with serving(Limits(keeps_connections=False)) as (_, path):
        said = await exchange(path, b"GET /1 HTTP/1.1\r\nHost: prism\r\n\r\n" + get("/2"))

    assert said.count(b"HTTP/1.1 200 OK") == 1
    assert b"Connection: close" in said


async def test_headers_of_a_server_go_with_every_answer() -> None:
    async with serving() as (_, path):
        for request in (get("/"), get("/three"), get("/rejected"), b"nonsense\r\n\r\n"):
            assert b"\r\nX-Own: 1\r\n" in await exchange(path, request)


async def test_the_socket_is_closed_to_others() -> None:
    async with serving() as (_, path):
        assert path.stat().st_mode & 0o777 == 0o600

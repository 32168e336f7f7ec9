from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from prismctl.client import StackClient, StackCondition, find_condition, is_running
from prismctl.errors import MissingToolError, PrismError, RejectedError, UnavailableError
from prismctl.files.paths import Home, StackPaths

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def paths() -> Iterator[StackPaths]:
    with tempfile.TemporaryDirectory(prefix="prism-") as directory:
        found = Home(Path(directory)).stack("default")
        found.ensure()
        yield found


class Saying:
    """A socket that gives each connection one fixed answer, or hangs up."""

    def __init__(self, path: Path, *answers: bytes) -> None:
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(path))
        self._listening.listen()
        self.requests: list[bytes] = []
        self._thread = threading.Thread(target=self._serve, args=(answers,))
        self._thread.start()

    def _serve(self, answers: tuple[bytes, ...]) -> None:
        for answer in answers:
            connection, _ = self._listening.accept()
            with connection:
                self.requests.append(connection.recv(65536))
                connection.sendall(answer)

    def close(self) -> None:
        self._thread.join()
        self._listening.close()


def respond(status: int, document: dict[str, Any]) -> bytes:
    body = json.dumps(document).encode()
    return f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def refuse(status: int, code: str) -> bytes:
    return respond(status, {"error": {"code": code, "message": "because", "hint": "type more"}})


def stream(*documents: dict[str, Any], is_whole: bool = True) -> bytes:
    said = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    for document in documents:
        line = json.dumps(document).encode() + b"\n"
        said += b"%x\r\n%s\r\n" % (len(line), line)
    return said + b"0\r\n\r\n" if is_whole else said


def test_with_nothing_running_every_request_says_how_to_start(paths: StackPaths) -> None:
    with pytest.raises(UnavailableError, match="no stack `default` is running") as caught:
        StackClient(paths).status()

    assert "dev start" in caught.value.hint
    assert not is_running(paths)
    assert find_condition(paths) is StackCondition.STOPPED


def test_a_plan_without_anybody_is_left_behind(paths: StackPaths) -> None:
    paths.plan.write_text("{}")

    assert find_condition(paths) is StackCondition.LEFT_BEHIND
    with pytest.raises(UnavailableError, match="were killed"):
        StackClient(paths).status()


def test_an_answer_is_decoded(paths: StackPaths) -> None:
    server = Saying(paths.daemon_socket, respond(200, {"state": "running"}))
    try:
        assert StackClient(paths).status() == {"state": "running"}
    finally:
        server.close()

    assert server.requests[0].startswith(b"GET /v1/status HTTP/1.1\r\n")


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (409, "rejected", RejectedError),
        (503, "unavailable", UnavailableError),
        (409, "missing-tool", MissingToolError),
        (500, "failed", PrismError),
        (418, "something-new", RejectedError),
    ],
)
def test_a_refusal_is_the_error_it_stands_for(
    paths: StackPaths, status: int, code: str, kind: type[PrismError]
) -> None:
    server = Saying(paths.daemon_socket, refuse(status, code))
    try:
        with pytest.raises(kind) as caught:
            StackClient(paths).login("nomad")
    finally:
        server.close()

    assert (caught.value.message, caught.value.hint) == ("because", "type more")


def test_no_plan_is_none(paths: StackPaths) -> None:
    server = Saying(paths.daemon_socket, refuse(404, "not-found"))
    try:
        assert StackClient(paths).plan() is None
    finally:
        server.close()


def test_a_question_is_asked_again_when_the_daemon_died_on_it(paths: StackPaths) -> None:
    server = Saying(paths.daemon_socket, b"", respond(200, {"state": "running"}))
    try:
        assert StackClient(paths).status() == {"state": "running"}
    finally:
        server.close()


def test_an_order_is_not_given_twice(paths: StackPaths) -> None:
    server = Saying(paths.daemon_socket, b"")
    try:
        with pytest.raises(UnavailableError):
            StackClient(paths).warm("local")
    finally:
        server.close()

    assert len(server.requests) == 1


def test_an_operation_ends_with_its_result(paths: StackPaths) -> None:
    server = Saying(paths.daemon_socket, stream({"event": {"kind": "x"}}, {"result": {"a": 1}}))
    try:
        items = list(StackClient(paths).restart(["admin"]))
    finally:
        server.close()

    assert items == [{"event": {"kind": "x"}}, {"result": {"a": 1}}]
    assert server.requests[0].endswith(b'{"services": ["admin"]}')


@pytest.mark.parametrize("is_whole", [True, False])
def test_an_operation_without_a_result_is_an_error(paths: StackPaths, is_whole: bool) -> None:  # noqa: FBT001 - a case
    server = Saying(paths.daemon_socket, stream({"event": {"kind": "x"}}, is_whole=is_whole))
    try:
        with pytest.raises(UnavailableError, match="in the middle of the operation"):
            list(StackClient(paths).stop())
    finally:
        server.close()


def test_an_operation_that_failed_raises_its_error(paths: StackPaths) -> None:
    error = {"code": "missing-tool", "message": "no nomad", "hint": ""}
    server = Saying(paths.daemon_socket, stream({"error": error}))
    try:
        with pytest.raises(MissingToolError, match="no nomad"):
            list(StackClient(paths).apply({}, 0.0))
    finally:
        server.close()


@pytest.mark.parametrize(
    "said",
    [
        b"garbage\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}",
    ],
)
def test_what_is_no_answer_is_said_to_be_none(paths: StackPaths, said: bytes) -> None:
    server = Saying(paths.daemon_socket, said, said)
    try:
        with pytest.raises(UnavailableError, match="does not answer"):
            StackClient(paths).ping()
    finally:
        server.close()


def test_the_client_loads_nothing_heavy() -> None:
    code = "import sys; before = set(sys.modules); import prismctl.client\n"
    code += "print('\\n'.join(set(sys.modules) - before))"
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )

    loaded = set(done.stdout.split())
    assert "prismctl.client" in loaded
    assert not loaded & {"asyncio", "subprocess", "logging", "http.client", "ssl", "aiohttp"}

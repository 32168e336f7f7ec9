from __future__ import annotations

import json
import os
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingMixIn, UnixStreamServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from prismctl.cli import main
from prismctl.daemon.sweep import remove_sockets
from prismctl.files.paths import Home, StackPaths
from tests.desk import Desk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_HERE_ALREADY = ("PRISM_STACK", "NO_COLOR", "FORCE_COLOR", "CI", "COLUMNS", "NOMAD_ADDR")


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    for name in _HERE_ALREADY:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("PRISM_HOME", str(tmp_path / "home"))
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    made = Home(tmp_path / "home")
    yield made
    for directory in made.stacks.iterdir() if made.stacks.is_dir() else ():
        # A home this deep has its sockets in a place of their own, which would outlive it.
        paths = made.stack(directory.name)
        remove_sockets(paths)
        sockets = paths.socket_directory
        assert sockets == paths.directory or not sockets.exists(), f"left behind: {sockets}"


@pytest.fixture
def prismctl(home: Home, capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """The command, in this process: its exit code and what it wrote."""
    del home

    def run(*arguments: str) -> Answer:
        capsys.readouterr()
        code = main.run(list(arguments))
        written = capsys.readouterr()
        return Answer(code, written.out, written.err)

    return run


def service(name: str, state: str = "healthy", **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "type": "backend",
        "runtime": "builtin",
        "source": "preset redis",
        "state": state,
        "reason": "",
        "replicas": {"wanted": 1, "healthy": int(state == "healthy")},
        "instances": [],
        "ports": [],
        "pid": 1,
        "restarts": 0,
        "memory_bytes": 1_000_000,
        "cpu_percent": 0.5,
        "requests_per_second": None,
        "depends_on": [],
        "last_error": None,
        **more,
    }


def status_document(*services: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "schema": 1,
        "stack": "default",
        "engine": "local",
        "state": "running",
        "origin": "redis",
        "uptime_seconds": 5.0,
        "ready_seconds": 1.5,
        "memory_bytes": 1_000_000,
        "memory_limit_bytes": 8_000_000_000,
        "endpoints": {},
        "components": {},
        "notes": [],
        "services": list(services),
        **more,
    }


@dataclass
class DaemonState:
    """What the peer answers; tests set it, and read what it was asked."""

    status: dict[str, Any]
    watched: list[dict[str, Any]] = field(default_factory=list)
    """Documents that ``status/watch`` sends after the present one; then it stays open."""
    plan: dict[str, Any] | None = None
    events: list[dict[str, Any]] = field(default_factory=list)
    logs: list[dict[str, Any]] = field(default_factory=list)
    operation: list[dict[str, Any]] = field(default_factory=list)
    """What ``apply`` and ``restart`` stream; without a result, the stream stays open."""
    refusal: tuple[int, dict[str, Any]] | None = None
    requests: list[tuple[str, str, Any]] = field(default_factory=list)
    is_closing: threading.Event = field(default_factory=threading.Event)
    stops: Callable[[], None] = lambda: None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_: object) -> None:
        pass

    def address_string(self) -> str:
        return "unix"

    def do_GET(self) -> None:
        self._answer("GET", None)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._answer("POST", json.loads(body) if body else None)

    def _answer(self, method: str, body: Any) -> None:
        state = self.server.state
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        state.requests.append((method, self.path, body))
        if state.refusal is not None and method == "POST":
            self._document(state.refusal[1], state.refusal[0])
            return
        follows = query.get("follow") == ["1"]
        documents: dict[str, Any] = {
            "/v1/status": state.status,
            "/v1/plan": state.plan,
            "/v1/environment": {"variables": {"NOMAD_ADDR": "http://x", "REDIS_URL": "a b'c"}},
            "/v1/login": {"url": f"http://127.0.0.1:1/?ui={(body or {}).get('ui')}"},
        }
        has_result = any("result" in item for item in state.operation)
        streams: dict[str, tuple[list[Any], bool]] = {
            "/v1/status/watch": ([state.status, *state.watched], True),
            "/v1/events": (state.events, follows),
            "/v1/logs": (_select_logs(state.logs, query), follows),
            "/v1/apply": (state.operation, not has_result),
            **{
                f"/v1/{verb}": (state.operation, not has_result)
                for verb in ("restart", "add", "remove", "scale")
            },
            **{
                f"/v1/data/{verb}": (state.operation, not has_result)
                for verb in ("reset", "restore", "snapshot")
            },
            "/v1/stop": ([{"result": {"outcome": "stopped", "failed": [], "skipped": []}}], False),
        }
        if url.path in streams:
            items, stays_open = streams[url.path]
            if url.path == "/v1/stop":
                state.stops()
            self._stream(items, stays_open=stays_open)
        elif documents[url.path] is None:
            self._document({"error": {"code": "not-found", "message": "no plan", "hint": ""}}, 404)
        else:
            self._document(documents[url.path])

    def _document(self, document: Any, status: int = 200) -> None:
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        self.close_connection = True

    def _stream(self, items: list[Any], *, stays_open: bool = False) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for item in items:
            data = json.dumps(item).encode() + b"\n"
            self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()
        if stays_open:
            self.server.state.is_closing.wait(30)
        self.wfile.write(b"0\r\n\r\n")
        self.close_connection = True


def _select_logs(logs: list[dict[str, Any]], query: dict[str, list[str]]) -> list[dict[str, Any]]:
    names = query.get("service")
    chosen = [entry for entry in logs if not names or entry["service"] in names]
    tail = query.get("tail")
    return chosen[len(chosen) - int(tail[0]) :] if tail else chosen


class _Server(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True
    block_on_close = True
    state: DaemonState

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is no error of ours."""


@pytest.fixture
def daemon(home: Home) -> Iterator[DaemonState]:
    """A peer that speaks the daemon's protocol on the stack's socket."""
    paths: StackPaths = home.stack("default")
    paths.ensure()
    server = _Server(os.fspath(paths.daemon_socket), _Handler)
    state = DaemonState(
        status=status_document(service("prism-admin", type="core"), service("redis"))
    )
    state.stops = paths.daemon_socket.unlink
    server.state = state
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield state
    finally:
        state.is_closing.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def make_status() -> Callable[..., dict[str, Any]]:
    return status_document


@pytest.fixture
def make_service() -> Callable[..., dict[str, Any]]:
    return service


@pytest.fixture
def desk(lab: Any, tmp_path: Path) -> Iterator[Desk]:
    """The real command, with real keepers, daemons and services, on a terminal or in a pipe."""
    made = Desk(lab, tmp_path)
    yield made
    for child in made.terminals:
        child.close(force=True)

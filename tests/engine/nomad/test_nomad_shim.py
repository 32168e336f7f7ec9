from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from prismctl.engine.nomad import shim
from prismctl.engine.nomad.environment_files import decode_run
from prismctl.runtime.refusal import EXIT_REFUSED
from tests.free_ports import take_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SHOW = "import os, sys; print(os.getcwd()); print(sorted(os.environ)); print(sys.argv[1:])"


class Consul:
    """The few answers of Consul that the shim asks for."""

    def __init__(self, port: int = 0) -> None:
        self.known: set[str] = set()
        self.passing: set[str] = set()
        self.keys: set[str] = set()
        consul = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                name = parts.path.rpartition("/")[2]
                if parts.path.startswith("/v1/kv/"):
                    has = parts.path.removeprefix("/v1/kv/") in consul.keys
                else:
                    has = name in (consul.passing if "passing" in parts.query else consul.known)
                body = b'[{"x": 1}]' if has else b"[]"
                time.sleep(0.01)
                # A shim that was terminated reads no answer.
                with contextlib.suppress(OSError):
                    self.send_response(200)
                    self.send_header("X-Consul-Index", "7")
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self.server.server_port
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def consul() -> Iterator[Consul]:
    made = Consul()
    yield made
    made.close()


class Launched:
    def __init__(self, directory: Path, entries: list[str], **environment: str) -> None:
        self.run_file = directory / "redis#0.run"
        file = directory / "redis#0.env"
        file.write_bytes(b"".join(os.fsencode(entry) + b"\0" for entry in entries))
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", shim.__file__, str(file), str(self.run_file)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def output(self) -> tuple[str, str]:
        return self.process.communicate(timeout=20)

    def wait_for_run(self, doing: str) -> None:
        wait_until(lambda: self.doing() == doing, doing)

    def doing(self) -> str:
        if not self.run_file.exists():
            return ""
        run = decode_run(self.run_file.read_text(encoding="utf-8"))
        return run.doing if run else ""


def wait_until(is_so: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def command(code: str, *arguments: str) -> list[str]:
    return [f"A{word}" for word in (sys.executable, "-I", "-S", "-c", code, *arguments)]


def test_it_becomes_the_service_with_its_own_surroundings(tmp_path: Path) -> None:
    launched = Launched(
        tmp_path,
        [f"D{tmp_path}", *command(SHOW, "", "a b"), "EMINE=1", "EODD=a=b"],
        NOMAD_ALLOC_ID="a1",
        STRAY="1",
    )
    output, errors = launched.output()
    assert output.splitlines() == [
        str(tmp_path),
        "['LC_CTYPE', 'MINE', 'NOMAD_ALLOC_ID', 'ODD']"
        if "LC_CTYPE" in output
        else "['MINE', 'NOMAD_ALLOC_ID', 'ODD']",
        "['', 'a b']",
    ]
    assert errors == ""
    run = decode_run(launched.run_file.read_text(encoding="utf-8"))
    assert run is not None
    assert (run.process.pid, run.doing, run.allocation) == (launched.process.pid, "running", "a1")
    assert launched.run_file.stat().st_mode & 0o077 == 0


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    launched = Launched(tmp_path, [f"D{tmp_path}", "A/no/such/program"])
    _, errors = launched.output()
    assert launched.process.returncode == 127
    assert errors == "cannot start /no/such/program: No such file or directory\n"
    assert launched.doing() == "failed"


def test_it_waits_until_consul_knows_the_service_and_its_port_accepts(
    tmp_path: Path, consul: Consul
) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        entries = [f"C127.0.0.1:{consul.port}", f"Wtcp prism-admin 127.0.0.1 {port} /"]
        launched = Launched(tmp_path, [*entries, f"D{tmp_path}", *command("print('up')")])
        launched.wait_for_run("waiting")
        listener.listen()
        with pytest.raises(subprocess.TimeoutExpired):
            launched.process.wait(0.3)
        consul.known.add("prism-admin")
        output, errors = launched.output()
    assert output == "up\n"
    assert errors == "waits for prism-admin in Consul\n"


def test_passing_in_consul_is_enough(tmp_path: Path, consul: Consul) -> None:
    consul.known.add("far")
    consul.passing.add("far")
    entries = [f"C127.0.0.1:{consul.port}", "Wtcp far 127.0.0.1 1 /"]
    launched = Launched(tmp_path, [*entries, f"D{tmp_path}", *command("print('up')")])
    assert launched.output()[0] == "up\n"


def test_what_consul_cannot_check_is_waited_for_by_key(tmp_path: Path, consul: Consul) -> None:
    entries = [f"C127.0.0.1:{consul.port}", "Wkey migrate - 0 prism/default/good/migrate"]
    launched = Launched(tmp_path, [*entries, f"D{tmp_path}", *command("print('up')")])
    launched.wait_for_run("waiting")
    consul.keys.add("prism/default/good/migrate")
    assert launched.output()[0] == "up\n"


def test_what_we_ask_ourselves_has_to_accept_as_well_as_to_have_a_key(
    tmp_path: Path, consul: Consul
) -> None:
    port = take_port()
    with socket.create_server(("127.0.0.1", port)):
        wait = f"Wkey redis 127.0.0.1 {port} prism/default/good/redis"
        entries = [f"C127.0.0.1:{consul.port}", wait, f"D{tmp_path}", *command("print('up')")]
        consul.known.add("redis")
        without_key = Launched(tmp_path, entries)
        without_key.wait_for_run("waiting")
        with pytest.raises(subprocess.TimeoutExpired):
            without_key.process.wait(0.3)
        consul.keys.add("prism/default/good/redis")
        assert without_key.output()[0] == "up\n"
    fallen = Launched(tmp_path, entries)
    fallen.wait_for_run("waiting")
    with pytest.raises(subprocess.TimeoutExpired):
        fallen.process.wait(0.3)
    with socket.create_server(("127.0.0.1", port)):
        assert fallen.output()[0] == "up\n"


def test_a_restart_of_consul_is_survived(tmp_path: Path) -> None:
    first = Consul()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        entries = [f"C127.0.0.1:{first.port}", f"Wtcp prism-admin 127.0.0.1 {port} /"]
        launched = Launched(tmp_path, [*entries, f"D{tmp_path}", *command("print('up')")])
        launched.wait_for_run("waiting")
        first.close()
        second = Consul(first.port)
        try:
            second.known.add("prism-admin")
            assert launched.output()[0] == "up\n"
        finally:
            second.close()


def test_it_can_be_terminated_while_it_waits(tmp_path: Path, consul: Consul) -> None:
    entries = [f"C127.0.0.1:{consul.port}", "Wtcp never 127.0.0.1 1 /"]
    launched = Launched(tmp_path, [*entries, f"D{tmp_path}", *command("print('up')")])
    launched.wait_for_run("waiting")
    launched.process.send_signal(signal.SIGTERM)
    assert launched.output()[0] == ""
    assert launched.process.returncode == -signal.SIGTERM


@pytest.fixture
def thread_pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


def test_the_grpc_check_wants_serving(thread_pool: ThreadPoolExecutor) -> None:
    server = grpc.server(thread_pool)
    servicer = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    wait = shim.Wait(f"grpc prism-admin 127.0.0.1 {port} /")
    assert not wait.is_answering()
    server.start()
    try:
        servicer.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
        assert not wait.is_answering()
        servicer.set("", health_pb2.HealthCheckResponse.SERVING)
        assert wait.is_answering()
    finally:
        server.stop(None).wait()


def test_a_grpc_server_without_a_health_service_is_not_answering(
    thread_pool: ThreadPoolExecutor,
) -> None:
    server = grpc.server(thread_pool)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        assert not shim.Wait(f"grpc x 127.0.0.1 {port} /").is_answering()
    finally:
        server.stop(None).wait()


def test_the_http_check_wants_success(consul: Consul) -> None:
    assert shim.Wait(f"http x 127.0.0.1 {consul.port} /health").is_answering()
    assert not shim.Wait("http x 127.0.0.1 1 /health").is_answering()


def test_nothing_slow_is_imported_before_the_service_runs() -> None:
    code = f"import sys; sys.argv = ['x']; exec(compile(open({shim.__file__!r}).read(), 'shim', 'exec'), {{'__name__': 'shim'}}); print(len(sys.modules), 'socket' in sys.modules, 're' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True
    )
    count, *slow = done.stdout.split()
    assert int(count) < 50
    assert slow == ["False", "False"]
    assert Path(shim.__file__).is_file()


def test_what_its_guard_refused_is_not_tried_again_in_the_same_placement(tmp_path: Path) -> None:
    refusal = tmp_path / "data.refused"
    entries = [f"D{tmp_path}", f"R{refusal}", *command("print('runs')")]
    first = Launched(tmp_path, entries, NOMAD_ALLOC_ID="a1")
    assert first.output() == ("runs\n", "")
    refusal.write_text("the data is of another version")

    again = Launched(tmp_path, entries, NOMAD_ALLOC_ID="a1")
    assert again.output() == ("", "")
    assert again.process.returncode == shim.EXIT_REFUSED == EXIT_REFUSED

    elsewhere = Launched(tmp_path, entries, NOMAD_ALLOC_ID="a2")
    assert elsewhere.output() == ("runs\n", "")

"""A place to run real stacks in, which fails a test that leaves anything of them behind."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from prismctl.client import StackClient, StackCondition, find_condition, start_daemon, sweep
from prismctl.domain.plan import EngineName, Port, ServicePlan, StackPlan, plan_to_json
from prismctl.domain.service import (
    CheckType,
    HealthCheck,
    Runtime,
    ServiceName,
    ServiceType,
    StackName,
)
from prismctl.errors import PrismError
from prismctl.files.paths import Home
from prismctl.machine import release_ports
from tests.free_ports import take_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prismctl.files.paths import StackPaths

# gRPC, once a test of its worker has used it, would start its threads again in the child that a new terminal is made for:
# they read what the child has closed, and abort it before it becomes the program.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"

HTTP_SERVER = """
import os, http.server
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(int(os.environ.get("STATUS", "200")))
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *arguments): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Answer).serve_forever()
"""
"""Answers every GET with the status in STATUS."""

BOUND_SECONDS = 20.0
"""How long a test waits for a fact at most; none takes a tenth of it on a quiet machine."""


class StackLab:
    """One home with one stack, and the small services that tests run in it."""

    def __init__(self, home: Path, stack: str = "default") -> None:
        self.home = home
        self.paths: StackPaths = Home(home).stack(stack)
        self.client = StackClient(self.paths)

    # Making plans.

    def service(
        self, name: str, *command: str, needs: tuple[str, ...] = (), **fields: Any
    ) -> ServicePlan:
        return ServicePlan(
            name=ServiceName(name),
            type=ServiceType.APPLICATION,
            source="--with",
            runtime=Runtime.NATIVE,
            runtime_reason="",
            command=command or ("sleep", "1000"),
            depends_on=tuple(ServiceName(need) for need in needs),
            **fields,
        )

    def shell(self, name: str, script: str, **fields: Any) -> ServicePlan:
        return self.service(name, "/bin/sh", "-c", script, **fields)

    def python(self, name: str, code: str, **fields: Any) -> ServicePlan:
        return self.service(name, sys.executable, "-S", "-c", code, **fields)

    def http(self, name: str, *, path: str = "/", **fields: Any) -> ServicePlan:
        port = take_port()
        check = HealthCheck(type=CheckType.HTTP, port=port, path=path, interval_seconds=0.5)
        fields.setdefault("check", check)
        return self.python(name, HTTP_SERVER, ports=(Port(name="http", number=port),), **fields)

    def plan(self, *services: ServicePlan, engine: EngineName = EngineName.LOCAL) -> StackPlan:
        return StackPlan(
            stack=StackName(self.paths.name),
            engine=engine,
            engine_reason="",
            origin="test",
            services=services,
            base_env={"PATH": os.environ["PATH"], "HOME": str(self.home)},
        )

    # Running them.

    def start(self, engine: str = "local") -> StackClient:
        start_daemon(self.paths, engine).wait()
        return self.client

    def apply(self, plan: StackPlan, **options: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """The events and the result of carrying a plan out."""
        return collect(self.client.apply(plan_to_json(plan), time.time(), **options))

    def start_with(self, *services: ServicePlan) -> dict[str, Any]:
        """A running stack; the status document once it is settled."""
        self.start()
        result = self.apply(self.plan(*services))[1]
        status: dict[str, Any] = result["status"]
        return status

    def pids(self, status: dict[str, Any] | None = None) -> dict[str, int]:
        document = status or self.client.status()
        return {service["name"]: service["pid"] for service in document["services"]}

    def service_status(self, name: str) -> dict[str, Any]:
        services = self.client.status()["services"]
        found: dict[str, Any] = next(each for each in services if each["name"] == name)
        return found

    def wait_for_service(
        self, name: str, is_so: Callable[[dict[str, Any]], bool]
    ) -> dict[str, Any]:
        """The first status of a service of which something is so."""
        last: dict[str, Any] = {}

        def look() -> bool:
            last.update(self.service_status(name))
            return is_so(last)

        wait_until(look, lambda: f"{name}: {last}")
        return last

    def keeper_pid(self) -> int:
        return next(pid for pid, command in self.own_processes() if "keeper/__main__.py" in command)

    def daemon_pid(self) -> int:
        return int(self.client.ping()["pid"])

    # What there is of it.

    def own_processes(self) -> list[tuple[int, str]]:
        """Living processes of this home: by the keeper's mark, or by home in their words or variables."""
        mark = f"PRISM_KEEPER={self.paths.keeper_id}".encode()
        home = str(self.home)
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            with contextlib.suppress(OSError):
                command = (
                    (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                )
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                environment = (entry / "environ").read_bytes()
                is_marked = mark in environment.split(b"\0")
                is_ours = home in command or home.encode() in environment
                if state != "Z" and (is_marked or is_ours):
                    found.append((int(entry.name), command))
        return found

    def clean_up(self) -> list[str]:
        """Take everything down as a user would; what was left after that, in words."""
        left: list[str] = []
        condition = find_condition(self.paths)
        try:
            if condition in {StackCondition.RUNNING, StackCondition.UNATTENDED}:
                list(self.client.stop(kill=True))
            elif condition is StackCondition.LEFT_BEHIND:
                sweep(self.paths)
        except PrismError as error:
            left.append(f"the stop failed: {error.message}")
        try:
            wait_until(lambda: not self.own_processes(), seconds=5)
        except AssertionError:
            left += [f"process {pid}: {command}" for pid, command in self.own_processes()]
        for pid, _ in self.own_processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        sockets = (self.paths.daemon_socket, self.paths.keeper_socket)
        left += [f"socket {path}" for path in sockets if path.exists()]
        own = self.paths.socket_directory
        if own != self.paths.directory and own.exists():
            left.append(f"directory {own}")
        if self.paths.plan.exists():
            left.append("plan.json")
        return left


def collect(stream: Iterator[dict[str, Any]]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    events: list[dict[str, Any]] = []
    result: dict[str, Any] = {}
    for item in stream:
        if "event" in item:
            events.append(item["event"])
        else:
            result = item["result"]
    return events, result


def wait_until(
    is_so: Callable[[], bool],
    describe: Callable[[], str] = lambda: "it did not become so",
    *,
    seconds: float = BOUND_SECONDS,
) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, describe()
        time.sleep(0.01)


@pytest.fixture
def new_lab() -> Iterator[Callable[..., StackLab]]:
    """Makes labs, in short places so that sockets fit; all are taken down and looked through at the end."""
    labs: list[StackLab] = []

    def make(*, parent: str = "", stack: str = "default", at: str | None = None) -> StackLab:
        top = Path(tempfile.mkdtemp(prefix="prism-lab-", dir=at))
        home = top / parent / "home" if parent else top / "home"
        labs.append(StackLab(home, stack))
        return labs[-1]

    yield make
    try:
        left = {str(lab.home): lab.clean_up() for lab in labs}
    finally:
        for lab in labs:
            top = next(path for path in lab.home.parents if path.name.startswith("prism-lab-"))
            shutil.rmtree(top)
    assert not any(left.values()), f"left behind: {left}"


@pytest.fixture
def lab(new_lab: Callable[..., StackLab]) -> StackLab:
    """One home with one stack."""
    return new_lab()


@pytest.fixture(autouse=True)
def no_reserved_ports() -> Iterator[None]:
    """A start inside a test's own process keeps its ports for as long as that lives."""
    yield
    release_ports()


@pytest.fixture(name="wait_until")
def wait_until_fixture() -> Callable[..., None]:
    """Polls for a fact, with a bound."""
    return wait_until

"""What goes through real servers, counted by themselves and read on each engine: no more and no less than was done."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from prism_proto.prism.dev import admin_query_pb2, admin_query_pb2_grpc
from prism_proto.prism.interfaces.keyvalue import keyvalue_basic_pb2, keyvalue_basic_pb2_grpc
from prism_proto.prism.launcher import launcher_pb2, launcher_pb2_grpc
from prismctl.client import StackCondition, find_condition
from prismctl.machine import find_program
from tests.e2e.backend_clients import Kafka, Nats, run_psql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.e2e.conftest import Shell

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

PROGRAMS = ("redis-server", "postgres", "nats-server", "kafka-server-start.sh")
SESSION_AND_STATEMENT = 2


class Metered:
    """A running stack of one service that is counted."""

    def __init__(self, shell: Shell, wait_until: Callable[..., None]) -> None:
        self.shell = shell
        self._wait_until = wait_until
        self.last: dict[str, Any] = {}

    def start(self, engine: str, name: str) -> str:
        """The address of the service, of which something was counted by now."""
        home = self.shell.lab.home
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        (home / "config.yaml").write_text("runtime: native\n", encoding="utf-8")
        catalog = home / "mine.yaml"
        entries = [{"name": name, "default": True}]
        catalog.write_text(json.dumps({"core": False, "services": entries}), encoding="utf-8")
        words = ("--engine", engine, "--no-dashboard", "--services", str(catalog))
        self.shell.run("dev", "start", *words)
        self.wait(lambda seen: seen["requests_total"] is not None)
        return self.shell.address(name)

    def look(self) -> dict[str, Any]:
        self.last = self.shell.lab.client.status()["services"][0]
        return self.last

    def wait(self, is_so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        self._wait_until(lambda: is_so(self.look()), lambda: f"{self.last}")
        return self.last

    def total(self) -> int:
        return int(self.look()["requests_total"])


@pytest.fixture
def metered(shell: Shell, wait_until: Callable[..., None]) -> Iterator[Metered]:
    for program in PROGRAMS:
        if not find_program(program, shell.environment):
            pytest.fail(f"{program} is not there: `make backends` installs it")
    yield Metered(shell, wait_until)
    if find_condition(shell.lab.paths) is not StackCondition.STOPPED:
        shell.run("dev", "stop")


def test_a_thousand_gets_of_memstore(metered: Metered, engine: str) -> None:
    address = metered.start(engine, "memstore")
    before = metered.total()
    with grpc.insecure_channel(address) as channel:
        store = keyvalue_basic_pb2_grpc.KeyValueBasicInterfaceStub(channel)
        for number in range(1000):
            store.Get(keyvalue_basic_pb2.GetRequest(key=f"k{number}"), timeout=20)

    after = metered.wait(lambda seen: seen["requests_total"] >= before + 1000)

    assert after["requests_total"] == before + 1000
    assert after["requests_unit"] == "req/s"
    assert after["requests_per_second"] > 0
    assert after["latency_p95_seconds"] > 0


class Core:
    """The two core services of a running stack, in the words of ``prismctl dev status``."""

    def __init__(self, shell: Shell, wait_until: Callable[..., None]) -> None:
        self._shell = shell
        self._wait_until = wait_until

    def look(self, name: str) -> dict[str, Any]:
        document = json.loads(self._shell.run("dev", "status", "-o", "json"))
        return next(each for each in document["services"] if each["name"] == name)

    def count_between(self, name: str, ask_a_thousand: Callable[[str], None]) -> dict[str, Any]:
        """What is told once a thousand requests were counted, and by how much the total has grown by then."""
        self._wait_until(lambda: self.look(name)["requests_total"] is not None)
        before = self.look(name)["requests_total"]
        ask_a_thousand(self._shell.address(name))
        self._wait_until(lambda: self.look(name)["requests_total"] >= before + 1000)
        seen = self.look(name)
        return {**seen, "grown": seen["requests_total"] - before}


def test_a_thousand_calls_of_prism_admin(
    shell: Shell, engine: str, wait_until: Callable[..., None]
) -> None:
    # Without a launcher nobody else calls it.
    catalog = shell.lab.home.parent / "admin.yaml"
    catalog.write_text(
        "core: false\nservices:\n  - {name: prism-admin, default: true}\n", encoding="utf-8"
    )
    shell.run("dev", "start", "--engine", engine, "--no-dashboard", "--services", str(catalog))

    def ask(address: str) -> None:
        with grpc.insecure_channel(address) as channel:
            admin = admin_query_pb2_grpc.AdminQueryStub(channel)
            for _ in range(1000):
                admin.ListNamespaces(admin_query_pb2.ListNamespacesRequest(), timeout=20)

    seen = Core(shell, wait_until).count_between("prism-admin", ask)

    assert seen["grown"] == 1000
    assert seen["requests_unit"] == "req/s"
    assert seen["latency_p95_seconds"] > 0
    shell.run("dev", "stop")


def test_a_thousand_calls_of_pattern_launcher(
    shell: Shell, engine: str, wait_until: Callable[..., None]
) -> None:
    shell.start(engine)

    def ask(address: str) -> None:
        with grpc.insecure_channel(address) as channel:
            launcher = launcher_pb2_grpc.PatternLauncherStub(channel)
            for _ in range(1000):
                launcher.ListPatterns(launcher_pb2.ListPatternsRequest(), timeout=20)

    seen = Core(shell, wait_until).count_between("pattern-launcher", ask)

    assert seen["grown"] == 1000
    assert seen["requests_unit"] == "req/s"
    assert seen["latency_p95_seconds"] > 0
    shell.run("dev", "stop")


def test_a_thousand_gets_of_redis(metered: Metered, engine: str) -> None:
    host, _, port = metered.start(engine, "redis").rpartition(":")
    before = metered.total()
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(b"GET k\r\n" * 1000 + b"PING\r\n" * 10 + b"QUIT\r\n")
        while connection.recv(1 << 16):
            pass

    after = metered.wait(lambda seen: seen["requests_total"] >= before + 1000)

    assert after["requests_total"] == before + 1000
    assert after["requests_unit"] == "ops/s"
    assert after["errors_per_second"] == 0.0
    assert 0 < after["latency_p95_seconds"] < 1
    # What our own checks and readings ask is in none of it.
    metered.wait(lambda seen: seen["requests_per_second"] == 0.0)
    assert metered.total() == before + 1000


def test_a_thousand_messages_of_nats(metered: Metered, engine: str) -> None:
    address = metered.start(engine, "nats")
    before = metered.total()
    with Nats(address) as client:
        client.connection.sendall(b"PUB orders 2\r\nhi\r\n" * 1000 + b"PING\r\n")
        while client.answers.readline() != b"PONG\r\n":
            pass

    after = metered.wait(lambda seen: seen["requests_total"] >= before + 1000)

    assert after["requests_total"] == before + 1000
    assert after["requests_unit"] == "msg/s"
    assert after["errors_per_second"] is None
    assert after["latency_p95_seconds"] is None
    metered.wait(lambda seen: seen["requests_per_second"] == 0.0)
    assert metered.total() == before + 1000


def test_records_of_kafka(metered: Metered, engine: str, wait_until: Callable[..., None]) -> None:
    address = metered.start(engine, "kafka")
    assert metered.total() == 0
    with Kafka(address) as client:
        wait_until(lambda: client.partitions("orders") == 1)
        wait_until(lambda: client.produce("orders", b"first"))
        for _ in range(49):
            assert client.produce("orders", b"more")

    after = metered.wait(lambda seen: seen["requests_total"] >= 50)

    assert (after["requests_total"], after["requests_unit"]) == (50, "msg/s")
    assert after["latency_p95_seconds"] is None
    metered.wait(lambda seen: seen["requests_per_second"] == 0.0)


def test_transactions_of_postgres(metered: Metered, engine: str) -> None:
    metered.start(engine, "postgres")
    url = metered.shell.variable("DATABASE_URL")
    before = metered.total()
    for _ in range(30):
        assert run_psql(url, "select 1").returncode == 0
    done = 30 * SESSION_AND_STATEMENT

    after = metered.wait(lambda seen: seen["requests_total"] >= before + done)

    # It counts its own housekeeping, too, which is a transaction now and then.
    assert after["requests_total"] - before <= done + 5
    assert after["requests_unit"] == "tx/s"
    assert after["latency_p95_seconds"] is None
    metered.wait(lambda seen: seen["requests_per_second"] == 0.0)
    # Each of these looks is a session with several queries, and none of them is counted.
    for _ in range(5):
        metered.wait(lambda seen: seen["requests_per_second"] is not None)
    assert metered.total() - before <= done + 8

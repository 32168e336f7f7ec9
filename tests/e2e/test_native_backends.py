"""Redis, PostgreSQL, NATS and Kafka as programs of this machine: `make backends` brings them."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from prismctl.client import StackCondition, find_condition
from prismctl.errors import ExitCode
from prismctl.machine import find_program
from tests.e2e.backend_clients import Kafka, Nats, postgres, redis
from tests.e2e.backend_contents import Contents
from tests.free_ports import take_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.e2e.conftest import Shell

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

PROGRAMS = {
    "redis": "redis-server",
    "postgres": "postgres",
    "nats": "nats-server",
    "kafka": "kafka-server-start.sh",
}
PRESETS = {
    "redis": ("redis",),
    "postgres": ("postgres",),
    "messaging": ("nats", "kafka"),
    "full": ("redis", "postgres", "nats", "kafka"),
}
"""The servers of each; beside them run the core services."""


class Backends:
    """A stack on one engine, whose servers are programs of this machine."""

    def __init__(self, shell: Shell) -> None:
        self.shell = shell
        self.home = shell.lab.home
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self.home / "config.yaml").write_text("runtime: native\n", encoding="utf-8")

    def start(self, engine: str, *words: str, expect: int = 0) -> str:
        return self.shell.run(
            "dev", "start", "--engine", engine, "--no-dashboard", *words, expect=expect
        )

    def catalog(self, *entries: dict[str, Any]) -> tuple[str, str]:
        """The option for a catalog of these services, which completes what ships."""
        services = [{"default": True, **entry} for entry in entries]
        path = self.home / "mine.yaml"
        path.write_text(json.dumps({"core": False, "services": services}), encoding="utf-8")
        return "--services", str(path)

    def start_with(self, name: str, *, engine: str = "local", **entry: Any) -> str:
        """The address of a service of whose entry something is set."""
        self.start(engine, *self.catalog({"name": name, **entry}))
        return self.shell.address(name)

    def service(self, name: str) -> dict[str, Any]:
        services = self.shell.status()["services"]
        found: dict[str, Any] = next(each for each in services if each["name"] == name)
        return found

    def pid(self, name: str) -> int:
        return int(self.service(name)["pid"])


@pytest.fixture
def backends(shell: Shell) -> Iterator[Backends]:
    for program in PROGRAMS.values():
        if not find_program(program, shell.environment):
            pytest.fail(f"{program} is not there: `make backends` installs it")
    backends = Backends(shell)
    yield backends
    if find_condition(shell.lab.paths) is not StackCondition.STOPPED:
        shell.run("dev", "stop")


@pytest.fixture
def contents(shell: Shell) -> Contents:
    return Contents(shell)


@pytest.mark.parametrize("preset", ["redis", "postgres", "messaging"])
def test_what_was_written_to_a_presets_servers_is_there_after_a_restart(
    backends: Backends, contents: Contents, engine: str, preset: str
) -> None:
    names = PRESETS[preset]
    said = backends.start(engine, f"--preset={preset}")
    for name in names:
        assert re.search(rf"plan +{name} .*runtime=native", said)
        assert backends.service(name)["state"] == "healthy"
    contents.write(*names)

    backends.shell.run("dev", "restart", *names)

    contents.read(*names)


def test_all_of_them_keep_what_they_were_given_through_restarts_and_crashes(
    backends: Backends, contents: Contents, engine: str, wait_until: Callable[..., None]
) -> None:
    said = backends.start(engine, "--preset=full")
    for name in PROGRAMS:
        assert re.search(rf"plan +{name} .*runtime=native", said)
        assert backends.service(name)["state"] == "healthy"
    contents.write()

    backends.shell.run("dev", "restart")
    contents.read()

    before = {name: backends.pid(name) for name in PROGRAMS}
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    for name, pid in before.items():
        wait_until(
            lambda name=name, pid=pid: (
                (now := backends.service(name))["state"] == "healthy" and now["pid"] != pid
            ),
            lambda name=name: f"{name}: {backends.service(name)}",
        )
    contents.read()


def test_kafka_is_started_with_an_archive_of_its_classes_once_there_is_one(
    backends: Backends, wait_until: Callable[..., None]
) -> None:
    backends.start("local", "--with=kafka")
    servers = backends.home / "cache" / "servers"
    wait_until(lambda: list(servers.glob("kafka-*.jsa")), seconds=100)
    (archive,) = servers.glob("kafka-*.jsa")
    wait_until(lambda: not list(servers.glob(".kafka-*")))

    backends.shell.run("dev", "restart", "kafka")

    maps = Path(f"/proc/{backends.pid('kafka')}/maps").read_text(encoding="utf-8")
    assert str(archive) in maps


def test_a_stop_does_not_wait_for_the_archive(
    backends: Backends, wait_until: Callable[..., None]
) -> None:
    backends.start("local", "--with=kafka")
    servers = backends.home / "cache" / "servers"
    wait_until(lambda: list(servers.glob(".kafka-*")), seconds=60)

    backends.shell.run("dev", "stop")

    assert not backends.shell.lab.own_processes()
    assert not list(servers.glob("kafka-*.jsa"))


def test_a_cluster_is_made_once_a_home_and_copied(backends: Backends) -> None:
    backends.start("local", "--with=postgres")
    (template,) = (backends.home / "cache" / "servers").glob("postgres-*[0-9a-f]")
    made_at = template.stat().st_ctime_ns
    postgres(backends.shell.variable("DATABASE_URL"), "create table gone (value text)")
    backends.shell.run("dev", "stop")

    backends.start("local", "--with=postgres")

    assert template.stat().st_ctime_ns == made_at
    tables = "select count(*) from pg_tables where tablename = 'gone'"
    assert postgres(backends.shell.variable("DATABASE_URL"), tables) == "0"


def test_what_a_loss_of_power_could_take_is_said_and_what_persists_is_on_the_disk(
    backends: Backends,
) -> None:
    show = "select string_agg(setting, ' ' order by name) from pg_settings where name in "
    show += "('fsync', 'full_page_writes', 'synchronous_commit')"
    backends.start("local", "--with=postgres")
    (note,) = backends.shell.status()["notes"]
    assert note.startswith("postgres: fsync is off, because its data ends with the stack")
    assert postgres(backends.shell.variable("DATABASE_URL"), show) == "off on on"
    backends.shell.run("dev", "stop")

    backends.start_with("postgres", persist=True)

    assert backends.shell.status()["notes"] == []
    assert postgres(backends.shell.variable("DATABASE_URL"), show) == "on on on"


def test_data_of_another_postgres_is_left_alone_with_a_sentence(backends: Backends) -> None:
    backends.start_with("postgres", persist=True)
    backends.shell.run("dev", "stop")
    data = backends.shell.lab.paths.data / "postgres"
    (data / "PG_VERSION").write_text("12\n", encoding="ascii")

    again = backends.catalog({"name": "postgres", "persist": True})
    said = backends.start("local", *again, expect=ExitCode.FAILED)

    assert f"postgres failed: the data in {data}" in " ".join(said.split())
    told = backends.shell.run("dev", "logs", "postgres")
    assert re.search(r"the data in \S+ was made by PostgreSQL 12, and \S+ is PostgreSQL \d+", told)
    assert "or start without `--persist` for an empty database" in told
    assert (data / "base").is_dir()


def test_redis_is_told_what_is_set(backends: Backends, engine: str) -> None:
    address = backends.start_with("redis", engine=engine, config={"memory_mb": 64, "persist": True})

    assert redis(address, "CONFIG", "GET", "maxmemory") == ["maxmemory", str(64 << 20)]
    assert redis(address, "CONFIG", "GET", "save") == ["save", "3600 1 300 100 60 10000"]
    assert redis(address, "CONFIG", "GET", "appendonly") == ["appendonly", "yes"]


def test_redis_logs_every_write_unless_told_otherwise_and_takes_no_snapshots(
    backends: Backends,
) -> None:
    backends.start("local", "--with=redis")
    address = backends.shell.address("redis")

    assert redis(address, "CONFIG", "GET", "appendonly") == ["appendonly", "yes"]
    assert redis(address, "CONFIG", "GET", "save") == ["save", ""]
    assert redis(address, "CONFIG", "GET", "maxmemory") == ["maxmemory", "0"]


def test_postgres_is_told_what_is_set(backends: Backends, engine: str) -> None:
    config = {"shared_buffers_mb": 24, "max_connections": 2}
    backends.start_with("postgres", engine=engine, config=config)

    url = backends.shell.variable("DATABASE_URL")
    assert postgres(url, "show shared_buffers") == "24MB"
    assert postgres(url, "show max_connections") == "2"


def test_postgres_lets_everybody_in_where_the_catalog_says_so(backends: Backends) -> None:
    address = backends.start_with("postgres", env={"POSTGRES_HOST_AUTH_METHOD": "trust"})

    assert postgres(address, "select 1") == "1"
    assert postgres(backends.shell.variable("DATABASE_URL"), "select 1") == "1"


def test_a_postgres_of_ones_own_is_prepared_as_the_catalog_says(backends: Backends) -> None:
    address = backends.start_with(
        "database",
        driver="postgres",
        port=take_port(),
        command=[
            *("postgres", "-D", "${self.data}", "-p", "${self.port}"),
            *("-c", "listen_addresses=${self.host}", "-c", "unix_socket_directories="),
        ],
        native={
            "init": ["initdb", "-D", "${self.data}", "-U", "postgres", "--auth=trust"],
            "user": "postgres",
        },
        health_check={"type": "postgres"},
    )

    assert postgres(address, "select 1") == "1"


def test_postgres_makes_the_user_and_the_database_that_it_is_told(backends: Backends) -> None:
    env = {"POSTGRES_USER": "o'Hara", "POSTGRES_PASSWORD": "p' w\\$$ü", "POSTGRES_DB": 'my "db"'}
    for _ in range(2):
        backends.start_with("postgres", env=env, persist=True)
        url = backends.shell.variable("DATABASE_URL")
        assert postgres(url, "select current_user, current_database()") == 'o\'Hara|my "db"'
        assert backends.service("postgres")["state"] == "healthy"
        backends.shell.run("dev", "stop")

    user = {"POSTGRES_USER": "another"}
    backends.start_with("postgres", env=user, persist=True)

    url = backends.shell.variable("DATABASE_URL")
    assert postgres(url, "select current_user, current_database()") == "another|another"
    assert backends.service("postgres")["state"] == "healthy"


def test_nats_is_told_what_is_set(backends: Backends, engine: str) -> None:
    address = backends.start_with(
        "nats", engine=engine, config={"memory_mb": 48, "max_payload_mb": 3}
    )

    with Nats(address) as nats:
        assert nats.about["max_payload"] == 3 << 20
        account = nats.ask("$JS.API.INFO")
        assert "error" not in account
        created = nats.ask(
            "$JS.API.STREAM.CREATE.M",
            b'{"name":"M","storage":"memory","max_bytes":%d}' % (49 << 20),
        )
        assert created["error"]["description"] == "insufficient memory resources available"
        assert "error" not in nats.ask(
            "$JS.API.STREAM.CREATE.M",
            b'{"name":"M","storage":"memory","max_bytes":%d}' % (47 << 20),
        )


def test_nats_without_jetstream_has_none(backends: Backends) -> None:
    address = backends.start_with("nats", config={"jetstream": False})

    with Nats(address) as nats:
        assert not nats.about.get("jetstream", False)


def test_kafka_is_told_what_is_set(
    backends: Backends, engine: str, wait_until: Callable[..., None]
) -> None:
    config = {"retention_hours": 5, "partitions": 3, "memory_mb": 96}
    address = backends.start_with("kafka", engine=engine, config=config)

    with Kafka(address) as kafka:
        assert kafka.setting("log.retention.hours") == "5"
        assert kafka.setting("num.partitions") == "3"
        # Whoever comes back after a crash is let in once the dead one's session has lapsed.
        assert kafka.setting("broker.session.timeout.ms") == "1000"
        wait_until(lambda: kafka.partitions("topic") == 3)
    words = Path(f"/proc/{backends.pid('kafka')}/cmdline").read_bytes().split(b"\0")
    assert b"-Xmx96m" in words


def test_a_profile_tells_servers_their_settings(backends: Backends) -> None:
    profiles = backends.home / "profiles"
    profiles.mkdir()
    (profiles / "my-redis-setup.yaml").write_text(
        "services: [redis, nats]\n"
        "config: {redis: {memory_mb: 512, persist: true}, nats: {jetstream: true}}\n",
        encoding="utf-8",
    )
    project = backends.home.parent / "prism.yaml"
    project.write_text("profile: my-redis-setup\n", encoding="utf-8")

    backends.start("local")

    limit = redis(backends.shell.address("redis"), "CONFIG", "GET", "maxmemory")
    assert limit == ["maxmemory", str(512 << 20)]
    with Nats(backends.shell.address("nats")) as nats:
        assert nats.about["jetstream"]


def test_a_program_of_another_version_is_not_started(backends: Backends) -> None:
    catalog = backends.catalog({"name": "redis", "native": {"version": ">=99"}})

    said = backends.start("local", *catalog, expect=ExitCode.MISSING_TOOL)

    assert re.search(r"redis needs `redis-server` >=99, and /\S+/redis-server is \d+\.\d+", said)
    assert "change `native.version` of redis in the catalog" in said

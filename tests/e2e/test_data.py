"""What a real Redis has stored: emptied, copied and put back on both engines, with the installed command."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
from typing import TYPE_CHECKING

import pytest

from prismctl.machine import find_program
from tests.e2e.backend_clients import postgres, run_psql
from tests.free_ports import take_port

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.conftest import Shell

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(shutil.which("redis-server") is None, reason="needs redis-server"),
]

CATALOG = """
core: false
services:
  - name: redis
    driver: redis
    port: {port}
    command: [redis-server, --bind, 127.0.0.1, --port, "${{self.port}}", --dir, "${{self.data}}", --appendonly, "yes"]
    default: true
  - name: user
    command: [sleep, "1000"]
    env: {{KEY: "${{self.password}}"}}
    depends_on: [redis]
    default: true
"""


class Store:
    """A stack with Redis in it, and a client of that."""

    def __init__(self, shell: Shell, engine: str) -> None:
        self.shell = shell
        self.engine = engine
        self.port = take_port()
        self.file = shell.lab.home.parent / "services.yaml"
        self.file.write_text(CATALOG.format(port=self.port))

    def start(self, *options: str) -> str:
        words = ("--engine", self.engine, "--services", str(self.file), "--no-dashboard")
        return self.shell.run("dev", "start", *words, *options)

    def ask(self, *words: str) -> str:
        with socket.create_connection(("127.0.0.1", self.port), 10) as connection:
            connection.sendall(" ".join(words).encode() + b"\r\n")
            return connection.makefile().readline().strip()

    def write(self, value: str) -> None:
        assert self.ask("SET", "key", value) == "+OK"


@pytest.fixture
def store(shell: Shell, engine: str) -> Store:
    return Store(shell, engine)


@pytest.mark.timeout(300)
def test_write_restart_reset_snapshot_restore_previous(store: Store) -> None:
    run = store.shell.run
    store.start()
    store.write("one")
    run("dev", "restart", "redis")
    assert store.ask("GET", "key") == "$3"
    refused = run("dev", "data", "snapshot", "--name", "first", expect=2)
    assert "this stops redis, copies its data and starts it again" in refused
    assert "add --yes" in refused
    before = {each["name"]: each["pid"] for each in store.shell.status()["services"]}

    run("dev", "data", "snapshot", "--name", "first", "--yes")
    assert store.ask("GET", "key") == "$3"
    store.write("twoo")
    run("dev", "data", "reset", "redis", "--yes")
    assert store.ask("GET", "key") == "$-1"
    run("dev", "data", "restore", "--name", "first", "--yes")
    assert store.ask("GET", "key") == "$3"
    run("dev", "data", "restore", "redis", "--previous", "--yes")
    assert store.ask("GET", "key") == "$-1"

    after = {each["name"]: each["pid"] for each in store.shell.status()["services"]}
    assert after["redis"] != before["redis"]
    assert after["user"] == before["user"]
    listed = json.loads(run("dev", "data", "list", "-o", "json"))
    assert [each["name"] for each in listed["snapshots"]] == ["first"]
    assert listed["snapshots"][0]["bytes"] > 0
    run("dev", "stop")


@pytest.mark.timeout(300)
def test_a_fresh_start_puts_data_aside_and_gives_it_back(store: Store) -> None:
    run = store.shell.run
    store.start()
    store.write("one")
    run("dev", "stop")

    assert "fresh=redis" in store.start()
    assert store.ask("GET", "key") == "$-1"
    run("dev", "data", "restore", "--previous", "--yes")
    assert store.ask("GET", "key") == "$3"
    run("dev", "stop")

    # Put back while nothing runs: the next start keeps it, the one after it does not.
    store.start()
    run("dev", "stop")
    run("dev", "data", "restore", "--previous")
    assert "kept=redis" in store.start()
    assert store.ask("GET", "key") == "$3"
    run("dev", "stop")
    assert "kept=redis" in store.start("--persist")
    assert store.ask("GET", "key") == "$3"
    run("dev", "stop")


@pytest.mark.timeout(300)
def test_a_daemon_killed_while_redis_stands_still_brings_it_back(store: Store) -> None:
    store.start()
    store.write("one")
    store.shell.run("dev", "data", "snapshot", "--name", "first", "--yes")
    store.write("twoo")
    lab = store.shell.lab
    stream = lab.client.restore_data(["redis"], name="first")
    for item in stream:
        if item.get("event", {}).get("kind") in {"service.stopping", "service.stopped"}:
            break
    os.kill(lab.daemon_pid(), signal.SIGKILL)
    lab.wait_for_service("redis", lambda service: service["state"] == "healthy")
    assert store.ask("GET", "key") in {"$3", "$4"}
    store.shell.run("dev", "stop")


@pytest.mark.timeout(300)
def test_passwords_are_in_no_command_line_job_log_or_document(store: Store) -> None:
    said = store.start()
    lab = store.shell.lab
    password = json.loads(lab.paths.secrets.read_text())["user"]
    assert lab.paths.secrets.stat().st_mode & 0o777 == 0o600
    assert password in store.shell.run("dev", "env")

    shown = [said, *all_that_is_shown(store.shell, store.engine)]
    assert not [text for text in shown if password in text]
    store.shell.run("dev", "stop")


def all_that_is_shown(shell: Shell, engine: str) -> list[str]:
    """What can be read of a stack that runs, by whoever looks."""
    lab = shell.lab
    shown = [shell.run("dev", *words.split()) for words in SHOWN]
    shown += [command for _, command in lab.own_processes()]
    if engine == "nomad":
        shown.append(shell.type("nomad job inspect prism-stack-" + lab.paths.name))
    shown += [path.read_text(errors="replace") for path in lab.paths.logs.iterdir()]
    return [*shown, lab.paths.daemon_log.read_text(), lab.paths.events.read_text()]


SHOWN = ("status", "status -o text", "events", "logs", "start --dry-run -o json", "data list")


@pytest.fixture
def start_postgres(shell: Shell, engine: str) -> Callable[..., str]:
    """Starts the packaged PostgreSQL as a program of this machine, and says what the start said."""
    if not find_program("postgres", shell.environment):
        pytest.fail("postgres is not there: `make backends` installs it")
    shell.lab.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    (shell.lab.home / "config.yaml").write_text("runtime: native\n", encoding="utf-8")
    file = shell.lab.home.parent / "services.yaml"
    entry = {"name": "postgres", "default": True, "port": take_port()}
    file.write_text(json.dumps({"core": False, "services": [entry]}))
    words = ("dev", "start", "--engine", engine, "--services", str(file), "--no-dashboard")
    return lambda *options: shell.run(*words, *options)


@pytest.mark.timeout(300)
def test_postgres_lets_in_who_knows_its_password_and_shows_it_to_nobody(
    shell: Shell, engine: str, start_postgres: Callable[..., str]
) -> None:
    said = start_postgres()
    password = json.loads(shell.lab.paths.secrets.read_text())["postgres"]
    url = shell.variable("DATABASE_URL")
    assert f":{password}@" in url

    assert postgres(url, "select 1") == "1"
    assert "no password supplied" in run_psql(url.replace(f":{password}", ""), "select 1").stderr
    wrong = run_psql(url.replace(password, f"{password}x"), "select 1")
    assert 'password authentication failed for user "postgres"' in wrong.stderr
    assert wrong.returncode != 0
    (service,) = shell.status()["services"]
    assert service["state"] == "healthy"
    catalog = shell.run("dev", "catalog", "show", "postgres")
    shown = [said, catalog, *all_that_is_shown(shell, engine)]
    assert not [text for text in shown if password in text]
    assert url in shell.run("dev", "status", "--show-secrets")
    shell.run("dev", "stop")


@pytest.mark.timeout(300)
def test_a_snapshot_of_postgres_brings_its_password_with_it(
    shell: Shell, start_postgres: Callable[..., str]
) -> None:
    start_postgres()
    first = shell.variable("DATABASE_URL")
    postgres(first, "create table kept (value text); insert into kept values ('kept')")
    shell.run("dev", "data", "snapshot", "--name", "first", "--yes")
    shell.run("dev", "stop")
    shell.lab.paths.secrets.unlink()
    start_postgres()
    second = shell.variable("DATABASE_URL")
    assert second != first
    shell.run("dev", "stop")

    shell.run("dev", "data", "restore", "--name", "first")
    start_postgres()

    assert shell.variable("DATABASE_URL") == first
    assert postgres(first, "select value from kept") == "kept"
    shell.run("dev", "stop")


@pytest.mark.timeout(300)
def test_postgres_data_with_another_password_inside_is_given_that_of_the_stack(
    shell: Shell, start_postgres: Callable[..., str]
) -> None:
    start_postgres("--persist")
    first = shell.variable("DATABASE_URL")
    postgres(first, "create table kept (value text); insert into kept values ('kept')")
    shell.run("dev", "stop")
    start_postgres("--persist")
    assert shell.variable("DATABASE_URL") == first
    assert postgres(first, "select value from kept") == "kept"
    shell.run("dev", "stop")
    shell.lab.paths.secrets.unlink()

    start_postgres("--persist")

    second = shell.variable("DATABASE_URL")
    assert second != first
    assert postgres(second, "select value from kept") == "kept"
    assert run_psql(first, "select 1").returncode != 0
    shell.run("dev", "stop")

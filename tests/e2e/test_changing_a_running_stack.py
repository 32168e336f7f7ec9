"""`dev add`, `dev remove` and `dev scale` as somebody types them: what nobody named keeps its processes."""

from __future__ import annotations

import json
import os
import socket
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.conftest import Shell

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

CATALOG = """\
services:
  - name: web
    command: [python3, -S, -c, "{code}"]
    port: auto
  - name: api
    command: [sleep, "1000"]
    depends_on: [web]
  - name: worker
    command: [sleep, "1000"]
    depends_on: [db]
  - name: db
    command: [python3, -S, -c, "{code}"]
    port: auto
"""
SERVER = (
    "import os,socket; s=socket.create_server(('127.0.0.1', int(os.environ['PORT'])));\\n"
    "while True: s.accept()[0].close()"
)


def pids(status: dict[str, Any]) -> dict[str, dict[int, int]]:
    """The processes of each service, by instance."""
    return {
        service["name"]: {each["index"]: each["pid"] for each in service["instances"]}
        for service in status["services"]
    }


def ports_of(status: dict[str, Any], name: str) -> dict[int, int]:
    service = find(status, name)
    return {each["index"]: each["ports"][0]["port"] for each in service["instances"]}


def find(status: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in status["services"] if each["name"] == name)
    return found


def without(known: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: each for name, each in known.items() if name not in names}


def answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2):
            return True
    except OSError:
        return False


def consul_passing(shell: Shell, name: str) -> int:
    """How many instances of a service Consul would send somebody to."""
    script = (
        'curl -fsS -H "X-Consul-Token: $CONSUL_HTTP_TOKEN" '
        f'"$CONSUL_HTTP_ADDR/v1/health/service/{name}?passing"'
    )
    return len(json.loads(shell.type(script)))


def test_redis_is_added_to_the_smallest_stack_and_removed_again(shell: Shell, engine: str) -> None:
    shell.start(engine)
    before = pids(shell.status())

    shell.run("dev", "add", "redis", "--runtime", "native")

    status = shell.status()
    assert find(status, "redis")["state"] == "healthy"
    assert without(pids(status), "redis") == before
    assert status["origin"] == "minimal + redis"
    port = find(status, "redis")["ports"][0]["port"]
    assert answers(port)
    assert shell.variable("REDIS_URL").endswith(str(port))
    assert "already" in shell.run("dev", "add", "redis", "memstore")
    assert pids(shell.status()) == pids(status)

    said = shell.run("dev", "remove", "redis")

    assert "its data stays" in said
    assert pids(shell.status()) == before
    assert not answers(port)
    shell.run("dev", "add", "redis", "--runtime", "native")
    assert without(pids(shell.status()), "redis") == before


def test_a_service_of_ones_own_is_scaled_up_and_down_and_to_nothing(
    shell: Shell, engine: str, wait_until: Callable[..., None]
) -> None:
    catalog = shell.lab.home.parent / "mine.yaml"
    catalog.write_text(CATALOG.format(code=SERVER), encoding="utf-8")
    mine = ("--services", str(catalog), "--with", "api")
    shell.run("dev", "start", *mine, "--engine", engine, "--auto-ports", "--no-dashboard")
    before = pids(shell.status())

    shell.run("dev", "scale", "web", "3")
    three = shell.status()
    assert find(three, "web")["replicas"] == {"wanted": 3, "healthy": 3}
    assert pids(three)["web"][0] == before["web"][0]
    assert without(pids(three), "web") == without(before, "web")
    ports = ports_of(three, "web")
    assert len(set(ports.values())) == 3
    assert all(map(answers, ports.values()))
    if engine == "nomad":
        wait_until(lambda: consul_passing(shell, "web") == 3)

    shell.run("dev", "scale", "web", "1")
    assert pids(shell.status()) == before
    assert [answers(ports[index]) for index in range(3)] == [True, False, False]
    if engine == "nomad":
        wait_until(lambda: consul_passing(shell, "web") == 1)

    shell.run("dev", "scale", "web", "0")
    none = shell.status()
    assert (none["state"], find(none, "web")["state"]) == ("running", "stopped")
    assert find(none, "web")["reason"] == "scaled to 0"
    assert without(pids(none), "web") == without(before, "web")
    assert not answers(ports[0])
    if engine == "nomad":
        wait_until(lambda: consul_passing(shell, "web") == 0)
    # Who needs it starts all the same: somebody wants to see that.
    shell.run("dev", "restart", "api", "--wait-timeout", "30")

    shell.run("dev", "scale", "web", "1")
    one = shell.status()
    assert find(one, "web")["state"] == "healthy"
    assert ports_of(one, "web") == {0: ports[0]}
    assert without(pids(one), "web", "api") == without(before, "web", "api")


def test_dependencies_come_along_and_dependents_are_asked_about(shell: Shell, engine: str) -> None:
    catalog = shell.lab.home.parent / "mine.yaml"
    catalog.write_text(CATALOG.format(code=SERVER), encoding="utf-8")
    shell.run("dev", "start", "--services", str(catalog), "--engine", engine, "--auto-ports")
    before = pids(shell.status())

    said = shell.run("dev", "add", "worker")
    assert "needed by worker" in said
    both = pids(shell.status())
    assert without(both, "worker", "db") == before

    said = shell.run("dev", "remove", "db", expect=5)
    assert "worker needs db" in said
    assert pids(shell.status()) == both

    said = shell.run("dev", "remove", "worker")
    assert "db came along only for worker and runs on" in said
    assert pids(shell.status()) == without(both, "worker")

    shell.run("dev", "add", "worker")
    shell.run("dev", "remove", "db", "--cascade")
    assert pids(shell.status()) == before


def test_what_has_ended_can_go_and_come_back_and_runs_again(shell: Shell, engine: str) -> None:
    runs = shell.lab.home.parent / "runs"
    catalog = shell.lab.home.parent / "mine.yaml"
    catalog.write_text(
        "core: false\nservices:\n"
        "  - {name: base, command: [sleep, '1000'], default: true}\n"
        f"  - {{name: job, command: [sh, -c, 'echo ran >> {runs}'], one_shot: true}}\n"
        "  - {name: bad, command: [sh, -c, 'exit 3']}\n",
        encoding="utf-8",
    )
    shell.run("dev", "start", "--services", str(catalog), "--engine", engine)
    before = pids(shell.status())

    shell.run("dev", "add", "job")
    assert find(shell.status(), "job")["state"] == "completed"
    said = shell.run("dev", "add", "bad", expect=7)
    assert "`prismctl dev remove bad" in said
    assert runs.read_text().count("ran") == 1
    shell.run("dev", "remove", "job", "bad")
    assert pids(shell.status()) == before
    assert shell.status()["state"] == "running"

    shell.run("dev", "add", "job")
    assert runs.read_text().count("ran") == 2
    assert pids(shell.status())["base"] == before["base"]


def test_what_was_changed_outlives_the_daemon_and_a_restart(
    shell: Shell, engine: str, wait_until: Callable[..., None]
) -> None:
    catalog = shell.lab.home.parent / "mine.yaml"
    catalog.write_text(CATALOG.format(code=SERVER), encoding="utf-8")
    shell.run("dev", "start", "--services", str(catalog), "--engine", engine, "--auto-ports")
    shell.run("dev", "add", "web")
    shell.run("dev", "scale", "web", "2")
    before = pids(shell.status())

    os.kill(shell.lab.daemon_pid(), 9)
    wait_until(lambda: shell.status()["state"] == "running", seconds=30)
    assert pids(shell.status()) == before

    shell.run("dev", "restart")
    after = shell.status()
    assert find(after, "web")["replicas"] == {"wanted": 2, "healthy": 2}
    shell.run("dev", "profile", "save", "mine", "--from-running", "--services", str(catalog))
    shown = shell.run("dev", "profile", "show", "mine")
    assert "web" in shown

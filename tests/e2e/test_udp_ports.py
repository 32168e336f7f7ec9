"""Services that take datagrams, on both engines with the installed command: found, shared with nobody, moved."""

from __future__ import annotations

import json
import socket
import sys
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from tests.free_ports import take_port
from tests.port_holder import holding

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.conftest import Shell

pytestmark = pytest.mark.e2e

ECHO = """
import os, socket
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", int(os.environ["PORT"])))
while True:
    data, sender = server.recvfrom(2048)
    server.sendto(os.environ["PRISM_REPLICA"].encode() + b" " + data, sender)
"""
LISTEN = """
import os, socket
server = socket.create_server(("127.0.0.1", int(os.environ["PORT"])))
while True:
    server.accept()[0].close()
"""


def write_catalog(shell: Shell, port: int, **echo: Any) -> str:
    """A server of datagrams, and one that wants connections at the same number once the first is there."""
    services = [
        {
            "name": "echo",
            "command": [sys.executable, "-c", ECHO],
            "port": f"{port}/udp",
            "default": True,
            **echo,
        },
        {
            "name": "web",
            "command": [sys.executable, "-c", LISTEN],
            "port": port,
            "depends_on": ["echo"],
            "default": True,
        },
    ]
    file = shell.lab.home.parent / "services.yaml"
    file.write_text(json.dumps({"core": False, "services": services}))
    return str(file)


def start(shell: Shell, engine: str, file: str, *arguments: str, expect: int = 0) -> str:
    return shell.run(
        *("dev", "start", "--engine", engine, "--no-dashboard", "--services", file),
        *arguments,
        expect=expect,
    )


def ask(port: dict[str, Any], text: bytes) -> bytes:
    """What the server answers to a datagram; nothing while it does not."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(0.5)
        client.connect((port["host"], port["port"]))
        try:
            client.send(text)
            return client.recv(2048)
        except OSError:
            return b""


def service(shell: Shell, name: str) -> dict[str, Any]:
    (found,) = [each for each in shell.status()["services"] if each["name"] == name]
    return dict(found)


def test_datagrams_reach_every_instance_where_the_status_says_it_is(
    shell: Shell, engine: str, wait_until: Callable[..., None]
) -> None:
    port = take_port()
    start(shell, engine, write_catalog(shell, port, replicas=2))

    echo, web = service(shell, "echo"), service(shell, "web")
    assert (echo["state"], web["state"]) == ("healthy", "healthy")
    assert echo["ports"] == [{"name": "main", "host": "127.0.0.1", "port": port, "protocol": "udp"}]
    assert (web["ports"][0]["port"], web["ports"][0]["protocol"]) == (port, "tcp")
    first, second = (instance["ports"][0] for instance in echo["instances"])
    assert first["port"] != second["port"]
    wait_until(lambda: ask(first, b"hello") == b"0 hello")
    wait_until(lambda: ask(second, b"hello") == b"1 hello")
    assert f"ECHO_PORT={port}\n" in shell.run("dev", "env", "--format", "dotenv")
    if engine == "nomad":
        found = {each["ServicePort"] for each in ask_consul(shell, "/v1/catalog/service/echo")}
        assert found == {first["port"], second["port"]}
    shell.run("dev", "stop")


def test_a_server_of_datagrams_is_healthy_no_earlier_than_it_takes_them(
    shell: Shell, engine: str
) -> None:
    slow = ECHO.replace("server = ", "import time; time.sleep(1.5); server = ", 1)
    file = write_catalog(shell, take_port(), command=[sys.executable, "-c", slow])

    start(shell, engine, file)

    (echo,) = service(shell, "echo")["instances"]
    assert ask(echo["ports"][0], b"hello") == b"0 hello"
    shell.run("dev", "stop")


def ask_consul(shell: Shell, path: str) -> list[dict[str, Any]]:
    variables = json.loads(shell.run("dev", "env", "--format", "json"))
    request = urllib.request.Request(  # noqa: S310 - loopback
        variables["CONSUL_HTTP_ADDR"] + path,
        headers={"X-Consul-Token": variables["CONSUL_HTTP_TOKEN"]},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - loopback
        found: list[dict[str, Any]] = json.load(answer)
    return found


def test_a_taken_udp_port_is_refused_with_its_holder_or_moved(
    shell: Shell, engine: str, wait_until: Callable[..., None]
) -> None:
    port = take_port()
    file = write_catalog(shell, port)
    with holding(port, protocol="udp") as holder:
        said = start(shell, engine, file, "--stack", "default", expect=1)
        assert f"port {port}/udp (echo) is in use by PID {holder.pid}, python" in said
        assert ", since " in said
        assert "--auto-ports" in said

        said = start(shell, engine, file, "--auto-ports")
        moved = service(shell, "echo")["ports"][0]
        assert f"{moved['port']}/udp instead of {port}/udp (PID {holder.pid}, python" in said
        wait_until(lambda: ask(moved, b"hello") == b"0 hello")
        assert service(shell, "web")["ports"][0]["port"] == port
    shell.run("dev", "stop")

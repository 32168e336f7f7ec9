"""Services that run elsewhere, on both engines with the installed command: only looked at, never touched."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING

import pytest

from tests.free_ports import take_port

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.conftest import Shell

pytestmark = pytest.mark.e2e

CATALOG = """
core: false
services:
  - name: elsewhere
    external: {{host: 127.0.0.1, port: {port}}}
    health_check: {{interval: 0.2s}}
  - name: dns
    external: {{host: 127.0.0.1, port: "{port}/udp"}}
    default: true
  - name: web
    command: [sh, -c, "echo $AT > {directory}/at; exec sleep 1000"]
    env: {{AT: "${{elsewhere.host}}:${{elsewhere.port}}"}}
    depends_on: [elsewhere]
    default: true
"""


def test_what_runs_elsewhere_is_asked_and_waited_for_and_left_alone(
    shell: Shell, engine: str, wait_until: Callable[..., None]
) -> None:
    directory, port = shell.lab.home.parent, take_port()
    file = directory / "services.yaml"
    file.write_text(CATALOG.format(directory=directory, port=port))

    def state() -> tuple[str, str]:
        (found,) = [each for each in shell.status()["services"] if each["name"] == "elsewhere"]
        return found["runtime"], found["state"]

    with contextlib.ExitStack() as running:
        server = running.enter_context(socket.create_server(("127.0.0.1", port)))
        shell.run("dev", "start", "--engine", engine, "--services", str(file), "--no-dashboard")
        assert state() == ("external", "healthy")
        wait_until(lambda: (directory / "at").exists() and (directory / "at").read_text() != "")
        assert (directory / "at").read_text() == f"127.0.0.1:{port}\n"
        (dns,) = [each for each in shell.status()["services"] if each["name"] == "dns"]
        assert (dns["state"], dns["ports"][0]["protocol"]) == ("healthy", "udp")
        assert "cannot be known" in dns["runtime_reason"]
        assert f"ELSEWHERE_PORT={port}" in shell.run("dev", "env", "--format", "dotenv")
        server.close()
        wait_until(lambda: state() == ("external", "unhealthy"))
        running.enter_context(socket.create_server(("127.0.0.1", port)))
        wait_until(lambda: state() == ("external", "healthy"))
        shell.run("dev", "stop")
        assert shell.status()["state"] == "stopped"
        socket.create_connection(("127.0.0.1", port), 5).close()

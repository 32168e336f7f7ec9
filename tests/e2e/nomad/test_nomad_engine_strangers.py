"""Any user of the machine can reach the ports on which servers talk to servers, and must get nothing there."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest

from prismctl.domain.observation import ComponentState
from prismctl.engine.nomad.agent_http import ask_until_answered
from prismctl.engine.nomad.server_port import ServerPort
from tests.free_ports import take_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from prismctl.engine.nomad.engine import NomadEngine
    from tests.e2e.nomad.conftest import World

pytestmark = pytest.mark.e2e

ATTEMPTS = 3
ANSWER_SECONDS = 10.0
NOMAD_PLAIN, NOMAD_RAFT, NOMAD_TLS = b"\x01", b"\x02", b"\x04"
CONSUL_PLAIN, CONSUL_RAFT, CONSUL_TLS = b"\x00", b"\x01", b"\x03"
"""The first byte on a connection between servers says what follows."""


async def start(world: World) -> NomadEngine:
    engine = await world.make_engine()
    await engine.open()
    return engine


@contextlib.asynccontextmanager
async def stranger(directory: Path, *command: str) -> AsyncIterator[Path]:
    """Run a server of somebody else until the end of the block; its log."""
    log = directory / "log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=directory,
            env={"PATH": "/usr/bin:/bin", "HOME": str(directory)},
            stdout=output,
            stderr=output,
        )
    try:
        yield log
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def wait_for_outcome(world: World, log: Path, refused: str, joined: str) -> None:
    def is_settled() -> bool:
        said = log.read_text(errors="replace")
        return said.count(refused) >= ATTEMPTS or joined in said

    await world.wait_until(is_settled, f"refusals in {log}")


def make_place(tmp_path: Path, configuration: dict[str, Any]) -> Path:
    place = tmp_path / "stranger"
    (place / "data").mkdir(parents=True)
    (place / "agent.json").write_text(json.dumps(configuration))
    return place


def find_secrets(engine: NomadEngine, place: Path) -> list[str]:
    """The files of a stranger in which one of our secrets is."""
    secrets = [secret.encode() for secret in asdict(engine._agents.credentials).values()]
    return [
        str(path)
        for path in place.rglob("*")
        if path.is_file() and any(secret in path.read_bytes() for secret in secrets)
    ]


async def test_a_nomad_server_of_somebody_else_is_not_let_in(world: World, tmp_path: Path) -> None:
    engine = await start(world)
    nomad = engine._agents.nomad.http
    place = make_place(
        tmp_path,
        {
            "name": "stranger",
            "data_dir": str(tmp_path / "stranger" / "data"),
            "bind_addr": "127.0.0.1",
            "advertise": dict.fromkeys(("http", "rpc", "serf"), "127.0.0.1"),
            "disable_update_check": True,
            "ports": {"http": take_port(), "rpc": take_port(), "serf": take_port()},
            "acl": {"enabled": True},
            "server": {
                "enabled": True,
                "server_join": {
                    "retry_join": [f"127.0.0.1:{engine._agents.ports.nomad_serf}"],
                    "retry_interval": "1s",
                },
            },
            "consul": {"auto_advertise": False, "server_auto_join": False},
        },
    )
    command = (str(world.tools.nomad), "agent", "-config", str(place / "agent.json"))
    async with stranger(place, *command) as log:
        await wait_for_outcome(world, log, "join failed", "retry join completed")
        members = await nomad.call("GET", "/v1/agent/members")
        raft = await nomad.call("GET", "/v1/operator/raft/configuration")
    assert [member["Name"] for member in members["Members"]] == ["prism-dev.global"]
    assert len(raft["Servers"]) == 1
    assert find_secrets(engine, place) == []


async def test_a_consul_server_of_somebody_else_is_not_let_in(world: World, tmp_path: Path) -> None:
    engine = await start(world)
    consul = engine._agents.consul.http
    off = {"http": -1, "dns": -1, "grpc": -1, "grpc_tls": -1, "serf_wan": -1}
    place = make_place(
        tmp_path,
        {
            "node_name": "stranger",
            "server": True,
            "data_dir": str(tmp_path / "stranger" / "data"),
            "bind_addr": "127.0.0.1",
            "disable_update_check": True,
            "ports": {**off, "server": take_port(), "serf_lan": take_port()},
            "retry_join": [f"127.0.0.1:{engine._agents.ports.consul_serf}"],
            "retry_interval": "1s",
        },
    )
    command = (str(world.tools.consul), "agent", "-config-file", str(place / "agent.json"))
    async with stranger(place, *command) as log:
        await wait_for_outcome(world, log, "Join cluster failed", "Join cluster completed")
        members = await consul.call("GET", "/v1/agent/members")
        raft = await consul.call("GET", "/v1/operator/raft/configuration")
    assert [member["Name"] for member in members] == ["prism-dev"]
    assert len(raft["Servers"]) == 1
    assert find_secrets(engine, place) == []


def is_hung_up_on(port: int, first: bytes) -> bool:
    """Whether a server ends a connection that begins like this, instead of waiting for a request."""
    with socket.create_connection(("127.0.0.1", port), ANSWER_SECONDS) as connection:
        connection.sendall(first)
        try:
            return connection.recv(1) == b""
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False


def is_refused_without_certificate(port: int, first: bytes) -> bool:
    """Whether a server ends an encrypted connection of somebody who has no certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), ANSWER_SECONDS) as connection:
        connection.sendall(first)
        try:
            with context.wrap_socket(connection) as encrypted:
                return encrypted.recv(1) == b""
        except (ssl.SSLError, ConnectionResetError):
            return True
        except TimeoutError:
            return False


async def test_no_request_of_a_stranger_is_heard_where_servers_talk_to_servers(
    world: World,
) -> None:
    ports = (await start(world))._agents.ports
    plain = [
        *((ports.nomad_rpc, first) for first in (NOMAD_PLAIN, NOMAD_RAFT)),
        *((ports.consul_server, first) for first in (CONSUL_PLAIN, CONSUL_RAFT)),
    ]
    encrypted = [(ports.nomad_rpc, NOMAD_TLS), (ports.consul_server, CONSUL_TLS)]
    heard = [one for one in plain if not await asyncio.to_thread(is_hung_up_on, *one)]
    heard += [
        one
        for one in encrypted
        if not await asyncio.to_thread(is_refused_without_certificate, *one)
    ]
    assert heard == []


async def test_agents_that_come_back_show_the_certificate_they_had(world: World) -> None:
    engine = await start(world)
    files = world.layout.certificate
    before = files.certificate.read_bytes()
    assert files.directory.stat().st_mode & 0o077 == 0
    assert {path.name: path.stat().st_mode & 0o777 for path in files.directory.iterdir()} == {
        "authority.pem": 0o600,
        "certificate.pem": 0o600,
        "key.pem": 0o600,
    }
    await engine.stop(kill=False)
    assert world.recorder.components["nomad"].state is ComponentState.STOPPED
    await engine.open()
    assert files.certificate.read_bytes() == before


async def test_a_server_hears_who_shows_its_certificate(world: World) -> None:
    engine = await start(world)
    port = ServerPort(engine._agents.ports.nomad_rpc, world.layout.certificate)
    assert await port.wait_for_key(ANSWER_SECONDS)
    # A leader that is told to elect steps down and is elected again.
    assert await port.call_election()
    await ask_until_answered(ANSWER_SECONDS, engine._agents.nomad.list_nodes)


async def test_a_node_that_starts_registers_with_nobody_refusing_it(world: World) -> None:
    engine = await start(world)
    assert await engine._agents.nomad.list_nodes()
    log = world.layout.nomad_log.read_text()
    assert "node registration complete" in log
    assert "prism-wait-for-key" not in log, "Nomad complains about our plugin"


async def test_sockets_of_nomads_helpers_are_in_the_stacks_own_place(world: World) -> None:
    engine = await start(world)
    service = world.service("one")
    await world.apply(engine, world.plan(service))
    await world.wait_until_accepts(service)
    sockets = world.paths.plugin_sockets
    assert [path for path in sockets.iterdir() if path.is_socket()]
    assert sockets.stat().st_mode & 0o777 == 0o700

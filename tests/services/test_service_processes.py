"""The services as processes: what a supervisor, a scheduler and a person with a shell see of them."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
import sys
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from prism_proto.prism import control_plane_pb2 as cp
from prism_proto.prism.control_plane_pb2_grpc import ControlPlaneStub
from prism_proto.prism.dev import admin_query_pb2 as query
from prism_proto.prism.dev.admin_query_pb2_grpc import AdminQueryStub
from prism_proto.prism.interfaces.keyvalue import keyvalue_basic_pb2 as basic
from prism_proto.prism.interfaces.keyvalue.keyvalue_basic_pb2_grpc import (
    KeyValueBasicInterfaceStub,
)
from prism_services.serving.ports import listening_socket

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    Spawn = Callable[..., Awaitable[Any]]

FREE = ("--grpc-port", "0", "--metrics-port", "0")
SERVICES = {
    "admin": (["serve", *FREE], {"prism.ControlPlane", "prism.dev.AdminQuery"}),
    "launcher": (
        [*FREE, "--health-port", "0", "--admin-endpoint", "127.0.0.1:1"],
        {"prism.launcher.PatternLauncher"},
    ),
    "memstore": (
        [*FREE],
        {
            "prism.interfaces.keyvalue.KeyValueBasicInterface",
            "prism.interfaces.keyvalue.KeyValueTTLInterface",
            "prism.interfaces.keyvalue.KeyValueBatchInterface",
        },
    ),
}


def arguments_of(name: str, directory: Path) -> list[str]:
    more = ["--db", f"sqlite://{directory}/admin.db"] if name == "admin" else []
    return [*SERVICES[name][0], *more]


async def get(url: str) -> tuple[int, str]:
    host, _, path = url.removeprefix("http://").partition("/")
    address, port = host.split(":")
    reader, writer = await asyncio.open_connection(address, int(port))
    writer.write(f"GET /{path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    async with asyncio.timeout(10):
        answer = (await reader.read()).decode()
    writer.close()
    await writer.wait_closed()
    head, _, body = answer.partition("\r\n\r\n")
    return int(head.split(" ")[1]), body


async def run(name: str, *arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        f"prism_services.{name}",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(20):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


@pytest.mark.parametrize("name", sorted(SERVICES))
async def test_a_service_answers_health_reflection_and_scrapes_and_ends_on_sigterm(
    spawn: Spawn, name: str, tmp_path: Path
) -> None:
    service = await spawn(name, *arguments_of(name, tmp_path))
    own = SERVICES[name][1]
    async with grpc.aio.insecure_channel(service.grpc) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        for each in ("", *own):
            answer = await health.Check(health_pb2.HealthCheckRequest(service=each))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await health.Check(health_pb2.HealthCheckRequest(service="nobody"))
        assert refused.value.code() is grpc.StatusCode.NOT_FOUND
        listed = await health.List(health_pb2.HealthListRequest())
        assert own < set(listed.statuses)

        reflection = reflection_pb2_grpc.ServerReflectionStub(channel)
        ask = reflection_pb2.ServerReflectionRequest(list_services="")
        described = reflection_pb2.ServerReflectionRequest(file_containing_symbol=min(own))
        answers = [answer async for answer in reflection.ServerReflectionInfo([ask, described])]
        names = {item.name for item in answers[0].list_services_response.service}
        assert own | {"grpc.health.v1.Health"} <= names
        assert answers[1].file_descriptor_response.file_descriptor_proto
        renamed: Any = channel.stream_stream(
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        )
        assert len([answer async for answer in renamed([ask])]) == 1

    assert await get(service.url("metrics", "/health")) == (200, "serving\n")
    status, page = await get(service.url("metrics", "/metrics"))
    assert status == 200
    labels = 'grpc_service="grpc.health.v1.Health",grpc_method="Check"'
    assert f'grpc_server_handled_total{{{labels},grpc_code="NOT_FOUND"}} 1' in page
    assert f"grpc_server_handling_seconds_count{{{labels}}} {len(own) + 2}" in page

    assert await service.end() == 0
    assert [line.split()[2] for line in service.lines[-2:]] == ["draining", "stopped"]


@pytest.mark.parametrize("name", sorted(SERVICES))
async def test_sigint_ends_a_service_too(spawn: Spawn, name: str, tmp_path: Path) -> None:
    service = await spawn(name, *arguments_of(name, tmp_path))
    assert await service.end(signal.SIGINT) == 0


async def test_a_watcher_hears_not_serving_and_does_not_hold_up_the_end(spawn: Spawn) -> None:
    service = await spawn("memstore")
    loop = asyncio.get_running_loop()
    async with grpc.aio.insecure_channel(service.grpc) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        stream = aiter(watch)
        assert (await anext(stream)).status == health_pb2.HealthCheckResponse.SERVING
        began = loop.time()
        service.process.terminate()
        assert (await anext(stream)).status == health_pb2.HealthCheckResponse.NOT_SERVING
        with pytest.raises(StopAsyncIteration):
            await anext(stream)
    assert await service.ended() == 0
    assert loop.time() - began < 1.5


async def test_a_call_in_flight_is_finished_before_the_end(spawn: Spawn, tmp_path: Path) -> None:
    service = await spawn("admin", *arguments_of("admin", tmp_path))
    async with grpc.aio.insecure_channel(service.grpc) as channel:
        admin = ControlPlaneStub(channel)
        await admin.RegisterProxy(cp.ProxyRegistration(proxy_id="p1"))
        # The call cannot finish while the file is locked, and has begun once the counter says so.
        lock = sqlite3.connect(tmp_path / "admin.db", isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")
        call = asyncio.ensure_future(
            admin.CreateNamespace(cp.CreateNamespaceRequest(namespace="orders"))
        )
        began = 'started_total{grpc_service="prism.ControlPlane",grpc_method="CreateNamespace"} 1'
        async with asyncio.timeout(10):
            while began not in (await get(service.url("metrics", "/metrics")))[1]:
                pass
        service.process.terminate()
        await service.line_with(" draining ")
        lock.execute("ROLLBACK")
        lock.close()
        assert (await call).assigned_partition == 238
    assert await service.ended() == 0


async def test_a_call_that_does_not_finish_is_cut_off_within_the_grace_period(
    spawn: Spawn,
) -> None:
    service = await spawn("memstore")
    loop = asyncio.get_running_loop()
    async with grpc.aio.insecure_channel(service.grpc) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        endless = stub.ServerReflectionInfo()
        await endless.write(reflection_pb2.ServerReflectionRequest(list_services=""))
        await endless.read()
        began = loop.time()
        service.process.terminate()
        assert await service.ended() == 0
        assert loop.time() - began < 4
        with pytest.raises(grpc.aio.AioRpcError):
            await endless.read()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_admin_keeps_its_state_however_it_ends(
    spawn: Spawn, tmp_path: Path, number: signal.Signals
) -> None:
    arguments = arguments_of("admin", tmp_path)
    service = await spawn("admin", *arguments)
    async with grpc.aio.insecure_channel(service.grpc) as channel:
        admin = ControlPlaneStub(channel)
        await admin.RegisterProxy(cp.ProxyRegistration(proxy_id="p1"))
        await admin.RegisterLauncher(cp.LauncherRegistration(launcher_id="l1", max_processes=3))
        await admin.CreateNamespace(cp.CreateNamespaceRequest(namespace="orders"))
    await service.end(number)
    service = await spawn("admin", *arguments)
    async with grpc.aio.insecure_channel(service.grpc) as channel:
        status = await AdminQueryStub(channel).GetStatus(query.GetStatusRequest())
        assert (status.namespaces, status.proxies.healthy, status.launchers.healthy) == (1, 1, 1)
        answer = await ControlPlaneStub(channel).CreateNamespace(
            cp.CreateNamespaceRequest(namespace="orders")
        )
        assert (answer.message, answer.assigned_proxy) == ("Namespace already exists", "p1")


async def test_the_launcher_is_ready_once_registered_and_again_after_admin_was_killed(
    spawn: Spawn, tmp_path: Path
) -> None:
    with listening_socket("127.0.0.1", 0, flag="") as taken:
        port = str(taken.getsockname()[1])
    launcher = await spawn(
        "launcher", *FREE, "--health-port", "0", "--admin-endpoint", f"localhost:{port}"
    )
    assert await get(launcher.url("health", "/health")) == (200, "serving\n")
    status, body = await get(launcher.url("health", "/ready"))
    assert (status, body.split(":")[0]) == (503, "not registered with localhost")
    admin_arguments = ["serve", "--grpc-port", port, "--metrics-port", "0"]
    for round_ in range(2):
        # A new database each time: admin does not remember the launcher.
        database = f"sqlite://{tmp_path}/{round_}.db"
        admin = await spawn("admin", *admin_arguments, "--db", database)
        await admin.line_with("launcher registered")
        await launcher.line_with("INFO  registered ")
        assert await get(launcher.url("health", "/ready")) == (200, "registered\n")
        async with grpc.aio.insecure_channel(admin.grpc) as channel:
            answer = await AdminQueryStub(channel).ListLaunchers(query.ListLaunchersRequest())
        (entry,) = answer.launchers
        assert entry.launcher_id == "launcher-01"
        assert entry.address == launcher.grpc
        assert entry.status == "healthy"
        await admin.end(signal.SIGKILL)
        await launcher.line_with("admin lost")


@pytest.mark.parametrize(
    ("name", "flag"),
    [
        ("admin", "--grpc-port"),
        ("admin", "--metrics-port"),
        ("launcher", "--health-port"),
        ("memstore", "--grpc-port"),
    ],
)
async def test_a_taken_port_is_one_line_and_a_hint(name: str, flag: str, tmp_path: Path) -> None:
    with listening_socket("127.0.0.1", 0, flag="") as taken:
        port = taken.getsockname()[1]
        code, out, err = await run(name, *arguments_of(name, tmp_path), flag, str(port))
    assert (code, out) == (1, "")
    lines = [line for line in err.splitlines() if " INFO " not in line]
    assert lines[0] == f"error: port {port} on 127.0.0.1 is already in use"
    assert lines[1].startswith("hint: ")
    assert f"`{flag} 0`" in lines[1]
    assert len(lines) == 2


async def test_two_services_cannot_share_a_port(spawn: Spawn) -> None:
    service = await spawn("memstore")
    code, _, err = await run("memstore", "--grpc-port", str(service.ports["grpc"]))
    assert code == 1
    assert f"port {service.ports['grpc']} on 127.0.0.1 is already in use" in err


async def test_a_wrong_flag_ends_with_2_and_no_traceback() -> None:
    code, out, err = await run("admin", "serve", "--db", "postgres://x")
    assert (code, out) == (2, "")
    assert err.startswith("error: `--db postgres://x` is not a sqlite:// URL\nhint: ")


async def test_a_database_that_cannot_be_opened_ends_with_1(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    url = f"sqlite://{tmp_path}/file/admin.db"
    code, _, err = await run("admin", "serve", *FREE, "--db", url)
    assert code == 1
    assert err.startswith(f"error: cannot open the database {tmp_path}/file/admin.db: ")
    assert "Traceback" not in err


async def test_the_client_commands_do_what_they_say(spawn: Spawn, tmp_path: Path) -> None:
    service = await spawn("admin", *arguments_of("admin", tmp_path))
    client = ("-e", service.grpc)
    assert await run("admin", *client, "namespace", "list") == (0, "no namespaces\n", "")
    code, _, err = await run("admin", "namespace", "create", "orders", *client)
    assert code == 5
    assert "partition 238" in err
    async with grpc.aio.insecure_channel(service.grpc) as channel:
        await ControlPlaneStub(channel).RegisterProxy(cp.ProxyRegistration(proxy_id="p1"))
    code, out, _ = await run("admin", "namespace", "create", "orders", *client, "-o", "json")
    assert code == 0
    created = json.loads(out)["namespace"]
    assert (created["name"], created["partition"], created["proxy"]) == ("orders", 238, "p1")
    code, out, _ = await run("admin", "namespace", "list", *client)
    heading, row = out.splitlines()
    assert heading.split()[:3] == ["NAME", "PARTITION", "PROXY"]
    assert row.split()[:3] == ["orders", "238", "p1"]
    code, out, _ = await run("admin", "namespace", "list", *client, "-o", "json")
    assert [entry["name"] for entry in json.loads(out)["namespaces"]] == ["orders"]
    assert await run("admin", "namespace", "delete", "orders", *client) == (
        0,
        "Namespace deleted: orders\n",
        "",
    )
    assert (await run("admin", "namespace", "delete", "orders", *client))[0] == 5
    code, out, _ = await run("admin", "health", *client, "-o", "json")
    assert (code, json.loads(out)["status"]) == (0, "SERVING")


async def test_a_client_without_a_server_ends_with_4() -> None:
    with listening_socket("127.0.0.1", 0, flag="") as taken:
        port = taken.getsockname()[1]
    code, out, err = await run("admin", "health", "-e", f"127.0.0.1:{port}")
    assert (code, out) == (4, "")
    assert err.startswith(f"error: prism-admin did not answer at 127.0.0.1:{port}\nhint: ")


async def test_logs_can_be_json(spawn: Spawn) -> None:
    service = await spawn("memstore", "--log-format", "json", ready='"serving"')
    line = json.loads(service.lines[-1])
    assert (line["level"], line["service"]) == ("info", "prism-memstore")
    port = int(line["grpc"].rpartition(":")[2])
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = KeyValueBasicInterfaceStub(channel)
        assert (await stub.Set(basic.SetRequest(key="k", value=b"v"))).success

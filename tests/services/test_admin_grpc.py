from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from prism_proto.prism import control_plane_pb2 as cp
from prism_proto.prism.control_plane_pb2_grpc import ControlPlaneStub
from prism_proto.prism.dev import admin_query_pb2 as query
from prism_proto.prism.dev.admin_query_pb2_grpc import AdminQueryStub
from prism_services.admin.database import DatabaseThread
from prism_services.admin.heartbeats import Deadlines, HeartbeatWatch
from prism_services.admin.partitions import partition_of
from prism_services.admin.serve import control_plane
from prism_services.admin.store import Store
from prism_services.serving.journal import Journal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    ControlPlane = Any
    AdminQuery = Any


@pytest.fixture
async def channel(
    hosted: Callable[..., Awaitable[Any]], tmp_path: Path
) -> AsyncIterator[grpc.aio.Channel]:
    async def overdue(_: object) -> None:
        raise AssertionError

    with DatabaseThread(tmp_path / "admin.db") as database:
        await database.opened()
        watch = HeartbeatWatch(Deadlines(time.monotonic), overdue)
        service = control_plane(
            Store(database, time.time), watch, Journal("tested"), str(database.path)
        )
        yield (await hosted([service], watch.run)).channel


@pytest.fixture
def admin(channel: grpc.aio.Channel) -> ControlPlane:
    return ControlPlaneStub(channel)


@pytest.fixture
def reader(channel: grpc.aio.Channel) -> AdminQuery:
    return AdminQueryStub(channel)


async def refusal(call: Awaitable[object]) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    return refused.value


async def names_in(reader: AdminQuery) -> dict[str, str]:
    answer = await reader.ListNamespaces(query.ListNamespacesRequest())
    return {entry.name: entry.assigned_proxy for entry in answer.namespaces}


async def test_the_first_proxy_gets_every_partition(admin: ControlPlane) -> None:
    ack = await admin.RegisterProxy(cp.ProxyRegistration(proxy_id="p1", address="127.0.0.1:1"))
    assert ack.success
    assert ack.message == "Proxy registered successfully"
    assert ack.partition_ranges == [cp.PartitionRange(start=0, end=255)]
    assert not ack.initial_namespaces


async def test_a_second_proxy_takes_the_upper_half_with_its_namespaces(
    admin: ControlPlane, reader: AdminQuery
) -> None:
    await admin.RegisterProxy(cp.ProxyRegistration(proxy_id="a"))
    names = [f"name-{number}" for number in range(20)]
    for name in names:
        await admin.CreateNamespace(cp.CreateNamespaceRequest(namespace=name))
    ack = await admin.RegisterProxy(cp.ProxyRegistration(proxy_id="b"))
    assert ack.partition_ranges == [cp.PartitionRange(start=128, end=255)]
    upper = {name for name in names if partition_of(name) > 127}
    assert {item.namespace for item in ack.initial_namespaces} == upper
    assert {name for name, proxy in (await names_in(reader)).items() if proxy == "b"} == upper
    again = await admin.RegisterProxy(cp.ProxyRegistration(proxy_id="a"))
    assert again.partition_ranges == [cp.PartitionRange(start=0, end=127)]


async def test_a_namespace_without_a_proxy_is_refused_with_its_partition(
    admin: ControlPlane,
) -> None:
    error = await refusal(admin.CreateNamespace(cp.CreateNamespaceRequest(namespace="orders")))
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert "partition 238" in (error.details() or "")


async def test_creating_a_namespace_twice_gives_the_same_answer(
    admin: ControlPlane, reader: AdminQuery
) -> None:
    await admin.RegisterProxy(cp.ProxyRegistration(proxy_id="p1"))
    config = cp.NamespaceConfig(metadata={"description": "what is ordered"})
    for _ in range(2):
        answer = await admin.CreateNamespace(
            cp.CreateNamespaceRequest(namespace="orders", config=config, principal="me")
        )
        assert (answer.success, answer.assigned_partition, answer.assigned_proxy) == (
            True,
            238,
            "p1",
        )
        config = cp.NamespaceConfig()
    (entry,) = (await reader.ListNamespaces(query.ListNamespacesRequest())).namespaces
    assert (entry.description, entry.created_by) == ("what is ordered", "me")
    assert abs(entry.created_at - time.time()) < 60


async def test_the_configuration_of_a_namespace_reaches_its_proxy_and_nobody_else(
    admin: ControlPlane, reader: AdminQuery
) -> None:
    await admin.RegisterProxy(cp.ProxyRegistration(proxy_id="p1"))
    config = cp.NamespaceConfig(
        backends={"b": cp.BackendConfig(credentials={"password": "secret"})}
    )
    await admin.CreateNamespace(cp.CreateNamespaceRequest(namespace="orders", config=config))
    ack = await admin.RegisterProxy(cp.ProxyRegistration(proxy_id="p1"))
    assert ack.initial_namespaces[0].config == config
    answer = await reader.ListNamespaces(query.ListNamespacesRequest())
    assert b"secret" not in answer.SerializeToString()
    log = await reader.ListAuditLog(query.ListAuditLogRequest())
    assert b"secret" not in log.SerializeToString()


async def test_the_257th_proxy_is_refused_and_a_known_one_is_not(admin: ControlPlane) -> None:
    for number in range(256):
        await admin.RegisterProxy(cp.ProxyRegistration(proxy_id=f"p{number:03}"))
    error = await refusal(admin.RegisterProxy(cp.ProxyRegistration(proxy_id="one-more")))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    ack = await admin.RegisterProxy(cp.ProxyRegistration(proxy_id="p255"))
    assert ack.partition_ranges == [cp.PartitionRange(start=255, end=255)]


async def test_a_heartbeat_of_a_stranger_succeeds_and_leaves_nothing(
    admin: ControlPlane, reader: AdminQuery
) -> None:
    for answer in (
        await admin.Heartbeat(cp.ProxyHeartbeat(proxy_id="nobody")),
        await admin.LauncherHeartbeat(cp.LauncherHeartbeatRequest(launcher_id="nobody")),
    ):
        assert answer.success
        assert abs(answer.server_timestamp - time.time()) < 60
    assert not (await reader.ListProxies(query.ListProxiesRequest())).proxies
    assert not (await reader.ListLaunchers(query.ListLaunchersRequest())).launchers


async def test_a_heartbeat_updates_what_is_known(admin: ControlPlane, reader: AdminQuery) -> None:
    await admin.RegisterProxy(cp.ProxyRegistration(proxy_id="p1", capabilities=["x"]))
    health = {
        "a": cp.NamespaceHealth(requests_per_second=(1 << 63) - 1),
        "b": cp.NamespaceHealth(requests_per_second=5),
    }
    usage = cp.ResourceUsage(cpu_percent=float("nan"), memory_mb=64)
    await admin.Heartbeat(
        cp.ProxyHeartbeat(proxy_id="p1", namespace_health=health, resources=usage)
    )
    (share,) = (await reader.ListProxies(query.ListProxiesRequest())).proxies
    assert share.proxy.status == "healthy"
    assert share.proxy.capabilities == ["x"]
    assert share.proxy.resources.memory_bytes == 64 << 20
    assert share.proxy.resources.active_namespaces == 2
    assert share.proxy.resources.requests_per_second == (1 << 63) - 1
    assert (share.first_partition, share.last_partition) == (0, 255)


async def test_a_launcher_is_registered_with_its_capacity(
    admin: ControlPlane, reader: AdminQuery
) -> None:
    ack = await admin.RegisterLauncher(
        cp.LauncherRegistration(launcher_id="l1", address="127.0.0.1:7070", max_processes=20)
    )
    assert ack == cp.LauncherRegistrationAck(
        success=True, message="Launcher registered successfully", assigned_capacity=20
    )
    usage = cp.LauncherResourceUsage(process_count=3, available_slots=17)
    await admin.LauncherHeartbeat(cp.LauncherHeartbeatRequest(launcher_id="l1", resources=usage))
    (entry,) = (await reader.ListLaunchers(query.ListLaunchersRequest())).launchers
    assert (entry.max_processes, entry.available_slots) == (20, 17)
    assert entry.resources.active_processes == 3


WRONG = (
    ("RegisterProxy", cp.ProxyRegistration()),
    ("RegisterProxy", cp.ProxyRegistration(proxy_id="x" * 10_000)),
    ("RegisterProxy", cp.ProxyRegistration(proxy_id="a\nb")),
    ("RegisterLauncher", cp.LauncherRegistration()),
    ("RegisterLauncher", cp.LauncherRegistration(launcher_id="l", max_processes=-1)),
    ("Heartbeat", cp.ProxyHeartbeat()),
    ("LauncherHeartbeat", cp.LauncherHeartbeatRequest()),
    ("CreateNamespace", cp.CreateNamespaceRequest()),
    ("AssignNamespace", cp.NamespaceAssignment()),
    ("AssignNamespace", cp.NamespaceAssignment(namespace="orders", partition_id=1)),
    ("AssignNamespace", cp.NamespaceAssignment(namespace="orders", partition_id=-1)),
    ("AssignNamespace", cp.NamespaceAssignment(namespace="orders", version=-1)),
    ("RevokeNamespace", cp.NamespaceRevocation(namespace="orders")),
    ("RevokeNamespace", cp.NamespaceRevocation(proxy_id="p")),
    ("AssignProcess", cp.ProcessAssignment(process_type="pattern")),
    ("AssignProcess", cp.ProcessAssignment(process_id="p")),
    ("RevokeProcess", cp.ProcessRevocation(process_id="p")),
    ("RevokeProcess", cp.ProcessRevocation(launcher_id="l")),
)


@pytest.mark.parametrize("number", range(len(WRONG)))
async def test_a_request_that_is_wrong_in_itself_is_an_invalid_argument(
    admin: ControlPlane, number: int
) -> None:
    method, request_message = WRONG[number]
    error = await refusal(getattr(admin, method)(request_message))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.details()


async def test_a_namespace_is_assigned_revoked_and_assigned_again(
    admin: ControlPlane, reader: AdminQuery
) -> None:
    assignment = cp.NamespaceAssignment(namespace="orders", partition_id=238, version=3)
    error = await refusal(admin.AssignNamespace(assignment))
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    await admin.RegisterProxy(cp.ProxyRegistration(proxy_id="p1"))
    assert (await admin.AssignNamespace(assignment)).success
    assert await names_in(reader) == {"orders": "p1"}

    stale = await admin.AssignNamespace(cp.NamespaceAssignment(namespace="orders", version=2))
    assert not stale.success
    assert "version 3" in stale.message

    revocation = cp.NamespaceRevocation(proxy_id="p1", namespace="orders")
    ack = await admin.RevokeNamespace(revocation)
    assert ack.success
    assert abs(ack.revoked_at - time.time()) < 60
    assert await names_in(reader) == {"orders": ""}
    assert not (await admin.RevokeNamespace(revocation)).success

    ack = await admin.RegisterProxy(cp.ProxyRegistration(proxy_id="p0"))
    assert not ack.initial_namespaces
    assert await names_in(reader) == {"orders": ""}
    answer = await admin.CreateNamespace(cp.CreateNamespaceRequest(namespace="orders"))
    assert answer.assigned_proxy == "p1"


async def test_processes_go_to_the_launcher_with_the_fewest_until_all_are_full(
    admin: ControlPlane, reader: AdminQuery
) -> None:
    def wanted(number: int, kind: str = "pattern", version: int = 0) -> cp.ProcessAssignment:
        return cp.ProcessAssignment(
            process_id=f"process-{number}", process_type=kind, version=version
        )

    error = await refusal(admin.AssignProcess(wanted(0)))
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    for launcher, kinds in (("l1", ["pattern"]), ("l2", [])):
        await admin.RegisterLauncher(
            cp.LauncherRegistration(launcher_id=launcher, max_processes=2, process_types=kinds)
        )
    for number in range(4):
        assert (await admin.AssignProcess(wanted(number, version=2))).success
    answer = await reader.ListProcesses(query.ListProcessesRequest())
    assert [entry.launcher_id for entry in answer.processes] == ["l1", "l2", "l1", "l2"]
    error = await refusal(admin.AssignProcess(wanted(4)))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert (await admin.AssignProcess(wanted(0, version=2))).success
    assert not (await admin.AssignProcess(wanted(0, version=1))).success

    ack = await admin.RegisterLauncher(
        cp.LauncherRegistration(launcher_id="l1", max_processes=2, process_types=["pattern"])
    )
    assert [item.process_id for item in ack.initial_processes] == ["process-0", "process-2"]

    revocation = cp.ProcessRevocation(launcher_id="l1", process_id="process-0")
    assert (await admin.RevokeProcess(revocation)).success
    assert not (await admin.RevokeProcess(revocation)).success
    error = await refusal(admin.AssignProcess(wanted(5, kind="utility")))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert (await admin.AssignProcess(wanted(5))).success


async def test_a_namespace_is_deleted_once(admin: ControlPlane, reader: AdminQuery) -> None:
    await admin.RegisterProxy(cp.ProxyRegistration(proxy_id="p1"))
    await admin.CreateNamespace(cp.CreateNamespaceRequest(namespace="orders"))
    request = query.DeleteNamespaceRequest(namespace="orders", principal="me")
    assert (await reader.DeleteNamespace(request)).partition_id == 238
    assert await names_in(reader) == {}
    error = await refusal(reader.DeleteNamespace(request))
    assert error.code() is grpc.StatusCode.NOT_FOUND


async def test_every_change_is_in_the_audit_log_newest_first(
    admin: ControlPlane, reader: AdminQuery
) -> None:
    await admin.RegisterProxy(cp.ProxyRegistration(proxy_id="p1"))
    await admin.CreateNamespace(cp.CreateNamespaceRequest(namespace="orders", principal="me"))
    await reader.DeleteNamespace(query.DeleteNamespaceRequest(namespace="orders", principal="you"))
    await refusal(admin.CreateNamespace(cp.CreateNamespaceRequest()))
    log = (await reader.ListAuditLog(query.ListAuditLogRequest())).entries
    assert [(entry.action, entry.subject, entry.principal) for entry in log] == [
        ("delete-namespace", "orders", "you"),
        ("create-namespace", "orders", "me"),
        ("register-proxy", "p1", ""),
    ]
    older = await reader.ListAuditLog(query.ListAuditLogRequest(limit=1, before_id=log[0].id))
    assert list(older.entries) == [log[1]]


async def test_the_status_counts_everything(admin: ControlPlane, reader: AdminQuery) -> None:
    await admin.RegisterProxy(cp.ProxyRegistration(proxy_id="p1"))
    await admin.CreateNamespace(cp.CreateNamespaceRequest(namespace="orders"))
    status = await reader.GetStatus(query.GetStatusRequest())
    assert (status.namespaces, status.processes, status.schema_version) == (1, 0, 1)
    assert (status.proxies.total, status.proxies.healthy, status.launchers.total) == (1, 1, 0)
    assert Path(status.database).name == "admin.db"

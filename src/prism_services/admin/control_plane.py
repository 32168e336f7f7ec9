# ruff: noqa: N802, D102 - methods are named and described by the protocol
"""The service ``prism.ControlPlane``: messages in, transactions, messages out."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any, Final

from prism_proto.prism import control_plane_pb2 as messages
from prism_proto.prism import control_plane_pb2_grpc as services
from prism_services.admin.partitions import partition_of
from prism_services.admin.records import Load, Member, MemberKind, NamespaceRecord, ProcessRecord

if TYPE_CHECKING:
    from collections.abc import Iterable

    import grpc

    from prism_services.admin.heartbeats import HeartbeatWatch
    from prism_services.admin.records import Outcome
    from prism_services.admin.store import Store
    from prism_services.serving.journal import Journal

    Context = grpc.aio.ServicerContext[Any, Any]

LARGEST: Final = (1 << 63) - 1
"""What SQLite keeps of a whole number."""


class ControlPlane(services.ControlPlaneServicer):
    """What proxies and launchers talk to."""

    def __init__(self, store: Store, watch: HeartbeatWatch, journal: Journal) -> None:
        self._store = store
        self._watch = watch
        self._journal = journal

    async def RegisterProxy(
        self, request: messages.ProxyRegistration, _: Context
    ) -> messages.ProxyRegistrationAck:
        proxy = Member(
            kind=MemberKind.PROXY,
            id=request.proxy_id,
            address=request.address,
            region=request.region,
            version=request.version,
            capabilities=tuple(request.capabilities),
            metadata=dict(request.metadata),
        )
        share, namespaces = await self._store.run(lambda state: state.register_proxy(proxy))
        self._watch.expect((MemberKind.PROXY, proxy.id))
        self._journal.info(
            "proxy registered",
            proxy=proxy.id,
            address=proxy.address,
            partitions=f"{share.first}-{share.last}",
        )
        return messages.ProxyRegistrationAck(
            success=True,
            message="Proxy registered successfully",
            initial_namespaces=[_assignment(record) for record in namespaces],
            partition_ranges=[messages.PartitionRange(start=share.first, end=share.last)],
        )

    async def RegisterLauncher(
        self, request: messages.LauncherRegistration, _: Context
    ) -> messages.LauncherRegistrationAck:
        launcher = Member(
            kind=MemberKind.LAUNCHER,
            id=request.launcher_id,
            address=request.address,
            region=request.region,
            version=request.version,
            capabilities=tuple(request.capabilities),
            metadata=dict(request.metadata),
            process_types=tuple(request.process_types),
            max_processes=request.max_processes,
        )
        processes = await self._store.run(lambda state: state.register_launcher(launcher))
        self._watch.expect((MemberKind.LAUNCHER, launcher.id))
        self._journal.info(
            "launcher registered",
            launcher=launcher.id,
            address=launcher.address,
            capacity=launcher.max_processes,
        )
        return messages.LauncherRegistrationAck(
            success=True,
            message="Launcher registered successfully",
            initial_processes=[_process_assignment(record) for record in processes],
            assigned_capacity=launcher.max_processes,
        )

    async def Heartbeat(
        self, request: messages.ProxyHeartbeat, _: Context
    ) -> messages.HeartbeatAck:
        health = request.namespace_health.values()
        load = Load(
            cpu_percent=_finite(request.resources.cpu_percent),
            memory_mb=request.resources.memory_mb,
            active=len(request.namespace_health),
            requests_per_second=_total(item.requests_per_second for item in health),
        )
        return await self._heartbeat(MemberKind.PROXY, request.proxy_id, load)

    async def LauncherHeartbeat(
        self, request: messages.LauncherHeartbeatRequest, _: Context
    ) -> messages.HeartbeatAck:
        load = Load(
            cpu_percent=_finite(request.resources.cpu_percent),
            memory_mb=request.resources.total_memory_mb,
            active=request.resources.process_count or len(request.process_health),
            available_slots=request.resources.available_slots,
        )
        return await self._heartbeat(MemberKind.LAUNCHER, request.launcher_id, load)

    async def CreateNamespace(
        self, request: messages.CreateNamespaceRequest, _: Context
    ) -> messages.CreateNamespaceResponse:
        config = request.config.SerializeToString(deterministic=True)
        principal = request.principal or request.requesting_proxy
        creation = await self._store.run(
            lambda state: state.namespaces.create(request.namespace, config, principal)
        )
        record = creation.record
        if creation.created:
            self._journal.info(
                "namespace created",
                namespace=record.name,
                partition=record.partition,
                proxy=record.proxy_id,
            )
        return messages.CreateNamespaceResponse(
            success=True,
            message=(
                "Namespace created successfully" if creation.created else "Namespace already exists"
            ),
            assigned_partition=record.partition,
            assigned_proxy=record.proxy_id,
        )

    async def AssignNamespace(
        self, request: messages.NamespaceAssignment, _: Context
    ) -> messages.NamespaceAssignmentAck:
        config = request.config.SerializeToString(deterministic=True)
        outcome = await self._store.run(
            lambda state: state.namespaces.assign(
                request.namespace, request.partition_id, config, request.version
            )
        )
        self._report("namespace assigned", outcome, namespace=request.namespace)
        return messages.NamespaceAssignmentAck(success=outcome.success, message=outcome.message)

    async def RevokeNamespace(
        self, request: messages.NamespaceRevocation, _: Context
    ) -> messages.NamespaceRevocationAck:
        outcome = await self._store.run(
            lambda state: state.namespaces.revoke(request.proxy_id, request.namespace)
        )
        self._report("namespace revoked", outcome, namespace=request.namespace)
        return messages.NamespaceRevocationAck(
            success=outcome.success,
            message=outcome.message,
            revoked_at=_seconds() if outcome.success else 0,
        )

    async def AssignProcess(
        self, request: messages.ProcessAssignment, _: Context
    ) -> messages.ProcessAssignmentAck:
        outcome = await self._store.run(
            lambda state: state.processes.assign(
                process_id=request.process_id,
                process_type=request.process_type,
                namespace=request.namespace,
                config=request.config.SerializeToString(deterministic=True),
                version=request.version,
            )
        )
        self._report("process assigned", outcome, process=request.process_id)
        return messages.ProcessAssignmentAck(success=outcome.success, message=outcome.message)

    async def RevokeProcess(
        self, request: messages.ProcessRevocation, _: Context
    ) -> messages.ProcessRevocationAck:
        outcome = await self._store.run(
            lambda state: state.processes.revoke(request.launcher_id, request.process_id)
        )
        self._report("process revoked", outcome, process=request.process_id)
        return messages.ProcessRevocationAck(
            success=outcome.success,
            message=outcome.message,
            stopped_at=_seconds() if outcome.success else 0,
        )

    async def _heartbeat(
        self, kind: MemberKind, member_id: str, load: Load
    ) -> messages.HeartbeatAck:
        # Before the transaction: if it is being found overdue right now, that is written first, then this.
        self._watch.heard((kind, member_id))
        known = await self._store.run(lambda state: state.members.heartbeat(kind, member_id, load))
        message = "Heartbeat received"
        if not known:
            self._journal.debug("heartbeat of a stranger", kind=str(kind), id=member_id)
            message += f"; {kind} {member_id} is not registered"
        return messages.HeartbeatAck(success=True, message=message, server_timestamp=_seconds())

    def _report(self, message: str, outcome: Outcome, **fields: str) -> None:
        if outcome.success:
            self._journal.info(message, **fields)
        else:
            self._journal.debug("change refused", reason=outcome.message)


def _assignment(record: NamespaceRecord) -> messages.NamespaceAssignment:
    return messages.NamespaceAssignment(
        namespace=record.name,
        partition_id=partition_of(record.name),
        config=messages.NamespaceConfig.FromString(record.config),
        version=record.version,
    )


def _process_assignment(record: ProcessRecord) -> messages.ProcessAssignment:
    return messages.ProcessAssignment(
        process_id=record.process_id,
        process_type=record.process_type,
        namespace=record.namespace,
        config=messages.ProcessConfig.FromString(record.config),
        version=record.version,
    )


def _seconds() -> int:
    return int(time.time())


def _finite(number: float) -> float:
    return number if math.isfinite(number) else 0.0


def _total(numbers: Iterable[int]) -> int:
    return max(-LARGEST, min(sum(numbers), LARGEST))

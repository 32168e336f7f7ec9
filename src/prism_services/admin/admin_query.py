# ruff: noqa: N802, D102 - methods are named and described by the protocol
"""The service ``prism.dev.AdminQuery``: the control plane's state, read back."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from prism_proto.prism.admin import admin_pb2 as entries
from prism_proto.prism.control_plane_pb2 import NamespaceConfig, ProcessConfig
from prism_proto.prism.dev import admin_query_pb2 as messages
from prism_proto.prism.dev import admin_query_pb2_grpc as services
from prism_services import __version__
from prism_services.admin.database import SCHEMA_VERSION
from prism_services.admin.records import Liveness, MemberKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    import grpc

    from prism_services.admin.records import MemberRecord, NamespaceRecord, ProcessRecord
    from prism_services.admin.state import State
    from prism_services.admin.store import Store
    from prism_services.serving.journal import Journal

    Context = grpc.aio.ServicerContext[Any, Any]

USUAL_AUDIT_ENTRIES: Final = 100
BYTES_OF_MB: Final = 1 << 20
LARGEST: Final = (1 << 63) - 1


class AdminQuery(services.AdminQueryServicer):
    """What people and dashboards ask."""

    def __init__(self, store: Store, journal: Journal, database: str) -> None:
        self._store = store
        self._journal = journal
        self._database = database
        self._started = time.monotonic()

    async def ListNamespaces(
        self, _: messages.ListNamespacesRequest, __: Context
    ) -> messages.ListNamespacesResponse:
        records = await self._store.run(lambda state: state.namespaces.all())
        return messages.ListNamespacesResponse(namespaces=map(_namespace_entry, records))

    async def DeleteNamespace(
        self, request: messages.DeleteNamespaceRequest, _: Context
    ) -> messages.DeleteNamespaceResponse:
        record = await self._store.run(
            lambda state: state.namespaces.delete(request.namespace, request.principal)
        )
        self._journal.info("namespace deleted", namespace=record.name)
        return messages.DeleteNamespaceResponse(partition_id=record.partition)

    async def ListProxies(
        self, _: messages.ListProxiesRequest, __: Context
    ) -> messages.ListProxiesResponse:
        def read(state: State) -> messages.ListProxiesResponse:
            pairs = zip(state.members.all(MemberKind.PROXY), state.members.shares(), strict=True)
            return messages.ListProxiesResponse(
                proxies=[
                    messages.ProxyShare(
                        proxy=_proxy_entry(record),
                        first_partition=share.first,
                        last_partition=share.last,
                    )
                    for record, share in pairs
                ]
            )

        return await self._store.run(read)

    async def ListLaunchers(
        self, _: messages.ListLaunchersRequest, __: Context
    ) -> messages.ListLaunchersResponse:
        records = await self._store.run(lambda state: state.members.all(MemberKind.LAUNCHER))
        return messages.ListLaunchersResponse(launchers=map(_launcher_entry, records))

    async def ListProcesses(
        self, _: messages.ListProcessesRequest, __: Context
    ) -> messages.ListProcessesResponse:
        records = await self._store.run(lambda state: state.processes.all())
        return messages.ListProcessesResponse(processes=map(_process_entry, records))

    async def GetStatus(
        self, _: messages.GetStatusRequest, __: Context
    ) -> messages.GetStatusResponse:
        def read(state: State) -> messages.GetStatusResponse:
            return messages.GetStatusResponse(
                version=__version__,
                uptime_seconds=int(time.monotonic() - self._started),
                schema_version=SCHEMA_VERSION,
                database=self._database,
                namespaces=state.namespaces.count(),
                proxies=_health_count(state.members.all(MemberKind.PROXY)),
                launchers=_health_count(state.members.all(MemberKind.LAUNCHER)),
                processes=state.processes.count(),
            )

        return await self._store.run(read)

    async def ListAuditLog(
        self, request: messages.ListAuditLogRequest, _: Context
    ) -> messages.ListAuditLogResponse:
        limit = request.limit or USUAL_AUDIT_ENTRIES
        records = await self._store.run(lambda state: state.audit.entries(limit, request.before_id))
        return messages.ListAuditLogResponse(
            entries=[
                messages.AuditEntry(
                    id=record.id,
                    at=record.at,
                    action=record.action,
                    subject=record.subject,
                    principal=record.principal,
                    detail=record.detail,
                )
                for record in records
            ]
        )


def _namespace_entry(record: NamespaceRecord) -> entries.NamespaceEntry:
    config = NamespaceConfig.FromString(record.config)
    return entries.NamespaceEntry(
        name=record.name,
        description=config.metadata.get("description", ""),
        partition_id=record.partition,
        assigned_proxy=record.proxy_id,
        config=config.metadata,
        created_by=record.created_by,
        created_at=record.created_at,
        updated_at=record.updated_at,
    )


def _proxy_entry(record: MemberRecord) -> entries.ProxyEntry:
    member, load = record.member, record.load
    return entries.ProxyEntry(
        proxy_id=member.id,
        address=member.address,
        region=member.region,
        version=member.version,
        capabilities=member.capabilities,
        metadata=member.metadata,
        status=record.status,
        registered_at=record.registered_at,
        last_seen=record.last_seen,
        resources=entries.ProxyResources(
            memory_bytes=_bytes(load.memory_mb),
            cpu_percent=load.cpu_percent,
            active_namespaces=load.active,
            requests_per_second=load.requests_per_second,
        ),
    )


def _launcher_entry(record: MemberRecord) -> entries.LauncherEntry:
    member, load = record.member, record.load
    return entries.LauncherEntry(
        launcher_id=member.id,
        address=member.address,
        region=member.region,
        version=member.version,
        capabilities=member.capabilities,
        process_types=member.process_types,
        max_processes=member.max_processes,
        metadata=member.metadata,
        status=record.status,
        registered_at=record.registered_at,
        last_seen=record.last_seen,
        available_slots=load.available_slots,
        resources=entries.LauncherResources(
            memory_bytes=_bytes(load.memory_mb),
            cpu_percent=load.cpu_percent,
            active_processes=load.active,
            available_slots=load.available_slots,
        ),
    )


def _process_entry(record: ProcessRecord) -> entries.PatternEntry:
    return entries.PatternEntry(
        pattern_id=record.process_id,
        namespace=record.namespace,
        pattern_type=record.process_type,
        launcher_id=record.launcher_id,
        config=ProcessConfig.FromString(record.config).pattern.settings,
        status=record.status,
        assigned_at=record.assigned_at,
        updated_at=record.updated_at,
    )


def _health_count(records: Iterable[MemberRecord]) -> messages.HealthCount:
    count = Counter(record.status for record in records)
    return messages.HealthCount(
        total=count.total(),
        healthy=count[Liveness.HEALTHY],
        unhealthy=count[Liveness.UNHEALTHY],
        unknown=count[Liveness.UNKNOWN],
    )


def _bytes(megabytes: int) -> int:
    return max(-LARGEST, min(megabytes * BYTES_OF_MB, LARGEST))

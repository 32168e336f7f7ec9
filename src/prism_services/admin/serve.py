"""Puts prism-admin together."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from prism_services.admin.heartbeats import Deadlines, HeartbeatWatch
from prism_services.admin.store import Store
from prism_services.serving.deferred import DeferredService, handlers_of
from prism_services.serving.host import PagePort, ServiceHost
from prism_services.serving.journal import open_journal

if TYPE_CHECKING:
    import grpc

    from prism_services.admin.database import DatabaseThread
    from prism_services.admin.flags import ServeOptions
    from prism_services.admin.records import MemberKind
    from prism_services.serving.journal import Journal

NAME: Final = "prism-admin"
SERVICES: Final = ("prism.ControlPlane", "prism.dev.AdminQuery")


async def serve(options: ServeOptions, database: DatabaseThread) -> None:
    """Serve until asked to end."""
    journal = open_journal(NAME, level=options.log_level, log_format=options.log_format)
    await database.opened()
    if options.ignored:
        journal.info("flags without effect: this is a single node", flags=",".join(options.ignored))
    store = Store(database, time.time)
    watch = heartbeat_watch(store, journal)
    host = ServiceHost(
        name=NAME,
        listen=options.listen,
        journal=journal,
        services=[control_plane(store, watch, journal, str(database.path))],
    )
    metrics = PagePort(name="metrics", port=options.metrics_port, flag="--metrics-port")
    await host.run(
        grpc_port=options.grpc_port,
        page_ports=[metrics],
        jobs=[lambda: watch_members(store, watch)],
    )


def heartbeat_watch(store: Store, journal: Journal) -> HeartbeatWatch:
    """Watch over members, writing down whoever is not heard of any more."""

    async def overdue(member: tuple[MemberKind, str]) -> None:
        kind, member_id = member
        if await store.run(lambda state: state.members.mark_unhealthy(kind, member_id)):
            journal.warning(f"{kind} missed its heartbeats", id=member_id)

    return HeartbeatWatch(Deadlines(time.monotonic), overdue)


async def watch_members(store: Store, watch: HeartbeatWatch) -> None:
    """Watch until cancelled; members known from before have as long as if they had just been heard."""
    for record in await store.run(lambda state: [*state.members.everyone()]):
        if record.healthy:
            watch.expect((record.member.kind, record.member.id))
    await watch.run()


def control_plane(
    store: Store, watch: HeartbeatWatch, journal: Journal, database: str
) -> DeferredService:
    """What prism-admin answers over gRPC."""

    def build() -> list[grpc.GenericRpcHandler]:
        from prism_proto.prism.control_plane_pb2_grpc import add_ControlPlaneServicer_to_server
        from prism_proto.prism.dev.admin_query_pb2_grpc import add_AdminQueryServicer_to_server
        from prism_services.admin.admin_query import AdminQuery
        from prism_services.admin.control_plane import ControlPlane

        return handlers_of(
            (add_ControlPlaneServicer_to_server, ControlPlane(store, watch, journal)),
            (add_AdminQueryServicer_to_server, AdminQuery(store, journal, database)),
        )

    return DeferredService(SERVICES, build)

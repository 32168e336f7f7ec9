"""Puts pattern-launcher together."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final

from prism_services.launcher.admin_link import AdminLink, Identity
from prism_services.launcher.patterns import find_patterns
from prism_services.launcher.supervisor import WithoutProcesses
from prism_services.serving.deferred import DeferredService, handlers_of
from prism_services.serving.host import PagePort, ServiceHost
from prism_services.serving.journal import open_journal
from prism_services.serving.metrics import Gauge
from prism_services.serving.pages import Answer
from prism_services.serving.ports import authority

if TYPE_CHECKING:
    import grpc

    from prism_services.launcher.flags import Options
    from prism_services.launcher.patterns import Catalogue
    from prism_services.launcher.supervisor import PatternSupervisor

NAME: Final = "pattern-launcher"
SERVICE: Final = "prism.launcher.PatternLauncher"
EVERY_ADDRESS: Final = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - compared with, not bound


async def serve(options: Options) -> None:
    """Serve until asked to end."""
    journal = open_journal(NAME, level=options.log_level, log_format=options.log_format)
    catalogue = find_patterns(options.patterns_directory)
    for line in catalogue.rejected:
        journal.warning("pattern skipped", reason=line)
    journal.info("patterns found", patterns=",".join(sorted(catalogue.patterns)))
    supervisor = WithoutProcesses()
    service = pattern_launcher(catalogue, supervisor, options)
    host = ServiceHost(name=NAME, listen=options.listen, journal=journal, services=[service])

    def identity() -> Identity:
        return Identity(
            launcher_id=options.launcher_id,
            address=authority(reachable_name(options.listen), host.grpc_port),
            region=options.region,
            max_processes=options.max_processes,
            patterns=tuple(sorted(catalogue.patterns)),
        )

    link = AdminLink(
        endpoint=options.admin_endpoint,
        identity=identity,
        reports=supervisor.reports,
        journal=journal,
    )

    def ready() -> Answer:
        if link.registered:
            return Answer(status=200, body="registered\n")
        return Answer(
            status=503, body=f"not registered with {options.admin_endpoint}: {link.trouble}\n"
        )

    host.metrics.add(
        Gauge("pattern_launcher_processes", "Processes.", lambda: len(supervisor.reports())),
        Gauge("pattern_launcher_processes_limit", "Most processes.", lambda: options.max_processes),
        Gauge("pattern_launcher_admin_connected", "Registered now.", lambda: link.connected),
    )
    page_ports = (
        PagePort(
            name="health",
            port=options.health_port,
            flag="--health-port",
            pages={"/ready": ready},
        ),
        PagePort(name="metrics", port=options.metrics_port, flag="--metrics-port"),
    )
    await host.run(grpc_port=options.grpc_port, page_ports=page_ports, jobs=[link.run])


def pattern_launcher(
    catalogue: Catalogue, supervisor: PatternSupervisor, options: Options
) -> DeferredService:
    """What the launcher answers over gRPC."""

    def build() -> list[grpc.GenericRpcHandler]:
        from prism_proto.prism.launcher.launcher_pb2_grpc import (
            add_PatternLauncherServicer_to_server,
        )
        from prism_services.launcher.service import PatternLauncher

        servicer = PatternLauncher(catalogue, supervisor, options.isolation)
        return handlers_of((add_PatternLauncherServicer_to_server, servicer))

    return DeferredService([SERVICE], build)


def reachable_name(listen: str) -> str:
    """The host that others reach this one by when it listens on ``listen``."""
    return socket.gethostname() if listen in EVERY_ADDRESS else listen

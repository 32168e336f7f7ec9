"""The command line of pattern-launcher."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from prism_services.launcher.isolation import Isolation
from prism_services.serving.flags import Flags, add_common_flags, port, positive
from prism_services.serving.journal import LogFormat

if TYPE_CHECKING:
    from collections.abc import Sequence

EXAMPLES = (
    "pattern-launcher                                 # with prism-admin on localhost:8981",
    "pattern-launcher --patterns-dir ./patterns --max-processes 5",
    "pattern-launcher --launcher-id launcher-02 --grpc-port 0 --health-port 0 --metrics-port 0",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says."""

    admin_endpoint: str
    launcher_id: str
    region: str
    listen: str
    grpc_port: int
    health_port: int
    metrics_port: int
    patterns_directory: Path | None
    isolation: Isolation
    max_processes: int
    log_level: str
    log_format: LogFormat


def parse(arguments: Sequence[str]) -> Options:
    """Read the command line."""
    found = _flags().parse_args(arguments)
    return Options(
        admin_endpoint=found.admin_endpoint.removeprefix("http://").rstrip("/"),
        launcher_id=found.launcher_id,
        region=found.region,
        listen=found.listen,
        grpc_port=found.grpc_port,
        health_port=found.health_port,
        metrics_port=found.metrics_port,
        patterns_directory=Path(found.patterns_dir).absolute() if found.patterns_dir else None,
        isolation=Isolation(found.isolation),
        max_processes=found.max_processes,
        log_level=found.log_level,
        log_format=LogFormat(found.log_format),
    )


def _flags() -> Flags:
    flags = Flags(
        prog="pattern-launcher",
        summary="Starts pattern processes on demand, and tells prism-admin about them.",
        examples=EXAMPLES,
    )
    flags.add_argument(
        "--admin-endpoint",
        default="localhost:8981",
        metavar="HOST:PORT",
        help="where prism-admin listens",
    )
    flags.add_argument(
        "--launcher-id", default="launcher-01", metavar="ID", help="its name in the control plane"
    )
    flags.add_argument(
        "--grpc-port", type=port, default=7070, metavar="PORT", help="gRPC; 0 takes a free port"
    )
    flags.add_argument(
        "--health-port",
        type=port,
        default=9093,
        metavar="PORT",
        help="HTTP /health, and /ready once registered; 0 takes a free port",
    )
    flags.add_argument(
        "--metrics-port",
        type=port,
        default=9193,
        metavar="PORT",
        help="HTTP /metrics; 0 takes a free port",
    )
    flags.add_argument(
        "--patterns-dir",
        default="",
        metavar="DIRECTORY",
        help="holds NAME/manifest.yaml for each pattern besides those that ship with Prism",
    )
    flags.add_argument(
        "--isolation",
        choices=[str(member) for member in Isolation],
        default=str(Isolation.NONE),
        help="who shares a process, where a request does not say",
    )
    flags.add_argument("--region", default="", help="told to the control plane")
    flags.add_argument(
        "--max-processes", type=positive, default=20, metavar="N", help="most processes at a time"
    )
    add_common_flags(flags)
    return flags

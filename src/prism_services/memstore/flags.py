"""The command line of prism-memstore."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from prism_services.serving.flags import Flags, add_common_flags, duration, port, positive
from prism_services.serving.journal import LogFormat

if TYPE_CHECKING:
    from collections.abc import Sequence

EXAMPLES = (
    "prism-memstore                                   # free ports, printed in the log",
    "prism-memstore --grpc-port 7080 --metrics-port 7081",
    "prism-memstore --max-keys 100 --cleanup-period 5s",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says."""

    listen: str
    grpc_port: int
    metrics_port: int
    max_keys: int
    cleanup_seconds: float
    log_level: str
    log_format: LogFormat


def parse(arguments: Sequence[str]) -> Options:
    """Read the command line."""
    flags = Flags(
        prog="prism-memstore",
        summary="Keys and values in memory, behind Prism's KeyValue interfaces (basic, TTL, batch).",
        examples=EXAMPLES,
    )
    flags.add_argument(
        "--grpc-port", type=port, default=0, metavar="PORT", help="gRPC; 0 takes a free port"
    )
    flags.add_argument(
        "--metrics-port",
        type=port,
        default=0,
        metavar="PORT",
        help="HTTP /health and /metrics; 0 takes a free port",
    )
    flags.add_argument(
        "--max-keys", type=positive, default=10_000, metavar="N", help="most keys held at a time"
    )
    flags.add_argument(
        "--cleanup-period",
        type=duration,
        default="60s",
        metavar="DURATION",
        help="how often expired keys are removed while there are keys that expire",
    )
    add_common_flags(flags)
    found = flags.parse_args(arguments)
    return Options(
        listen=found.listen,
        grpc_port=found.grpc_port,
        metrics_port=found.metrics_port,
        max_keys=found.max_keys,
        cleanup_seconds=found.cleanup_period,
        log_level=found.log_level,
        log_format=LogFormat(found.log_format),
    )

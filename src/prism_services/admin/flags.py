"""The command line of prism-admin."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from prism_services.admin.location import database_path
from prism_services.serving.flags import Flags, add_common_flags, port
from prism_services.serving.journal import LogFormat

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ENDPOINT: Final = "localhost:8981"
COMPATIBLE: Final = (
    "--raft-id", "--http-port", "--raft-port", "--raft-addr", "--advertise-addr", "--cluster",
)  # fmt: skip
"""Flags of a replicated control plane: accepted, so that its command lines work, and without effect."""


class OutputFormat(StrEnum):
    """How a client command prints its answer."""

    TEXT = "text"
    JSON = "json"


class Action(StrEnum):
    """What a client command asks for."""

    LIST = "list"
    CREATE = "create"
    DELETE = "delete"
    HEALTH = "health"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """What ``prism-admin serve`` was told."""

    listen: str
    grpc_port: int
    metrics_port: int
    database: Path
    log_level: str
    log_format: LogFormat
    ignored: tuple[str, ...]
    """Flags that were given and have no effect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientOptions:
    """What a client command was told."""

    action: Action
    endpoint: str
    output: OutputFormat
    namespace: str = ""


def parse(arguments: Sequence[str]) -> ServeOptions | ClientOptions:
    """Read the command line."""
    found = _flags().parse_args(arguments)
    if found.command == "serve":
        return ServeOptions(
            listen=found.listen,
            grpc_port=found.grpc_port,
            metrics_port=found.metrics_port,
            database=database_path(found.db, found.data_dir),
            log_level=found.log_level,
            log_format=LogFormat(found.log_format),
            ignored=tuple(flag for flag in COMPATIBLE if hasattr(found, _destination(flag))),
        )
    return ClientOptions(
        action=Action.HEALTH if found.command == "health" else Action(found.action),
        endpoint=found.endpoint,
        output=OutputFormat(found.output),
        namespace=getattr(found, "name", ""),
    )


def _flags() -> Flags:
    flags = Flags(
        prog="prism-admin",
        summary="The control plane of Prism, and a client of it.",
        examples=(
            "prism-admin serve",
            "prism-admin serve --grpc-port 8981 --db sqlite:///var/lib/prism/admin.db",
            "prism-admin namespace create orders",
            "prism-admin namespace list -o json",
            "prism-admin health",
        ),
    )
    _add_client_flags(flags, endpoint=ENDPOINT, output=str(OutputFormat.TEXT))
    commands = flags.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_serve(commands)
    _add_namespace(commands)
    health = commands.add_parser(
        "health",
        help="say whether it serves",
        summary="Ask prism-admin whether it serves; exits 0 only if it does.",
        examples=("prism-admin health", "prism-admin health -e localhost:8981 -o json"),
    )
    _add_client_flags(health)
    return flags


def _add_serve(commands: Any) -> None:
    serve = commands.add_parser(
        "serve",
        help="run the control plane",
        summary="Run the control plane.",
        examples=(
            "prism-admin serve",
            "prism-admin serve --grpc-port 0 --metrics-port 0 --db sqlite://admin.db",
        ),
    )
    serve.add_argument(
        "--grpc-port",
        "--port",
        type=port,
        default=8981,
        metavar="PORT",
        help="gRPC; 0 takes a free port",
    )
    serve.add_argument(
        "--metrics-port",
        type=port,
        default=9190,
        metavar="PORT",
        help="HTTP /health and /metrics; 0 takes a free port",
    )
    serve.add_argument(
        "--data-dir",
        default="",
        metavar="DIRECTORY",
        help="holds the database unless --db is given; empty: data/prism-admin in PRISM_HOME",
    )
    serve.add_argument(
        "--db", default="", metavar="URL", help="sqlite:///ABSOLUTE or sqlite://RELATIVE"
    )
    add_common_flags(serve)
    for flag in COMPATIBLE:
        serve.add_argument(
            flag, nargs="?", default=argparse.SUPPRESS, help="accepted, without effect"
        )


def _add_namespace(commands: Any) -> None:
    namespace = commands.add_parser(
        "namespace",
        help="list, create and delete namespaces",
        summary="List, create and delete namespaces.",
        examples=(
            "prism-admin namespace list",
            "prism-admin namespace create orders",
            "prism-admin namespace delete orders",
        ),
    )
    actions = namespace.add_subparsers(dest="action", required=True, metavar="ACTION")
    for action, words in (
        (Action.LIST, "list all namespaces"),
        (Action.CREATE, "create a namespace; one that exists is left as it is"),
        (Action.DELETE, "delete a namespace"),
    ):
        command = actions.add_parser(str(action), help=words, summary=words.capitalize() + ".")
        if action is not Action.LIST:
            command.add_argument("name", metavar="NAME")
        _add_client_flags(command)


def _add_client_flags(flags: Flags, *, endpoint: str = "", output: str = "") -> None:
    # A subcommand's flag has no default of its own, so that one given before it is not overwritten.
    flags.add_argument(
        "-e",
        "--endpoint",
        default=endpoint or argparse.SUPPRESS,
        metavar="HOST:PORT",
        help=f"where prism-admin listens; {ENDPOINT} if not given",
    )
    flags.add_argument(
        "-o",
        "--output",
        choices=[str(member) for member in OutputFormat],
        default=output or argparse.SUPPRESS,
        help="how the answer is printed",
    )


def _destination(flag: str) -> str:
    return flag.removeprefix("--").replace("-", "_")

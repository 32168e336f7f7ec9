"""The client commands: namespaces and health, over the same protocol that everybody else speaks."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any, Final

import grpc

from prism_services.admin.flags import Action, OutputFormat
from prism_services.serving.failure import RefusedError, UnansweredError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from prism_services.admin.flags import ClientOptions

TIMEOUT_SECONDS: Final = 5.0
SILENT: Final = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED})
SERVING: Final = b"\x08\x01"
"""``HealthCheckResponse`` with status SERVING."""


def run(options: ClientOptions) -> None:
    """Do what the command asks for, and print the answer."""
    address = options.endpoint.removeprefix("http://").rstrip("/")
    # A proxy for the web has no business between a command and this machine.
    with (
        grpc.insecure_channel(address, options=(("grpc.enable_http_proxy", 0),)) as channel,
        _answers_of(address),
    ):
        document, text = COMMANDS[options.action](channel, options.namespace)
    if options.output is OutputFormat.JSON:
        text = json.dumps({"schema": 1, **document}, indent=2) + "\n"
    sys.stdout.write(text)


def _list(channel: grpc.Channel, _: str) -> tuple[dict[str, Any], str]:
    from prism_proto.prism.dev.admin_query_pb2 import ListNamespacesRequest
    from prism_proto.prism.dev.admin_query_pb2_grpc import AdminQueryStub

    answer = AdminQueryStub(channel).ListNamespaces(
        ListNamespacesRequest(), timeout=TIMEOUT_SECONDS
    )
    found = [
        {
            "name": entry.name,
            "partition": entry.partition_id,
            "proxy": entry.assigned_proxy,
            "created_by": entry.created_by,
            "created_at": _rfc3339(entry.created_at),
        }
        for entry in answer.namespaces
    ]
    rows = [[str(value) or "-" for value in entry.values()] for entry in found]
    heading = ["NAME", "PARTITION", "PROXY", "CREATED BY", "CREATED"]
    return {"namespaces": found}, _table(heading, rows) if rows else "no namespaces\n"


def _create(channel: grpc.Channel, name: str) -> tuple[dict[str, Any], str]:
    from prism_proto.prism.control_plane_pb2 import CreateNamespaceRequest
    from prism_proto.prism.control_plane_pb2_grpc import ControlPlaneStub

    answer = ControlPlaneStub(channel).CreateNamespace(
        CreateNamespaceRequest(namespace=name, principal=_user()), timeout=TIMEOUT_SECONDS
    )
    if not answer.success:
        raise RefusedError(f"namespace `{name}` was not created: {answer.message}")
    created = {
        "name": name,
        "partition": answer.assigned_partition,
        "proxy": answer.assigned_proxy,
        "message": answer.message,
    }
    place = f"partition {answer.assigned_partition}, proxy {answer.assigned_proxy}"
    return {"namespace": created}, f"{answer.message}: {name} ({place})\n"


def _delete(channel: grpc.Channel, name: str) -> tuple[dict[str, Any], str]:
    from prism_proto.prism.dev.admin_query_pb2 import DeleteNamespaceRequest
    from prism_proto.prism.dev.admin_query_pb2_grpc import AdminQueryStub

    answer = AdminQueryStub(channel).DeleteNamespace(
        DeleteNamespaceRequest(namespace=name, principal=_user()), timeout=TIMEOUT_SECONDS
    )
    deleted = {"name": name, "partition": answer.partition_id}
    return {"deleted": deleted}, f"Namespace deleted: {name}\n"


def _health(channel: grpc.Channel, _: str) -> tuple[dict[str, Any], str]:
    check: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
        "/grpc.health.v1.Health/Check"
    )
    began = time.perf_counter()
    answer = check(b"", timeout=TIMEOUT_SECONDS)
    milliseconds = round((time.perf_counter() - began) * 1000, 1)
    if answer != SERVING:
        raise RefusedError("prism-admin answers, and does not serve")
    return {"status": "SERVING", "milliseconds": milliseconds}, f"SERVING ({milliseconds} ms)\n"


COMMANDS: Final = {
    Action.LIST: _list,
    Action.CREATE: _create,
    Action.DELETE: _delete,
    Action.HEALTH: _health,
}


@contextlib.contextmanager
def _answers_of(address: str) -> Iterator[None]:
    try:
        yield
    except grpc.RpcError as error:
        code, details = error.code(), error.details()
        if code in SILENT:
            raise UnansweredError(
                f"prism-admin did not answer at {address}",
                hint="`prism-admin serve` starts one; `-e HOST:PORT` names another",
            ) from error
        if code is grpc.StatusCode.UNIMPLEMENTED:
            raise RefusedError(
                f"what answers at {address} does not offer this",
                hint="the published prism-admin has neither a health service nor listing and deleting",
            ) from error
        hint = (
            "`prism-admin namespace list` shows what exists"
            if code is grpc.StatusCode.NOT_FOUND
            else "a proxy has to register first"
            if code is grpc.StatusCode.FAILED_PRECONDITION
            else ""
        )
        raise RefusedError(f"{details}", hint=hint) from error


def _table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heading, *rows]
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        + "\n"
        for line in lines
    )


def _rfc3339(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"

"""Nothing a client sends may kill the server, or get an answer that says the server has a bug."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf import descriptor_pool, message_factory
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prism_proto.prism import control_plane_pb2
from prism_proto.prism.dev import admin_query_pb2
from prism_proto.prism.interfaces.keyvalue import (
    keyvalue_basic_pb2,
    keyvalue_batch_pb2,
    keyvalue_ttl_pb2,
)
from prism_proto.prism.launcher import launcher_pb2
from prism_services.admin.database import DatabaseThread
from prism_services.admin.heartbeats import Deadlines, HeartbeatWatch
from prism_services.admin.serve import control_plane
from prism_services.admin.store import Store as AdminStore
from prism_services.launcher.flags import parse
from prism_services.launcher.patterns import find_patterns
from prism_services.launcher.serve import pattern_launcher
from prism_services.launcher.supervisor import WithoutProcesses
from prism_services.memstore.serve import interfaces
from prism_services.memstore.store import Store
from prism_services.memstore.sweeper import Sweeper
from prism_services.serving.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterator
    from pathlib import Path

    from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
    from google.protobuf.message import Message

    from prism_services.serving.deferred import DeferredService

FILES = (
    control_plane_pb2,
    admin_query_pb2,
    keyvalue_basic_pb2,
    keyvalue_batch_pb2,
    keyvalue_ttl_pb2,
    launcher_pb2,
)
METHODS: dict[str, MethodDescriptor] = {
    f"/{service.full_name}/{method.name}": method
    for file in FILES
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}
OURS = frozenset({grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN})
TEXT = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["", "orders", "p1", "keyvalue", "\0", "\n", "🜁" * 300, "x" * 70_000]),
)
SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "string": TEXT,
    "bytes": st.binary(max_size=20),
    "bool": st.booleans(),
    "int32": st.integers(-(1 << 31), (1 << 31) - 1),
    "int64": st.integers(-(1 << 63), (1 << 63) - 1),
    "float": st.floats(width=32),
    "enum": st.integers(-5, 99),
}


def scalar(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    kinds = {9: "string", 12: "bytes", 8: "bool", 5: "int32", 3: "int64", 2: "float", 14: "enum"}
    return SCALARS[kinds[field.type]]


@st.composite
def messages(draw: st.DrawFn, full_name: str, depth: int = 0) -> Message:
    descriptor = descriptor_pool.Default().FindMessageTypeByName(full_name)
    message = message_factory.GetMessageClass(descriptor)()
    for field in descriptor.fields:
        if depth > 2 or not draw(st.booleans()):
            continue
        target = getattr(message, field.name)
        entry = (
            field.message_type
            if field.message_type and field.message_type.GetOptions().map_entry
            else None
        )
        if entry is not None:
            key, value = draw(TEXT), entry.fields_by_name["value"]
            if value.message_type:
                target[key].CopyFrom(draw(messages(value.message_type.full_name, depth + 1)))
            else:
                target[key] = draw(scalar(value))
        elif field.message_type and field.is_repeated:
            target.append(draw(messages(field.message_type.full_name, depth + 1)))
        elif field.message_type:
            target.CopyFrom(draw(messages(field.message_type.full_name, depth + 1)))
        elif field.is_repeated:
            target.extend(draw(st.lists(scalar(field), max_size=3)))
        else:
            setattr(message, field.name, draw(scalar(field)))
    return message


@pytest.fixture
def everything(tmp_path: Path) -> Iterator[list[DeferredService]]:
    journal = Journal("tested")
    options = parse([])
    store = Store(max_keys=5, clock=time.monotonic_ns)

    async def overdue(_: object) -> None:
        raise AssertionError

    with DatabaseThread(tmp_path / "admin.db") as database:
        watch = HeartbeatWatch(Deadlines(time.monotonic), overdue)
        yield [
            control_plane(AdminStore(database, time.time), watch, journal, "tested"),
            interfaces(store, Sweeper(store, period=3600, journal=journal)),
            pattern_launcher(find_patterns(None), WithoutProcesses(), options),
        ]


@pytest.fixture
def call(
    hosted: Callable[..., Awaitable[Any]], everything: list[DeferredService]
) -> Callable[[str, bytes], Coroutine[Any, Any, grpc.StatusCode]]:
    running: list[Any] = []

    async def make(method: str, data: bytes) -> grpc.StatusCode:
        if not running:
            running.append(await hosted(everything))
        try:
            await running[0].channel.unary_unary(method)(data, timeout=20)
        except grpc.aio.AioRpcError as error:
            return error.code()
        return grpc.StatusCode.OK

    return make


@pytest.mark.parametrize("kind", ["messages", "bytes"])
async def test_no_request_finds_a_bug_or_ends_the_server(
    call: Callable[[str, bytes], Coroutine[Any, Any, grpc.StatusCode]], kind: str
) -> None:
    loop = asyncio.get_running_loop()

    def requests(data: st.DataObject, method: MethodDescriptor) -> bytes:
        if kind == "bytes":
            return data.draw(st.binary(max_size=60))
        return data.draw(messages(method.input_type.full_name)).SerializeToString()

    @settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def fuzz(data: st.DataObject) -> None:
        path = data.draw(st.sampled_from(sorted(METHODS)))
        request = requests(data, METHODS[path])
        code = asyncio.run_coroutine_threadsafe(call(path, request), loop).result()
        assert code not in OURS, (path, request)

    await asyncio.to_thread(fuzz)
    assert await call("/grpc.health.v1.Health/Check", b"") is grpc.StatusCode.OK


async def test_a_message_above_the_limit_is_refused_and_the_server_goes_on(
    call: Callable[[str, bytes], Coroutine[Any, Any, grpc.StatusCode]],
) -> None:
    huge = b"\x0a" + b"\x80\x80\x80\x04" + b"x" * (8 << 20)
    code = await call("/prism.ControlPlane/RegisterProxy", huge)
    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert await call("/grpc.health.v1.Health/Check", b"") is grpc.StatusCode.OK


def test_every_method_of_every_service_is_fuzzed() -> None:
    assert len(METHODS) == 9 + 7 + 4 + 3 + 3 + 5

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
import pytest

from prism_proto.prism.common.types_pb2 import Tags
from prism_proto.prism.interfaces.keyvalue import keyvalue_basic_pb2 as basic
from prism_proto.prism.interfaces.keyvalue import keyvalue_batch_pb2 as batch
from prism_proto.prism.interfaces.keyvalue import keyvalue_ttl_pb2 as ttl
from prism_proto.prism.interfaces.keyvalue.keyvalue_basic_pb2_grpc import (
    KeyValueBasicInterfaceStub,
)
from prism_proto.prism.interfaces.keyvalue.keyvalue_batch_pb2_grpc import (
    KeyValueBatchInterfaceStub,
)
from prism_proto.prism.interfaces.keyvalue.keyvalue_ttl_pb2_grpc import KeyValueTTLInterfaceStub
from prism_services.memstore.serve import interfaces
from prism_services.memstore.store import NANOSECONDS, Store
from prism_services.memstore.sweeper import Sweeper
from prism_services.serving.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

LIMIT = 4


class Client:
    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.basic = KeyValueBasicInterfaceStub(channel)
        self.batch = KeyValueBatchInterfaceStub(channel)
        self.ttl = KeyValueTTLInterfaceStub(channel)
        self.channel = channel
        self.now = 0


@pytest.fixture
async def client(hosted: Callable[..., Awaitable[Any]]) -> Client:
    clients: list[Client] = []
    store = Store(max_keys=LIMIT, clock=lambda: clients[0].now if clients else 0)
    sweeper = Sweeper(store, period=3600, journal=Journal("tested"))
    running = await hosted([interfaces(store, sweeper)], sweeper.run)
    clients.append(Client(running.channel))
    return clients[0]


async def test_what_is_set_is_got(client: Client) -> None:
    request = basic.SetRequest(key="k", value=b"\x00\xff", tags=Tags(tags={"a": "b"}))
    assert await client.basic.Set(request) == basic.SetResponse(success=True)
    assert await client.basic.Get(basic.GetRequest(key="k")) == basic.GetResponse(
        found=True, value=b"\x00\xff"
    )
    assert (await client.basic.Exists(basic.ExistsRequest(key="k"))).exists


async def test_an_empty_value_is_a_value(client: Client) -> None:
    await client.basic.Set(basic.SetRequest(key="k"))
    assert (await client.basic.Get(basic.GetRequest(key="k"))).found


async def test_a_missing_key_is_not_found_without_an_error(client: Client) -> None:
    assert await client.basic.Get(basic.GetRequest(key="k")) == basic.GetResponse()
    assert await client.basic.Exists(basic.ExistsRequest(key="k")) == basic.ExistsResponse()


async def test_deleting_succeeds_whether_the_key_is_there_or_not(client: Client) -> None:
    await client.basic.Set(basic.SetRequest(key="k"))
    for _ in range(2):
        assert await client.basic.Delete(basic.DeleteRequest(key="k")) == basic.DeleteResponse(
            success=True
        )


async def test_every_method_refuses_an_empty_key_in_band(client: Client) -> None:
    answers: list[Any] = [
        await client.basic.Set(basic.SetRequest(value=b"v")),
        await client.basic.Get(basic.GetRequest()),
        await client.basic.Delete(basic.DeleteRequest()),
        await client.basic.Exists(basic.ExistsRequest()),
        await client.ttl.Expire(ttl.ExpireRequest(ttl_seconds=1)),
        await client.ttl.GetTTL(ttl.GetTTLRequest()),
        await client.ttl.Persist(ttl.PersistRequest()),
    ]
    assert [answer.error for answer in answers] == ["the key is empty"] * len(answers)
    assert not any(getattr(answer, "success", False) for answer in answers)


async def test_a_key_above_64_kilobytes_is_refused_in_band(client: Client) -> None:
    answer = await client.basic.Set(basic.SetRequest(key="k" * 65537))
    assert answer.error == "the key is 65537 bytes long: the limit is 65536"


async def test_a_new_key_at_capacity_names_the_limit(client: Client) -> None:
    for number in range(LIMIT):
        await client.basic.Set(basic.SetRequest(key=str(number)))
    answer = await client.basic.Set(basic.SetRequest(key="more"))
    assert answer == basic.SetResponse(error="capacity limit reached: 4 keys")
    assert (await client.basic.Set(basic.SetRequest(key="0"))).success


async def test_an_expiry_is_told_counted_down_and_ends_the_key(client: Client) -> None:
    await client.basic.Set(basic.SetRequest(key="k"))
    expired = await client.ttl.Expire(ttl.ExpireRequest(key="k", ttl_seconds=10))
    assert expired == ttl.ExpireResponse(success=True, key_existed=True)
    client.now += 4 * NANOSECONDS
    assert (await client.ttl.GetTTL(ttl.GetTTLRequest(key="k"))).ttl_seconds == 6
    client.now += 6 * NANOSECONDS
    assert (await client.ttl.GetTTL(ttl.GetTTLRequest(key="k"))).ttl_seconds == -2
    assert not (await client.basic.Get(basic.GetRequest(key="k"))).found


async def test_persist_removes_an_expiry_once(client: Client) -> None:
    await client.basic.Set(basic.SetRequest(key="k"))
    await client.ttl.Expire(ttl.ExpireRequest(key="k", ttl_seconds=10))
    for removed in (True, False):
        assert await client.ttl.Persist(ttl.PersistRequest(key="k")) == ttl.PersistResponse(
            success=True, expiration_removed=removed
        )
    assert (await client.ttl.GetTTL(ttl.GetTTLRequest(key="k"))).ttl_seconds == -1


async def test_expire_and_persist_of_a_missing_key_succeed_and_say_so(client: Client) -> None:
    expired = await client.ttl.Expire(ttl.ExpireRequest(key="k", ttl_seconds=1))
    assert expired == ttl.ExpireResponse(success=True)
    assert await client.ttl.Persist(ttl.PersistRequest(key="k")) == ttl.PersistResponse(
        success=True
    )


async def test_a_batch_keeps_the_order_and_goes_on_after_a_failure(client: Client) -> None:
    requests = [basic.SetRequest(key=key, value=key.encode()) for key in ("a", "", "b")]
    answer = await client.batch.BatchSet(batch.BatchSetRequest(requests=requests))
    assert [result.success for result in answer.results] == [True, False, True]
    assert not answer.all_success
    got = await client.batch.BatchGet(batch.BatchGetRequest(keys=["b", "x", "a", ""]))
    assert [result.value for result in got.results] == [b"b", b"", b"a", b""]
    assert got.found_count == 2
    gone = await client.batch.BatchDelete(batch.BatchDeleteRequest(keys=["a", "x"]))
    assert gone.all_success
    assert not (await client.basic.Get(basic.GetRequest(key="a"))).found


async def test_an_empty_batch_succeeds(client: Client) -> None:
    assert (await client.batch.BatchSet(batch.BatchSetRequest())).all_success


async def test_bytes_that_are_no_message_are_refused_by_name(client: Client) -> None:
    call: Any = client.channel.unary_unary("/prism.interfaces.keyvalue.KeyValueBasicInterface/Set")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call(b"\xff\xff\xff")
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.value.details() == "the request cannot be decoded"


async def test_a_method_that_does_not_exist_is_unimplemented(client: Client) -> None:
    call: Any = client.channel.unary_unary(
        "/prism.interfaces.keyvalue.KeyValueBasicInterface/Nothing"
    )
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call(b"")
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED

# ruff: noqa: N802, D102 - methods are named and described by the protocol
"""The KeyValue interfaces over a store. Answers are in-band: status OK, ``error`` says what went wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prism_proto.prism.interfaces.keyvalue import keyvalue_basic_pb2 as basic
from prism_proto.prism.interfaces.keyvalue import keyvalue_basic_pb2_grpc as basic_grpc
from prism_proto.prism.interfaces.keyvalue import keyvalue_batch_pb2 as batch
from prism_proto.prism.interfaces.keyvalue import keyvalue_batch_pb2_grpc as batch_grpc
from prism_proto.prism.interfaces.keyvalue import keyvalue_ttl_pb2 as ttl
from prism_proto.prism.interfaces.keyvalue import keyvalue_ttl_pb2_grpc as ttl_grpc
from prism_services.memstore.store import NO_KEY, Store, StoreRefusalError
from prism_services.serving.deferred import handlers_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import grpc

    Context = grpc.aio.ServicerContext[Any, Any]


class BasicInterface(basic_grpc.KeyValueBasicInterfaceServicer):
    """Set, get, delete, exists."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def Set(self, request: basic.SetRequest, _: Context) -> basic.SetResponse:
        return set_one(self._store, request)

    async def Get(self, request: basic.GetRequest, _: Context) -> basic.GetResponse:
        return get_one(self._store, request.key)

    async def Delete(self, request: basic.DeleteRequest, _: Context) -> basic.DeleteResponse:
        return delete_one(self._store, request.key)

    async def Exists(self, request: basic.ExistsRequest, _: Context) -> basic.ExistsResponse:
        try:
            return basic.ExistsResponse(exists=self._store.exists(request.key))
        except StoreRefusalError as refusal:
            return basic.ExistsResponse(error=str(refusal))


class BatchInterface(batch_grpc.KeyValueBatchInterfaceServicer):
    """The same for several keys; one that fails does not stop the others."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def BatchSet(self, request: batch.BatchSetRequest, _: Context) -> batch.BatchSetResponse:
        results = [set_one(self._store, item) for item in request.requests]
        return batch.BatchSetResponse(
            results=results, all_success=all(result.success for result in results)
        )

    async def BatchGet(self, request: batch.BatchGetRequest, _: Context) -> batch.BatchGetResponse:
        results = [get_one(self._store, key) for key in request.keys]
        found = sum(result.found for result in results)
        return batch.BatchGetResponse(results=results, found_count=found)

    async def BatchDelete(
        self, request: batch.BatchDeleteRequest, _: Context
    ) -> batch.BatchDeleteResponse:
        results = [delete_one(self._store, key) for key in request.keys]
        return batch.BatchDeleteResponse(
            results=results, all_success=all(result.success for result in results)
        )


class TTLInterface(ttl_grpc.KeyValueTTLInterfaceServicer):
    """Expiry of keys."""

    def __init__(self, store: Store, expiry_was_set: Callable[[], None]) -> None:
        self._store = store
        self._expiry_was_set = expiry_was_set

    async def Expire(self, request: ttl.ExpireRequest, _: Context) -> ttl.ExpireResponse:
        try:
            existed = self._store.expire(request.key, request.ttl_seconds)
        except StoreRefusalError as refusal:
            return ttl.ExpireResponse(error=str(refusal))
        if existed:
            self._expiry_was_set()
        return ttl.ExpireResponse(success=True, key_existed=existed)

    async def GetTTL(self, request: ttl.GetTTLRequest, _: Context) -> ttl.GetTTLResponse:
        try:
            return ttl.GetTTLResponse(ttl_seconds=self._store.ttl(request.key))
        except StoreRefusalError as refusal:
            return ttl.GetTTLResponse(ttl_seconds=NO_KEY, error=str(refusal))

    async def Persist(self, request: ttl.PersistRequest, _: Context) -> ttl.PersistResponse:
        try:
            removed = self._store.persist(request.key)
        except StoreRefusalError as refusal:
            return ttl.PersistResponse(error=str(refusal))
        return ttl.PersistResponse(success=True, expiration_removed=removed)


def set_one(store: Store, request: basic.SetRequest) -> basic.SetResponse:
    """Set one key; its tags have no place in memory and are left out."""
    try:
        store.set(request.key, request.value)
    except StoreRefusalError as refusal:
        return basic.SetResponse(error=str(refusal))
    return basic.SetResponse(success=True)


def get_one(store: Store, key: str) -> basic.GetResponse:
    """Get one key; a missing one is not an error."""
    try:
        value = store.get(key)
    except StoreRefusalError as refusal:
        return basic.GetResponse(error=str(refusal))
    return basic.GetResponse(found=value is not None, value=value or b"")


def delete_one(store: Store, key: str) -> basic.DeleteResponse:
    """Delete one key; a missing one is a success."""
    try:
        store.delete(key)
    except StoreRefusalError as refusal:
        return basic.DeleteResponse(error=str(refusal))
    return basic.DeleteResponse(success=True)


def keyvalue_handlers(
    store: Store, expiry_was_set: Callable[[], None]
) -> list[grpc.GenericRpcHandler]:
    """Handlers of all three interfaces over ``store``."""
    return handlers_of(
        (basic_grpc.add_KeyValueBasicInterfaceServicer_to_server, BasicInterface(store)),
        (ttl_grpc.add_KeyValueTTLInterfaceServicer_to_server, TTLInterface(store, expiry_was_set)),
        (batch_grpc.add_KeyValueBatchInterfaceServicer_to_server, BatchInterface(store)),
    )

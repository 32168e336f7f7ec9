"""Server reflection, so that grpcurl and its like can list and call what is served."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import grpc

from prism_services.serving.deferred import DeferredService

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

V1: Final = "grpc.reflection.v1.ServerReflection"
V1ALPHA: Final = "grpc.reflection.v1alpha.ServerReflection"


def reflection(services: Sequence[DeferredService], also: Iterable[str]) -> DeferredService:
    """Reflection of ``services`` and of the services named ``also``, in both of its versions."""

    def build() -> list[grpc.GenericRpcHandler]:
        from grpc_health.v1 import health_pb2  # noqa: F401 - describes the health service
        from grpc_reflection.v1alpha import reflection_pb2
        from grpc_reflection.v1alpha._async import ReflectionServicer

        for service in services:
            service.load()
        names = [*(name for service in services for name in service.names), *also, V1ALPHA]
        info = grpc.stream_stream_rpc_method_handler(
            ReflectionServicer(names).ServerReflectionInfo,
            request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
            response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
        )
        # The messages of v1 are those of v1alpha byte for byte; only the name differs.
        return [
            grpc.method_handlers_generic_handler(version, {"ServerReflectionInfo": info})
            for version in (V1, V1ALPHA)
        ]

    return DeferredService((V1, V1ALPHA), build)

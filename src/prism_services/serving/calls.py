"""What happens around every call: it is counted and timed, refusals become statuses, bugs stay inside.

Metrics carry the names that Prometheus dashboards for gRPC servers expect.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import grpc

from prism_services.serving.metrics import Counter, Histogram
from prism_services.serving.refusal import Refusal, invalid

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from prism_services.serving.journal import Journal
    from prism_services.serving.metrics import Metrics

    Context = grpc.aio.ServicerContext[Any, Any]
    Handler = Any  # grpc.RpcMethodHandler, whose attributes its type stubs leave out

METHOD_LABELS: Final = ("grpc_service", "grpc_method")


LONGEST_MESSAGE: Final = 1000
"""Characters of a refusal's message; a status travels in a header, and those are limited."""


@dataclass(frozen=True, slots=True)
class Malformed:
    """Stands for a request whose bytes are not the message they should be."""

    refusal: Refusal


class CallWatch(grpc.aio.ServerInterceptor):
    """Wraps the handler of every method that exists."""

    def __init__(self, metrics: Metrics, journal: Journal) -> None:
        self._journal = journal
        self._started = Counter(
            "grpc_server_started_total", "Calls that have begun.", METHOD_LABELS
        )
        self._handled = Counter(
            "grpc_server_handled_total",
            "Calls that have ended, by status.",
            (*METHOD_LABELS, "grpc_code"),
        )
        self._seconds = Histogram(
            "grpc_server_handling_seconds", "How long calls took.", METHOD_LABELS
        )
        self.first_call = asyncio.Event()
        """Set once a call has ended."""
        self._wrapped: dict[str, tuple[Handler, Handler]] = {}
        metrics.add(self._started, self._handled, self._seconds)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        """Give the method's handler, wrapped; methods nobody knows leave no trace in the metrics."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        method = handler_call_details.method
        known = self._wrapped.get(method)
        if known is None or known[0] is not handler:
            known = self._wrapped[method] = (handler, self._wrap(method, handler))
        return known[1]

    def _wrap(self, method: str, handler: Handler) -> Handler:
        service, _, name = method.lstrip("/").partition("/")
        call = Call(labels=(service, name), watch=self)
        serializer = handler.response_serializer
        decoder = _decoder(handler.request_deserializer, streaming=handler.request_streaming)
        if handler.request_streaming:
            streaming = call.streaming(handler.stream_stream)
            return grpc.stream_stream_rpc_method_handler(streaming, decoder, serializer)
        if handler.response_streaming:
            streaming = call.streaming(handler.unary_stream)
            return grpc.unary_stream_rpc_method_handler(streaming, decoder, serializer)
        unary = call.unary(handler.unary_unary)
        return grpc.unary_unary_rpc_method_handler(unary, decoder, serializer)

    def begin(self, labels: tuple[str, str]) -> float:
        """Count a call that begins; gives the time for ``end``."""
        self._started.add(labels)
        return time.perf_counter()

    def end(self, labels: tuple[str, str], began: float, code: str) -> None:
        """Count a call that ended with ``code``."""
        self.first_call.set()
        self._handled.add((*labels, code))
        self._seconds.observe(time.perf_counter() - began, labels)

    def crashed(self, labels: tuple[str, str], error: Exception) -> None:
        """Record a bug that a call has met."""
        self._journal.crash("call failed", error, method="/".join(labels))


class Call:
    """The wrapping of one method."""

    def __init__(self, *, labels: tuple[str, str], watch: CallWatch) -> None:
        self._labels = labels
        self._watch = watch

    def unary(self, behaviour: Callable[[Any, Context], Awaitable[Any]]) -> Handler:
        """Wrap a method with one answer."""

        async def wrapped(request: Any, context: Context) -> Any:
            async with self._watched(context):
                return await behaviour(_well_formed(request), context)

        return wrapped

    def streaming(self, behaviour: Callable[[Any, Context], AsyncIterator[Any]]) -> Handler:
        """Wrap a method with a stream of answers."""

        async def wrapped(request: Any, context: Context) -> AsyncIterator[Any]:
            async with self._watched(context):
                async for answer in behaviour(_well_formed(request), context):
                    yield answer

        return wrapped

    @contextlib.asynccontextmanager
    async def _watched(self, context: Context) -> AsyncIterator[None]:
        began = self._watch.begin(self._labels)
        code = "CANCELLED"
        try:
            yield
            code = "OK"
        except Refusal as refusal:
            code = str(refusal.code)
            await context.abort(grpc.StatusCode[code], refusal.message[:LONGEST_MESSAGE])
        except Exception as error:  # noqa: BLE001 - no call may take the server down
            code = "INTERNAL"
            self._watch.crashed(self._labels, error)
            await context.abort(grpc.StatusCode.INTERNAL, "internal error; the log says more")
        finally:
            self._watch.end(self._labels, began, code)


def _well_formed(request: Any) -> Any:
    if isinstance(request, Malformed):
        raise request.refusal
    return request


def _decoder(deserializer: Callable[[bytes], Any] | None, *, streaming: bool) -> Any:
    """Turn undecodable bytes into a refusal: raised by a stream, carried to the wrapper otherwise."""
    if deserializer is None:
        return None
    from google.protobuf.message import DecodeError

    def decode(data: bytes) -> Any:
        try:
            return deserializer(data)
        except DecodeError as error:
            refusal = invalid("the request cannot be decoded")
            if streaming:
                raise refusal from error
            return Malformed(refusal)

    return decode

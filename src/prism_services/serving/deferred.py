"""gRPC services whose code is imported after the server listens.

Generated messages pull in protobuf, a third of the start. A deferred service answers to its name from the
first moment; its code is imported in the background once the server runs, or by its first caller.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import grpc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Handlers = list[grpc.GenericRpcHandler]


class DeferredService(grpc.GenericRpcHandler):
    """Stands for one or more gRPC services until they are needed."""

    def __init__(self, names: Iterable[str], build: Callable[[], Handlers]) -> None:
        self.names = tuple(names)
        """Full names, such as ``prism.ControlPlane``."""
        self._prefixes = tuple(f"/{name}/" for name in self.names)
        self._build = build
        self._handlers: Handlers | None = None
        self._building = threading.Lock()

    def load(self) -> Handlers:
        """Import and build the services; cheap when that has been done, safe from any thread."""
        with self._building:
            if self._handlers is None:
                self._handlers = self._build()
            return self._handlers

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """Find the handler of one of its methods."""
        if not handler_call_details.method.startswith(self._prefixes):
            return None
        found = (handler.service(handler_call_details) for handler in self.load())
        return next((handler for handler in found if handler), None)


@dataclass(frozen=True, slots=True)
class Registrar:
    """Takes the place of a server in generated ``add_…_to_server`` functions, and keeps what they add."""

    handlers: Handlers = field(default_factory=list)

    def add_generic_rpc_handlers(self, handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        """Keep the handlers."""
        self.handlers.extend(handlers)

    def add_registered_method_handlers(self, *_: object) -> None:
        """Ignore: the same handlers come as generic ones."""


def handlers_of(*pairs: tuple[Callable[[Any, Any], None], object]) -> Handlers:
    """Handlers of servicers, each given with its generated ``add_…_to_server`` function."""
    registrar = Registrar()
    for add_to_server, servicer in pairs:
        add_to_server(servicer, registrar)
    return registrar.handlers

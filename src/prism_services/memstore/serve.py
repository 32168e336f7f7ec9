"""Puts prism-memstore together."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from prism_services.memstore.store import Store
from prism_services.memstore.sweeper import Sweeper
from prism_services.serving.deferred import DeferredService
from prism_services.serving.host import PagePort, ServiceHost
from prism_services.serving.journal import open_journal
from prism_services.serving.metrics import Gauge

if TYPE_CHECKING:
    import grpc

    from prism_services.memstore.flags import Options

NAME: Final = "prism-memstore"
INTERFACES: Final = tuple(
    f"prism.interfaces.keyvalue.KeyValue{kind}Interface" for kind in ("Basic", "TTL", "Batch")
)


async def serve(options: Options) -> None:
    """Serve until asked to end."""
    journal = open_journal(NAME, level=options.log_level, log_format=options.log_format)
    store = Store(max_keys=options.max_keys, clock=time.monotonic_ns)
    sweeper = Sweeper(store, period=options.cleanup_seconds, journal=journal)
    host = ServiceHost(
        name=NAME, listen=options.listen, journal=journal, services=[interfaces(store, sweeper)]
    )
    host.metrics.add(
        Gauge("prism_memstore_keys", "Keys held.", lambda: len(store)),
        Gauge("prism_memstore_keys_expiring", "Keys with an expiry.", lambda: store.expiring),
        Gauge("prism_memstore_keys_limit", "Most keys held.", lambda: options.max_keys),
    )
    metrics = PagePort(name="metrics", port=options.metrics_port, flag="--metrics-port")
    await host.run(grpc_port=options.grpc_port, page_ports=[metrics], jobs=[sweeper.run])


def interfaces(store: Store, sweeper: Sweeper) -> DeferredService:
    """The KeyValue interfaces over ``store``."""

    def build() -> list[grpc.GenericRpcHandler]:
        from prism_services.memstore.keyvalue import keyvalue_handlers

        return keyvalue_handlers(store, sweeper.expiry_was_set)

    return DeferredService(INTERFACES, build)

"""Prism services: every call that ended, by its status, and how long calls took, from their own page for Prometheus."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from prismctl.domain.exposition import parse_samples
from prismctl.domain.rates import add_buckets, split_cumulative
from prismctl.meters.meter import Counts
from prismctl.meters.page import PageReader
from prismctl.probes.question import NotReadyError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prismctl.probes.question import Question

PATH: Final = "/metrics"
HANDLED: Final = "grpc_server_handled_total"
BUCKET: Final = "grpc_server_handling_seconds_bucket"
NOT_COUNTED: Final = ("grpc.health.", "grpc.reflection.")
"""Services of gRPC itself: checks ask the one, tools the other."""
NO_ERRORS: Final = frozenset({"OK", "CANCELLED"})
"""Who hangs up has not met an error. Go's servers write statuses as `Canceled`."""


class PrismMeter:
    """The counters of one Prism service."""

    def __init__(self, question: Question) -> None:
        self._page = PageReader(question)

    async def read(self) -> Counts:
        """The counters now.

        Raises:
            NotReadyError: there is no such page, or it counts no calls.
        """
        return decode_page(await self._page.read(PATH))

    def close(self) -> None:
        """Hang up."""
        self._page.close()


def decode_page(page: str) -> Counts:
    """What a page says of calls.

    Raises:
        NotReadyError: nothing, or it is no such page.
    """
    if f"# TYPE {HANDLED} " not in page:
        raise NotReadyError(f"{PATH} has no {HANDLED}")
    requests = errors = 0
    cumulative: dict[tuple[str, str], list[tuple[float, int]]] = {}
    try:
        for name, labels, value in parse_samples(page, {HANDLED, BUCKET}):
            if labels.get("grpc_service", "").startswith(NOT_COUNTED):
                continue
            if name == HANDLED:
                requests += int(value)
                errors += 0 if is_no_error(labels.get("grpc_code", "")) else int(value)
            else:
                bound = float(labels.get("le", "nan"))
                if not math.isnan(bound):
                    cumulative.setdefault(_method_of(labels), []).append((bound, int(value)))
    except (ValueError, OverflowError) as error:
        raise NotReadyError(f"{PATH} is not in the format of Prometheus: {error}") from error
    buckets = add_buckets(split_cumulative(counts) for counts in cumulative.values())
    return Counts(requests, errors=errors, latency=buckets)


def is_no_error(code: str) -> bool:
    """Whether a call with this status went as it should."""
    return code.upper().replace("CANCELED", "CANCELLED") in NO_ERRORS


def _method_of(labels: Mapping[str, str]) -> tuple[str, str]:
    return labels.get("grpc_service", ""), labels.get("grpc_method", "")

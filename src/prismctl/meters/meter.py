"""What every meter is: given where an instance listens, it reads what its program has counted so far."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from prismctl.domain.rates import Buckets
    from prismctl.probes.question import Question


class MeterKind(StrEnum):
    """Whose counters are read."""

    PRISM = "prism"
    REDIS = "redis"
    POSTGRES = "postgres"
    NATS = "nats"
    KAFKA = "kafka"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One run of one instance, and how its counters are read."""

    kind: MeterKind
    question: Question
    """Where it is asked and as whom; the port is that of the counters."""
    requests_per_check: int = 0
    """How many requests the program counts for each answer to a check of ours."""


class Counts(NamedTuple):
    """What a program has counted since it began."""

    requests: int
    own: int = 0
    """How many of them were this meter's."""
    errors: int | None = None
    latency: Buckets = ()


class Meter(Protocol):
    """Reads the counters of one target; one reading at a time."""

    async def read(self) -> Counts:
        """The counters now, over the connection of the last reading where there is one.

        Raises:
            NotReadyError: they cannot be read.
        """
        ...

    def close(self) -> None:
        """Let go of the connection; the next reading opens another."""
        ...

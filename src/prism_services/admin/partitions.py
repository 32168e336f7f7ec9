"""Which partition a namespace is in, and which proxy has which partitions."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

PARTITIONS: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """The partitions of one proxy, both ends included."""

    proxy_id: str
    first: int
    last: int


def partition_of(namespace: str) -> int:
    """The partition of a namespace: CRC32 (IEEE) of its name modulo 256."""
    return zlib.crc32(namespace.encode()) % PARTITIONS


def shares(proxy_ids: Iterable[str]) -> tuple[Share, ...]:
    """Split the partitions evenly among at most 256 proxies in order of their ids; the last takes the rest."""
    ordered = sorted(proxy_ids)
    if not ordered:
        return ()
    size, last = PARTITIONS // len(ordered), len(ordered) - 1
    return tuple(
        Share(
            proxy_id=proxy_id,
            first=index * size,
            last=PARTITIONS - 1 if index == last else (index + 1) * size - 1,
        )
        for index, proxy_id in enumerate(ordered)
    )


def owner(partition: int, proxy_ids: Iterable[str]) -> str:
    """The proxy that has a partition; empty when there is no proxy."""
    found = (share for share in shares(proxy_ids) if share.first <= partition <= share.last)
    return next((share.proxy_id for share in found), "")

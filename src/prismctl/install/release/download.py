"""Fetches an archive into a file that grows: resumed after a cut, restarted when it changed, hashed on the way."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Final

from prismctl.install.provider import Progress, Unit
from prismctl.install.release.address import show_url
from prismctl.install.release.part import Origin
from prismctl.install.release.patience import PassingError, Retries
from prismctl.install.release.refusal import RefusedReleaseError

if TYPE_CHECKING:
    import hashlib
    from collections.abc import Callable

    from aiohttp import ClientResponse

    from prismctl.install.release.connection import Connection
    from prismctl.install.release.part import PartFile

MAX_ARCHIVE_BYTES: Final = 1 << 30
_CHUNK_BYTES: Final = 1 << 18
_GAIN_BYTES: Final = 1 << 20
"""What has to be won for failures to be forgotten; less would let a server cut for ever."""
_RANGE: Final = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
_PARTIAL: Final = 206
_NOT_SATISFIABLE: Final = 416


async def download(
    connection: Connection,
    url: str,
    part: PartFile,
    report: Callable[[Progress], None],
    *,
    offered: int | None = None,
) -> str:
    """SHA-256 in hexadecimal of the whole archive, once it is there; what an earlier try has fetched is used.

    ``offered`` is how many bytes there should be, should the answer not say so.

    Raises:
        UnavailableError: it is not there, or was cut too often; the part stays for the next time.
        RefusedReleaseError: more came than may.
        PrismError: it cannot be written, or somebody in between refuses.
    """
    retries = Retries(connection.patience)
    best = part.measure()
    fetching = _Fetching(connection, url, part, report, offered)
    while True:
        try:
            return await fetching.fetch_rest()
        except PassingError as error:
            size = part.measure()
            if size >= best + _GAIN_BYTES:
                best = size
                retries.forget()
            await retries.wait(error)


class _Fetching:
    """One archive, over as many connections as it takes."""

    def __init__(
        self,
        connection: Connection,
        url: str,
        part: PartFile,
        report: Callable[[Progress], None],
        offered: int | None,
    ) -> None:
        self._connection = connection
        self._url = url
        self._part = part
        self._report = report
        self._offered = offered

    async def fetch_rest(self) -> str:
        size = self._part.measure()
        origin = self._part.recall()
        if origin is None or origin.url != show_url(self._url):
            size, origin = 0, None
        headers = {}
        if size and origin is not None:
            if size == origin.total:
                return (await self._hash()).hexdigest()
            headers = {"Range": f"bytes={size}-", "If-Range": origin.validator}
        async with self._connection.open(
            self._url, expected="an archive", headers=headers
        ) as response:
            if response.status == _NOT_SATISFIABLE:
                # What is there is longer than the archive, or damaged.
                self._part.restart(None)
                raise PassingError(f"{show_url(self._url)} has no more than {size} bytes")
            return await self._receive(response, size)

    async def _receive(self, response: ClientResponse, size: int) -> str:
        start, total = _read_range(response)
        if total is not None and total > MAX_ARCHIVE_BYTES:
            raise RefusedReleaseError(
                f"{show_url(self._url)} announces {total} bytes; an archive has at most {MAX_ARCHIVE_BYTES}"
            )
        if response.status == _PARTIAL and start != size:
            self._part.restart(None)
            raise PassingError(f"{show_url(self._url)} answered with another part than was asked")
        if response.status != _PARTIAL:
            self._part.restart(_find_origin(response, self._url, total))
        digest = await self._hash()
        done = self._part.measure()
        limit = next(size for size in (total, self._offered, MAX_ARCHIVE_BYTES) if size is not None)
        self._report(Progress(done=done, total=total, unit=Unit.BYTES))
        # Written and hashed where it arrives: a chunk takes less than a millisecond, and a cancellation in
        # between leaves a file that is whole up to its end.
        async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
            done += len(chunk)
            if done > min(limit, MAX_ARCHIVE_BYTES):
                raise RefusedReleaseError(
                    f"{show_url(self._url)} sends more than the {limit} bytes that it should"
                )
            self._part.append(chunk)
            digest.update(chunk)
            self._report(Progress(done=done, total=total, unit=Unit.BYTES))
        if total is not None and done < total:
            raise PassingError(f"{show_url(self._url)} ended after {done} of {total} bytes")
        return digest.hexdigest()

    async def _hash(self) -> hashlib._Hash:
        return await asyncio.to_thread(self._part.hash)


def _read_range(response: ClientResponse) -> tuple[int, int | None]:
    """Where an answer begins in the archive, and how long the archive is; ``-1``: it does not say where."""
    if response.status != _PARTIAL:
        return 0, response.content_length
    parts = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if parts is None:
        return -1, None
    return int(parts[1]), None if parts[2] == "*" else int(parts[2])


def _find_origin(response: ClientResponse, url: str, total: int | None) -> Origin | None:
    """What the rest can be asked for with; ``None`` where the server gives nothing to recognize the archive by."""
    tag = response.headers.get("ETag", "")
    validator = tag if tag.startswith('"') else response.headers.get("Last-Modified", "")
    return Origin(url=show_url(url), validator=validator, total=total) if validator else None

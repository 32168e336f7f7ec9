"""Talks to a release server: follows redirects within bounds, and tells refusals from what may work when asked again."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin, urlsplit

from prismctl.errors import PrismError, UnavailableError
from prismctl.install.release.address import show_url
from prismctl.install.release.patience import PassingError, Retries
from prismctl.install.release.proxy import find_proxy
from prismctl.install.release.refusal import RefusedReleaseError
from prismctl.install.release.translating import refused_by_proxy, translating

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from aiohttp import ClientResponse, ClientSession

    from prismctl.install.release.patience import Patience

MAX_SMALL_BYTES: Final = 1 << 20
MAX_REDIRECTS: Final = 5

_OK: Final = frozenset({200, 206})
_NOT_SATISFIABLE: Final = 416
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_PROXY_REFUSES: Final = 407
_MISSING: Final = frozenset({404, 410})
_PASSING: Final = frozenset({408, 425, 429, *range(500, 600)})
# Compressed on the way, a body would be neither of the announced length nor bounded.
_HEADERS: Final = {"Accept-Encoding": "identity"}


class MissingFileError(UnavailableError):
    """The server answers, and does not have it."""


class Connection:
    """One session with a release server."""

    def __init__(self, session: ClientSession, patience: Patience) -> None:
        self._session = session
        self.patience = patience
        """The bounds of what is waited for."""

    async def fetch(self, url: str, *, expected: str) -> bytes:
        """All of a small document; ``expected`` says what it is, should something else come.

        Raises:
            UnavailableError: it is not there, or nobody answers.
            PrismError: what came is something else.
        """
        retries = Retries(self.patience)
        while True:
            try:
                async with (
                    _bounded(url, self.patience.small_seconds),
                    self.open(url, expected=expected) as response,
                ):
                    return await _read_small(url, response, expected)
            except PassingError as error:
                if not error.is_reachable:
                    raise
                await retries.wait(error)

    async def measure(self, url: str) -> int | None:
        """How many bytes there are to be fetched; ``None`` where the server does not say.

        Raises:
            UnavailableError: it is not there.
            PrismError: nobody may be asked.
        """
        try:
            async with (
                _bounded(url, self.patience.small_seconds),
                self.open(url, expected="an archive", method="HEAD") as response,
            ):
                return response.content_length
        except MissingFileError:
            raise
        except UnavailableError:
            # Not every mirror tells sizes.
            return None

    @contextlib.asynccontextmanager
    async def open(
        self,
        url: str,
        *,
        expected: str,
        headers: Mapping[str, str] | None = None,
        method: str = "GET",
    ) -> AsyncIterator[ClientResponse]:
        """An answer with a body to be read, or to a range that is not there; redirects are followed.

        Raises:
            PassingError: it may work when it is asked again.
            UnavailableError: it is not there, or nobody answers.
            PrismError: somebody in between refuses, or answers instead.
        """
        address = url
        for _ in range(MAX_REDIRECTS + 1):
            proxy = find_proxy(address)
            with translating(address):
                async with self._session.request(
                    method,
                    address,
                    headers={**_HEADERS, **(headers or {})},
                    allow_redirects=False,
                    proxy=proxy.url if proxy else None,
                ) as response:
                    if response.status not in _REDIRECTS:
                        _check_status(address, response, self.patience)
                        _check_is_no_page(address, response, expected)
                        yield response
                        return
                    address = _follow(address, response)
        raise UnavailableError(
            f"{show_url(url)} is redirected more than {MAX_REDIRECTS} times, last to {show_url(address)}"
        )


@contextlib.asynccontextmanager
async def connect(patience: Patience) -> AsyncIterator[Connection]:
    """A session with release servers; proxies and certificates are those of the environment."""
    from aiohttp import ClientSession, ClientTimeout, TCPConnector

    # Reads the system's certificates from disk.
    context = await asyncio.to_thread(ssl.create_default_context)
    timeout = ClientTimeout(
        total=None,
        connect=patience.connect_seconds,
        sock_connect=patience.connect_seconds,
        sock_read=patience.read_seconds,
    )
    async with ClientSession(
        connector=TCPConnector(ssl=context),
        timeout=timeout,
        auto_decompress=False,
    ) as session:
        yield Connection(session, patience)


@contextlib.asynccontextmanager
async def _bounded(url: str, seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise PassingError(f"{show_url(url)} did not answer within {seconds:g} s") from error


async def _read_small(url: str, response: ClientResponse, expected: str) -> bytes:
    data = bytearray()
    async for chunk in response.content.iter_any():
        data += chunk
        if len(data) > MAX_SMALL_BYTES:
            raise RefusedReleaseError(
                f"{show_url(url)} answered with more than {MAX_SMALL_BYTES >> 20} MiB, which is not {expected}"
            )
    if data.lstrip()[:1] == b"<":
        raise _cannot_be(url, expected)
    return bytes(data)


def _check_status(url: str, response: ClientResponse, patience: Patience) -> None:
    status = response.status
    if status in _OK or status == _NOT_SATISFIABLE:
        return
    shown = show_url(url)
    if status in _MISSING:
        raise MissingFileError(f"there is no {shown} (it answered {status})")
    if status == _PROXY_REFUSES:
        raise refused_by_proxy(url)
    if status not in _PASSING:
        raise UnavailableError(f"{shown} answered {status}")
    asked = _parse_wait(response)
    if asked is not None and asked > patience.longest_asked_seconds:
        raise UnavailableError(f"{shown} answered {status} and asks to come back in {asked:.0f} s")
    raise PassingError(f"{shown} answered {status}", wait_seconds=asked)


def _check_is_no_page(url: str, response: ClientResponse, expected: str) -> None:
    if response.content_type in {"text/html", "application/xhtml+xml"}:
        raise _cannot_be(url, expected)


def _cannot_be(url: str, expected: str) -> PrismError:
    return PrismError(
        f"{show_url(url)} answered with a web page, not {expected}: is there a login page between?",
        hint="open any web page in a browser, log in to the network, and try again",
    )


def _follow(url: str, response: ClientResponse) -> str:
    target = urljoin(url, response.headers.get("Location", ""))
    try:
        scheme = urlsplit(target).scheme
    except ValueError:
        scheme = ""
    if scheme == "http" and urlsplit(url).scheme == "https":
        raise PrismError(
            f"{show_url(url)} is redirected to {show_url(target)}, which is not encrypted: is there a login page between?",
            hint="open any web page in a browser, log in to the network, and try again",
        )
    if scheme not in {"http", "https"}:
        raise UnavailableError(f"{show_url(url)} is redirected to nowhere: {show_url(target)}")
    return target


def _parse_wait(response: ClientResponse) -> float | None:
    """Seconds that an answer asks to wait, given as a number or as a date."""
    asked = response.headers.get("Retry-After", "")
    if asked.isdecimal():
        return float(asked)
    with contextlib.suppress(ValueError, TypeError):
        now = parsedate_to_datetime(response.headers.get("Date", ""))
        return max(0.0, (parsedate_to_datetime(asked) - now).total_seconds())
    return None

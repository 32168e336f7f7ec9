"""Turns what keeps a connection from working into the sentence that says what to do."""

from __future__ import annotations

import contextlib
import os
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from prismctl.errors import PrismError, RejectedError, UnavailableError
from prismctl.install.release.address import show_url
from prismctl.install.release.patience import PassingError
from prismctl.install.release.proxy import find_proxy, name_variable, show_proxy

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROXY_REFUSES: Final = 407


@contextlib.contextmanager
def translating(url: str) -> Iterator[None]:
    """Turn what the HTTP library raises about an address into ours.

    Raises:
        PassingError: there was no connection, or not long enough.
        UnavailableError: there will be none.
        PrismError: somebody in between refuses, or is not trusted.
    """
    import aiohttp

    try:
        yield
    except (aiohttp.ClientError, ConnectionError, ssl.SSLError) as error:
        raise (
            _translate_proxy(url, error) or _translate_start(url, error) or _cut(url, error)
        ) from error


def refused_by_proxy(url: str) -> RejectedError:
    """The error when a proxy wants an account and a password."""
    return RejectedError(
        f"the proxy {show_proxy(url)} wants to know who asks (407)",
        hint=f"`export {name_variable(url)}=http://USER:PASSWORD@HOST:PORT`",
    )


def _translate_proxy(url: str, error: Exception) -> PrismError | None:
    """What a proxy did; ``None``: it was not the proxy."""
    import aiohttp

    host = urlsplit(url).hostname
    if isinstance(error, aiohttp.ClientHttpProxyError):
        if error.status == _PROXY_REFUSES:
            return refused_by_proxy(url)
        return UnavailableError(
            f"the proxy {show_proxy(url)} does not connect to {host}: it answered {error.status}"
        )
    # Names are resolved by the proxy: the one that has no address is its own.
    of_proxy: tuple[type[aiohttp.ClientConnectorError], ...] = (aiohttp.ClientProxyConnectionError,)
    if find_proxy(url) is not None:
        of_proxy = (*of_proxy, aiohttp.ClientConnectorDNSError)
    if isinstance(error, of_proxy):
        return PassingError(
            f"the proxy {show_proxy(url)} cannot be reached: {_explain(error)}",
            hint=f"{name_variable(url)} names it; `export NO_PROXY={host}` goes past it",
            is_reachable=False,
        )
    return None


def _translate_start(url: str, error: Exception) -> PrismError | None:
    """Why no connection came about; ``None``: one did."""
    import aiohttp

    host = str(urlsplit(url).hostname)
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return _distrusted(host, error.certificate_error)
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        return PrismError(
            f"{host} cannot be talked to in an encrypted way: {_name_reason(error.os_error)}",
            hint="does it begin with http:// instead of https://, or does somebody stand between?",
        )
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return PassingError(
            f"{host} has no address: {_explain(error)}",
            hint="is there a network? HTTPS_PROXY names a proxy, where there is one",
            is_reachable=False,
        )
    if isinstance(error, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)):
        is_silent = isinstance(error, aiohttp.ConnectionTimeoutError)
        reason = "it does not answer" if is_silent else _explain(error)
        return PassingError(f"{host} cannot be reached: {reason}", is_reachable=False)
    if isinstance(error, aiohttp.InvalidURL):
        return UnavailableError(f"{show_url(url)} is no address")
    return None


def _cut(url: str, error: Exception) -> PassingError:
    """The error when a connection did not last."""
    import aiohttp

    if isinstance(error, aiohttp.ServerTimeoutError):
        return PassingError(f"{show_url(url)} stopped sending")
    kind = type(error).__name__.removesuffix("Error")
    return PassingError(f"{show_url(url)} was cut on its way ({kind})")


def _distrusted(host: str, error: Exception) -> PrismError:
    missing = [
        f"{name} names {path}, which does not exist"
        for name in ("SSL_CERT_FILE", "SSL_CERT_DIR")
        if (path := os.environ.get(name)) and not Path(path).exists()
    ]
    return PrismError(
        "; ".join([f"the certificate of {host} is not trusted: {_name_reason(error)}", *missing]),
        hint="where somebody stands between, as companies do, `export SSL_CERT_FILE=THEIR-CERTIFICATES.pem`",
    )


def _name_reason(error: Exception) -> str:
    """What was wrong with the encryption, without the places in its source that the library adds."""
    reason = getattr(error, "verify_message", "") or getattr(error, "reason", "") or str(error)
    return str(reason).lower().replace("_", " ")


def _explain(error: OSError) -> str:
    """Why, in lower case; without the address that the system's own sentence may hold."""
    number = error.errno or 0
    # Negative numbers are those of name resolution, which only its own words explain.
    words = os.strerror(number) if number > 0 else error.strerror
    return words[:1].lower() + words[1:] if words else "no connection"

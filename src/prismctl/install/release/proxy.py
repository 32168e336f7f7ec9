"""The proxy that the environment names for an address, read forgivingly and shown without its password."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from prismctl.errors import ConfigError, Problem
from prismctl.install.release.address import is_server, show_url


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """Where a proxy is, and as whom it is asked."""

    url: str = field(repr=False)
    """With account and password, where there are any."""
    shown: str
    """Without them."""


def find_proxy(url: str) -> Proxy | None:
    """The proxy to reach an address through; ``None``: it is asked itself.

    Raises:
        ConfigError: what is named is no proxy that is spoken to.
    """
    parts = urlsplit(url)
    named = getproxies().get(parts.scheme, "").strip()
    if not named or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    # `HTTPS_PROXY=proxy:3128` is what people write, and what other programs take.
    full = named if "://" in named else f"http://{named.removeprefix('//')}"
    if not is_server(full):
        message = f"{name_variable(url)} names {show_url(full)}, which is not an HTTP proxy"
        raise ConfigError(
            [Problem(message=message)], hint=f"`export {name_variable(url)}=http://HOST:PORT`"
        )
    return Proxy(url=full, shown=show_url(full))


def show_proxy(url: str) -> str:
    """The proxy for an address in words, for a message."""
    proxy = find_proxy(url)
    return proxy.shown if proxy is not None else "on the way"


def name_variable(url: str) -> str:
    """The variable that names the proxy for an address."""
    return f"{urlsplit(url).scheme.upper()}_PROXY"

"""Where releases are: the vendor's server or a mirror of it, and how an address is shown without its secrets."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit, urlunsplit

from prismctl.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

VENDOR_URL: Final = "https://releases.hashicorp.com"
VARIABLE: Final = "PRISM_RELEASE_URL"


def find_base_url(setting: str = "", environment: Mapping[str, str] = os.environ) -> str:
    """The address of the releases: what the environment says, else what was set, else the vendor's.

    A mirror may speak plain HTTP, since what comes from it is verified by signature: sizes and the list of
    builds are then as good as the network.

    Raises:
        ConfigError: it is not the address of a web server.
    """
    variable = environment.get(VARIABLE, "")
    url = (variable or setting or VENDOR_URL).rstrip("/")
    if is_server(url):
        return url
    message = f"{show_url(url)} is not an address that releases can be fetched from"
    raise ConfigError(
        [Problem(message=message, file=VARIABLE if variable else "")],
        hint="it begins with https:// or http://",
    )


def is_server(url: str) -> bool:
    """Whether an address is one that HTTP can be spoken to."""
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def show_url(url: str) -> str:
    """An address as it may be shown: without account, password, what follows a question mark, and control codes."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "what was given"
    shown = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    return "".join(character for character in shown if character.isprintable())

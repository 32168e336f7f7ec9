"""The part of a person's environment that every service gets: chosen by name, nothing else comes along."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

INHERITED: Final = frozenset(
    {
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "SHELL",
        "LANG",
        "LANGUAGE",
        "TZ",
        "TMPDIR",
        # Where the network is reached through a proxy, and which authorities it is trusted with.
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "FTP_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
        "http_proxy",
        "https_proxy",
        "ftp_proxy",
        "all_proxy",
        "no_proxy",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
        "NODE_EXTRA_CA_CERTS",
    }
)


def choose_base_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of an environment that services get, in the order of their names."""
    return {
        name: environment[name]
        for name in sorted(environment)
        if name in INHERITED or name.startswith("LC_")
    }

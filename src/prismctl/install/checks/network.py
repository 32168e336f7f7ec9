"""What stands between two programs on this machine: proxies in the environment, and the name ``localhost``."""

from __future__ import annotations

import ipaddress
import socket
import threading
from typing import TYPE_CHECKING, Final, NamedTuple

from prismctl.install.checks.finding import Finding, State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prismctl.install.checks.surroundings import Surroundings

PROXY_VARIABLES: Final = ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy")
"""In small letters; the capital ones mean the same."""
LOOPBACK_NAMES: Final = ("localhost", "127.0.0.1", "::1")
PATIENCE_SECONDS: Final = 1.5
"""How long the name of this machine may take to be looked up."""


class NetworkFacts(NamedTuple):
    """What programs here are told about the network."""

    proxies: tuple[str, ...]
    """Names of the variables that are set; their values may hold passwords."""
    exceptions: str
    """NO_PROXY, as it is."""
    addresses: tuple[str, ...] | None
    """What ``localhost`` is; ``None``: nobody answered in time."""


def gather_network(surroundings: Surroundings) -> NetworkFacts:
    """The variables, and one look-up."""
    environment = surroundings.environment
    return NetworkFacts(
        proxies=tuple(
            name for name in environment if name.lower() in PROXY_VARIABLES and environment[name]
        ),
        exceptions=_find_exceptions(environment),
        addresses=resolve_within("localhost", PATIENCE_SECONDS),
    )


def resolve_within(name: str, seconds: float) -> tuple[str, ...] | None:
    """The addresses of a name, none when it has none; ``None``: there was no answer in time."""
    found: list[tuple[str, ...]] = []

    def look_up() -> None:
        try:
            rows = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
        except OSError:
            found.append(())
        else:
            found.append(tuple(dict.fromkeys(str(row[4][0]) for row in rows)))

    # Nothing can cut a look-up short; it is left alone with its wait.
    thread = threading.Thread(target=look_up, daemon=True)
    thread.start()
    thread.join(seconds)
    return found[0] if found else None


def judge_network(facts: NetworkFacts) -> tuple[Finding, ...]:
    """Whether services reach each other directly."""
    return _judge_proxies(facts), _judge_localhost(facts.addresses)


def _find_exceptions(environment: Mapping[str, str]) -> str:
    return environment.get("no_proxy") or environment.get("NO_PROXY") or ""


def _judge_proxies(facts: NetworkFacts) -> Finding:
    if not facts.proxies:
        return Finding(name="proxies", title="proxies", state=State.FINE, detail="none are set")
    names = ", ".join(facts.proxies)
    excepted = [entry.strip() for entry in facts.exceptions.split(",") if entry.strip()]
    missing = [name for name in LOOPBACK_NAMES if not _is_excepted(name, excepted)]
    if not missing:
        return Finding(
            name="proxies",
            title="proxies",
            state=State.FINE,
            detail=f"{names}; loopback is left out by NO_PROXY",
        )
    wanted = ",".join([*excepted, *missing])
    return Finding(
        name="proxies",
        title="proxies",
        state=State.WARNING,
        detail=f"{names} set, and NO_PROXY lacks {', '.join(missing)}: "
        "clients of services here would ask the proxy",
        fix=f"export NO_PROXY={wanted} no_proxy={wanted}",
    )


def _is_excepted(name: str, entries: list[str]) -> bool:
    if "*" in entries or name in entries or f".{name}" in entries or f"[{name}]" in entries:
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return any(_is_in_network(address, entry) for entry in entries)


def _is_in_network(address: ipaddress.IPv4Address | ipaddress.IPv6Address, entry: str) -> bool:
    try:
        return address in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False


def _judge_localhost(addresses: tuple[str, ...] | None) -> Finding:
    if addresses is None:
        return Finding(
            name="localhost",
            title="localhost",
            state=State.WARNING,
            detail=f"looking the name up takes longer than {PATIENCE_SECONDS:g} s",
            fix="add the line `127.0.0.1 localhost` to /etc/hosts",
        )
    if not addresses:
        return Finding(
            name="localhost",
            title="localhost",
            state=State.PROBLEM,
            detail="the name is not known on this machine",
            fix="add the line `127.0.0.1 localhost` to /etc/hosts",
        )
    strangers = [each for each in addresses if not _is_loopback(each)]
    shown = ", ".join(addresses)
    if strangers:
        return Finding(
            name="localhost",
            title="localhost",
            state=State.PROBLEM,
            detail=f"means {shown}; {strangers[0]} is not this machine's loopback",
            fix="let `localhost` in /etc/hosts be 127.0.0.1 and ::1 only",
        )
    return Finding(name="localhost", title="localhost", state=State.FINE, detail=f"is {shown}")


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return False

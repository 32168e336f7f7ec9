"""Ports as people write them: a number, ``auto``, or for a container ``HOST:INSIDE``; alone, in a list, by name.

Each of these may end in ``/udp``, as in a compose file; ``/tcp`` says what is meant anyway.
"""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from prismctl.domain.host_port import HostPort, PortProtocol, protocol_suffix
from prismctl.domain.shape import (
    INVALID,
    LARGEST_PORT,
    PORT_NAME_PATTERN,
    ListOf,
    MapOf,
    PortNumber,
    describe,
)

if TYPE_CHECKING:
    from prismctl.domain.document import Path, Report
    from prismctl.domain.service import PortDefinition

AUTO: Final = "auto"
_LOOPBACK: Final = ("127.0.0.1", "localhost")
_MAPPING: Final = re.compile(
    r"(?:(?P<address>[^:\s]+|\[[^\]\s]*\]):)?(?P<host>auto|\d+):(?P<inside>\d+)"
)
_NUMBER: Final = re.compile(r"\d{1,9}")
_TEXT_PATTERN: Final = (
    r"^((127\.0\.0\.1|localhost):)?(auto|[0-9]+):[0-9]+(/(tcp|udp))?$|^(auto|[0-9]+)(/(tcp|udp))?$"
)

_DISTANT_PATTERN: Final = r"^[0-9]+(/(tcp|udp))?$"


class WrittenPort(NamedTuple):
    """One port of an entry."""

    number: int | None
    """On this machine; ``None``: a free one."""
    target: int | None = None
    """Inside the container; ``None``: nothing is said of it."""
    protocol: PortProtocol | None = None
    """``None``: nothing is said of it; a port that is known already stays what it is, any other is TCP."""

    @property
    def wanted(self) -> HostPort | None:
        """What it takes of this machine; ``None``: what is free."""
        return (
            None
            if self.number is None
            else HostPort(self.number, self.protocol or PortProtocol.TCP)
        )


@dataclasses.dataclass(frozen=True, slots=True)
class OnePort:
    """A number, ``auto`` for a free one, or a number on this machine with the one inside the container."""

    def read(self, value: object, path: Path, report: Report) -> Any:
        """The `WrittenPort`."""
        protocol: PortProtocol | None = None
        if isinstance(value, str) and "/" in value:
            value, _, word = value.partition("/")
            if word not in set(PortProtocol):
                known = [each.value for each in PortProtocol]
                report.unknown_value(path, "protocol of a port", word, known)
                return INVALID
            protocol = PortProtocol(word)
        if value is None or value == AUTO:
            return WrittenPort(None, protocol=protocol)
        if isinstance(value, str) and ":" in value:
            return _read_mapping(value, protocol, path, report)
        if isinstance(value, str) and _NUMBER.fullmatch(value):
            value = int(value)
        number = PortNumber().read(value, path, report)
        return INVALID if number is INVALID else WrittenPort(number, protocol=protocol)

    def schema(self) -> dict[str, Any]:
        """A port, the word, or a text with a protocol or both numbers in it."""
        text = {"type": "string", "pattern": _TEXT_PATTERN}
        return {"anyOf": [PortNumber().schema(), {"const": AUTO}, text]}


@dataclasses.dataclass(frozen=True, slots=True)
class DistantPort:
    """A port of another machine: nothing is chosen or mapped here, so it is a number, with its protocol."""

    def read(self, value: object, path: Path, report: Report) -> Any:
        """The `WrittenPort`."""
        written = OnePort().read(value, path, report)
        if written is not INVALID and (written.number is None or written.target is not None):
            report.value(
                path,
                f"port {describe(value)} is not the number that a server has elsewhere, as `5432` or `5353/udp`",
            )
            return INVALID
        return written

    def schema(self) -> dict[str, Any]:
        """A port, or a text with a number and a protocol."""
        text = {"type": "string", "pattern": _DISTANT_PATTERN}
        return {"anyOf": [PortNumber().schema(), text]}


def render_port(port: PortDefinition) -> str:
    """What somebody would write for a port, as far as this machine is concerned: ``8080``, ``auto``, ``5353/udp``."""
    return str(port.wanted or f"{AUTO}{protocol_suffix(port.protocol)}")


def _read_mapping(text: str, protocol: PortProtocol | None, path: Path, report: Report) -> Any:
    match = _MAPPING.fullmatch(text)
    if match is None:
        report.value(path, f"port {describe(text)} is not `HOST:INSIDE`, as `8080:80`")
        return INVALID
    if match["address"] not in {None, *_LOOPBACK}:
        report.value(
            path,
            f"port {describe(text)} asks for the address {match['address']}; a stack is reached on this machine alone, "
            f"at 127.0.0.1: `{match['host']}:{match['inside']}{protocol_suffix(protocol or PortProtocol.TCP)}` says it",
        )
        return INVALID
    numbers = [int(each[:9]) for each in (match["host"], match["inside"]) if each != AUTO]
    for number in numbers:
        if not 1 <= number <= LARGEST_PORT:
            report.value(path, f"port {number} is not between 1 and {LARGEST_PORT}")
            return INVALID
    return WrittenPort(None if match["host"] == AUTO else numbers[0], numbers[-1], protocol)


@dataclasses.dataclass(frozen=True, slots=True)
class SeveralPorts:
    """A list of ports, one alone, or a mapping of names to ports."""

    one: OnePort | DistantPort = dataclasses.field(default_factory=OnePort)

    @property
    def named(self) -> MapOf:
        """Ports by name."""
        wanted = "a port name (lower case letters, digits, `-`, `_`)"
        return MapOf(PORT_NAME_PATTERN, wanted, self.one)

    def read(self, value: object, path: Path, report: Report) -> Any:
        """A tuple of `WrittenPort`, or a dict of them."""
        if isinstance(value, str | int) and not isinstance(value, bool):
            alone = self.one.read(value, path, report)
            return INVALID if alone is INVALID else (alone,)
        if isinstance(value, list):
            read = [
                (index, self.one.read(each, (*path, index), report))
                for index, each in enumerate(value)
            ]
            read = [(index, port) for index, port in read if port is not INVALID]
            result: Any = tuple(port for _, port in read)
        elif isinstance(value, dict):
            result = self.named.read(value, path, report)
            read = list(result.items())
        else:
            report.value(
                path,
                f"ports is {describe(value)}; write a list, as `[8080, 5353/udp]`, or a mapping of names",
            )
            return INVALID
        seen: set[HostPort] = set()
        for where, port in read:
            if port.wanted in seen:
                report.value((*path, where), f"port {port.wanted} is there twice")
            elif port.wanted is not None:
                seen.add(port.wanted)
        if not value:
            report.value(path, "ports is empty")
            return INVALID
        return result

    def schema(self) -> dict[str, Any]:
        """Any of the three."""
        listed = ListOf(self.one).schema()
        return {"anyOf": [*self.one.schema()["anyOf"], listed, self.named.schema()]}


@dataclasses.dataclass(frozen=True, slots=True)
class PortReference:
    """The number or the name of a port."""

    def read(self, value: object, path: Path, report: Report) -> Any:
        """A number or a name."""
        return value if isinstance(value, str) else PortNumber().read(value, path, report)

    def schema(self) -> dict[str, Any]:
        """Either."""
        return {"anyOf": [PortNumber().schema(), {"type": "string", "pattern": PORT_NAME_PATTERN}]}

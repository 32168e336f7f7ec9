"""Ports of a compose file: ``8080:80``, ``127.0.0.1:8080:80/tcp``, ranges, and the long form."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from prismctl.domain.shape import LARGEST_PORT

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_RANGE: Final = 20
"""A longer range is told, not taken over: nobody has that many servers in one program."""

_SHORT: Final = re.compile(
    r"(?:(?P<host>\[[0-9a-fA-F:]+\]|\d+\.\d+\.\d+\.\d+|localhost):)?"
    r"(?:(?P<outside>\d+(?:-\d+)?)?:)?"
    r"(?P<inside>\d+(?:-\d+)?)"
    r"(?:/(?P<protocol>[a-z]+))?"
)
_RANGE: Final = re.compile(r"(\d+)(?:-(\d+))?")
_LOOPBACK: Final = ("", "127.0.0.1", "localhost", "[::1]", "::1")


class PortError(ValueError):
    """No port that compose would take; the message says why."""


class Mapped(NamedTuple):
    """One port of a container."""

    inside: int
    """The number that its server listens on."""
    outside: int | None
    """The number that it is published as; ``None``: any, or none at all."""
    host: str = ""
    protocol: str = "tcp"
    name: str = ""

    @property
    def is_open_to_others(self) -> bool:
        """Whether it is published on more than loopback by the words of the file."""
        return self.host not in _LOOPBACK


def parse_port(text: str) -> list[Mapped]:
    """The short form; more than one for a range.

    >>> parse_port("127.0.0.1:8080:80")
    [Mapped(inside=80, outside=8080, host='127.0.0.1', protocol='tcp', name='')]

    Raises:
        PortError: it is none.
    """
    match = _SHORT.fullmatch(text.strip())
    if match is None:
        raise PortError(f"`{text}` is no port; write `8080:80`")
    host, outside = match["host"] or "", match["outside"]
    return _spread(
        text, _numbers(match["inside"]), outside, host=host, protocol=match["protocol"] or "tcp"
    )


def read_port(form: Mapping[Any, Any]) -> list[Mapped]:
    """The long form, its values evaluated.

    Raises:
        PortError: it is none.
    """
    target = str(form.get("target", ""))
    if not _RANGE.fullmatch(target):
        raise PortError("has no `target`" if not target else f"target `{target}` is no port")
    published = form.get("published")
    outside = None if published in (None, "") else str(published)
    if outside is not None and not _RANGE.fullmatch(outside):
        raise PortError(f"published `{outside}` is no port")
    inside = _numbers(target)
    if outside is not None and len(inside) == 1 and "-" in outside:
        # Any number of the range will do: the first one does.
        outside = outside.partition("-")[0]
    mapped = _spread(
        target,
        inside,
        outside,
        host=str(form.get("host_ip") or ""),
        protocol=str(form.get("protocol") or "tcp"),
    )
    name = str(form.get("name") or "")
    return [each._replace(name=name) for each in mapped] if len(mapped) == 1 else mapped


def _spread(
    text: str, inside: list[int], outside: str | None, *, host: str, protocol: str
) -> list[Mapped]:
    numbers: list[int] | list[None]
    if outside is None:
        numbers = [None] * len(inside)
    else:
        published = _numbers(outside)
        if len(inside) == 1:
            published = published[:1]
        if len(published) != len(inside):
            raise PortError(f"`{text}`: the ranges are not of one length")
        numbers = published
    return [
        Mapped(number, other, host, protocol) for number, other in zip(inside, numbers, strict=True)
    ]


def _numbers(text: str) -> list[int]:
    match = _RANGE.fullmatch(text)
    if match is None:
        raise PortError(f"`{text}` is no port")
    first = int(match[1])
    last = int(match[2] or match[1])
    if not 1 <= first <= last <= LARGEST_PORT:
        raise PortError(f"`{text}` is not between 1 and {LARGEST_PORT}")
    return list(range(first, last + 1))

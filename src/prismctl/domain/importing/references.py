"""Services that find each other by name: where a text means one, and what is written instead.

In a network of containers ``redis:6379`` is an address. Here services listen on loopback, at a port that may have
been moved; ``${redis.host}:${redis.port}`` is where they are.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

_HOST_KEY: Final = re.compile(
    r"(^|[_.-])(HOST|HOSTS|HOSTNAME|SERVER|ADDR|ADDRESS|ENDPOINT|NODE|BROKER)S?(_NAME)?$",
    re.IGNORECASE,
)
_PORT_KEY: Final = re.compile(r"^(?P<stem>.*?)_?PORT$", re.IGNORECASE)
# Neither part of a longer name nor of a path; behind two slashes a host begins.
_BEGIN: Final = r"(?:(?<=//)|(?<![\w.$/{\\-]))"
_WORD: Final = r"[A-Za-z0-9_][\w.-]*"
_WITH_PORT: Final = re.compile(rf"{_BEGIN}(?P<word>{_WORD}):(?P<port>\d{{1,5}})(?![\w@])")
_HOST: Final = re.compile(
    rf"(?:(?<=//)|(?<=@))(?P<word>{_WORD})(?=[/?#\s,;\"')\]]|$)|{_BEGIN}(?P<other>{_WORD})(?=:\$\{{)"
)
_SCHEME: Final = re.compile(r"([a-z][a-z0-9+.-]*)://[^\s,;\"']*$", re.IGNORECASE)
_USUAL_PORTS: Final = {
    "http": 80, "https": 443, "redis": 6379, "postgres": 5432, "postgresql": 5432, "mysql": 3306, "mariadb": 3306,
    "amqp": 5672, "mongodb": 27017, "nats": 4222, "kafka": 9092, "memcached": 11211, "clickhouse": 9000, "mqtt": 1883,
}  # fmt: skip


class Mention(NamedTuple):
    """A place in a text where a service's address stands."""

    word: str
    """What the text calls it."""
    number: int | None
    """The port; ``None``: the text has none there."""
    is_implied: bool = False
    """The port does not stand there: it is the usual one of the URL's scheme, and what is meant even so."""


class Finder:
    """Finds the mentions of some names."""

    def __init__(self, words: Collection[str]) -> None:
        self._words = frozenset(words)

    def rewrite(self, text: str, write: Callable[[Mention], str | None], *, key: str = "") -> str:
        """The text with each mention replaced by what is written for it; ``None`` leaves it as it is.

        Args:
            text: a value or an argument, references included.
            write: gives the replacement.
            key: of the variable whose value it is: one that ends in ``_HOST`` holds a name and nothing else.
        """
        if not self._words:
            return text
        if text in self._words:
            if not _HOST_KEY.search(key):
                return text
            return write(Mention(text, None)) or text

        def with_port(match: re.Match[str]) -> str:
            if match["word"] not in self._words:
                return match[0]
            return write(Mention(match["word"], int(match["port"]))) or match[0]

        def host(match: re.Match[str]) -> str:
            word = match["word"] or match["other"]
            if word not in self._words:
                return match[0]
            if match["word"] is None:
                return write(Mention(word, None)) or match[0]
            scheme = _SCHEME.search(text, 0, match.start())
            usual = _USUAL_PORTS.get(scheme[1].lower().partition("+")[0]) if scheme else None
            return write(Mention(word, usual, is_implied=usual is not None)) or match[0]

        return _HOST.sub(host, _WITH_PORT.sub(with_port, text))


def host_keys_of_port(key: str) -> tuple[str, ...]:
    """The variables that would hold the host for the port that a variable holds.

    >>> host_keys_of_port("DB_PORT")
    ('DB_HOST', 'DB_HOSTNAME', 'DB_SERVER', 'DB_ADDR', 'DB_ADDRESS')
    """
    match = _PORT_KEY.match(key)
    if match is None:
        return ()
    stem = f"{match['stem']}_" if match["stem"] else ""
    return tuple(f"{stem}{each}" for each in ("HOST", "HOSTNAME", "SERVER", "ADDR", "ADDRESS"))

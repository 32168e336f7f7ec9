"""What a pattern's manifest says, checked completely. Pure: files are only looked at by ``patterns``."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from prism_services.launcher.isolation import Isolation
from prism_services.serving.flags import DURATION, LAST_PORT, SECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
"""What an environment variable may be called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthQuestion:
    """How a pattern process is asked whether it is well."""

    port: int = 0
    """0: the port the launcher gives it."""
    path: str = "/health"
    interval_seconds: float = 30.0
    timeout_seconds: float = 5.0
    failure_threshold: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One pattern that can be launched."""

    name: str
    version: str
    executable: str
    """Relative to the manifest's directory; of a pattern that ships with Prism, a command on PATH."""
    isolation: Isolation | None = None
    """What the pattern is made for; a request that names none gets the launcher's."""
    health: HealthQuestion = field(default_factory=HealthQuestion)
    resources: Mapping[str, Any] = field(default_factory=dict)
    backend_slots: tuple[Mapping[str, Any], ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    author: str = ""


class ManifestError(Exception):
    """A manifest that cannot be used."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)
        """All of them, in the order of the fields; never empty."""


def read_manifest(document: object) -> Manifest:
    """Check a parsed manifest; raises with every problem it has. Keys that are not known are left out."""
    if not isinstance(document, dict):
        raise ManifestError(["it is not a mapping"])
    reader = Reader(document)
    manifest = Manifest(
        name=reader.name("name"),
        version=reader.text("version", required=True),
        executable=reader.text("executable", required=True),
        isolation=reader.isolation("isolation_level"),
        health=_health(reader),
        resources=reader.mapping("resources"),
        backend_slots=reader.slots("backend_slots"),
        environment=reader.environment("environment"),
        description=reader.text("description"),
        author=reader.text("author"),
    )
    if reader.problems:
        raise ManifestError(reader.problems)
    return manifest


def _health(reader: Reader) -> HealthQuestion:
    inner = Reader(reader.mapping("healthcheck"), prefix="healthcheck.", problems=reader.problems)
    usual = HealthQuestion()
    return HealthQuestion(
        port=inner.whole("port", usual=usual.port, least=0, most=LAST_PORT),
        path=inner.text("path") or usual.path,
        interval_seconds=inner.seconds("interval", usual=usual.interval_seconds),
        timeout_seconds=inner.seconds("timeout", usual=usual.timeout_seconds),
        failure_threshold=inner.whole(
            "failure_threshold", usual=usual.failure_threshold, least=1, most=1000
        ),
    )


class Reader:
    """Takes typed values out of a mapping, and collects what is wrong with it."""

    def __init__(
        self, document: Mapping[Any, Any], *, prefix: str = "", problems: list[str] | None = None
    ) -> None:
        self._document = document
        self._prefix = prefix
        self.problems = [] if problems is None else problems

    def text(self, key: str, *, required: bool = False) -> str:
        """A string or a number, as a string."""
        value = self._document.get(key)
        if value is None or value == "":
            if required:
                self._wrong(key, "is missing")
            return ""
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            self._wrong(key, "is not a string")
            return ""
        return str(value)

    def name(self, key: str) -> str:
        """A string that may be part of a process id and a file name."""
        value = self.text(key, required=True)
        if value and not NAME.fullmatch(value):
            self._wrong(key, f"{value[:200]!r} is not a name (letters, digits, `.`, `_`, `-`)")
        return value

    def isolation(self, key: str) -> Isolation | None:
        """An isolation level; ``None`` when it is not given."""
        value = self.text(key)
        if value and value not in set(Isolation):
            self._wrong(key, f"{value[:200]!r} is none of none, namespace, session")
            return None
        return Isolation(value) if value else None

    def whole(self, key: str, *, usual: int, least: int, most: int) -> int:
        """A whole number within bounds."""
        value = self._document.get(key)
        if value is None:
            return usual
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            self._wrong(key, f"{str(value)[:200]!r} is not a number from {least} to {most}")
            return usual
        return value

    def seconds(self, key: str, *, usual: float) -> float:
        """A duration such as ``30s``, in seconds."""
        value = self.text(key)
        if not value:
            return usual
        match = DURATION.fullmatch(value)
        seconds = float(match[1]) * SECONDS[match[2]] if match else 0.0
        if seconds <= 0:
            self._wrong(key, f"{value[:200]!r} is not a duration such as 30s")
            return usual
        return seconds

    def mapping(self, key: str) -> Mapping[Any, Any]:
        """A mapping; empty when it is not given."""
        value = self._document.get(key)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self._wrong(key, "is not a mapping")
            return {}
        return value

    def environment(self, key: str) -> dict[str, str]:
        """Environment variables."""
        found: dict[str, str] = {}
        for name, value in self.mapping(key).items():
            if not isinstance(name, str) or not IDENTIFIER.fullmatch(name):
                self._wrong(key, f"{str(name)[:200]!r} is not the name of an environment variable")
            elif isinstance(value, (dict, list)):
                self._wrong(f"{key}.{name}", "is not a string")
            else:
                found[name] = _as_variable(value)
        return found

    def slots(self, key: str) -> tuple[Mapping[str, Any], ...]:
        """Backend slots: a list of mappings with a name each."""
        value = self._document.get(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(
            isinstance(slot, dict) and isinstance(slot.get("name"), str) for slot in value
        ):
            self._wrong(key, "is not a list of mappings with a name each")
            return ()
        return tuple(value)

    def _wrong(self, key: str, what: str) -> None:
        self.problems.append(f"{self._prefix}{key} {what}")


def _as_variable(value: object) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)

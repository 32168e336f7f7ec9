"""Where the jars of a Kafka are, seen from the script that starts it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_JAR: Final = re.compile(r"kafka_\d+\.\d+-(\d+(?:\.\d+)+).*\.jar")
"""The broker itself; the number before the dash is Scala's."""
_LIBS: Final = ("../libs", "../libexec/libs")
"""As the release has them, and as Homebrew does."""


def find_libs(script: Path) -> Path | None:
    """The directory of the jars; ``None``: nobody knows, and only the script itself can start it."""
    beside = script.resolve().parent
    for place in _LIBS:
        libs = (beside / place).resolve()
        if _find_broker(libs) is not None:
            return libs
    return None


def read_kafka_version(script: Path) -> str:
    """The version of a Kafka, without waiting for Java to say it; empty where the jars are not to be found."""
    libs = find_libs(script)
    found = _find_broker(libs) if libs is not None else None
    return found[1] if found is not None else ""


def _find_broker(libs: Path) -> re.Match[str] | None:
    try:
        names = [path.name for path in libs.iterdir()]
    except OSError:
        return None
    return next((found for name in sorted(names) if (found := _JAR.fullmatch(name))), None)

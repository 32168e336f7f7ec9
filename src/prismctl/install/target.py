"""Which kind of machine this is, in the words that releases are named with."""

from __future__ import annotations

import platform
from typing import Final, NamedTuple

_SYSTEMS: Final = {"Linux": "linux", "Darwin": "darwin"}
_PROCESSORS: Final = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


class Target(NamedTuple):
    """An operating system and a processor, as Go spells them (``linux``, ``amd64``)."""

    system: str
    processor: str

    def __str__(self) -> str:
        return f"{self.system}_{self.processor}"


def name_target(system: str, processor: str) -> Target:
    """The target that what ``uname`` says stands for; unknown words stay as they are, in lower case."""
    return Target(
        _SYSTEMS.get(system, system.lower()), _PROCESSORS.get(processor.lower(), processor.lower())
    )


def find_target() -> Target:
    """The target of this machine."""
    return name_target(platform.system(), platform.machine())

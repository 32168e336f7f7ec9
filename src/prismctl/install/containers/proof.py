"""Whether a container has run in a home with the Podman and the settings that are there now, and why none has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from prismctl.install.containers.configuration import podman_environment
from prismctl.install.proof import recall_proof, remember_proof

if TYPE_CHECKING:
    from prismctl.files.paths import Home

_NAME: Final = "podman"
_FAILURE: Final = "podman-failure"


class Failure(NamedTuple):
    """What came of it when no container ran."""

    words: str
    fix: str
    """What to type; empty: nothing is known."""
    at: float
    """When it was tried, in seconds since the epoch: what was in the way is mostly nothing of ours, and may be gone."""


def recall_containers(home: Home, program: Path) -> str | None:
    """How containers ran, in words; ``None``: nobody has tried with this Podman and these settings.

    Args:
        home: whose settings are used.
        program: Podman.
    """
    return recall_proof(home, _NAME, _files(home, program))


def remember_containers(home: Home, program: Path, words: str) -> None:
    """Write down that containers run.

    Raises:
        PrismError: home cannot be written.
    """
    remember_proof(home, _NAME, _files(home, program), words)


def recall_failure(home: Home, program: Path) -> Failure | None:
    """Why none ran when it was tried last; ``None``: it was not tried, or one ran, with this Podman and these settings."""
    files = _files(home, program)
    recorded = recall_proof(home, _FAILURE, files)
    if recorded is None or recall_proof(home, _NAME, files) is not None:
        return None
    try:
        words, fix, at = json.loads(recorded)
        return Failure(str(words), str(fix), float(at))
    except (ValueError, TypeError):
        return None


def remember_failure(home: Home, program: Path, failure: Failure) -> None:
    """Write down that none runs.

    Raises:
        PrismError: home cannot be written.
    """
    remember_proof(home, _FAILURE, _files(home, program), json.dumps(failure))


def _files(home: Home, program: Path) -> list[Path]:
    return [program, *(Path(path) for path in podman_environment(home).values())]

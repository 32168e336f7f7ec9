"""Whether a container has run in a home with the Podman and the settings that are there now."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from prismctl.install.containers.configuration import podman_environment
from prismctl.install.proof import recall_proof, remember_proof

if TYPE_CHECKING:
    from prismctl.files.paths import Home

_NAME: Final = "podman"


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


def _files(home: Home, program: Path) -> list[Path]:
    return [program, *(Path(path) for path in podman_environment(home).values())]

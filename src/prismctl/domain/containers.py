"""What can run container images on a machine, and which images it has or could have; and the names of images."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

PODMAN: Final = "podman"
DOCKER: Final = "docker"
KEEPER_LABEL: Final = "prism.keeper"
CONTAINER_REMOVAL_SECONDS: Final = 5.0
"""How long an engine waits beyond the grace for whoever keeps a container to kill it and take it away; mostly 0.2 s."""
"""Whose container it is: a sweep removes by it."""

_DEFAULT_REGISTRY: Final = "docker.io"
_DEFAULT_NAMESPACE: Final = "library"

_WORD: Final = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST: Final = (
    rf"(?:localhost(?::[0-9]+)?|{_LABEL}(?:\.{_LABEL})+(?::[0-9]+)?|{_LABEL}:[0-9]+"
    r"|\[[0-9a-fA-F:]+\](?::[0-9]+)?)"
)
_DIGEST: Final = r"@(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})"
IMAGE_PATTERN: Final = (
    rf"^(?:{_HOST}/)?{_WORD}(?:/{_WORD})*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?(?:{_DIGEST})?$"
)
"""How images are named: registry, repository in lower case, tag, digest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerTool:
    """The program that runs images, and how it is to be called."""

    kind: str
    """`PODMAN` or `DOCKER`: their command lines differ in places."""
    program: str
    """Absolute."""
    environment: dict[str, str] = field(default_factory=dict)
    """Variables that it needs beside the starter's own."""

    @property
    def title(self) -> str:
        """As people write it."""
        return self.kind.capitalize()


class ImageFacts(NamedTuple):
    """Whether an image can be run."""

    is_here: bool
    can_be_had: bool
    """It is here, or its registry answers."""
    reason: str = ""
    """Why it cannot be had."""


class ContainerFacts(NamedTuple):
    """Whether containers can be run, and of which images."""

    tool: ContainerTool | None
    reason: str
    """Why not; empty when they can."""
    find_image: Callable[[str], ImageFacts]
    fix: str = ""
    """What would change that; empty: nothing is known, or the reason says it."""


def name_container(keeper_id: str, service: str, replica: int) -> str:
    """The same for every run of an instance, and for no other instance of any home."""
    number = f"-{replica}" if replica else ""
    return f"{keeper_id}-{service}{number}"


def no_containers(reason: str, fix: str = "") -> ContainerFacts:
    """A machine on which containers cannot be run."""
    return ContainerFacts(None, reason, lambda _: ImageFacts(False, False, reason), fix)


class ImageName(NamedTuple):
    """The full name of an image."""

    registry: str
    repository: str
    reference: str
    """A tag, with its colon, or a digest, with its at sign."""

    def __str__(self) -> str:
        return f"{self.registry}/{self.repository}{self.reference}"


def is_image_name(text: str) -> bool:
    """Whether there can be an image of this name."""
    return re.fullmatch(IMAGE_PATTERN, text) is not None


def parse_image_name(text: str) -> ImageName:
    """What a name stands for, short ones included: ``redis`` is ``docker.io/library/redis:latest``."""
    rest, at, digest = text.partition("@")
    first, slash, path = rest.partition("/")
    # What could not be part of a repository's name is a host.
    if slash and (any(mark in first for mark in ".:") or first == "localhost"):
        registry, rest = first, path
    else:
        registry = _DEFAULT_REGISTRY
    repository, _, tag = rest.partition(":")
    if registry == _DEFAULT_REGISTRY and "/" not in repository:
        repository = f"{_DEFAULT_NAMESPACE}/{repository}"
    return ImageName(registry, repository, f"@{digest}" if at else f":{tag or 'latest'}")

"""The containers that there are of a stack, running or not, as Podman or Docker tell it."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Final, NamedTuple

from prismctl.domain.containers import KEEPER_LABEL
from prismctl.errors import PrismError

if TYPE_CHECKING:
    from prismctl.domain.containers import ContainerTool

LIST_SECONDS: Final = 10.0
"""How long a list may take; it is there in a tenth of a second, unless something is the matter."""
_TEMPLATE: Final = "{{.ID}} {{.Names}} {{.Status}}"


class MarkedContainer(NamedTuple):
    """A container that a keeper's mark is on."""

    number: str
    name: str
    status: str
    """As the tool says it: ``Up 2 minutes``, ``Exited (0) 3 seconds ago``, ``Paused``."""


def list_containers(
    tool: ContainerTool, keeper_id: str, *, seconds: float = LIST_SECONDS
) -> list[MarkedContainer]:
    """Those that carry a keeper's mark.

    Raises:
        PrismError: the tool cannot be run, refuses, or does not answer in time.
    """
    mark = f"label={KEEPER_LABEL}={keeper_id}"
    words = ("ps", "--all", "--no-trunc", "--filter", mark, "--format", _TEMPLATE)
    lines = call_tool(tool, *words, seconds=seconds).splitlines()
    return [_parse_line(each) for each in lines if each]


def _parse_line(text: str) -> MarkedContainer:
    number, _, rest = text.partition(" ")
    name, _, status = rest.partition(" ")
    return MarkedContainer(number, name, status.strip())


def call_tool(tool: ContainerTool, *arguments: str, seconds: float) -> str:
    """What the tool printed.

    Raises:
        PrismError: it cannot be run, refuses, or does not answer in time; with its own last words.
    """
    try:
        done = subprocess.run(
            (tool.program, *arguments),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={**os.environ, **tool.environment, "LC_ALL": "C"},
            cwd="/",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise PrismError(
            f"`{tool.program} {arguments[0]}` did not end within {seconds:g} s",
            hint=f"`{tool.kind} info` shows whether {tool.title} works",
        ) from error
    except OSError as error:
        raise PrismError(
            f"cannot run {tool.program}: {(error.strerror or str(error)).lower()}"
        ) from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise PrismError(
            f"`{tool.kind} {arguments[0]}` failed: {said[-1] if said else done.returncode}",
            hint=f"`{tool.kind} ps --all --filter label={KEEPER_LABEL}` shows the containers",
        )
    return done.stdout.decode(errors="replace")

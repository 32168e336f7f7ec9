"""Whether images of a registry come from somewhere else: then that the registry itself does not answer says nothing."""

from __future__ import annotations

import json
import subprocess
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from prismctl.domain.containers import PODMAN
from prismctl.install.containers.configuration import registry_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prismctl.domain.containers import ContainerTool

_MIRRORED_BY_DOCKER: Final = "docker.io"
"""Mirrors that a Docker daemon is told of are for this one alone."""
_ASK_SECONDS: Final = 5.0


def is_redirected(host: str, tool: ContainerTool, environment: Mapping[str, str]) -> bool:
    """Whether Podman or Docker is configured to go elsewhere for images of a registry, or to talk to it otherwise.

    Only they know what becomes of it: their pull decides, and says why it fails.

    Args:
        host: the registry, as names of images have it.
        tool: that would pull.
        environment: of the one who asks.
    """
    complete = {**environment, **tool.environment}
    if tool.kind == PODMAN:
        return any(_is_about(entry, host) for entry in _podman_entries(complete))
    return host == _MIRRORED_BY_DOCKER and _has_docker_mirrors(tool, complete)


def _podman_entries(environment: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for file in _podman_files(environment):
        try:
            document = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            # Podman cannot read it either, and will say so.
            continue
        entries = document.get("registry", [])
        yield from (each for each in entries if isinstance(each, dict))


def _podman_files(environment: Mapping[str, str]) -> Iterator[Path]:
    files = list(registry_files(environment))
    yield from (file for file in files if file.is_file())
    for place in dict.fromkeys((*(file.parent for file in files), Path("/etc/containers"))):
        yield from sorted((place / "registries.conf.d").glob("*.conf"))


def _is_about(entry: dict[str, Any], host: str) -> bool:
    """Whether a table of ``registries.conf`` says anything about a registry, whole or in part."""
    about = str(entry.get("prefix") or entry.get("location") or "")
    if about.startswith("*."):
        return host.endswith(about[1:].partition("/")[0])
    return about.partition("/")[0] == host


def _has_docker_mirrors(tool: ContainerTool, environment: Mapping[str, str]) -> bool:
    try:
        done = subprocess.run(
            (tool.program, "info", "--format", "{{json .RegistryConfig.Mirrors}}"),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={**environment, "LC_ALL": "C"},
            cwd="/",
            timeout=_ASK_SECONDS,
            check=False,
        )
        return bool(json.loads(done.stdout))
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return False

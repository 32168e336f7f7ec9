"""Paths that are relative to the catalog they are written in, made absolute."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any

from prismctl.domain.interpolation import MARK
from prismctl.domain.written_volumes import host_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prismctl.domain.document import Path, Report


def locate_all(given: Mapping[str, Any], path: Path, report: Report) -> dict[str, Any]:
    """What is relative to the catalog, made absolute."""
    directory = report.document.directory
    located: dict[str, Any] = {}
    if "command" in given:
        located["command"] = _locate_program(given["command"], directory)
        # A list whose words all have mistakes is not empty, and has been reported.
        written = report.document.mapping_at(path).get("command")
        if not given["command"] and not (isinstance(written, list) and written):
            report.value((*path, "command"), "command is empty")
    if "working_directory" in given:
        located["working_directory"] = locate(given["working_directory"], directory)
    if "watch" in given:
        located["watch"] = tuple(locate(each, directory) for each in given["watch"])
        _check_watched(located["watch"], given, path, report)
    if "volumes" in given:
        located["volumes"] = tuple(locate_volume(volume, directory) for volume in given["volumes"])
    return located


def _check_watched(
    located: Sequence[str], given: Mapping[str, Any], path: Path, report: Report
) -> None:
    """Watched paths are plain ones: nothing is replaced in them, and no pattern is understood."""
    seen: set[str] = set()
    for index, (place, written) in enumerate(zip(located, given["watch"], strict=True)):
        where = (*path, "watch", index)
        if MARK in written:
            report.value(where, f"watch `{written}` has a reference; only paths are watched")
        elif any(letter in written for letter in "*?["):
            report.value(
                where, f"watch `{written}` is a pattern; a directory is watched with all in it"
            )
        elif place in seen:
            report.value(where, f"watch `{written}` is there twice")
        seen.add(place)


def locate(path: str, directory: str) -> str:
    """An absolute path for one that is relative to the catalog; a variable in front is left to the plan."""
    if path.startswith(("/", "${", "~")) or not directory:
        return path
    return posixpath.normpath(posixpath.join(directory, path))


def locate_volume(volume: str, directory: str) -> str:
    """A volume with its host's path made absolute; a name alone is a directory of the service's data."""
    host = host_of(volume)
    is_path = "/" in host or host in {".", ".."}
    return f"{locate(host, directory)}{volume[len(host) :]}" if is_path else volume


def _locate_program(command: tuple[str, ...], directory: str) -> tuple[str, ...]:
    """A program written with a slash is a path; one without is looked for on PATH."""
    if not command or "/" not in command[0]:
        return command
    return (locate(command[0], directory), *command[1:])

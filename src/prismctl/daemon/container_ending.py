"""Why a container ended, or could not even begin: in its client's words, where an exit code says too little."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from prismctl.domain.problems import shorten
from prismctl.domain.service import Runtime
from prismctl.runtime.container import container_name
from prismctl.runtime.container_records import read_ending

if TYPE_CHECKING:
    from pathlib import Path

    from prismctl.domain.observation import InstanceObservation
    from prismctl.domain.plan import ServicePlan
    from prismctl.files.paths import StackPaths

_CLIENT_FAILURES: Final = frozenset({125, 126, 127})
"""Exit codes by which clients say that they could not start the container, or its program."""
_LAST_BYTES: Final = 8192
_COMPLAINT: Final = re.compile(r"(?:Error|docker: Error response from daemon|docker): (.*)")
_LONGEST: Final = 300


def explain_ending(
    seen: InstanceObservation, service: ServicePlan, paths: StackPaths
) -> InstanceObservation:
    """The observation with what is known of the ending beyond its exit code."""
    if service.runtime is not Runtime.CONTAINER or seen.exit_code is None or seen.explanation:
        return seen
    words = read_ending(paths, container_name(service, seen.key.replica, paths))
    if not words and seen.exit_code in _CLIENT_FAILURES:
        said = _find_complaint(paths.log(str(seen.key)))
        words = f"could not be started: {said}" if said else ""
    return replace(seen, explanation=words)


def _find_complaint(log: Path) -> str:
    """The last line in which the client says what went wrong."""
    try:
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - _LAST_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    found = (_COMPLAINT.search(line) for line in reversed(lines))
    return shorten(next((each[1] for each in found if each), ""), _LONGEST)

"""The reports on past starts of a stack, from this machine's history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prismctl.cli.stack import find_stack
from prismctl.domain.snapshot import render_time
from prismctl.domain.start_report import COMPARED, render_report, report_start
from prismctl.files.history import load_starts

if TYPE_CHECKING:
    from prismctl.files.paths import Home, StackPaths

SCHEMA_VERSION = 1
"""Of the document; fields are only ever added."""


def describe_starts(home: Home, paths: StackPaths) -> dict[str, Any]:
    """The newest start of a stack, part by part, and the ten newest in a line each, newest first.

    Raises:
        HistoryError: the history cannot be read.
        UnavailableError: the daemon does not answer.
    """
    # The daemon writes a start down a little after it; asked for its report, it does at once.
    client = find_stack(paths)
    report = client.start_report() if client is not None else None
    past = load_starts(home)
    own = [start for start in past if start.stack == paths.name]
    if report is None and own:
        report = render_report(report_start(own[0], past))
    return {
        "schema": SCHEMA_VERSION,
        "stack": paths.name,
        "last_start": report,
        "starts": [
            {
                "started_at": render_time(start.started_at),
                "origin": start.origin,
                "engine": start.engine,
                "services": [service.name for service in start.services],
                "ready_seconds": round(start.ready_seconds, 3),
            }
            for start in own[:COMPARED]
        ],
    }

"""What a stack has stored, as a document: read from its files, whether it runs or not."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from prismctl.cli.stack import find_stack
from prismctl.client.holding import holding_stack
from prismctl.domain.snapshot import render_time
from prismctl.errors import PrismError, RejectedError
from prismctl.files.service_data import ServiceData
from prismctl.files.snapshots import MAX_SNAPSHOTS, Snapshots
from prismctl.files.text import name_for_people

if TYPE_CHECKING:
    from prismctl.cli.invocation import Invocation
    from prismctl.files.paths import StackPaths
    from prismctl.files.service_data import DataFacts
    from prismctl.files.snapshots import Snapshot

SCHEMA_VERSION: Final = 1
"""Of the document; fields are only ever added."""


def describe_data(call: Invocation) -> dict[str, Any]:
    """The data of each service, the snapshots, and what was or is still to be put right after a crash."""
    paths = call.paths
    client = find_stack(paths)
    persistent = _foresee_persistence(call)
    running: set[str] = set()
    if client is not None:
        plan = client.plan() or {"services": []}
        persistent |= {each["name"]: bool(each["persist"]) for each in plan["services"]}
        running = {each["name"] for each in client.status()["services"] if each["pid"] is not None}
    notes = _settle(call, is_stopped=client is None)
    data, snapshots, now = ServiceData(paths.data), Snapshots(paths.snapshots), time.time()
    aside = data.names_of_previous()
    return {
        "schema": SCHEMA_VERSION,
        "stack": call.stack,
        "services": [
            _describe_service(
                data.describe(name), now, persists=persistent.get(name), runs=name in running
            )
            for name in data.names()
            if data.has_data(name) or name in aside
        ],
        "snapshots": [_describe_snapshot(each, now) for each in snapshots.list_all()],
        "max_snapshots": MAX_SNAPSHOTS,
        "directory": name_for_people(paths.snapshots),
        "notes": notes,
    }


def _foresee_persistence(call: Invocation) -> dict[str, bool]:
    """Whose data a start without any flags keeps; nothing, where files have mistakes that a start would tell."""
    from prismctl.planning import PlanRequest, decide

    try:
        decision = decide(
            PlanRequest(stack=call.stack, is_trial=True),
            home=call.home,
            environment=os.environ,
            working_directory=Path.cwd(),
        )
    except PrismError:
        return {}
    keeps_all = bool(decision.preferences["persist"].value)
    return {
        name: keeps_all or service.persist for name, service in decision.catalog.services.items()
    }


def settle_files(paths: StackPaths) -> list[str]:
    """Carry out what a command that was killed had decided, and remove what it had not; the former, in words.

    Only by the holder of the stack.

    Raises:
        PrismError: something cannot be moved.
    """
    finished = [*ServiceData(paths.data).settle(), *Snapshots(paths.snapshots).settle()]
    return [f"finished the interrupted {what}" for what in finished]


def _settle(call: Invocation, *, is_stopped: bool) -> list[str]:
    paths = call.paths
    if not _is_anything_there(paths):
        return []
    if is_stopped:
        try:
            with holding_stack(paths, "prismctl dev data list"):
                return settle_files(paths)
        except RejectedError:
            # Somebody is at work, or a run was killed: what is there is told as it is.
            pass
    return [f"under way: {what}" for what in ServiceData(paths.data).find_undecided()]


def _is_anything_there(paths: StackPaths) -> bool:
    """Whether there is anything that a crash could have left unfinished; looking makes no directories."""
    hidden = (
        entry
        for directory in (paths.data, paths.snapshots)
        if directory.is_dir()
        for entry in directory.glob(".*")
    )
    return any(hidden)


def _describe_service(
    facts: DataFacts, now: float, *, persists: bool | None, runs: bool
) -> dict[str, Any]:
    previous = None
    if facts.previous_at is not None:
        previous = {
            "bytes": facts.previous_bytes,
            "put_aside_at": render_time(facts.previous_at),
            "age_seconds": _age(facts.previous_at, now),
        }
    return {
        "name": facts.service,
        "bytes": facts.size_bytes,
        "changed_at": render_time(facts.changed_at),
        "age_seconds": _age(facts.changed_at, now),
        "instances": facts.instances,
        "is_running": runs,
        # Whether the next start keeps it, unless that is told otherwise.
        "persist": True if facts.is_kept else persists,
        "previous": previous,
    }


def _describe_snapshot(snapshot: Snapshot, now: float) -> dict[str, Any]:
    return {
        "name": snapshot.name,
        "taken_at": render_time(snapshot.taken_at),
        "age_seconds": _age(snapshot.taken_at, now),
        "bytes": snapshot.size_bytes,
        "services": [
            {"name": name, "bytes": size} for name, size in sorted(snapshot.sizes.items())
        ],
    }


def _age(moment: float | None, now: float) -> float | None:
    return None if moment is None else round(max(0.0, now - moment), 1)

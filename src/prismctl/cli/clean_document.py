"""What `clean` would do, and what came of it, as the document that programs get and that people's lines are made of."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prismctl.cli.clean_removal import package_command
from prismctl.errors import PrismError
from prismctl.files.text import name_for_people
from prismctl.install.left_behind import find_left_containers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prismctl.cli.clean_removal import Done
    from prismctl.cli.invocation import Invocation
    from prismctl.client import StackCondition
    from prismctl.files.paths import StackPaths
    from prismctl.install.cleaning.targets import CleaningPlan, Kept


def describe_plan(
    call: Invocation,
    plan: CleaningPlan,
    conditions: Mapping[str, StackCondition],
    *,
    is_all: bool,
    is_trial: bool,
) -> dict[str, Any]:
    """What would go and what would stay.

    Args:
        call: says in which home, and whether paths are for people.
        plan: what would go.
        conditions: of each stack.
        is_all: whether more than state goes.
        is_trial: whether it is only shown.
    """
    return {
        "schema": 1,
        "home": str(call.home.directory),
        "all": is_all,
        "dry_run": is_trial,
        "stacks": [
            {
                "name": name,
                "condition": each.value,
                "containers": _find_containers(call.home.stack(name)),
            }
            for name, each in conditions.items()
        ],
        "paths": [
            {
                "path": _shown(call, target.path),
                "kind": target.kind.value,
                "what": target.what,
                "bytes": target.size_bytes,
            }
            for target in (*plan.targets, *plan.last)
        ],
        "bytes": plan.size_bytes,
        "images": list(plan.images),
        "packages": [
            {
                "manager": each.manager,
                "names": list(each.names),
                "command": shlex.join(package_command(call, each)),
            }
            for each in plan.packages
        ],
        "kept": [_describe_kept(call, each) for each in plan.kept],
        "notes": list(plan.notes),
    }


def describe_done(call: Invocation, done: Done, kept: Sequence[Kept]) -> dict[str, Any]:
    """What came of it: the keys that are added then."""
    names = [(each.manager, name) for each in done.declined for name in each.names]
    return {
        "stopped": done.stopped,
        "swept": done.swept,
        "removed": [_shown(call, path) for path in done.removed],
        "freed_bytes": done.freed_bytes,
        "removed_images": done.images,
        "removed_packages": [name for each in done.packages for name in each.names],
        "kept": [
            *(_describe_kept(call, each) for each in kept if os.path.lexists(each.path)),
            *({"path": f"{manager} package {name}", "why": "wanted"} for manager, name in names),
        ],
        "failed": [
            {"path": _shown(call, each.what), "reason": each.reason, "fix": each.fix}
            for each in done.failed
        ],
        "is_home_removed": not os.path.lexists(call.home.directory),
    }


def _find_containers(paths: StackPaths) -> list[str]:
    """The names of the stack's containers; none where nobody can tell, which the removal itself will say."""
    try:
        return [each.name for each in find_left_containers(paths)]
    except PrismError:
        return []


def _describe_kept(call: Invocation, kept: Kept) -> dict[str, str]:
    return {"path": _shown(call, kept.path), "why": kept.why}


def _shown(call: Invocation, what: Path | str) -> str:
    return name_for_people(what) if isinstance(what, Path) and not call.is_json else str(what)

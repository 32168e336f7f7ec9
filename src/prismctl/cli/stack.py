"""The stack a call is about: whether it runs, its client, and what is known of it when nothing answers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from prismctl.client import StackClient, StackCondition, find_condition
from prismctl.errors import PrismError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prismctl.cli.invocation import Invocation
    from prismctl.files.paths import StackPaths
    from prismctl.install.checks.supervisors import Supervisor

_ALIVE = frozenset({StackCondition.RUNNING, StackCondition.UNATTENDED})
_SETTLED_SECONDS: Final = 1.0
"""A daemon has its lock after a fraction of this."""


def find_stack(paths: StackPaths) -> StackClient | None:
    """A client of the stack, when it runs."""
    return StackClient(paths) if find_condition(paths) in _ALIVE else None


def open_stack(call: Invocation) -> StackClient:
    """A client of the stack.

    Raises:
        UnavailableError: it does not run.
    """
    client = find_stack(call.paths)
    if client is None:
        option = "" if call.stack == "default" else f" --stack {call.stack}"
        raise UnavailableError(
            f"no stack `{call.stack}` is running", hint=f"`prismctl dev start{option}` starts it"
        )
    return client


def read_status(paths: StackPaths, *, shows_secrets: bool = False) -> dict[str, Any]:
    """The status document; of a stack that does not run, the one that says so."""
    condition = find_condition(paths)
    if condition in _ALIVE:
        return StackClient(paths).status(shows_secrets=shows_secrets)
    from prismctl.domain.service import StackName
    from prismctl.domain.snapshot import render_status, stopped_snapshot

    document = render_status(stopped_snapshot(StackName(paths.name)), 0.0)
    notes = []
    if condition is StackCondition.LEFT_BEHIND:
        notes.append(
            f"it ended without being stopped{_tell_left(paths)}; "
            "`prismctl dev stop` or `prismctl dev start` clears up"
        )
    lost = find_lost_supervisors(paths)
    if lost:
        pids = ", ".join(str(each.pid) for each in lost)
        notes.append(
            f"its directory was removed while it ran (PID {pids}); "
            f"`prismctl dev stop{option_of(paths.name)}` ends it"
        )
    if notes:
        document["notes"] = notes
    return document


def _tell_left(paths: StackPaths) -> str:
    """What of a stack without keeper and daemon is still there, as part of a sentence."""
    from prismctl.files.paths import Home
    from prismctl.install.left_behind import describe_left

    try:
        left = describe_left(Home(paths.directory.parent.parent), paths)
    except PrismError as error:
        return f", and its containers cannot be listed ({error.message})"
    return f", and there is still {', '.join(left)}" if left else ""


def find_lost_supervisors(paths: StackPaths) -> list[Supervisor]:
    """The keeper and the daemon of this stack that run while their directory is gone: nobody can reach them."""
    from prismctl.files.paths import Home
    from prismctl.install.checks.supervisors import find_lost

    home = Home(paths.directory.parent.parent)
    return [
        each
        for each in find_lost(home, (), settled_seconds=_SETTLED_SECONDS)
        if each.stack == paths.name
    ]


def read_saved_events(paths: StackPaths) -> Iterator[dict[str, Any]]:
    """The events that a stack which has ended left in its file; a line cut short by a crash is left out."""
    try:
        with paths.events.open(encoding="utf-8", errors="replace") as file:
            for text in file:
                try:
                    yield json.loads(text)
                except ValueError:
                    continue
    except FileNotFoundError:
        return


def option_of(stack: str) -> str:
    """What has to be added to a suggested command so that it is about this stack."""
    return "" if stack == "default" else f" --stack {stack}"

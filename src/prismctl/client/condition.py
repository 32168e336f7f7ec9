"""What there is of a stack, told by who answers and by which locks are held."""

from __future__ import annotations

import time
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from prismctl.client.sockets import POLL_SECONDS, answers
from prismctl.errors import PrismError

if TYPE_CHECKING:
    from prismctl.files.paths import StackPaths

FAREWELL_SECONDS: Final = 2.0
"""How long a daemon that has said its last word may take to be gone."""


class StackCondition(StrEnum):
    """What there is of a stack, told by who answers."""

    STOPPED = "stopped"
    RUNNING = "running"
    UNATTENDED = "unattended"
    """The keeper lives and its daemon does not: the services run."""
    LEFT_BEHIND = "left-behind"
    """A plan was applied, and neither keeper nor daemon lives: `sweep` ends what is left."""


def is_running(paths: StackPaths) -> bool:
    """Whether a daemon answers."""
    return answers(paths.daemon_socket)


def find_condition(paths: StackPaths) -> StackCondition:
    """What there is of a stack; costs two connection attempts at most."""
    if answers(paths.daemon_socket):
        return StackCondition.RUNNING
    if answers(paths.keeper_socket):
        return StackCondition.UNATTENDED
    return StackCondition.LEFT_BEHIND if has_plan(paths) else StackCondition.STOPPED


def has_plan(paths: StackPaths) -> bool:
    """Whether a plan was applied and not taken down.

    Raises:
        PrismError: home cannot be looked into.
    """
    try:
        return paths.plan.exists()
    except PermissionError as error:
        raise PrismError(
            f"cannot look into {paths.directory}: {error.strerror}",
            hint="it belongs to somebody else; point PRISM_HOME to a home of your own",
        ) from error


def has_daemon_ended(paths: StackPaths) -> bool:
    """Whether no process holds the daemon's lock: one that ends lets go of its socket a little earlier."""
    from prismctl.files.locks import is_held

    return not is_held(paths.daemon_lock)


def await_end_of_daemon(paths: StackPaths) -> None:
    """Return once the daemon is gone, and its lock with it; after `FAREWELL_SECONDS` at the latest."""
    deadline = time.monotonic() + FAREWELL_SECONDS
    while not has_daemon_ended(paths) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)

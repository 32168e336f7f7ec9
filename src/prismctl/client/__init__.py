"""The daemon's socket from the other side: what every command asks, with the standard library only.

A stack is in one of four conditions (`find_condition`). Requests connect to a daemon that answers; where only
the keeper lives (the daemon was killed a moment ago, or sent away), they wait for the keeper to start it again
and start one themselves when it does not. Nothing here starts a stack that is stopped: `start_daemon` does.
"""

from __future__ import annotations

from prismctl.client.condition import (
    StackCondition,
    find_condition,
    has_daemon_ended,
    is_running,
)
from prismctl.client.hangup import Hangup
from prismctl.client.http import NotFoundError
from prismctl.client.launch import StartingDaemon, start_daemon, sweep
from prismctl.client.log_following import follow_logs
from prismctl.client.stack_client import StackClient

__all__ = [
    "Hangup",
    "NotFoundError",
    "StackClient",
    "StackCondition",
    "StartingDaemon",
    "find_condition",
    "follow_logs",
    "has_daemon_ended",
    "is_running",
    "start_daemon",
    "sweep",
]

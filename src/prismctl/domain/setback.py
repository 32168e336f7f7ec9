"""A run that ended by itself: for how long that is news of a service that is up again, and in which words.

A service may be back within some milliseconds, before anybody has looked. What every front end shows of that is decided
here, once, so that all of them tell the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

FRESH_SECONDS: Final = 10.0
"""For so long a service whose run ended by itself is shown as one that is not well, though it is up again."""

_UP: Final = frozenset({"healthy", "completed"})
_GOING: Final = frozenset({"stopping", "stopped"})
_TELLS_ITSELF: Final = frozenset({"unhealthy", "failed", "waiting"})
"""States whose reason says more than how the run before ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setback:
    """When the latest run of a service that ended by itself did so."""

    at: float
    """Seconds since the epoch."""
    instance: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What stands beside a service."""

    note: str = ""
    alarm: bool = False
    """It is shown like something that failed, whatever its state."""


def describe_state(
    *,
    state: str,
    reason: str,
    last_error: str | None,
    is_running: bool,
    has_replicas: bool,
    restarts: int,
    setback: Setback | None,
    now: float,
) -> Shown:
    """What is shown beside a service: why it is not well, and how it last went wrong.

    Args:
        state: of the service.
        reason: why it is not healthy.
        last_error: how the latest run that went wrong ended, or the last probe error.
        is_running: whether there is a process of it.
        has_replicas: whether an instance has to be named.
        restarts: how often it was started again.
        setback: when its latest run ended that did so by itself.
        now: seconds since the epoch.
    """
    if state in _GOING:
        # How an earlier run ended says nothing of why one that was asked to end is still there.
        return Shown(note=reason)
    is_fresh = setback is not None and now - setback.at < FRESH_SECONDS
    is_down = bool(last_error) and not is_running and state in {"unhealthy", "starting"}
    alarm = is_fresh or is_down
    if is_fresh and setback is not None and last_error and state not in _TELLS_ITSELF:
        return Shown(
            note=_tell(last_error, setback, state, has_replicas=has_replicas, now=now), alarm=alarm
        )
    if state in _UP:
        return Shown(note=f"earlier: {last_error}" if restarts and last_error else "", alarm=alarm)
    return Shown(note=reason or last_error or "", alarm=alarm)


def _tell(last_error: str, setback: Setback, state: str, *, has_replicas: bool, now: float) -> str:
    """How it ended, when, and what became of it; what matters most comes first, because rows are short."""
    who = f"instance {setback.instance} " if has_replicas else ""
    age = int(max(0.0, now - setback.at))
    when = f"{age} s ago" if age else "just now"
    then = "restarted" if state in _UP else "starting again"
    return f"{who}{last_error} {when}; {then}"


def is_of_ended_run(service: Mapping[str, Any], line: Mapping[str, Any]) -> bool:
    """Whether a log line was printed before the service of a status document was started again.

    What a new run says when it begins does not tell why the one before ended.
    """
    setback = service.get("last_exit")
    if not setback or service["state"] not in _UP | {"starting"}:
        return True
    index = setback["instance"]
    runs = [each for each in service.get("instances") or () if each["index"] == index]
    began = runs[0].get("started_at") if runs else None
    if not began or int(line.get("replica") or 0) != index:
        return True
    # Both are of one form up to the milliseconds, in which they are in order as text.
    return bool(str(line.get("time") or "")[: len(began) - 1] < began[:-1])

"""Following an operation of the daemon to its result, its deadline or an interrupt."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from prismctl.cli.ticking import tick
from prismctl.present.progress import Progress, culprit_of, fold_event, fold_status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prismctl.cli.narrators import Narrator
    from prismctl.client import StackClient

REDRAW_SECONDS: Final = 0.1
_REASON_SECONDS: Final = 1.0
"""How often the last probe errors are asked for while something is still on its way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an operation ended."""

    result: dict[str, Any] | None
    """The daemon's result; ``None`` when the deadline came first."""
    progress: Progress


def with_earlier_events(
    messages: Iterator[dict[str, Any]], client: StackClient, *, since: float
) -> Iterator[dict[str, Any]]:
    """The messages, with what happened between ``since`` and the first of them put in front.

    Agents are brought up while the plan is still being made; somebody who watches wants to see them, too.
    """
    for message in messages:
        if "event" in message:
            first = message["event"]["sequence"]
            for event in client.events():
                if event["time"] >= since and event["sequence"] < first:
                    yield {"event": event}
            yield message
            break
        yield message
    yield from messages


def follow(
    messages: Iterator[dict[str, Any]],
    *,
    narrator: Narrator,
    progress: Progress,
    deadline: float | None,
    read_status: Callable[[], dict[str, Any]] | None = None,
    check: Callable[[], None] = lambda: None,
) -> Outcome:
    """Tell each event until the result comes or ``time.monotonic()`` passes ``deadline``.

    ``read_status`` is asked once a second for the reasons that events do not carry; ``check`` is called between
    messages and may raise.
    """
    reasons_due = time.monotonic() + _REASON_SECONDS
    for message in tick(messages, seconds=REDRAW_SECONDS, deadline=deadline):
        check()
        if message is None:
            if read_status is not None and time.monotonic() >= reasons_due and culprit_of(progress):
                progress = fold_status(progress, read_status())
                reasons_due = time.monotonic() + _REASON_SECONDS
            narrator.tell_time(progress)
        elif "event" in message:
            progress = fold_event(progress, message["event"])
            narrator.tell_event(message["event"], progress)
        elif "result" in message:
            return Outcome(result=message["result"], progress=progress)
    return Outcome(result=None, progress=progress)

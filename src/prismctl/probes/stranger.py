"""Whether it is the service itself that answered, or somebody else who has its port."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prismctl.probes.question import Question


def explain_stranger(question: Question) -> str:
    """Who answered in place of the service, in words; empty when it was the service, or when nobody can tell.

    Reads /proc: to be called off the event loop, once a run.
    """
    is_asked_at_port = question.type is not None and question.type.is_asked_at_port
    if not is_asked_at_port or question.pid is None or not question.mark:
        return ""
    from prismctl.machine import find_stranger

    stranger = find_stranger(
        question.port, pid=question.pid, started_at=question.started_at, mark=question.mark
    )
    if stranger is None:
        return ""
    who = f"PID {stranger.pid}, {stranger.command}" if stranger.pid else "another process"
    return f"port {question.port} is answered by {who}, which is not this service"

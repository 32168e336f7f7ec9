"""Whether it is the service itself that answered, or somebody else who has its port."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prismctl.probes.question import Question


async def explain_stranger(question: Question) -> str:
    """Who answered in place of the service, in words; empty when it was the service, or when nobody can tell.

    That it was the service is seen here and now; a thread would wait for its turn between all others that start.
    Whoever else it was is looked for in all of /proc, off the event loop.
    """
    is_asked_at_port = question.type is not None and question.type.is_asked_at_port
    if not is_asked_at_port or question.pid is None or not question.mark:
        return ""
    from prismctl.machine import is_answered_by

    if is_answered_by(question.pid, question.port):
        return ""
    return await asyncio.to_thread(_name_stranger, question, question.pid)


def _name_stranger(question: Question, pid: int) -> str:
    from prismctl.machine import find_stranger

    stranger = find_stranger(
        question.port, pid=pid, started_at=question.started_at, mark=question.mark
    )
    if stranger is None:
        return ""
    who = f"PID {stranger.pid}, {stranger.command}" if stranger.pid else "another process"
    return f"port {question.port} is answered by {who}, which is not this service"

"""Who shares a pattern process, and what the process is therefore called."""

from __future__ import annotations

from enum import StrEnum

from prism_services.serving.refusal import invalid


class Isolation(StrEnum):
    """Who shares a pattern process."""

    NONE = "none"
    """Everybody."""
    NAMESPACE = "namespace"
    """Everybody in a namespace."""
    SESSION = "session"
    """Nobody: each session has its own."""


def process_id(isolation: Isolation, *, pattern: str, namespace: str, session: str) -> str:
    """The id of the process that serves such a request; refuses one that lacks what the id is made of."""
    match isolation:
        case Isolation.NONE:
            return f"shared:{pattern}"
        case Isolation.NAMESPACE:
            if not namespace:
                raise invalid(f"isolation `namespace` of pattern {pattern!r} needs a namespace")
            return f"ns:{namespace}:{pattern}"
        case Isolation.SESSION:
            if not session:
                raise invalid(f"isolation `session` of pattern {pattern!r} needs a session_id")
            return f"session:{session}:{pattern}"

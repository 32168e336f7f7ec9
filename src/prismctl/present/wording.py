"""What each state looks like and is called: the one place that knows what yellow means.

Green is good, yellow is on its way or not answering, red will not come by itself, grey is not running. Symbols
differ by shape, so that none of it depends on colour.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from prismctl.present.text import Tone

if TYPE_CHECKING:
    from collections.abc import Mapping

SYMBOLS: Final = {
    "healthy": "●",
    "running": "●",
    "ready": "●",
    "starting": "◐",
    "degraded": "◑",
    "unhealthy": "◑",
    "waiting": "○",
    "stopping": "◌",
    "failed": "✗",
    "suspended": "◑",
    "lost": "✗",
    "stopped": "■",
    "completed": "✓",
}
"""By the state of a stack, a service, an instance or an agent."""

TONES: Final = {
    "healthy": Tone.GOOD,
    "running": Tone.GOOD,
    "ready": Tone.GOOD,
    "completed": Tone.GOOD,
    "starting": Tone.BUSY,
    "degraded": Tone.BUSY,
    "unhealthy": Tone.BUSY,
    "stopping": Tone.BUSY,
    "waiting": Tone.MUTED,
    "stopped": Tone.MUTED,
    "failed": Tone.BAD,
    "suspended": Tone.BUSY,
    "lost": Tone.BAD,
}

ENGINE_TITLES: Final = {"nomad": "Nomad", "local": "local engine", "cluster": "Nomad cluster"}
COMPONENTS: Final = {"nomad": "Nomad", "consul": "Consul"}


SHAKEN: Final = "!"
"""The sign of one that went wrong just now and is up again."""


def symbol_of(state: str) -> str:
    """The sign for a state; a question mark for one this version does not know."""
    return SYMBOLS.get(state, "?")


def symbol_of_service(service: Mapping[str, Any]) -> str:
    """The sign for a service of a status document: another than a healthy one's while it is news how it went wrong."""
    state = str(service["state"])
    return SHAKEN if service.get("alarm") and tone_of(state) is Tone.GOOD else symbol_of(state)


def tone_of(state: str) -> Tone:
    """The tone for a state."""
    return TONES.get(state, Tone.PLAIN)


def tone_of_service(service: Mapping[str, Any]) -> Tone:
    """The tone for a service of a status document: one that went wrong just now is red, also when it is up again."""
    return Tone.BAD if service.get("alarm") else tone_of(str(service["state"]))


def engine_title(engine: str) -> str:
    """What people call an engine."""
    return ENGINE_TITLES.get(engine, engine)


def component_title(component: str) -> str:
    """What people call an agent of an engine."""
    return COMPONENTS.get(component, component)

"""Why a service of a status document is not up, in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from prismctl.domain.problems import shorten
from prismctl.present.text import clean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_GOING: Final = frozenset({"stopping", "stopped"})
_EACH_LENGTH: Final = 120


def explain(service: dict[str, Any]) -> str:
    """Its reason, else how it last went wrong; empty where nothing is known."""
    reason = str(service.get("reason") or "")
    if not reason and service.get("state") not in _GOING:
        # How an earlier run ended says nothing of why one that was asked to end is still there.
        reason = str(service.get("last_error") or "")
    return clean(reason)


def note_of(service: Mapping[str, Any]) -> str:
    """What is said beside it: why it is not well, else how it last went wrong."""
    # A daemon of an older version leaves that to whoever asks.
    return clean(str(service["note"])) if "note" in service else explain(dict(service))


def explain_all(services: Sequence[dict[str, Any]]) -> str:
    """The reasons of some services; where there are several, each with its name, and short."""
    reasons = [explain(service) or str(service["state"]) for service in services]
    if len(reasons) == 1:
        return reasons[0]
    named = zip(services, reasons, strict=True)
    return "; ".join(f"{service['name']}: {shorten(why, _EACH_LENGTH)}" for service, why in named)

"""Which services of a status document are not well, and which of them are to blame: the rule for every front end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ILL: Final = frozenset({"failed", "unhealthy"})
_ON_ITS_WAY: Final = frozenset({"starting", "waiting"})


def is_ill(service: Mapping[str, Any]) -> bool:
    """Whether something went wrong with a service that has not been put right."""
    if service["state"] in _ILL or service.get("alarm"):
        return True
    return service["state"] in _ON_ITS_WAY and bool(service.get("last_error"))


def find_to_blame(services: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """Those that are ill by themselves, not because of what they need: each of them gets a card unasked.

    What went wrong just now did so itself, whatever else is ill.
    """
    ill = {str(service["name"]) for service in services if is_ill(service)}
    needs = {str(service["name"]): service.get("depends_on") or () for service in services}
    return frozenset(
        str(service["name"])
        for service in services
        if service["name"] in ill
        and (service.get("alarm") or ill.isdisjoint(_all_needed(str(service["name"]), needs)))
    )


def _all_needed(name: str, needs: Mapping[str, Sequence[str]]) -> set[str]:
    """What a service needs, and all that those need."""
    found: set[str] = set()
    waiting = [*needs.get(name, ())]
    while waiting:
        each = waiting.pop()
        if each not in found:
            found.add(each)
            waiting += needs.get(each, ())
    return found - {name}

"""How a stack stands, in one sentence: what is wrong with it, else what it waits for; for every front end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prismctl.domain.snapshot import GOOD_STATES
from prismctl.domain.trouble import is_ill
from prismctl.present.reason import note_of
from prismctl.present.text import Tone, clean
from prismctl.present.wording import component_title

if TYPE_CHECKING:
    from collections.abc import Mapping


def describe_standing(status: Mapping[str, Any]) -> tuple[str, Tone]:
    """What is wrong; else what is waited for; else nothing."""
    services = list(status.get("services") or ())
    failed = [service for service in services if service["state"] == "failed"]
    if failed:
        return _describe_ill(failed), Tone.BAD
    lost = [
        f"{component_title(str(name))} is {state}"
        for name, state in (status.get("components") or {}).items()
        if state in {"lost", "failed", "unhealthy"}
    ]
    if lost:
        return ", ".join(lost), Tone.BAD
    shaken = [service for service in services if service.get("alarm")]
    if shaken:
        return _describe_ill(shaken), Tone.BAD
    waiting = status.get("waiting")
    if waiting:
        return _describe_waiting(waiting), Tone.BUSY
    ill = [service for service in services if is_ill(service)]
    if ill:
        return _describe_ill(ill), Tone.BUSY
    return "", Tone.MUTED


def _describe_ill(services: list[Mapping[str, Any]]) -> str:
    first, *others = services
    why = note_of(first)
    verb = "failed" if first["state"] == "failed" else f"is {first['state']}"
    words = f"{clean(str(first['name']))} {verb}"
    if first["state"] in GOOD_STATES:
        # What the others have in common with it is not that they are healthy.
        more = f"; {len(others)} more went wrong" if others else ""
        return f"{words}; {why}{more}" if why else f"{words}{more}"
    more = f", and {len(others)} more" if others else ""
    return f"{words}{more}: {why}" if why else f"{words}{more}"


def _describe_waiting(waiting: Mapping[str, Any]) -> str:
    is_agent = waiting.get("type") == "agent"
    title = component_title(str(waiting["on"])) if is_agent else clean(str(waiting["on"]))
    chain = [clean(str(each)) for each in waiting.get("chain") or () if each != waiting["on"]]
    verb = "everything waits for" if is_agent or chain else "waits for"
    why = f": {clean(str(waiting['reason']))}" if waiting.get("reason") else ""
    behind = f"  (behind it: {', '.join(chain)})" if chain else ""
    return f"{verb} {title}{why}{behind}"

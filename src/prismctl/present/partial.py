"""What a start that went well only in part leaves behind: who failed, who was not started for it, who is not ready."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from prismctl.domain.counting import count_of
from prismctl.domain.observation import is_about_hopeless
from prismctl.domain.snapshot import is_as_asked
from prismctl.present.progress import waiting_for
from prismctl.present.reason import explain_all

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

_LOST: Final = frozenset({"waiting", "failed"})
"""States of a service that was not started because of another."""


def find_given_up(services: Sequence[dict[str, Any]]) -> list[str]:
    """The services that never began, because something that they need has failed: their reason says so."""
    return [
        service["name"]
        for service in services
        if service["state"] == "failed" and is_about_hopeless(str(service.get("reason") or ""))
    ]


def describe_partial(
    services: Sequence[dict[str, Any]], failed: Sequence[str], skipped: Collection[str] = ()
) -> str:
    """Everything that is not up, in one line: ``1 of 4 services failed: db; not started because of that: web; …``.

    Args:
        services: of the status document, those that it is about.
        failed: the services that failed by themselves.
        skipped: the services that are known to have been given up because of them.
    """
    dependencies = {service["name"]: service.get("depends_on") or [] for service in services}
    behind = {name for each in failed for name in waiting_for(dependencies, each)} | set(skipped)
    pending = [
        service
        for service in services
        if not is_as_asked(service) and service["name"] not in failed
    ]
    left_out = [
        service["name"]
        for service in pending
        if service["name"] in behind and service["state"] in _LOST
    ]
    unready = [service for service in pending if service["name"] not in left_out]
    total = len(services) or len(failed)
    words = f"{len(failed)} of {count_of(total, 'service')} failed: {', '.join(failed)}"
    if left_out:
        words += f"; not started because of that: {', '.join(left_out)}"
    if unready:
        names = ", ".join(service["name"] for service in unready)
        words += f"; not ready: {names} ({explain_all(unready)})"
    return words

"""What a page wants to be told, as it says when it connects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from prismctl.daemon.http import RequestError

if TYPE_CHECKING:
    from prismctl.daemon.http import Request

PARAMETERS: Final = frozenset({"service", "tail", "since", "after", "logs"})
MAX_TAIL: Final = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What one page wants to be told."""

    services: tuple[str, ...] = ()
    """Whose log lines; all, when none is named."""
    tail: int = 0
    """How many old lines of each instance come first."""
    since: float | None = None
    """Log lines from then on, in place of old ones by number: a page that was away goes on where it was."""
    after: int = 0
    """Events with a higher sequence."""
    has_logs: bool = True


def read_wishes(request: Request) -> Wishes:
    """The wishes of a request.

    Raises:
        RequestError: something in it is not a number.
    """
    try:
        since = request.one("since")
        return Wishes(
            services=tuple(request.query.get("service", ())),
            tail=max(0, min(int(request.one("tail", "0")), MAX_TAIL)),
            since=float(since) if since else None,
            after=max(0, int(request.one("after", "0"))),
            has_logs=request.one("logs", "1") != "0",
        )
    except ValueError as error:
        raise RequestError(400, f"this is not a number: {error}") from error

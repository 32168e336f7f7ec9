"""The token of a stack's page: made once a run, kept where only its owner can read it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from prismctl.files.atomic import write_atomically

if TYPE_CHECKING:
    from prismctl.files.paths import StackPaths

_BYTES: Final = 32
_WHOLE: Final = re.compile(r"[A-Za-z0-9_-]{43}")


def ensure_token(paths: StackPaths) -> str:
    """The token of this run of the stack; another daemon's is gone on with, so that links stay good.

    Raises:
        PrismError: it cannot be written.
    """
    try:
        known = paths.dashboard_token.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        known = ""
    if _WHOLE.fullmatch(known):
        return known
    # Needed once a run.
    from secrets import token_urlsafe

    token = token_urlsafe(_BYTES)
    write_atomically(paths.dashboard_token, f"{token}\n")
    return token


def forget_token(paths: StackPaths) -> None:
    """The links of this run are good no more."""
    paths.dashboard_token.unlink(missing_ok=True)

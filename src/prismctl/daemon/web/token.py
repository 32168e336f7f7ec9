"""What lets somebody in to a stack's page: the token of its run, and links that are good once."""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from prismctl.files.atomic import write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from prismctl.files.paths import StackPaths

CODE_SECONDS: Final = 60.0
"""How long a browser may take to come up."""
MAX_CODES: Final = 16
_BYTES: Final = 32
_WHOLE: Final = re.compile(r"[A-Za-z0-9_-]{43}")


def ensure_token(paths: StackPaths, *, is_known_to_others: bool = False) -> str:
    """The token of this run of the stack; another daemon's is gone on with, so that links stay good.

    Args:
        paths: of the stack.
        is_known_to_others: somebody else may have been told the one that was good: there is a new one.

    Raises:
        PrismError: it cannot be written.
    """
    try:
        known = paths.dashboard_token.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        known = ""
    if _WHOLE.fullmatch(known) and not is_known_to_others:
        return known
    # Needed once a run.
    from secrets import token_urlsafe

    token = token_urlsafe(_BYTES)
    write_atomically(paths.dashboard_token, f"{token}\n", outlives_power=False)
    return token


class Codes:
    """Codes that are good once, for a minute: for links that others on the machine can read.

    The command line of a browser is such a place.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ends: OrderedDict[str, float] = OrderedDict()

    def make(self) -> str:
        """A new one."""
        from secrets import token_urlsafe

        code = token_urlsafe(_BYTES)
        self._ends[code] = self._clock() + CODE_SECONDS
        if len(self._ends) > MAX_CODES:
            self._ends.popitem(last=False)
        return code

    @property
    def valid(self) -> frozenset[str]:
        """Those that are good now."""
        now = self._clock()
        return frozenset(code for code, end in self._ends.items() if now < end)

    def use_up(self, codes: Iterable[str]) -> None:
        """They were used, where they are any."""
        for code in codes:
            self._ends.pop(code, None)

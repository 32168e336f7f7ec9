"""Variables whose values nobody should see, as far as their names say."""

from __future__ import annotations

import re
from typing import Final

_SECRET: Final = re.compile(
    r"PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY|CREDENTIAL", re.IGNORECASE
)
_PATHS: Final = ("_FILE", "_PATH")


def is_secret(key: str) -> bool:
    """Whether a variable of this name holds a secret, rather than the place of one."""
    return bool(_SECRET.search(key)) and not key.upper().endswith(_PATHS)

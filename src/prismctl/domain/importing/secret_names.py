"""Variables whose values nobody should see, as far as their names say, and addresses with a password in them."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_SECRET: Final = re.compile(
    r"PASSWORD|PASSWD|SECRET|TOKEN|CREDENTIAL"
    r"|(?:API|PRIVATE|ACCESS|AUTH|SIGNING|ENCRYPTION)_?KEY"
    # Words so short are part of others, and PWD alone is where a shell is.
    r"|(?!^PWD$)(?:^|_)(?:PASS|PWD|DSN)(?:$|_)",
    re.IGNORECASE,
)
_ADDRESS: Final = re.compile(r"(?<![A-Za-z0-9+.-])[A-Za-z0-9+.-]++://[^/\s:@]*+:([^/\s@]++)@")
"""An address in which somebody logs in; values of 100 KB are looked through once."""
_REFERENCE: Final = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*(?::-)?\}")
"""What gives nothing away."""
_PATHS: Final = ("_FILE", "_PATH")


def is_secret(key: str) -> bool:
    """Whether a variable of this name holds a secret, rather than the place of one."""
    return bool(_SECRET.search(key)) and not key.upper().endswith(_PATHS)


def find_secrets(env: Mapping[str, str]) -> list[str]:
    """The variables that hold a secret, or an address with a password in it."""
    return [key for key, value in env.items() if is_secret(key) or _ADDRESS.search(value)]


def is_given_away(key: str, value: str) -> bool:
    """Whether somebody who sees what a variable is set to knows a secret."""
    words = [value] if is_secret(key) else _ADDRESS.findall(value)
    return any(word and not _REFERENCE.fullmatch(word) for word in words)


def describe_withheld(key: str, file: str) -> str:
    """That a secret stays in the file of variables it is in, and how a start gets it.

    >>> describe_withheld("TOKEN", ".env")
    'its value stays in `.env`, `${TOKEN}` reads it from your shell; `set -a; . ./.env; set +a` puts it there'
    """
    place = file if file.startswith(("/", "./", "../")) else f"./{file}"
    return (
        f"its value stays in `{file}`, `${{{key}}}` reads it from your shell; "
        f"`set -a; . {shlex.quote(place)}; set +a` puts it there"
    )


def describe_secret(key: str, value: str) -> str:
    """That a secret stands in the file as it is, and the way out; empty for one that is read from a variable."""
    found = _ADDRESS.search(value)
    words = found[1] if found else value if is_secret(key) else ""
    if not words or "${" in words:
        return ""
    what, variable = ("the password in it", f"{key}_PASSWORD") if found else ("its value", key)
    return (
        f"{what} is written into the file; `${{{variable}}}` in its place reads it from your shell"
    )

"""Variables in the forms that shells and tools read; every value arrives there unchanged."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Final

from prismctl.present.json_text import render_json

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

FORMATS: Final = ("sh", "fish", "dotenv", "direnv", "json")
NAMES_VARIABLE: Final = "PRISM_ENV_NAMES"
"""Which variables a shell was given: what is gone by the next time is unset then."""
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NEEDS_NO_QUOTES: Final = re.compile(r"[A-Za-z0-9_\-./:@,+=%]+")
_NO_PART_OF_A_FILE: Final = frozenset({"dotenv", "json", "direnv"})
"""Forms in which nothing can be taken back: they are read from nothing each time."""
_DOTENV_ESCAPES: Final = {
    "\\": "\\\\",
    '"': '\\"',
    "$": "\\$",
    "`": "\\`",
    "\n": "\\n",
    "\r": "\\r",
}


def render_environment(
    variables: Mapping[str, str], form: str, *, stack: str, gone: Collection[str] = ()
) -> str:
    """The variables in one of `FORMATS`, sorted by name, without a final line end.

    Args:
        variables: by name.
        form: one of `FORMATS`.
        stack: whose they are.
        gone: variables that an earlier call gave to the shell and that are not among these.
    """
    if form == "json":
        return render_json(dict(sorted(variables.items())), indent=2)
    if form == "direnv":
        option = "" if stack == "default" else f" --stack {stack}"
        return f'eval "$(prismctl dev env{option})"'
    if form == "dotenv":
        return "\n".join(_dotenv(name, value) for name, value in sorted(variables.items()))
    given = {**variables, NAMES_VARIABLE: " ".join(sorted(variables))} if variables else {}
    render = {"sh": _sh, "fish": _fish}[form]
    lines = [render_unset(name, form) for name in sorted(gone)]
    return "\n".join([*lines, *(render(name, value) for name, value in sorted(given.items()))])


def render_unset(name: str, form: str) -> str:
    """The line that takes a variable from a shell."""
    return f"set -e {name};" if form == "fish" else f"unset {name}"


def can_unset(form: str) -> bool:
    """Whether a form has words for a variable that is gone."""
    return form not in _NO_PART_OF_A_FILE


def find_given(environment: Mapping[str, str]) -> list[str]:
    """The variables that an earlier call gave to the shell whose environment this is."""
    names = environment.get(NAMES_VARIABLE, "").split()
    return [name for name in names if _VARIABLE.fullmatch(name)]


def _sh(name: str, value: str) -> str:
    return f"export {name}={shlex.quote(value)}"


def _fish(name: str, value: str) -> str:
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"set -gx {name} '{quoted}';"


def _dotenv(name: str, value: str) -> str:
    """Bare where that is safe, in single quotes where nothing has to be escaped, else escaped in double quotes."""
    if _NEEDS_NO_QUOTES.fullmatch(value):
        return f"{name}={value}"
    if not any(character in value for character in "'\\\n\r"):
        return f"{name}='{value}'"
    escaped = "".join(_DOTENV_ESCAPES.get(character, character) for character in value)
    return f'{name}="{escaped}"'

"""Variables in the forms that shells and tools read; every value arrives there unchanged."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMATS: Final = ("sh", "fish", "dotenv", "direnv", "json")


def render_environment(variables: Mapping[str, str], form: str, *, stack: str) -> str:
    """The variables in one of `FORMATS`, sorted by name, without a final line end."""
    if form == "json":
        return json.dumps(dict(sorted(variables.items())), ensure_ascii=False, indent=2)
    if form == "direnv":
        option = "" if stack == "default" else f" --stack {stack}"
        return f'eval "$(prismctl dev env{option})"'
    render = {"sh": _sh, "fish": _fish, "dotenv": _dotenv}[form]
    return "\n".join(render(name, value) for name, value in sorted(variables.items()))


def _sh(name: str, value: str) -> str:
    return f"export {name}={shlex.quote(value)}"


def _fish(name: str, value: str) -> str:
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"set -gx {name} '{quoted}';"


def _dotenv(name: str, value: str) -> str:
    """Quoted only where it has to be; in double quotes a dollar, a quote and a line end are escaped."""
    if value and all(character.isalnum() or character in "_-./:@,+=%" for character in value):
        return f"{name}={value}"
    escaped = (
        value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$").replace("\n", "\\n")
    )
    return f'{name}="{escaped}"'

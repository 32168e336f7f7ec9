"""Entries of the catalog as YAML text, in the form in which people write them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_PLAIN: Final = re.compile(
    r"[A-Za-z/][A-Za-z0-9_./@%=+-]*(?::[A-Za-z0-9_./@%=+-]+)*|\./[A-Za-z0-9_./-]*|[0-9]+m?s"
)
"""Words that no reader of YAML takes for anything but a text."""
_WORDS_OF_YAML: Final = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
_LONGEST_LINE: Final = 100


def render_entry(entry: Mapping[str, Any], *, indent: int = 2) -> str:
    """One item of a list of services, with a line break at its end.

    >>> print(render_entry({"name": "web", "env": {"A": "1"}}), end="")
      - name: web
        env:
          A: "1"
    """
    lines: list[str] = []
    for key, value in entry.items():
        lines += _render(key, value, indent + 2)
    first, *rest = lines
    return "\n".join([f"{' ' * indent}- {first.lstrip()}", *rest, ""])


def _render(key: str, value: Any, indent: int) -> list[str]:
    lead = f"{' ' * indent}{_scalar(key)}:"
    if isinstance(value, dict):
        lines = [lead]
        for name, each in value.items():
            lines += _render(name, each, indent + 2)
        return lines
    if not isinstance(value, list):
        return [f"{lead} {_scalar(value)}"]
    flow = f"{lead} [{', '.join(_scalar(each, is_in_flow=True) for each in value)}]"
    if len(flow) <= _LONGEST_LINE:
        return [flow]
    return [lead, *(f"{' ' * (indent + 2)}- {_scalar(each)}" for each in value)]


def _scalar(value: Any, *, is_in_flow: bool = False) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    text = str(value)
    is_plain = _PLAIN.fullmatch(text) and text.lower() not in _WORDS_OF_YAML
    if is_plain and not (is_in_flow and ":" in text):
        return text
    return f'"{"".join(_escape(letter) for letter in text)}"'


def _escape(letter: str) -> str:
    if letter in '"\\':
        return f"\\{letter}"
    if letter == "\n":
        return "\\n"
    if letter.isprintable():
        return letter
    code = ord(letter)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 - what four digits can say

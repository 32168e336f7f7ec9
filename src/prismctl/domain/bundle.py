"""What a bug report needs, in parts: each is there, or says why it is not; pure.

A bundle is made to be given away. So beside the values that are known to be secret, whatever looks like one goes too:
values of variables with such a name, and passwords in addresses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from prismctl.domain.importing.secret_names import is_secret
from prismctl.domain.redaction import HIDDEN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prismctl.domain.redaction import Redactor

SCHEMA_VERSION: Final = 1
"""Of the document; fields are only ever added."""

# Lines of megabytes without a space come, too: nothing here may look at a letter more than a few times.
_ADDRESS: Final = re.compile(r"(?<=://)[^/\s:@'\"<>]*+:[^/\s@'\"<>]++(?=@)")
"""User and password of an address."""
_BEARER: Final = re.compile(r"(?i)(?<=bearer )[A-Za-z0-9._~+/=-]{8,}+")
_ASSIGNED: Final = re.compile(r"""(?<![A-Za-z0-9_])(?P<name>[A-Za-z0-9_]++)(?P<sign>=|": ?)""")
"""``NAME=`` in a command line or an address, ``"NAME":`` in JSON that was printed."""
_VALUE: Final = re.compile(r"""(?P<quote>["'])(?:[^"'\\]|\\.|(?!(?P=quote)).)*+|[^\s"',;&]++""")
"""What follows such a name: all between quotes, or up to the next space or sign."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BundlePart:
    """One thing that is worth knowing."""

    name: str
    """For programs."""
    title: str
    content: Any = None
    """A JSON value; a list of texts is shown line by line."""
    problem: str = ""
    """Why it could not be had; empty where it could."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """All of it."""

    stack: str
    made_at: str
    """RFC 3339."""
    parts: tuple[BundlePart, ...]

    @property
    def problems(self) -> list[str]:
        """What could not be had, and why, in a line each."""
        return [f"{part.title}: {part.problem}" for part in self.parts if part.problem]


def hide_secrets(
    bundle: Bundle, redactors: Sequence[Redactor], *, user_directory: str = ""
) -> Bundle:
    """The bundle in the form in which it may be given away.

    Args:
        bundle: as it was gathered.
        redactors: hide what is known to be secret.
        user_directory: appears as ``~``: it has somebody's name in it.
    """

    def hide(text: str) -> str:
        for redactor in redactors:
            text = redactor.hide_text(text)
        text = _ADDRESS.sub(HIDDEN, text)
        text = _BEARER.sub(HIDDEN, text)
        text = _hide_assigned(text)
        return text.replace(user_directory, "~") if user_directory else text

    parts = tuple(
        replace(part, content=_walk(part.content, hide), problem=hide(part.problem))
        for part in bundle.parts
    )
    return replace(bundle, parts=parts)


def render_bundle(bundle: Bundle) -> dict[str, Any]:
    """The bundle as a document."""
    return {
        "schema": SCHEMA_VERSION,
        "stack": bundle.stack,
        "made_at": bundle.made_at,
        "parts": {
            part.name: {
                "title": part.title,
                "content": part.content,
                "problem": part.problem or None,
            }
            for part in bundle.parts
        },
    }


def _hide_assigned(text: str) -> str:
    """The text without the values of variables that have the name of a secret."""
    kept: list[str] = []
    position = 0
    for found in _ASSIGNED.finditer(text):
        if found.start() < position or not is_secret(found["name"]):
            continue
        value = _VALUE.match(text, found.end())
        if value is None:
            continue
        kept += [text[position : found.end()], value["quote"] or "", HIDDEN]
        position = value.end()
    return "".join((*kept, text[position:]))


def _walk(value: Any, hide: Any) -> Any:
    if isinstance(value, str):
        return hide(value)
    if isinstance(value, dict):
        return {
            key: HIDDEN
            if isinstance(part, str) and part and is_secret(str(key))
            else _walk(part, hide)
            for key, part in value.items()
        }
    if isinstance(value, list | tuple):
        return [_walk(part, hide) for part in value]
    return value

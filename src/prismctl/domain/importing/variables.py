"""Variables in the files of other tools, written the way the catalog writes them.

    compose                             catalog
    $VAR  ${VAR}                        ${VAR:-}          an unset variable is empty there, a mistake here
    ${VAR:-text}  ${VAR-text}           ${VAR:-text}
    ${VAR:?why}  ${VAR?why}             ${VAR}
    $$                                  $                 and before a brace $${

What the file ``.env`` beside the foreign file says becomes the default.
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_CHARACTERS: Final = 128 * 1024
"""Of what one text comes to; Linux gives a process no longer variable. A few lines that repeat each other come to billions."""
MOST_IN_ALL: Final = 8 * MOST_CHARACTERS
"""Of all variables of a file together."""
MOST_NESTED: Final = 16
"""References in the default of another one."""
DOTENV: Final = ".env"
"""What gives variables of a foreign file their values, beside it."""
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATORS: Final = (":-", ":?", ":+", "-", "?", "+")
_ASSIGNMENT: Final = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_.-]*)\s*=(.*)", re.DOTALL)
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "$": "$$"}


class TemplateError(ValueError):
    """A text that the other tool would refuse; the message says why."""


class Translated(NamedTuple):
    """A text of the catalog, and what was lost on the way to it."""

    text: str
    losses: tuple[str, ...] = ()


class _Reference(NamedTuple):
    name: str
    operator: str
    """One of `_OPERATORS`; empty for the variable alone."""
    word: str
    """What follows the operator."""


def escape(text: str) -> str:
    """A text in which nothing is a reference."""
    return text.replace("${", "$${")


def translate(text: str, defaults: Mapping[str, str]) -> Translated:
    """A text with variables as the catalog writes it.

    Args:
        text: as compose reads it.
        defaults: what ``.env`` says.

    Raises:
        TemplateError: a dollar sign begins nothing that is known, or what it comes to is out of bounds.
    """
    if "$" not in text:
        return Translated(text)
    losses: list[str] = []
    written = ""
    for part in _split(text):
        _refuse_length(written)
        if isinstance(part, str):
            # A dollar at the end of one literal and a brace at the begin of the next are one mark, too.
            written += part.replace("${", "$${")
            continue
        reference = _write(part, defaults, losses)
        if reference.startswith("${") and written.endswith("$"):
            losses.append(f"a dollar cannot stand right before `${{{part.name}}}`")
            written = written[:-1]
        written += reference
    _refuse_length(written)
    return Translated(written, tuple(losses))


def evaluate(text: str, defaults: Mapping[str, str]) -> str:
    """What a text is when nothing but ``.env`` gives values: for numbers that have to be known now.

    Raises:
        TemplateError: a dollar sign begins nothing that is known, or what it comes to is out of bounds.
    """
    value = ""
    for part in _split(text):
        if isinstance(part, str):
            value += part
            continue
        given = defaults.get(part.name)
        if part.operator in {":+", "+"}:
            value += evaluate(part.word, defaults) if given else ""
        elif part.operator in {":-", "-"} and (
            given is None or (not given and part.operator == ":-")
        ):
            value += evaluate(part.word, defaults)
        else:
            value += given or ""
        _refuse_length(value)
    return value


def _refuse_length(text: str) -> None:
    if len(text) > MOST_CHARACTERS:
        raise TemplateError(f"comes to more than {MOST_CHARACTERS} characters, variables put in")


def parse_dotenv(text: str) -> tuple[dict[str, str], list[int]]:
    r"""The variables of a ``.env`` file, as texts in which `translate` finds their references; lines that are none.

    >>> parse_dotenv("A=1\nB='$x'\nwhat\n")
    ({'A': '1', 'B': '$$x'}, [3])
    """
    found: dict[str, str] = {}
    strange = []
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        match = _ASSIGNMENT.fullmatch(stripped)
        if match is None:
            strange.append(number)
            continue
        found[match[1]] = _unquote(match[2].strip())
    return found, strange


def resolve_dotenv(text: str) -> dict[str, str]:
    r"""The variables of a ``.env`` file with their references to each other replaced.

    >>> resolve_dotenv("A=1\nB=${A}2\n")
    {'A': '1', 'B': '12'}
    """
    resolved: dict[str, str] = {}
    characters = 0
    for name, written in parse_dotenv(text)[0].items():
        # What is out of bounds stays as it was written: no process could be given it.
        value = written
        if characters <= MOST_IN_ALL:
            with contextlib.suppress(TemplateError):
                value = evaluate(written, resolved)
        resolved[name] = value
        characters += len(value)
    return resolved


def _unquote(value: str) -> str:
    quoted = re.match(r"'([^']*)'|\"((?:[^\"\\]|\\.)*)\"", value)
    if quoted is None:
        return re.sub(r"\s+#.*", "", value)
    if quoted[1] is not None:
        return quoted[1].replace("$", "$$")
    return re.sub(r"\\(.)", lambda each: _ESCAPES.get(each[1], each[0]), quoted[2])


def _write(part: _Reference, defaults: Mapping[str, str], losses: list[str]) -> str:
    given = defaults.get(part.name)
    if part.operator in {":+", "+"}:
        losses.append(f"`${{{part.name}{part.operator}…}}` has no counterpart; it is decided now")
        return evaluate(part.word, defaults).replace("${", "$${") if given else ""
    if given is None or (not given and part.operator in {":-", ":?"}):
        if part.operator in {":?", "?"}:
            return f"${{{part.name}}}"
        given = _write_default(part, defaults, losses)
    if "{" in given or "}" in given:
        losses.append(f"the default of `${{{part.name}}}` has braces; it is put in now")
        return given.replace("${", "$${")
    return f"${{{part.name}:-{given}}}"


def _write_default(part: _Reference, defaults: Mapping[str, str], losses: list[str]) -> str:
    inner = [each.name for each in _split(part.word) if isinstance(each, _Reference)]
    if inner:
        asked = ", ".join(f"`${{{name}}}`" for name in inner)
        losses.append(f"the default of `${{{part.name}}}` asks for {asked}; it is decided now")
    return evaluate(part.word, defaults)


def _split(text: str) -> list[str | _Reference]:
    """Literal texts, with dollars as they are, and references between them."""
    parts: list[str | _Reference] = []
    literal = ""
    position = 0
    while position < len(text):
        dollar = text.find("$", position)
        if dollar < 0:
            literal += text[position:]
            break
        literal += text[position:dollar]
        if text.startswith("$$", dollar):
            literal += "$"
            position = dollar + 2
            continue
        reference, position = _read_reference(text, dollar + 1)
        if literal:
            parts.append(literal)
        literal = ""
        parts.append(reference)
    return [*parts, literal] if literal else parts


def _read_reference(text: str, position: int) -> tuple[_Reference, int]:
    if not text.startswith("{", position):
        match = _NAME.match(text, position)
        if match is None:
            shown = text[position - 1 : position + 9]
            raise TemplateError(f"`{shown}` is no variable; `$$` writes a dollar")
        return _Reference(match[0], "", ""), match.end()
    match = _NAME.match(text, position + 1)
    end = _find_end(text, position)
    if match is None or end < 0:
        shown = text[position - 1 : position + 9]
        why = "is not closed" if end < 0 else "names no variable"
        raise TemplateError(f"`{shown}` {why}; `$$` writes a dollar")
    rest = text[match.end() : end]
    operator = next((each for each in _OPERATORS if rest.startswith(each)), "")
    if rest and not operator:
        raise TemplateError(f"`${{{text[position + 1 : end]}}}` names no variable")
    return _Reference(match[0], operator, rest[len(operator) :]), end + 1


def _find_end(text: str, position: int) -> int:
    """Where the brace at a position is closed, counting the references in between; -1: nowhere.

    Raises:
        TemplateError: there are too many of them, each in the one before.
    """
    depth = 0
    while position < len(text):
        if text.startswith("${", position) or (depth == 0 and text[position] == "{"):
            depth += 1
            if depth > MOST_NESTED:
                raise TemplateError(f"has more than {MOST_NESTED} references in each other")
            position += 2 if text[position] == "$" else 1
            continue
        if text[position] == "}":
            depth -= 1
            if depth == 0:
                return position
        position += 1
    return -1

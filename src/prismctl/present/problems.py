"""Errors as words: one line that names things, the list of problems when there are several, then what to type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prismctl.present.text import Line, Span, Tone, clean, line, pad, width_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prismctl.errors import PrismError, Problem


def error_lines(error: PrismError) -> list[Line]:
    """``error: …``, every problem with its place, a blank line, ``hint: …``."""
    return message_lines(error.message, hint=error.hint, problems=_problems_of(error))


def message_lines(message: str, *, hint: str, problems: tuple[Problem, ...] = ()) -> list[Line]:
    """The same for an error that has no class of its own."""
    first, *more = message.splitlines() or [""]
    lines = [line(Span("error: ", Tone.BAD), clean(first))]
    lines += [line(clean(words)) for words in more]
    if len(problems) > 1:
        place_width = max(width_of(clean(problem.place)) for problem in problems)
        lines.append(())
        lines += [_problem_line(problem, place_width) for problem in problems]
    if hint:
        first_hint, *more_hints = hint.splitlines()
        lines += [(), line(Span("hint: ", Tone.ACCENT), clean(first_hint))]
        lines += [line(clean(words)) for words in more_hints]
    return lines


def _problem_line(problem: Problem, place_width: int) -> Line:
    suggestion = f"; did you mean `{clean(problem.suggestion)}`?" if problem.suggestion else ""
    place = f"{pad(clean(problem.place), place_width)}   " if place_width else ""
    return line("  ", Span(place, Tone.MUTED), f"{clean(problem.message)}{suggestion}")


def render_error(error: PrismError) -> dict[str, Any]:
    """The document that ``-o json`` prints instead of an answer."""
    return error_document(
        code=error.code, message=error.message, hint=error.hint, problems=_problems_of(error)
    )


def error_document(
    *, code: str, message: str, hint: str, problems: tuple[Problem, ...] = ()
) -> dict[str, Any]:
    """The same for an error that has no class of its own."""
    return {
        "error": {
            "code": code,
            "message": message,
            "hint": hint,
            "problems": [render_problem(problem) for problem in problems],
        }
    }


def render_problem(problem: Problem) -> dict[str, Any]:
    """One problem of a document."""
    return {
        "message": problem.message,
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "suggestion": problem.suggestion,
    }


def note_lines(notes: Sequence[Problem]) -> list[Line]:
    """What is allowed and worth a look: ``note: …``, each with its place."""
    return [line(Span("note: ", Tone.ACCENT), clean(str(note))) for note in notes]


def _problems_of(error: PrismError) -> tuple[Problem, ...]:
    return tuple(getattr(error, "problems", ()))

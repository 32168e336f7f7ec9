"""The terminal that somebody sits at: large enough, with colours, with the characters that screens are made of."""

from __future__ import annotations

from typing import Final, NamedTuple

from prismctl.install.checks.finding import Finding, State

SMALLEST_COLUMNS: Final = 80
SMALLEST_LINES: Final = 24


class TerminalFacts(NamedTuple):
    """What standard output is connected to."""

    is_terminal: bool
    columns: int
    lines: int
    kind: str
    """TERM."""
    has_colour: bool
    colour_reason: str
    """Why there is none, in words; empty where there is."""
    encoding: str
    """Of what is written."""


def judge_terminal(facts: TerminalFacts | None) -> tuple[Finding, ...]:
    """Whether screens can be shown on it; a pipe needs nothing."""
    if facts is None or not facts.is_terminal:
        return (_finding(State.FINE, "output goes to a pipe or a file"),)
    shown = f"{facts.columns}x{facts.lines}, TERM={facts.kind or '(not set)'}"
    if not _is_unicode(facts.encoding):
        return (
            _finding(
                State.WARNING,
                f"{shown}: output is written as {facts.encoding}, which lacks symbols and lines",
                "export LC_ALL=C.UTF-8",
            ),
        )
    if facts.columns < SMALLEST_COLUMNS or facts.lines < SMALLEST_LINES:
        return (
            _finding(
                State.WARNING,
                f"{shown}: smaller than {SMALLEST_COLUMNS}x{SMALLEST_LINES}, lines are cut",
                "make the window larger",
            ),
        )
    colour = "in colour" if facts.has_colour else f"without colour ({facts.colour_reason})"
    return (_finding(State.FINE, f"{shown}, {colour}, {facts.encoding}"),)


def _is_unicode(encoding: str) -> bool:
    return encoding.lower().replace("-", "").replace("_", "").startswith("utf")


def _finding(state: State, detail: str, fix: str = "") -> Finding:
    return Finding(name="terminal", title="terminal", state=state, detail=detail, fix=fix)

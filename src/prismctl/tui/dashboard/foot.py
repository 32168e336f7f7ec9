"""The bottom of the dashboard: a question, a message or what is being done, and the keys; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prismctl.domain.trouble import is_ill
from prismctl.present.question import Choice
from prismctl.present.text import (
    Line,
    Span,
    Tone,
    clean,
    clip,
    clip_line,
    line,
    line_width,
    width_of,
    wrap_text,
)
from prismctl.tui.dashboard.actions import BY_ID
from prismctl.tui.dashboard.state import Link, is_about_port

if TYPE_CHECKING:
    from prismctl.tui.dashboard.state import DashboardState, Prompt

_ACTIONS: Final = (
    "restart", "scale", "logs", "add", "stop-service", "end-holder", "nomad", "consul", "filter",
    "all-logs", "graph", "exec", "copy", "palette",
)  # fmt: skip
"""The important ones first; those that fit are shown."""
_OF_NOMAD: Final = frozenset({"nomad", "consul"})


MOST_WORDS: Final = 3
"""Over so many lines words are wrapped, where there is room."""
LEAST_LINES: Final = 2
MOST_LINES: Final = 8
"""With the answers to a question, each on a line of its own, and the keys."""


def foot_lines(state: DashboardState, width: int, room: int = MOST_LINES) -> list[Line]:
    """What is asked or said, and below it the keys: two lines, and as many of ``room`` as the words need."""
    prompt = state.prompt
    if prompt is not None and (prompt.is_confirmation or prompt.answers):
        # Its own keys are all that count, and stand beside it.
        asked = _question_lines(prompt, width, room)
        return [*asked, *[()] * (LEAST_LINES - len(asked))]
    room = max(1, room - 1)
    return [*_message_lines(state, width, room), _key_line(state, width)]


def _message_lines(state: DashboardState, width: int, room: int) -> list[Line]:
    prompt = state.prompt
    if prompt is not None:
        return [_typing_line(prompt, width)]
    if state.message is not None:
        most = min(MOST_WORDS, room)
        return _wrapped(state.message.words, state.message.tone, width, most)
    if state.busy:
        return _wrapped(f"{', '.join(state.busy)}…", Tone.BUSY, width, 1)
    if state.filter:
        return _wrapped(f"only services with `{state.filter}`; esc shows all", Tone.MUTED, width, 1)
    return [()]


def _wrapped(words: str, tone: Tone, width: int, most: int) -> list[Line]:
    """Words in lines, each of their own lines beginning one; where they are too many, the last is cut."""
    rows: list[str] = []
    for text in words.splitlines():
        left = most - len(rows)
        if left > 0:
            rows += wrap_text(clean(text), max(1, width - 1), most_lines=left)
    return [line(" ", Span(row, tone)) for row in rows] or [()]


def _question_lines(prompt: Prompt, width: int, room: int) -> list[Line]:
    """A question, with the keys that answer it behind or below it: they are never cut off."""
    answers = prompt.answers or _YES_OR_NO
    each = [line(Span(clean(key), Tone.ACCENT), f" {clean(words)}") for key, words in answers]
    beside = tuple(span for spans in each for span in (Span("  "), *spans))
    question = clean(prompt.question)
    if 1 + width_of(question) + line_width(beside) <= width:
        return [line(" ", Span(question, Tone.BUSY), *beside)]
    below = [(*beside[1:],)] if line_width(beside) < width else each
    # Some of both is seen on the lowest screen.
    most = max(1, min(MOST_WORDS, room - len(below)))
    rows = [*_wrapped(question, Tone.BUSY, width, most)]
    if len(rows) + len(below) > room:
        rows = [_squeezed(question, beside, width)]
        below = []
    return [*rows, *(clip_line(line(" ", *spans), width) for spans in below)]


_YES_OR_NO: Final = (Choice("y", "yes"), Choice("n", "no"))


def _squeezed(question: str, beside: Line, width: int) -> Line:
    """All on one line: the answers, and as much of the question as there is room for."""
    left = max(1, width - 1 - line_width(beside))
    return clip_line(line(" ", Span(clip(question, left), Tone.BUSY), *beside), width)


def _typing_line(prompt: Prompt, width: int) -> Line:
    question = clip(clean(prompt.question), max(1, width // 2))
    room = max(1, width - width_of(question) - 4)
    text = clean(prompt.text)
    # The end of what was typed is where somebody types.
    while width_of(text) > room:
        text = text[1:]
    hint = f" {prompt.placeholder}" if prompt.placeholder and not text else ""
    return clip_line(
        line(
            " ",
            Span(f"{question} ", Tone.ACCENT),
            Span(text),
            Span("▏", Tone.STRONG),
            Span(clean(hint), Tone.MUTED),
        ),
        width,
    )


def _key_line(state: DashboardState, width: int) -> Line:
    if state.prompt is not None:
        words = " enter done · esc back"
        if state.prompt.choices is not None:
            words = " ↑ ↓ choose · enter take it · esc back"
        return clip_line(line(Span(words, Tone.MUTED)), width)
    first = ["failed"] if any(is_ill(service) for service in state.services) else []
    first += ["end-holder"] if is_about_port(state.service or {}) else []
    ids = list(dict.fromkeys((*first, *_ACTIONS)))
    if state.link is Link.STOPPED:
        ids = ["start-again"]
    elif state.status is None:
        ids = []
    elif state.status.get("engine") == "local":
        # Those keys answer all the same; where there is little room, they are not the ones to know.
        ids = [each for each in ids if each not in _OF_NOMAD]
    always = [_key_spans(state, "help"), _key_spans(state, "leave")]
    left: list[Span] = []
    room = width - sum(line_width(each) + 2 for each in always) - 1
    for action_id in ids:
        action = BY_ID[action_id]
        spans = _key_spans(state, action_id)
        if not spans or (action.changes and state.is_read_only):
            continue
        needed = line_width(spans) + 2
        if needed > room:
            break
        room -= needed
        left += [*spans, Span("  ")]
    for spans in always:
        left += [*spans, Span("  ")]
    return clip_line(line(" ", *left[:-1]), width)


def _key_spans(state: DashboardState, action_id: str) -> tuple[Span, ...]:
    key = state.keymap.first_key(action_id)
    if not key:
        return ()
    return (Span(key, Tone.ACCENT), Span(f" {BY_ID[action_id].title}", Tone.MUTED))

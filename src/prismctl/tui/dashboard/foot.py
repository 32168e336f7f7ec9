"""The bottom of the dashboard: a question, a message or what is being done, and the keys; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prismctl.domain.trouble import is_ill
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
)
from prismctl.tui.dashboard.actions import BY_ID
from prismctl.tui.dashboard.state import Link

if TYPE_CHECKING:
    from prismctl.tui.dashboard.state import DashboardState, Prompt

_ACTIONS: Final = (
    "restart", "scale", "logs", "nomad", "consul", "filter", "all-logs", "graph", "exec", "add",
    "stop-service", "copy", "palette",
)  # fmt: skip
"""The important ones first; those that fit are shown."""


def foot_lines(state: DashboardState, width: int) -> list[Line]:
    """Two lines."""
    return [_message_line(state, width), _key_line(state, width)]


def _message_line(state: DashboardState, width: int) -> Line:
    prompt = state.prompt
    if prompt is not None:
        return _prompt_line(prompt, width)
    if state.message is not None:
        return clip_line(line(" ", Span(clean(state.message.words), state.message.tone)), width)
    if state.busy:
        return clip_line(line(" ", Span(f"{clean(', '.join(state.busy))}…", Tone.BUSY)), width)
    if state.filter:
        return clip_line(
            line(
                " ", Span(f"only services with `{clean(state.filter)}`; esc shows all", Tone.MUTED)
            ),
            width,
        )
    return ()


def _prompt_line(prompt: Prompt, width: int) -> Line:
    if prompt.is_confirmation:
        words = clip(clean(prompt.question), max(1, width - 12))
        return clip_line(
            line(
                " ",
                Span(words, Tone.BUSY),
                "  ",
                Span("y", Tone.ACCENT),
                " yes  ",
                Span("n", Tone.ACCENT),
                " no",
            ),
            width,
        )
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
        words = "" if state.prompt.is_confirmation else " enter done · esc back"
        if state.prompt.choices is not None:
            words = " ↑ ↓ choose · enter take it · esc back"
        return clip_line(line(Span(words, Tone.MUTED)), width)
    first = ["failed"] if any(is_ill(service) for service in state.services) else []
    ids = [*first, *_ACTIONS]
    if state.link is Link.STOPPED:
        ids = ["start-again"]
    elif state.status is None:
        ids = []
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

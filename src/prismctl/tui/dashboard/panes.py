"""What is below the services: logs, what went wrong and what to try, the graph, the keys, or a choice; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from prismctl.domain.counting import count_of
from prismctl.domain.setback import is_of_ended_run
from prismctl.present.excerpt import FEWEST_LINES, MOST_LINES, READ_LINES
from prismctl.present.failure import failure_card, find_dependants, find_missing, has_run
from prismctl.present.text import (
    Line,
    Span,
    Tone,
    clean,
    clip,
    clip_line,
    line,
    pad,
    width_of,
)
from prismctl.tui.dashboard.actions import ACTIONS, BY_ID, Section
from prismctl.tui.dashboard.graph import graph_lines
from prismctl.tui.dashboard.log_view import view_logs
from prismctl.tui.dashboard.moving import next_ill
from prismctl.tui.dashboard.state import Focus, Link, Pane, find_service, is_about_port
from prismctl.tui.dashboard.view import View

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prismctl.tui.dashboard.logbook import Logbook
    from prismctl.tui.dashboard.state import DashboardState, Prompt

_CARD_WIDTH: Final = 100
_LEAST_NOTE: Final = 14
_LEAST_AROUND: Final = 5
"""Lines of a card besides what was said, at the least: why, keys, a gap, and what to try."""
_CARD_KEYS: Final = {
    "end-holder": "ends what has its port",
    "failed": "",
    "restart": "tries it again",
    "logs": "all it printed",
    "pager": "in $PAGER",
    "copy": "copies this",
}
"""What can be done about a service that is not well, by the action."""


def has_choices(state: DashboardState) -> bool:
    """Whether something is to be chosen, which is done in the pane's place."""
    return state.prompt is not None and state.prompt.choices is not None


def title_of_pane(
    state: DashboardState, view: View, width: int, hidden: int, note: str = ""
) -> Line:
    """The line above the pane; it says how many services there is no room for, too, and what is to be noted of this one."""
    tone = Tone.ACCENT if state.focus is Focus.PANE else Tone.MUTED
    more = count_of(hidden, "more service") if hidden else ""
    remark = " · ".join(each for each in (view.remark, more) if each)
    title = clip(f"── {view.title} ", max(1, width - 2))
    room = width - width_of(title) - width_of(f" {remark} ──") - len(" · ──")
    if note and room >= _LEAST_NOTE:
        remark = " · ".join(each for each in (clip(note, room), remark) if each)
    right = f" {remark} ──" if remark else ""
    rule = width - width_of(title) - width_of(right)
    if rule < 0:
        right, rule = "", max(0, width - width_of(title))
    return clip_line(
        line(Span(title, tone), Span("─" * rule, Tone.MUTED), Span(right, Tone.MUTED)), width
    )


def view_pane(state: DashboardState, logbook: Logbook, *, width: int, page: int) -> View:
    """What is seen of what was asked for."""
    if has_choices(state) and state.prompt is not None:
        return _choice_view(state.prompt, width, page)
    if state.pane is Pane.HELP:
        return _fixed_view(state, "keys", help_lines(state, width), page)
    if state.link is Link.STOPPED:
        return View(title="stopped", lines=_stopped_lines(state, width)[:page])
    if state.pane is Pane.GRAPH:
        lines = graph_lines(state.services, selected=state.selected, width=width)
        return _fixed_view(state, "what needs what", lines, page)
    if state.shows_card:
        lines = card_lines(state, logbook, width, page)
        return _fixed_view(state, f"{clean(state.selected)}", lines, page)
    return view_logs(state, logbook, width, page)


def _fixed_view(state: DashboardState, title: str, lines: list[Line], page: int) -> View:
    """Lines that are all there; scrolled where they do not fit."""
    most = max(0, len(lines) - page)
    top = min(state.scroll.top, most)
    cursor = state.scroll.line or 0 if state.focus is Focus.PANE else None
    below = len(lines) - page - top
    remark = f"{below} lines below" if below > 0 else ""
    return View(
        title=title,
        lines=lines[top : top + page],
        top=top,
        end=len(lines),
        cursor=cursor,
        remark=remark,
    )


def _choice_view(prompt: Prompt, width: int, page: int) -> View:
    fitting = prompt.fitting
    top = max(0, min(prompt.chosen - page + 1, len(fitting) - page))
    top = max(top, 0)
    names = min(28, max((width_of(clean(each)) for each in fitting), default=0))
    marks = max((width_of(each) + 2 for each in prompt.marks.values()), default=0)
    lines = [
        clip_line(
            line(
                Span("▸ " if index == prompt.chosen else "  ", Tone.ACCENT),
                Span(
                    pad(clip(clean(each), names), names),
                    Tone.STRONG if index == prompt.chosen else Tone.PLAIN,
                ),
                Span(f"  {pad(prompt.marks.get(each, ''), marks)}", Tone.ACCENT),
                Span(clean(prompt.hints.get(each, "")), Tone.MUTED),
            ),
            width,
        )
        for index, each in enumerate(fitting)
    ][top : top + page]
    if not fitting:
        lines = [line("  ", Span("nothing fits", Tone.MUTED))]
    title = "all that can be done: type some of it, enter does it" if prompt.marks else "choose"
    return View(title=title, lines=lines, top=top, end=len(fitting), cursor=prompt.chosen)


def _stopped_lines(state: DashboardState, width: int) -> list[Line]:
    option = "" if state.stack == "default" else f" --stack {clean(state.stack)}"
    keys = state.keymap
    rows = [
        (keys.first_key("start-again"), "start it again, with the same services"),
        (keys.first_key("leave"), f"leave; `prismctl dev start{option}` starts it later"),
    ]
    if state.is_read_only:
        rows = rows[1:]
    return [
        (),
        clip_line(
            line(
                "  ", f"stack {clean(state.stack)} was stopped from elsewhere; nothing of it runs"
            ),
            width,
        ),
        (),
        *(
            clip_line(line("  ", Span(pad(key, 4), Tone.ACCENT), Span(words)), width)
            for key, words in rows
        ),
    ]


def card_lines(state: DashboardState, logbook: Logbook, width: int, page: int) -> list[Line]:
    """What went wrong with the selected service, what to try, and the keys that do it; all of it seen at once, if it can be."""
    service = find_service(state, state.selected)
    if service is None:
        return []
    said = _last_words(service, logbook)
    dependants = find_dependants(state.services, state.selected)
    missing = find_missing(state.services, state.selected)

    def make(most_lines: int) -> list[Line]:
        return failure_card(
            dict(service),
            said=said,
            dependants=dependants,
            missing=missing,
            width=min(width, _CARD_WIDTH),
            stack=state.stack,
            most_lines=most_lines,
        )

    most = max(FEWEST_LINES, min(MOST_LINES, page - _LEAST_AROUND))
    card = make(most)
    # One more line is that of the keys.
    while (over := len(card) + 1 - page) > 0 and most > FEWEST_LINES:
        most = max(FEWEST_LINES, most - over)
        card = make(most)
    # The headline and what is below it, with the keys between: they are seen where little else is.
    cut = next((index for index, each in enumerate(card) if not each), len(card))
    return [*card[:cut], _card_keys(state, missing, width), *card[cut:]]


def _last_words(service: Mapping[str, Any], logbook: Logbook) -> list[dict[str, Any]]:
    """What the run said that went wrong: of one that is up again, much may have been said since."""
    said: list[dict[str, Any]] = []
    for each in reversed(logbook.ring(str(service["name"])).all()):
        entry = {"time": each.time, "replica": each.replica, "text": each.text}
        if is_of_ended_run(service, entry):
            said.append(entry)
            if len(said) == READ_LINES:
                break
    return said[::-1]


def _card_keys(state: DashboardState, missing: Sequence[tuple[str, str]], width: int) -> Line:
    spans: list[Span] = [Span("  ")]
    service = state.service or {}
    is_held_up = bool(missing) and bool(service) and not has_run(service)
    for action_id, usual in _CARD_KEYS.items():
        words = usual
        if action_id in {"restart", "logs", "pager"} and is_held_up:
            continue
        if action_id == "failed":
            ill = next_ill(state)
            if not is_held_up or ill in {"", state.selected}:
                continue
            words = f"goes to {clean(ill)}"
        key = state.keymap.first_key(action_id)
        if not key or (BY_ID[action_id].changes and state.is_read_only):
            continue
        if action_id == "end-holder" and not is_about_port(service):
            continue
        spans += [Span(key, Tone.ACCENT), Span(f" {words}   ")]
    return clip_line(tuple(spans), width)


def help_lines(state: DashboardState, width: int) -> list[Line]:
    """All keys, by what they are about."""
    lines: list[Line] = []
    for section in Section:
        lines += (
            [(), line("  ", Span(section.value, Tone.STRONG))]
            if lines
            else [line("  ", Span(section.value, Tone.STRONG))]
        )
        for action in ACTIONS:
            keys = " ".join(state.keymap.keys.get(action.id, ()))
            if action.section is not section or not keys:
                continue
            is_off = action.changes and state.is_read_only
            words = f"{action.words} (not in a read-only dashboard)" if is_off else action.words
            lines.append(
                clip_line(
                    line(
                        "  ",
                        Span(pad(keys, 10), Tone.ACCENT),
                        " ",
                        Span(words, Tone.MUTED if is_off else Tone.PLAIN),
                    ),
                    width,
                )
            )
    return lines

"""What `init` will do and is doing, as lines and as a document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from prismctl.domain.counting import count_of
from prismctl.present.text import (
    Line,
    Span,
    Tone,
    clean,
    clip_line,
    fold,
    line,
    line_width,
    pad,
    pad_left,
    spread,
    width_of,
)
from prismctl.present.units import render_bytes, render_duration

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prismctl.install.installation import Decision
    from prismctl.install.provider import Progress
    from prismctl.install.steps import StepStatus

_SYMBOLS: Final = {
    "waiting": ("○", Tone.MUTED),
    "running": ("◐", Tone.BUSY),
    "done": ("✓", Tone.GOOD),
    "left out": ("–", Tone.MUTED),  # noqa: RUF001 - the dash of a step that was not taken
    "failed": ("✗", Tone.BAD),
}
_INDENT: Final = "  "
_PLAIN_VERBS: Final = {"done": "done", "left out": "left-out", "failed": "failed"}
_PLAIN_TONES: Final = {"done": Tone.GOOD, "left out": Tone.MUTED, "failed": Tone.BAD}
_VERB_WIDTH: Final = 9
_TIME_WIDTH: Final = 6
_NARROWEST_DETAIL: Final = 20
_SHOWN_SECONDS: Final = 0.05
"""A step that took less has no time worth showing."""


def step_lines(
    steps: Sequence[StepStatus],
    *,
    now: float,
    speeds: Mapping[str, float],
    width: int,
) -> list[Line]:
    """All steps, one line each, the reason and the fix of those that failed below them.

    Args:
        steps: in the order in which they are shown.
        now: on the monotonic clock.
        speeds: bytes a second of the steps that fetch something, by name.
        width: cells a line has.
    """
    title_width = max((width_of(step.title) for step in steps), default=0)
    lines = []
    for step in steps:
        lines += _step_lines(step, title_width, now, speeds.get(step.name), width)
        lines += _more_lines(step, title_width, width)
    return lines


def plain_step_line(step: StepStatus) -> Line:
    """One line for a step that has ended, for pipes."""
    verb = _PLAIN_VERBS[step.state]
    took = "" if not _is_worth_showing(step.seconds) else f"  {render_duration(step.seconds)}"
    words = [
        clean(step.detail),
        clean(step.note),
        f"fix: {clean(step.fix)}" if step.fix else "",
    ]
    return line(
        Span(pad(verb, _VERB_WIDTH), _PLAIN_TONES[step.state]),
        f"{step.name}  " + "; ".join(word for word in words if word) + took,
    )


def plain_progress_line(step: StepStatus, speed: float | None) -> Line:
    """One line for a step that goes on, for pipes."""
    words = clean(step.detail) if step.progress is None else progress_words(step.progress, speed)
    return line(pad("running", _VERB_WIDTH), f"{step.name}  {words}".rstrip())


def progress_words(progress: Progress, speed: float | None) -> str:
    """How far something is: ``62 of 130 MB · 12 MB/s``, ``312 of 2100 packages``."""
    if progress.unit == "packages":
        if progress.total is None:
            return "preparing modules"
        if progress.done == progress.total:
            return "linking"
        return f"{progress.done} of {count_of(progress.total, 'package')}"
    size = render_bytes(progress.done)
    if progress.done == progress.total:
        return f"{size} fetched, being checked and unpacked"
    if progress.total is not None:
        size = f"{size} of {render_bytes(progress.total)}"
    return f"{size} · {render_bytes(int(speed))}/s" if speed else size


def decision_lines(decisions: Sequence[Decision], *, width: int) -> list[Line]:
    """What would happen to each tool: source, size, licence, how it is verified, commands that need root."""
    lines: list[Line] = []
    for decision in decisions:
        lines += [*_decision_lines(decision, width), ()]
    return lines[:-1]


def render_decision(decision: Decision) -> dict[str, Any]:
    """What would happen to one tool, for programs."""
    offer, existing = decision.offer, decision.existing
    return {
        "tool": decision.tool.name,
        "existing": None
        if existing is None
        else {
            "path": str(existing.path),
            "origin": existing.origin,
            "version": str(existing.version) if existing.version else None,
            "supported": existing.is_usable,
            "problem": existing.problem or None,
        },
        "install": None
        if offer is None
        else {
            "version": str(offer.version),
            "provider": offer.provider,
            "why": decision.why,
            "source": offer.source,
            "size_bytes": offer.size_bytes,
            "sha256": offer.checksum or None,
            "signing_key": offer.signing_key or None,
            "licence": {"name": offer.licence.name, "url": offer.licence.url},
            "command": list(offer.command),
            "needs_root": offer.needs_root,
            "warning": offer.warning or None,
        },
        "error": decision.error.message if decision.error else None,
        "hint": decision.error.hint or None if decision.error else None,
    }


def render_steps(steps: Sequence[StepStatus]) -> dict[str, Any]:
    """How all steps ended, for programs."""
    return {
        "schema": 1,
        "is_changed": any(step.is_changed for step in steps),
        "steps": [
            {
                "name": step.name,
                "state": step.state,
                "detail": step.detail,
                "note": step.note or None,
                "fix": step.fix or None,
                "is_changed": step.is_changed,
                "is_required": step.is_required,
                "seconds": None if step.seconds is None else round(step.seconds, 3),
            }
            for step in steps
        ],
    }


def _step_lines(
    step: StepStatus, title_width: int, now: float, speed: float | None, width: int
) -> list[Line]:
    """The step, its detail folded once it has ended: what is still going on stays one line, so that it can be redrawn."""
    symbol, tone = _SYMBOLS[step.state]
    detail = clean(step.detail)
    if step.progress is not None:
        detail = progress_words(step.progress, speed)
    seconds = step.seconds
    if seconds is None and step.began_at is not None:
        seconds = now - step.began_at
    took = render_duration(seconds) if _is_worth_showing(seconds) else ""
    right = line(Span(pad_left(took, _TIME_WIDTH), Tone.MUTED)) if took else ()
    detail_tone = Tone.BAD if step.state == "failed" else Tone.PLAIN
    head = line(_INDENT, Span(symbol, tone), f" {pad(clean(step.title), title_width)}  ")
    room = width - line_width(head) - (_TIME_WIDTH + 2 if took else 0)
    parts = fold(detail, max(_NARROWEST_DETAIL, room)) if step.seconds is not None else [detail]
    first, *rest = parts or [""]
    indent = " " * line_width(head)
    return [
        clip_line(spread((*head, Span(first, detail_tone)), right, width), width),
        *(line(indent, Span(part, detail_tone)) for part in rest),
    ]


def _is_worth_showing(seconds: float | None) -> bool:
    return seconds is not None and seconds >= _SHOWN_SECONDS


def _more_lines(step: StepStatus, title_width: int, width: int) -> list[Line]:
    """What else there is to know about a step, and what to do about one that was not taken, below it."""
    texts = [clean(step.note), f"fix: {clean(step.fix)}" if step.fix else ""]
    indent = " " * (len(_INDENT) + 2 + title_width + 2)
    room = max(_NARROWEST_DETAIL, width - len(indent))
    return [line(indent, Span(words, Tone.MUTED)) for text in texts for words in fold(text, room)]


def _decision_lines(decision: Decision, width: int) -> list[Line]:
    name_width = 9
    rest = " " * (len(_INDENT) + name_width)
    head = line(_INDENT, Span(pad(decision.tool.title, name_width), Tone.STRONG))
    words = [*_existing_words(decision), *_offer_words(decision)]
    if decision.error is not None:
        words.append((clean(decision.error.message), Tone.BAD))
        if decision.error.hint:
            words.append((f"hint: {clean(decision.error.hint)}", Tone.MUTED))
    lines: list[Line] = []
    for text, tone in words:
        for part in fold(text, max(_NARROWEST_DETAIL, width - len(rest))) or [""]:
            start = head if not lines else line(rest)
            lines.append((*start, Span(part, tone)))
    return lines


def _existing_words(decision: Decision) -> list[tuple[str, Tone]]:
    existing = decision.existing
    if existing is None:
        return []
    if existing.problem:
        return [(f"{clean(existing.problem)}; it is left as it is", Tone.BUSY)]
    words = f"{existing.version} is here: {existing.path}, {existing.origin}"
    return [(words, Tone.GOOD if decision.is_there else Tone.MUTED)]


def _offer_words(decision: Decision) -> list[tuple[str, Tone]]:
    offer = decision.offer
    if offer is None:
        return []
    size = f", {render_bytes(offer.size_bytes)}" if offer.size_bytes is not None else ""
    words = [
        (f"{offer.version} from {offer.provider}: {offer.source}{size}", Tone.PLAIN),
        (f"because: {clean(decision.why)}", Tone.MUTED),
        (f"licence: {offer.licence.name}, {offer.licence.url}", Tone.MUTED),
    ]
    if offer.checksum:
        words.append((f"sha256: {offer.checksum}", Tone.MUTED))
    if offer.signing_key:
        words.append((f"signing key: {_group(offer.signing_key)}", Tone.MUTED))
    if offer.command:
        verb = "as root" if offer.needs_root else "runs"
        words.append((f"{verb}: {' '.join(offer.command)}", Tone.MUTED))
    if offer.warning:
        words.append((f"note: {offer.warning}", Tone.BUSY))
    return words


def _group(fingerprint: str) -> str:
    """As keys are published, to be compared by eye: ``C874 011F …``."""
    return " ".join(fingerprint[at : at + 4] for at in range(0, len(fingerprint), 4))

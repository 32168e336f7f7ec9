"""What `doctor` found, as lines: a fact each, with its reason and its fix, and a summary at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from prismctl.domain.counting import count_of
from prismctl.present.text import Line, Span, Tone, clean, fold, line, pad, width_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SYMBOLS: Final = {"ok": "✓", "warning": "!", "problem": "✗"}
"""By the state of a finding."""
TONES: Final = {"ok": Tone.GOOD, "warning": Tone.BUSY, "problem": Tone.BAD}
FIX_COMMAND: Final = "prismctl dev doctor --fix"
_LEAST_TITLE: Final = 16
_LEAST_ROOM: Final = 20
_INDENT: Final = "  "
_GAP: Final = "  "


def doctor_lines(document: Mapping[str, Any], *, width: int, is_brief: bool = False) -> list[Line]:
    """The document of `doctor` for people; with ``is_brief`` without what is fine."""
    checks = [each for each in document["checks"] if not (is_brief and each["state"] == "ok")]
    lines: list[Line] = [
        line(_INDENT, Span("fixed", Tone.GOOD), f"{_GAP}{clean(words)}")
        for words in document["fixed"]
    ]
    lines += [()] if lines else []
    lines += finding_lines(checks, width=width)
    lines += (
        [(), summary_line(document["summary"])] if lines else [summary_line(document["summary"])]
    )
    return lines


def finding_lines(checks: Sequence[Mapping[str, Any]], *, width: int) -> list[Line]:
    """A finding each: its symbol, its title, the fact, and below it the fix."""
    titles = max((width_of(clean(each["title"])) for each in checks), default=0)
    titles = max(titles, _LEAST_TITLE)
    margin = len(_INDENT) + 2 + titles + len(_GAP)
    room = max(_LEAST_ROOM, width - margin)
    lines = []
    for each in checks:
        state = each["state"]
        head = (
            _INDENT,
            Span(f"{SYMBOLS.get(state, '?')} ", TONES.get(state, Tone.PLAIN)),
            pad(clean(each["title"]), titles),
            _GAP,
        )
        first, *more = fold(clean(each["detail"]), room) or [""]
        lines.append(line(*head, first))
        lines += [line(" " * margin, words) for words in more]
        fix = clean(fix_words(each))
        if fix:
            # Never cut or broken: it is there to be copied.
            lines.append(line(" " * margin, Span("fix: ", Tone.ACCENT), fix))
    return lines


def fix_words(check: Mapping[str, Any]) -> str:
    """What to type about a finding: the command that mends it by itself first."""
    fix = str(check["fix"])
    if not check["fixable"] or fix == FIX_COMMAND:
        return fix
    return f"{FIX_COMMAND}   ({fix})" if fix else FIX_COMMAND


def summary_line(summary: Mapping[str, int]) -> Line:
    """``9 checks: 7 fine, 1 warning, 1 problem``."""
    warnings, problems = summary["warnings"], summary["problems"]
    parts = [f"{summary['ok']} fine"]
    parts += [count_of(warnings, "warning")] if warnings else []
    parts += [count_of(problems, "problem")] if problems else []
    tone = Tone.BAD if problems else Tone.BUSY if warnings else Tone.GOOD
    return line(f"{count_of(summary['checks'], 'check')}: ", Span(", ".join(parts), tone))

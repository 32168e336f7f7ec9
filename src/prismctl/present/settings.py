"""Settings with the layers they came from: as lines for people, and as a document."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from prismctl.present.events import action_line, fields
from prismctl.present.text import (
    Line,
    Span,
    Tone,
    clean,
    clip_line,
    fold,
    line,
    pad,
    width_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from prismctl.domain.precedence import Given, Setting
    from prismctl.domain.problems import Place

SCHEMA_VERSION: Final = 1
_LABEL_WIDTH: Final = 10
_LONGEST_KEY: Final = 30
_LONGEST_VALUE: Final = 28
_NOTHING: Final = "none"


def render_setting(setting: Setting) -> dict[str, Any]:
    """One setting as a document."""
    return {
        "key": setting.key,
        "value": setting.value,
        **_origin(setting),
        "outcome": setting.outcome,
        "beaten": [{"value": each.value, **_origin(each)} for each in setting.beaten],
    }


def render_explanation(
    setting: Setting,
    related: Sequence[str],
    *,
    is_running: bool = False,
    next_start: Setting | None = None,
) -> dict[str, Any]:
    """What `config explain -o json` prints."""
    return {
        "schema": SCHEMA_VERSION,
        **render_setting(setting),
        "related": list(related),
        "is_running": is_running,
        "next_start": render_setting(next_start) if next_start is not None else None,
    }


def render_settings(
    stack: str, settings: Sequence[Setting], *, is_running: bool = False
) -> dict[str, Any]:
    """What `config show -o json` prints."""
    return {
        "schema": SCHEMA_VERSION,
        "stack": stack,
        "is_running": is_running,
        "settings": [render_setting(each) for each in settings],
    }


def render_settings_by_key(settings: Iterable[Setting]) -> dict[str, Any]:
    """The same settings where they are a part of another document: by their keys."""
    documents = map(render_setting, settings)
    return {document.pop("key"): document for document in documents}


def about_line(stack: str, origin: str) -> Line:
    """Which stack settings are those of, and what that was started as."""
    return line(Span(f"running: stack {clean(stack)}, {clean(origin)}", Tone.STRONG))


def running_words(origin: str, next_start: Setting | None, *, is_outdated: bool) -> str:
    """That a setting is that of what runs, and what the next plain start makes of it where that is something else."""
    words = clean(origin)
    if is_outdated:
        words += (
            "; a file has changed since it was started, so what runs may still have another value"
        )
    if next_start is None:
        return words
    if next_start.value is False and "." not in next_start.key:
        return f"{words}; the next plain start would be without {clean(next_start.key)}"
    there = f"{_words(next_start.value)} ({_whence(next_start.source, next_start.place)})"
    return f"{words}; the next plain start would have {there}"


def explanation_lines(
    setting: Setting,
    related: Sequence[str],
    *,
    width: int,
    is_service: bool = False,
    running: str = "",
) -> list[Line]:
    """One setting: its value, where it is written, what that becomes here, what it beat, and whether that runs.

    Of a service, the reason for which it is in the stack comes first: that is what was asked.
    """
    head = Span(clean(setting.key), Tone.STRONG)
    if is_service:
        is_in = "is in this stack: " if setting.value else "is not in this stack: "
        lines: list[Line] = [line(head, f" {is_in}", Span(clean(setting.source), Tone.ACCENT))]
        lines += _labelled("from", _file_words(setting.place), width) if setting.place.file else []
    else:
        lines = [line(head, " = ", Span(_words(setting.value), Tone.ACCENT))]
        lines += _labelled("from", _whence(setting.source, setting.place), width)
    lines += _labelled("here", clean(setting.outcome), width) if setting.outcome else []
    for index, each in enumerate(setting.beaten):
        words = f"{_words(each.value)} ({_whence(each.source, each.place)})"
        lines += _labelled("" if index else "beats", words, width)
    lines += _labelled("running", running, width) if running else []
    if related:
        lines += _labelled("see also", ", ".join(clean(each) for each in related), width)
    return lines


def settings_lines(settings: Sequence[Setting], *, width: int) -> list[Line]:
    """A row a setting: key, value, and where it is from; a service's own below its name."""
    lines: list[Line] = []
    keys = min(max((width_of(each.key) for each in settings), default=0), _LONGEST_KEY)
    for setting in settings:
        words = _words(setting.value)
        where = _whence(setting.source, setting.place)
        tone = Tone.MUTED if setting.is_default else Tone.PLAIN
        room = max(width - keys - 4, 20)
        shown, *more = fold(words, room) or [""]
        if more or width_of(shown) + 3 + width_of(where) > room:
            lines.append(line("  ", Span(pad(clean(setting.key), keys), Tone.STRONG), "  ", shown))
            rest = [*more, *fold(where, room)]
            lines += [line(" " * (keys + 4), Span(each, Tone.MUTED)) for each in rest]
            continue
        lines.append(
            line(
                "  ",
                Span(pad(clean(setting.key), keys), Tone.STRONG),
                "  ",
                Span(pad(shown, min(_LONGEST_VALUE, room - width_of(where) - 3)), tone),
                "   ",
                Span(where, Tone.MUTED),
            )
        )
    return lines


def difference_words(settings: Sequence[Setting]) -> str:
    """Settings of one service in one line, each with its file and line, or who else said it."""
    return " · ".join(
        f"{clean(setting.key.partition('.')[2])} {_words(setting.value)} ({_nearby(setting)})"
        for setting in settings
    )


def difference_lines(settings: Sequence[Setting], *, width: int) -> list[Line]:
    """Settings that are not as they ship, a calm row each: ``redis.memory_mb   64   tuned.yaml:7``."""
    rows = [(clean(each.key), _words(each.value), _nearby(each)) for each in settings]
    keys, values = (
        min(max((width_of(row[at]) for row in rows), default=0), most)
        for at, most in ((0, _LONGEST_KEY), (1, _LONGEST_VALUE))
    )
    return [
        clip_line(
            line("  ", pad(key, keys), "   ", pad(value, values), "   ", Span(where, Tone.MUTED)),
            width,
        )
        for key, value, where in rows
    ]


def plain_difference_lines(settings: Sequence[Setting]) -> list[Line]:
    """The same for a pipe: ``setting  redis.memory_mb=64 from=tuned.yaml:7``."""
    return [
        action_line(
            "setting", fields(**{each.key: _words(each.value), "from": _nearby(each)}), Tone.MUTED
        )
        for each in settings
    ]


def _nearby(setting: Setting) -> str:
    """``team.yaml:7``: of a file the name alone, where there is little room."""
    place = setting.place
    if not place.file:
        return clean(setting.source)
    name = clean(place.file.rpartition("/")[2])
    return f"{name}:{place.line}" if place.line else name


def _origin(said: Setting | Given) -> dict[str, Any]:
    return {
        "source": said.source,
        "file": said.place.file or None,
        "line": said.place.line or None,
    }


def _labelled(label: str, words: str, width: int) -> list[Line]:
    room = max(width - _LABEL_WIDTH - 2, 20)
    return [
        line(Span(f"  {pad('' if index else label, _LABEL_WIDTH)}", Tone.MUTED), each)
        for index, each in enumerate(fold(words, room))
    ]


def _whence(source: str, place: Place) -> str:
    """Who said it and where: ``profile team, ~/.prism/profiles/team.yaml:7``."""
    if not place.file:
        return clean(source)
    where = _file_words(place)
    is_said_twice = place.file.rpartition("/")[2] == source
    return clean(where if is_said_twice else f"{source}, {where}")


def _file_words(place: Place) -> str:
    return clean(f"{place.file}:{place.line}" if place.line else place.file)


def _words(value: Any) -> str:
    """A value as it would be written in a file; texts without quotes."""
    if value is None:
        return _NOTHING
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, str):
        return clean(value) or '""'
    return clean(json.dumps(value, ensure_ascii=False))

"""Saved profiles as lines for people: the list, one as it is written, what a save or a delete has done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from prismctl.domain.counting import count_of
from prismctl.domain.packaged import CORE
from prismctl.present.listing import table_lines
from prismctl.present.text import Line, Span, Tone, clean, fold, line
from prismctl.present.units import list_of, render_duration

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prismctl.files.profiles import Profile

_NEVER: Final = "never"
_CORE: Final = frozenset(each.name for each in CORE)
_SERVICES_WIDTH: Final = 30


def list_lines(document: Mapping[str, Any], *, width: int) -> list[Line]:
    """A row a profile, and where they are."""
    profiles = document["profiles"]
    directory = clean(document["directory"])
    if not profiles:
        words = (
            "no profile is saved; `prismctl dev profile save NAME --from-running` saves what runs"
        )
        return [line(words)]
    columns = ("PROFILE", "LAST USE", "SERVICES", "DESCRIPTION")
    rows = [
        (each["name"], _ago(each["last_used_seconds"]), _services(each), _description(each))
        for each in profiles
    ]
    words = f"{count_of(len(profiles), 'profile')} in {directory}"
    return [*table_lines(columns, rows, width=width), (), line(Span(words, Tone.MUTED))]


def _services(profile: Mapping[str, Any]) -> str:
    """What sets it apart first: what every profile has is left for the end, where there may be no room."""
    names = profile["services"]
    words = [name for name in names if name not in _CORE]
    words += [name for name in names if name in _CORE]
    shown = ", ".join(words)
    if len(shown) <= _SERVICES_WIDTH:
        return shown
    own = [name for name in words if name not in _CORE]
    if own and len(", ".join(own)) <= _SERVICES_WIDTH:
        # What there is no room for is in every profile: nobody misses it.
        return ", ".join(own)
    while len(words) > 1 and len(", ".join(words)) + len(", …") > _SERVICES_WIDTH:
        words.pop()
    return f"{', '.join(words)}, …"


def _description(profile: Mapping[str, Any]) -> str:
    problems = profile["problems"]
    if not problems:
        return " ".join(str(profile["description"]).split())
    return problems[0] if len(problems) == 1 else f"{len(problems)} mistakes: {problems[0]}"


def _ago(seconds: float | None) -> str:
    return _NEVER if seconds is None else f"{render_duration(seconds)} ago"


def text_lines(text: str) -> list[Line]:
    """A file as it is written, so that a terminal shows it and is not steered by it."""
    return [line(clean(each)) for each in text.splitlines()]


def saved_lines(document: Mapping[str, Any], *, start: str, width: int) -> list[Line]:
    """What was saved where, and how to start it."""
    name, file = clean(document["name"]), clean(document["file"])
    if document["action"] == "unchanged":
        head = f"profile {name} says that already: {file}; nothing was written"
    else:
        head = f"saved profile {name}: {file}"
    services = ", ".join(clean(each) for each in document["services"])
    lines = [line(Span(head, Tone.GOOD))]
    lines += [line(f"  {words}") for words in fold(services, max(20, width - 2))]
    lines += [line(clean(note)) for note in document["notes"]]
    return [*lines, line(Span(f"`{start}` starts it", Tone.MUTED))]


def deletion_lines(document: Mapping[str, Any]) -> list[Line]:
    """What is gone, and where it was."""
    words = f"deleted profile {clean(document['name'])}: it was {clean(document['file'])}"
    return [line(Span(words, Tone.GOOD))]


def change_words(before: Profile, after: Profile) -> list[str]:
    """What is different between what a profile says and what it would say."""
    words = []
    added = [name for name in after.services if name not in before.services]
    removed = [name for name in before.services if name not in after.services]
    if added:
        words.append(f"it would get {list_of(added)}")
    if removed:
        words.append(f"it would lose {list_of(removed)}")
    if before.persist != after.persist:
        keep = "keep" if after.persist else "no longer keep"
        words.append(f"its services would {keep} their data")
    if before.description != after.description:
        words.append(f"its description would be `{after.description}`")
    changed = _changed_settings(before.config, after.config)
    if changed:
        words.append(f"its settings of {list_of(changed)} would change")
    return words


def _changed_settings(
    before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]]
) -> Sequence[str]:
    names = dict.fromkeys([*before, *after])
    return [name for name in names if before.get(name) != after.get(name)]

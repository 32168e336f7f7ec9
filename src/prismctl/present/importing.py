"""What an import takes over and what it leaves out, as lines and as a document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from prismctl.domain.counting import count_of
from prismctl.present.text import Line, Span, Tone, clean, fold, line, pad, width_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prismctl.domain.importing.imported import Imported

SCHEMA_VERSION: Final = 1
_TITLES: Final = {
    "left-out": ("✗", Tone.BAD, "left out"),
    "changed": ("!", Tone.BUSY, "taken over otherwise"),
    "proposed": ("→", Tone.ACCENT, "written with references"),
}
_INDENT: Final = "  "
_HIDDEN: Final = "(secret)"


def render_import(
    imported: Imported, actions: Mapping[str, str], *, into: str, is_written: bool
) -> dict[str, Any]:
    """The document: services with what became of each, and everything there is to know.

    Args:
        imported: the translation.
        actions: ``added``, ``replaced`` or ``kept``, by the names in the catalog.
        into: the file, as the user would name it.
        is_written: whether it was.
    """
    return {
        "schema": SCHEMA_VERSION,
        "file": imported.file,
        "kind": imported.kind.value,
        "into": into,
        "written": is_written,
        "services": [
            {
                "name": each.name,
                "source": each.source_name,
                "action": actions[each.name],
                "line": each.place.line,
                "entry": _without_secrets(each.entry),
            }
            for each in imported.services
        ],
        "remarks": [
            {
                "kind": each.kind.value,
                "service": each.service,
                "subject": each.subject,
                "message": each.message,
                "file": each.place.file,
                "line": each.place.line,
                "column": each.place.column,
            }
            for each in imported.remarks
        ],
        "summary": {
            "services": len(imported.services),
            **{kind: sum(each.kind == kind for each in imported.remarks) for kind in _TITLES},
        },
    }


def _without_secrets(entry: Mapping[str, Any]) -> dict[str, Any]:
    hidden = entry.get("secrets", ())
    env = entry.get("env")
    if not env or not hidden:
        return dict(entry)
    return {**entry, "env": {k: _HIDDEN if k in hidden else v for k, v in env.items()}}


def import_lines(document: Mapping[str, Any]) -> list[Line]:
    """What became of each service, and of the whole."""
    names = max((width_of(clean(each["name"])) for each in document["services"]), default=0)
    lines: list[Line] = []
    for each in document["services"]:
        entry = each["entry"]
        what = entry.get("container") or " ".join(entry.get("command", ()))
        lines.append(
            line(
                _INDENT,
                Span(f"{each['action']:<8}", Tone.GOOD if each["action"] != "kept" else Tone.MUTED),
                " ",
                Span(pad(clean(each["name"]), names), Tone.STRONG),
                "  ",
                clean(what),
            )
        )
    verb = "are" if document["summary"]["services"] != 1 else "is"
    count = count_of(document["summary"]["services"], "service")
    words = f"{count} of {clean(document['file'])} {verb} in {clean(document['into'])}"
    return [*lines, (), line(words)] if document["written"] else lines


def remark_lines(document: Mapping[str, Any], *, width: int) -> list[Line]:
    """Everything there is to know, by what it is about; each with its place in the file."""
    lines: list[Line] = []
    for kind, (symbol, tone, title) in _TITLES.items():
        remarks = [each for each in document["remarks"] if each["kind"] == kind]
        if not remarks:
            continue
        lines += [(), line(Span(title, Tone.STRONG))] if lines else [line(Span(title, Tone.STRONG))]
        for each in remarks:
            lines += _remark(each, symbol, tone, width)
    return lines


def _remark(remark: Mapping[str, Any], symbol: str, tone: Tone, width: int) -> list[Line]:
    numbers = [str(number) for number in (remark["line"], remark["column"]) if number]
    place = ":".join([clean(remark["file"]), *numbers])
    subject = " ".join(clean(each) for each in (remark["service"], remark["subject"]) if each)
    words = fold(f"{subject}: {clean(remark['message'])}", max(20, width - 4))
    head, *more = words or [""]
    return [
        line(_INDENT, Span(f"{symbol} ", tone), head),
        *(line(" " * 4, each) for each in more),
        line(" " * 4, Span(place, Tone.MUTED)),
    ]

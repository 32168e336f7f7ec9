"""Puts entries into a catalog or a project file; everything else in it stays as it was, comments included."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from prismctl.domain.importing.entry_text import render_entry
from prismctl.domain.packaged import CORE, render_catalog
from prismctl.errors import ConfigError, PrismError
from prismctl.files.catalog import ensure_catalog, load_catalog, parse_catalog
from prismctl.files.paths import PROJECT_FILE_NAME
from prismctl.files.text import name_for_people, read_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from prismctl.files.paths import Home

_KEY: Final = "services"
_NEW_CATALOG: Final = """\
# What can be started: `prismctl dev start --services {name} --with NAME`, or without --with where `default: true` is said.
# `prismctl dev catalog validate {name}` tells every mistake in it.

services:
"""
_INDENT: Final = 2
_PRIVATE: Final = 0o600
_USUAL: Final = 0o644


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The file that entries go into, as it was found."""

    path: Path
    """Absolute, links followed."""
    text: str
    """What stands in it; for one that is not there, what it begins with."""
    is_new: bool
    is_home: bool
    """Whether it is the catalog of home."""
    known: frozenset[str]
    """Services that are there without anything being added, those that come with every catalog included."""

    @property
    def shown(self) -> str:
        """The file as the user would name it."""
        return name_for_people(self.path)

    @property
    def is_project(self) -> bool:
        """Whether it is a project file, whose services come on top of a catalog."""
        return self.path.name == PROJECT_FILE_NAME


def open_target(home: Home, path: Path | None) -> Target:
    """The catalog of a home, or a file that was named.

    Raises:
        ConfigError: it has mistakes already; all of them, each with its place.
        PrismError: it cannot be read.
    """
    place = (path or home.catalog).resolve()
    if not place.exists():
        text = render_catalog() if path is None else _NEW_CATALOG.format(name=place.name)
        core = [each.name for each in CORE]
        there = core if path is not None else load_catalog(home, creates=False).names
        return Target(
            path=place, text=text, is_new=True, is_home=path is None, known=frozenset(there)
        )
    is_home = place == home.catalog.resolve()
    text = read_text(place)
    target = Target(path=place, text=text, is_new=False, is_home=is_home, known=frozenset())
    return replace(target, known=frozenset(_validate(home, target, text)))


def _validate(home: Home, target: Target, text: str) -> Sequence[str]:
    """The services that a text for the file describes.

    Raises:
        ConfigError: it has mistakes; all of them, each with its place.
    """
    if not target.is_project:
        return list(parse_catalog(text, target.path).names)
    from prismctl.domain.catalog import read_catalog
    from prismctl.files.project import read_project
    from prismctl.files.yaml import parse_document

    document = parse_document(text, target.path)
    project = read_project(document, target.path)
    catalog = load_catalog(home, project.catalog, creates=False)
    if not project.has_services:
        return list(catalog.names)
    return list(read_catalog(document, base=catalog).names)


def change_text(target: Target, entries: Sequence[Mapping[str, Any]], *, origin: str) -> str:
    """The text of the file with the entries in it: in the place of those that have their names, else at the end.

    Args:
        target: the file.
        entries: of the catalog, ``name`` in each.
        origin: where they come from, for a comment.

    Raises:
        ConfigError: its list of services is written in a way that nothing can be put into.
    """
    from prismctl.files.yaml import Items, find_items

    if not entries:
        return target.text
    text = target.text if target.text.endswith("\n") or not target.text else f"{target.text}\n"
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = text.splitlines(keepends=True)
    items = find_items(text, _KEY, target.path)
    if items is None:
        lines += [newline] if lines and lines[-1].strip() else []
        lines.append(f"{_KEY}:{newline}")
        items = Items(indent=_INDENT, spans=(), insert_at=len(lines))
    written = _names_in_order(text, target) if items.spans else []
    by_name = {str(entry["name"]): entry for entry in entries}
    added = [entry for name, entry in by_name.items() if name not in written]
    if added:
        rendered = [
            f"{' ' * items.indent}# imported from {origin}\n{_text(added[0], items.indent)}"
        ]
        rendered += [_text(entry, items.indent) for entry in added[1:]]
        lead = "\n" if items.spans else ""
        lines.insert(items.insert_at, (lead + "\n".join(rendered)).replace("\n", newline))
    for (first, after), name in reversed(list(zip(items.spans, written, strict=True))):
        if name in by_name:
            lines[first:after] = [_text(by_name[name], items.indent).replace("\n", newline)]
    return "".join(lines)


def _text(entry: Mapping[str, Any], indent: int) -> str:
    return render_entry(entry, indent=indent)


def _names_in_order(text: str, target: Target) -> list[str]:
    from prismctl.files.yaml import parse_document

    tree: Any = parse_document(text, target.path).tree
    return [each["name"] for each in tree[_KEY]]


def check_change(home: Home, target: Target, changed: str) -> None:
    """Make sure that what would be written is accepted.

    Raises:
        ConfigError: it is not; all reasons, with their places in the text that would be written.
    """
    try:
        _validate(home, target, changed)
    except ConfigError as error:
        raise ConfigError(
            error.problems,
            subject=f"what would be written to {target.shown}",
            hint="nothing was written; `--dry-run` shows the entries, a corrected copy of the file can be imported",
        ) from error


def choose_mode(entries: Iterable[Mapping[str, Any]]) -> int:
    """Who may read a new file with these entries: nobody else, where one of them has secrets."""
    return _PRIVATE if any(entry.get("secrets") for entry in entries) else _USUAL


def save_change(
    home: Home, target: Target, changed: str, *, entries: Iterable[Mapping[str, Any]]
) -> None:
    """Write the file whole; one that is there keeps its mode.

    Args:
        home: whose catalog it may be.
        target: the file as it was found.
        changed: its text.
        entries: what was put into it.

    Raises:
        PrismError: somebody has changed it since it was read, or it cannot be written; it is as it was.
    """
    from prismctl.files.atomic import write_atomically

    if target.is_new:
        if target.is_home:
            ensure_catalog(home)
        elif target.path.exists():
            raise PrismError(
                f"{target.shown} was made meanwhile; nothing was written",
                hint="do it again: what stands there is taken into account then",
            )
    elif read_text(target.path) != target.text:
        raise PrismError(
            f"{target.shown} was changed meanwhile; nothing was written",
            hint="do it again: what stands there now is taken into account then",
        )
    mode = _PRIVATE if target.is_home else choose_mode(entries)
    if target.path.exists():
        mode = target.path.stat().st_mode & 0o777
    write_atomically(target.path, changed, mode=mode)

"""Writes profiles: new ones, and over those that are there, of which all stays that is not to be changed.

`save_profile` does it at once; who has to ask first takes a `draft_profile`, shows it, and writes it with `write_profile`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from prismctl.domain.problems import Problems, shorten
from prismctl.domain.service import full_name
from prismctl.errors import ConfigError, PrismError, Problem
from prismctl.files.atomic import describe_way_out, write_atomically
from prismctl.files.profile_schema import MODELINE, save_profile_schema
from prismctl.files.profiles import SUFFIX, apply_profile, is_file_name, read_profile
from prismctl.files.text import name_for_people, read_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from prismctl.domain.document import Document
    from prismctl.domain.offering import Catalog
    from prismctl.files.paths import Home
    from prismctl.files.profiles import Profile

_PRIVATE: Final = 0o600
_KEYS: Final = ("name", "description", "services", "persist", "config")
_TEXTS: Final = frozenset({"env", "args", "command"})
"""Keys of a service below which every value is a text, whatever it looks like: ``1.10`` is no number there."""
_MODELINE: Final = re.compile(r"^#[ \t]*yaml-language-server:.*$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A profile as it would be written."""

    file: Path
    """Where it is saved; absolute."""
    text: str
    profile: Profile
    before: Profile | None
    """What is saved under this name; ``None``: nothing."""
    text_before: str | None

    @property
    def is_new(self) -> bool:
        """Whether nothing is saved under this name."""
        return self.text_before is None

    @property
    def is_change(self) -> bool:
        """Whether anything would be different."""
        return self.text != self.text_before


def save_profile(
    home: Home,
    name: str,
    *,
    services: Sequence[str],
    description: str | None = None,
    persist: bool | None = None,
    config: Mapping[str, Mapping[str, Any]] | None = None,
    catalog: Catalog | None = None,
) -> Path:
    """Save a selection, over what is saved under its name; where it was written.

    Args:
        home: where profiles are saved.
        name: of the profile.
        services: full names, all that it starts.
        description: one line; ``None``: the one it has.
        persist: whether every service keeps its data; ``None``: as it is.
        config: by service, all that is different from the catalog, as plain values; ``None``: what it has.
        catalog: that services and their keys are checked against; without one, they are when it is started.

    Raises:
        ConfigError: the name is none, or what would be written has mistakes, or what is there has; all of them.
        PrismError: home cannot be read or written.
    """
    draft = draft_profile(
        home,
        name,
        services=services,
        description=description,
        persist=persist,
        config=config,
        catalog=catalog,
    )
    return write_profile(home, draft)


def copy_profile(
    home: Home,
    name: str,
    *,
    origin: Profile,
    services: Sequence[str],
    catalog: Catalog | None = None,
) -> Path:
    """Save a selection that started from another profile: its settings, description and comments go with it.

    Args:
        home: where profiles are saved.
        name: of the new profile.
        origin: what the selection started from.
        services: full names, all that it starts.
        catalog: as for `save_profile`.

    Raises:
        ConfigError: the name is none, or what would be written has mistakes; all of them.
        PrismError: home cannot be read or written.
    """
    draft = draft_profile(
        home,
        name,
        services=services,
        persist=origin.persist,
        config=plain_config(origin),
        catalog=catalog,
        origin=origin,
    )
    return write_profile(home, draft)


def draft_profile(
    home: Home,
    name: str,
    *,
    services: Sequence[str] | None,
    description: str | None = None,
    persist: bool | None = None,
    config: Mapping[str, Mapping[str, Any]] | None = None,
    catalog: Catalog | None = None,
    origin: Profile | None = None,
) -> Draft:
    """What `save_profile` would write.

    Args:
        home: where profiles are saved.
        name: of the profile.
        services: full names; ``None``: those that it has.
        description: as for `save_profile`.
        persist: as for `save_profile`.
        config: as for `save_profile`.
        catalog: as for `save_profile`.
        origin: another profile that a new one is made from, comments included.

    Raises:
        ConfigError: the name is none, or what would be written has mistakes, or what is there has; all of them.
        PrismError: home cannot be read.
    """
    from prismctl.files.yaml import parse_document
    from prismctl.files.yaml_change import change_values, render_values

    file = new_file(home, name)
    text_before = read_text(file) if file.exists() else None
    before = None
    if text_before is not None:
        before = read_profile(parse_document(text_before, file), name)
        start, document = text_before, before.document
    elif origin is not None and origin.file is not None:
        start, document = read_text(origin.file), origin.document
        start = _MODELINE.sub(MODELINE, start, count=1)
    else:
        start, document = "", None
    given = {"description": description, "persist": persist, "config": config}
    tree = _make_tree(document, name=name, services=services, given=given)
    text = change_values(start, tree, file) if document else render_values(tree)
    if not _MODELINE.search(text):
        newline = "\r\n" if "\r\n" in text else "\n"
        text = f"{MODELINE}{newline}{text}"
    return Draft(
        file=file,
        text=text,
        profile=_check(text, file, name, catalog),
        before=before,
        text_before=text_before,
    )


def write_profile(home: Home, draft: Draft) -> Path:
    """Write a draft; where it was written. What a link leads to is written where it is.

    Raises:
        PrismError: somebody has changed the file since it was read, or it cannot be written; it is as it was.
    """
    file = draft.file
    try:
        home.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        home.profiles.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise PrismError(
            f"cannot create {home.profiles}: {error.strerror}",
            hint=describe_way_out(error, home.profiles),
        ) from error
    if (read_text(file) if file.exists() else None) != draft.text_before:
        raise PrismError(
            f"{name_for_people(file)} was changed meanwhile; nothing was written",
            hint="do it again: what stands there now is taken into account then",
        )
    save_profile_schema(home)
    if file.is_symlink():
        target = file.resolve()
        mode = target.stat().st_mode & 0o777 if target.exists() else _PRIVATE
        write_atomically(target, draft.text, mode=mode)
    else:
        write_atomically(file, draft.text, mode=_PRIVATE)
    return file


def new_file(home: Home, name: str) -> Path:
    """Where a profile would be saved.

    Raises:
        ConfigError: nothing is saved under such a name.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,62}", name):
        message = (
            f"profile name `{shorten(name)}` is impossible: small letters, digits, `.`, `_` and `-`, at most 63, "
            "beginning with a letter or a digit"
        )
        raise ConfigError([Problem(message=message)])
    if is_file_name(name):
        problem = Problem(message=f"profile name `{name}` is impossible: it would name a file")
        raise ConfigError([problem], hint=f"write `{name.rpartition('.')[0]}`")
    return home.profiles / f"{name}{SUFFIX}"


def plain_config(profile: Profile) -> dict[str, Any]:
    """What a profile changes, as values that mean the same in a profile anywhere else."""
    document = profile.document
    tree: Any = document.tree if document else {}
    config = tree.get("config")
    if document is None or config is None:
        return {}
    plain: dict[str, Any] = _as_texts(config, ("config",), document, is_text=False)
    for change in plain.values():
        if isinstance(change, dict) and isinstance(change.get("volumes"), list):
            # Relative to its own directory, which the copy is not in.
            change["volumes"] = [_locate(each, document.directory) for each in change["volumes"]]
    return plain


def _locate(volume: object, directory: str) -> object:
    from prismctl.domain.catalog_paths import locate_volume

    return locate_volume(volume, directory) if isinstance(volume, str) else volume


def _as_texts(value: Any, path: tuple[str | int, ...], document: Document, *, is_text: bool) -> Any:
    if isinstance(value, dict):
        return {
            key: _as_texts(each, (*path, key), document, is_text=is_text or key in _TEXTS)
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [
            _as_texts(each, (*path, index), document, is_text=is_text)
            for index, each in enumerate(value)
        ]
    return document.written.get(path, value) if is_text else value


def _make_tree(
    document: Document | None,
    *,
    name: str,
    services: Sequence[str] | None,
    given: Mapping[str, Any],
) -> dict[str, Any]:
    """What shall be in the file, in the order that keys usually have."""
    old: Any = document.tree if document else {}
    tree: dict[str, Any] = {key: old.get(key) for key in _KEYS}
    tree["name"] = name
    tree |= {key: value for key, value in given.items() if value is not None}
    if services is not None:
        tree["services"] = _keep_spelling(old.get("services") or [], services)
    # What is not there and what says nothing is not written; what somebody wrote stays.
    written = {key: value for key, value in tree.items() if value or key in old}
    if not written.get("config") and given.get("config") is not None:
        written.pop("config", None)
    if not written.get("description") and given.get("description") is not None:
        written.pop("description", None)
    return {**written, **{key: value for key, value in old.items() if key not in _KEYS}}


def _keep_spelling(old: Sequence[str], services: Sequence[str]) -> list[str]:
    """The services; those that are there already as they are written, short names included."""
    kept = {full_name(word, services): word for word in reversed(old)}
    there = [word for word in dict.fromkeys(old) if kept.get(full_name(word, services)) == word]
    there = [word for word in there if full_name(word, services) in services]
    names = {full_name(word, services) for word in there}
    return [*there, *(name for name in dict.fromkeys(services) if name not in names)]


def _check(text: str, file: Path, name: str, catalog: Catalog | None) -> Profile:
    """The profile that would be written.

    Raises:
        ConfigError: it has mistakes; all of them, with their places in what would be written.
    """
    from prismctl.files.yaml import parse_document

    problems = Problems()
    try:
        read = read_profile(parse_document(text, file), name, problems=problems)
        profile = replace(read, file=file)
        if catalog is not None:
            for word, place in zip(profile.services, profile.places, strict=True):
                if catalog.find(word) is None:
                    problems.add_unknown("service", word, catalog.known_words, place)
            apply_profile(catalog, profile)
    except ConfigError as error:
        problems.found += error.problems
        raise _refusal(problems, file) from error
    if problems.found:
        raise _refusal(problems, file)
    return profile


def _refusal(problems: Problems, file: Path) -> ConfigError:
    return ConfigError(
        problems.found,
        subject=f"what would be written to {name_for_people(file)}",
        hint="nothing was written",
    )

"""Copies of services' data that somebody asked for: ``snapshots/STACK/NAME/SERVICE`` in home, whole or absent.

A snapshot is filled under another name and gets its own when all of it is on the disk:

    .taking-…     being filled; worth nothing
    .taken-NAME   whole, and about to take the place of an older one of that name
    NAME/         a snapshot: ``about.json``, and for each service the directories of its instances
    .trash-…      only waits to be removed

Only the holder of the stack's lock changes any of this.
"""

from __future__ import annotations

import json
import os
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from prismctl.errors import ConfigError, PrismError, Problem
from prismctl.files.atomic import describe_way_out
from prismctl.files.trees import (
    copy_tree,
    describe_copy_way_out,
    flush_trees,
    measure_tree,
    remove_tree,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

MAX_SNAPSHOTS: Final = 20
"""Of one stack; one more takes the place of the oldest, once somebody agreed to that."""
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_ABOUT: Final = "about.json"
_TAKING: Final = ".taking-"
_TAKEN: Final = ".taken-"
_TRASH: Final = ".trash-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A copy of some services' data."""

    name: str
    directory: Path
    taken_at: float
    """In seconds since the epoch."""
    sizes: Mapping[str, int]
    """By service, in bytes."""
    passwords: Mapping[str, str] = field(default_factory=dict, repr=False)
    """By service: what its server asked for when the data was copied, and will ask for again."""

    @property
    def size_bytes(self) -> int:
        """Of all services."""
        return sum(self.sizes.values())

    def data(self, service: str) -> Path:
        """Holds the directories of a service's instances."""
        return self.directory / service


class Snapshots:
    """The snapshots of one stack."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def list_all(self) -> list[Snapshot]:
        """All of them, the newest first."""
        found = [self.find(path.name) for path in _entries(self.directory)]
        whole = [each for each in found if each is not None]
        return sorted(whole, key=lambda each: (each.taken_at, each.name), reverse=True)

    def find(self, name: str) -> Snapshot | None:
        """The snapshot of that name; ``None`` when there is none."""
        if not _NAME.fullmatch(name):
            return None
        directory = self.directory / name
        try:
            about = json.loads((directory / _ABOUT).read_text(encoding="utf-8"))
            sizes = {str(key): int(size) for key, size in about["services"].items()}
            taken_at = float(about["taken_at"])
            passwords = {str(key): str(word) for key, word in about.get("passwords", {}).items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        there = {key: size for key, size in sizes.items() if (directory / key).is_dir()}
        return Snapshot(
            name=name, directory=directory, taken_at=taken_at, sizes=there, passwords=passwords
        )

    def choose_name(self, now: float) -> str:
        """A name that is free: the local time."""
        first = time.strftime("%Y%m%d-%H%M%S", time.localtime(now))
        name, number = first, 1
        while os.path.lexists(self.directory / name):
            number += 1
            name = f"{first}-{number}"
        return name

    def find_oldest(self, *, sparing: str) -> list[Snapshot]:
        """Those that have to go before one of the name ``sparing`` can be added, the oldest first."""
        others = [each for each in self.list_all() if each.name != sparing]
        surplus = len(others) + 1 - MAX_SNAPSHOTS
        return others[::-1][:surplus] if surplus > 0 else []

    def take(
        self,
        name: str,
        sources: Mapping[str, Sequence[Path]],
        *,
        passwords: Mapping[str, str] | None = None,
        removes: Sequence[str] = (),
        check: Callable[[], None] = lambda: None,
    ) -> Snapshot:
        """Copy the directories of some services; a snapshot of that name is replaced once the new one is whole.

        Args:
            name: of the snapshot.
            sources: by service, the data directories of its instances.
            passwords: by service, what its server asks for.
            removes: names of snapshots that make room for it, once it is there.
            check: called now and then; what it raises ends the copying.

        Raises:
            PrismError: something cannot be read or written; nothing is left of it.
        """
        verify_name(name)
        staging = self.directory / f"{_TAKING}{os.urandom(6).hex()}"
        try:
            self._make_directories()
            staging.mkdir(mode=0o700)
            sizes = {}
            for service, directories in sources.items():
                (staging / service).mkdir(mode=0o700)
                for each in directories:
                    copy_tree(each, staging / service / each.name, check)
                sizes[service] = measure_tree(staging / service).size_bytes
            about = {"schema": 1, "taken_at": time.time(), "services": sizes}
            if passwords:
                about["passwords"] = dict(passwords)
            (staging / _ABOUT).touch(mode=0o600)
            (staging / _ABOUT).write_text(json.dumps(about), encoding="utf-8")
            flush_trees(staging)
            check()
            taken = self.directory / f"{_TAKEN}{name}"
            if taken.exists():
                self._put_into_place(taken)
            staging.rename(taken)
            self._put_into_place(taken)
        except OSError as error:
            remove_tree(staging)
            raise PrismError(
                f"cannot take snapshot `{name}`: {error.filename or self.directory}: {error.strerror}",
                hint=describe_copy_way_out(error, self.directory),
            ) from error
        except BaseException:
            remove_tree(staging)
            raise
        for other in removes:
            self.remove(other)
        self._empty_trash()
        found = self.find(name)
        if found is None:
            raise PrismError(f"snapshot `{name}` was removed while it was taken")
        return found

    def remove(self, name: str) -> None:
        """Remove a snapshot.

        Raises:
            PrismError: it cannot be taken out of its place.
        """
        try:
            self._discard(self.directory / name)
        except OSError as error:
            raise PrismError(
                f"cannot remove snapshot `{name}`: {error.strerror}",
                hint=describe_way_out(error, self.directory),
            ) from error
        self._empty_trash()

    def settle(self) -> list[str]:
        """Put into place what was whole before a crash, and remove what was not; the former, in words.

        Raises:
            PrismError: something cannot be moved.
        """
        finished = []
        for path in _entries(self.directory):
            if path.name.startswith(_TAKEN):
                try:
                    self._put_into_place(path)
                except OSError as error:
                    raise PrismError(
                        f"cannot put {path} into place: {error.strerror}",
                        hint=describe_way_out(error, self.directory),
                    ) from error
                finished.append(f"snapshot {path.name.removeprefix(_TAKEN)}")
            elif path.name.startswith(_TAKING):
                remove_tree(path)
        self._empty_trash()
        return finished

    def _make_directories(self) -> None:
        for directory in (self.directory.parent, self.directory):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _put_into_place(self, taken: Path) -> None:
        place = self.directory / taken.name.removeprefix(_TAKEN)
        self._discard(place)
        taken.rename(place)

    def _discard(self, path: Path) -> None:
        if os.path.lexists(path):
            path.rename(self.directory / f"{_TRASH}{os.urandom(6).hex()}")

    def _empty_trash(self) -> None:
        for path in _entries(self.directory):
            if path.name.startswith(_TRASH):
                remove_tree(path)


def verify_name(name: str) -> None:
    """Refuse what cannot be the name of a snapshot.

    Raises:
        ConfigError: it cannot.
    """
    if not _NAME.fullmatch(name):
        problem: Any = Problem(message=f"`{name}` cannot be the name of a snapshot")
        raise ConfigError(
            (problem,),
            hint="use letters, digits, dots, dashes and underscores, 63 at most, beginning with a letter or digit",
        )


def _entries(directory: Path) -> list[Path]:
    try:
        return sorted(directory.iterdir())
    except OSError:
        return []

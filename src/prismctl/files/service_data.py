"""The data of a stack's services: what there is, and its exchange for other data, which a crash only delays.

Below ``run/STACK/data`` each instance has a directory, ``SERVICE`` or ``SERVICE#REPLICA``. What belongs to the
exchange begins with a dot:

    .staging-…          being filled; worth nothing until it has another name
    .swap/SERVICE/      decided: whoever finds it carries it out, from wherever it stands
        previous        a file: the new data is what was put aside before
        new/            the new data; while it is called so, the present data is still being moved to old/
        ready/          the same data, once nothing of the present data is left in its place
        old/            the data until now
        keep            a file: the next start shall not discard the new data
        what            in words, for whoever finds it
    .previous/SERVICE/  what the latest exchange put aside
    .kept/SERVICE       the next start keeps this data although it does not persist
    .trash/             only waits to be removed

Only the holder of the daemon's lock changes any of this.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from prismctl.errors import PrismError
from prismctl.files.trees import (
    copy_tree,
    describe_copy_way_out,
    flush_trees,
    measure_tree,
    remove_tree,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BEGUN_SUFFIX: Final = ".begun"
"""Beside a data directory: the service is preparing it for the first time, and it is not whole."""
_STAGING: Final = ".staging-"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFacts:
    """What one service has on the disk."""

    service: str
    size_bytes: int
    changed_at: float | None
    """When anything in it was last written, in seconds since the epoch; ``None``: there is nothing in it."""
    instances: int
    """How many instances have a directory."""
    previous_bytes: int | None = None
    """What was put aside; ``None``: nothing is."""
    previous_at: float | None = None
    """When it was."""
    is_kept: bool = False
    """It was restored, and the next start keeps it whether it persists or not."""
    is_whole: bool = True
    """Not while its first preparation has begun and not ended."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """New data for a service, prepared and not decided yet."""

    service: str
    staging: Path


class ServiceData:
    """The data directories of one stack."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    # What there is.

    def names(self) -> list[str]:
        """The services that have data, or had some that was put aside."""
        found = {path.name.partition("#")[0] for path in self._instances()}
        return sorted(found | set(self.names_of_previous()))

    def names_of_previous(self) -> list[str]:
        """The services of which there is data that was put aside."""
        return sorted(path.name for path in _list(self._previous))

    def directories(self, service: str) -> list[Path]:
        """The data directories of a service's instances."""
        return [path for path in self._instances() if path.name.partition("#")[0] == service]

    def has_data(self, service: str) -> bool:
        """Whether there is anything in them."""
        return any(_has_content(path) for path in self.directories(service))

    def is_whole(self, service: str) -> bool:
        """Whether no instance's first preparation has begun and not ended."""
        return not self._begun(service)

    def is_kept(self, service: str) -> bool:
        """Whether the next start keeps the data because it was restored."""
        return (self.directory / ".kept" / service).exists()

    def describe(self, service: str) -> DataFacts:
        """What a service has."""
        directories = self.directories(service)
        sizes = [measure_tree(path) for path in directories]
        changed = [size.changed_at for size in sizes if size.changed_at is not None]
        previous = self._previous / service
        try:
            previous_at: float | None = previous.stat().st_mtime
        except OSError:
            previous_at = None
        return DataFacts(
            service=service,
            size_bytes=sum(size.size_bytes for size in sizes),
            changed_at=max(changed, default=None),
            instances=len(directories),
            previous_bytes=measure_tree(previous).size_bytes if previous_at is not None else None,
            previous_at=previous_at,
            is_kept=self.is_kept(service),
            is_whole=self.is_whole(service),
        )

    def find_undecided(self) -> list[str]:
        """Exchanges that were decided and not carried out yet, in words."""
        return [_read(path / "what") or path.name for path in _list(self._swaps)]

    # Its exchange.

    def prepare_empty(self, service: str) -> Exchange:
        """Nothing, in place of what there is.

        Raises:
            PrismError: it cannot be written.
        """
        with self._staged(service, f"reset of {service}") as exchange:
            (exchange.staging / "new").mkdir(mode=0o700)
        return exchange

    def prepare_previous(self, service: str, *, keeps: bool) -> Exchange:
        """What was put aside, in place of what there is, which is put aside for it.

        Raises:
            PrismError: it cannot be written.
        """
        what = f"restore of {service} to its previous data"
        with self._staged(service, what, keeps=keeps) as exchange:
            (exchange.staging / "previous").touch(mode=0o600)
        return exchange

    def prepare_copy(
        self, service: str, source: Path, *, keeps: bool, check: Callable[[], None] = lambda: None
    ) -> Exchange:
        """A copy, in place of what there is.

        Args:
            service: whose data it is.
            source: holds the directories of the instances under the names they shall have.
            keeps: the next start shall not discard it.
            check: called now and then; what it raises ends the copying.

        Raises:
            PrismError: it cannot be read or written; nothing is left of it.
        """
        what = f"restore of {service} from snapshot {source.parent.name}"
        with self._staged(service, what, keeps=keeps) as exchange:
            copy_tree(source, exchange.staging / "new", check)
            flush_trees(exchange.staging)
        return exchange

    def carry_out(self, exchange: Exchange) -> None:
        """Decide it, and do it; from here on it happens, if need be after a crash.

        Raises:
            PrismError: something cannot be moved; the next command tries again.
        """
        try:
            self._swaps.mkdir(mode=0o700, exist_ok=True)
            place = self._swaps / exchange.service
            if place.exists():
                self._finish(place)
            exchange.staging.rename(place)
            self._finish(place)
        except OSError as error:
            raise self._cannot_move(exchange.service, error) from error
        self._empty_trash()

    def give_up(self, exchange: Exchange) -> None:
        """Forget what was prepared."""
        remove_tree(exchange.staging)

    def settle(self) -> list[str]:
        """Carry out what was decided before a crash, and remove what was not; what was carried out, in words.

        Raises:
            PrismError: something cannot be moved.
        """
        finished = self.find_undecided()
        for place in _list(self._swaps):
            try:
                self._finish(place)
            except OSError as error:
                raise self._cannot_move(place.name, error) from error
        for path in _list(self.directory):
            if path.name.startswith(_STAGING):
                remove_tree(path)
        self._empty_trash()
        return finished

    def forget_kept(self) -> None:
        """A start has taken note of what it keeps; the one after it will not."""
        for path in _list(self.directory / ".kept"):
            path.unlink(missing_ok=True)

    # Inside.

    @property
    def _previous(self) -> Path:
        return self.directory / ".previous"

    @property
    def _swaps(self) -> Path:
        return self.directory / ".swap"

    @property
    def _trash(self) -> Path:
        return self.directory / ".trash"

    def _instances(self) -> list[Path]:
        return [
            path
            for path in _list(self.directory)
            if not path.name.startswith(".") and path.is_dir()
        ]

    def _begun(self, service: str) -> list[Path]:
        names = [path for path in _list(self.directory) if path.name.endswith(BEGUN_SUFFIX)]
        return [
            path
            for path in names
            if path.name.removesuffix(BEGUN_SUFFIX).partition("#")[0] == service
        ]

    @contextlib.contextmanager
    def _staged(self, service: str, what: str, *, keeps: bool = False) -> Iterator[Exchange]:
        """A place to fill, which is gone again when that fails."""
        staging = self.directory / f"{_STAGING}{os.urandom(6).hex()}"
        try:
            staging.mkdir(mode=0o700, parents=True)
            yield Exchange(service, staging)
            (staging / "what").write_text(what, encoding="utf-8")
            if keeps:
                (staging / "keep").touch(mode=0o600)
        except OSError as error:
            remove_tree(staging)
            raise PrismError(
                f"cannot prepare the {what}: {error.filename or staging}: {error.strerror}",
                hint=describe_copy_way_out(error, self.directory),
            ) from error
        except BaseException:
            remove_tree(staging)
            raise

    def _finish(self, place: Path) -> None:
        """Every step can be the first: whatever was done before is not done again.

        Raises:
            OSError: something cannot be moved.
        """
        service = place.name
        new, ready, old = place / "new", place / "ready", place / "old"
        aside = place / "previous"
        if aside.exists():
            stored = self._previous / service
            if stored.exists() and not new.exists():
                stored.rename(new)
            aside.unlink()
        if new.exists():
            self._move_out(service, old)
            new.rename(ready)
        if ready.exists():
            for path in _list(ready):
                path.rename(self.directory / path.name)
            ready.rmdir()
        if old.exists():
            self._store(old, service)
        kept = self.directory / ".kept" / service
        if (place / "keep").exists():
            kept.parent.mkdir(mode=0o700, exist_ok=True)
            kept.touch(mode=0o600)
        else:
            kept.unlink(missing_ok=True)
        # What is left says only what it was about.
        self._discard(place)

    def _move_out(self, service: str, old: Path) -> None:
        # Data that was never whole is nothing to come back to, and its mark would have the new data removed.
        for mark in self._begun(service):
            self._discard(mark.with_name(mark.name.removesuffix(BEGUN_SUFFIX)))
            mark.unlink()
        old.mkdir(mode=0o700, exist_ok=True)
        for path in self.directories(service):
            if _has_content(path):
                path.rename(old / path.name)
            else:
                self._discard(path)

    def _store(self, old: Path, service: str) -> None:
        if next(old.iterdir(), None) is None:
            old.rmdir()
            return
        self._previous.mkdir(mode=0o700, exist_ok=True)
        self._discard(self._previous / service)
        old.rename(self._previous / service)

    def _discard(self, path: Path) -> None:
        """Take it out of its place at once; removing may take long, and may be cut short."""
        if os.path.lexists(path):
            self._trash.mkdir(mode=0o700, exist_ok=True)
            path.rename(self._trash / os.urandom(6).hex())

    def _empty_trash(self) -> None:
        for path in _list(self._trash):
            remove_tree(path)

    def _cannot_move(self, service: str, error: OSError) -> PrismError:
        return PrismError(
            f"cannot exchange the data of {service}: {error.filename or self.directory}: {error.strerror}",
            hint=f"make {self.directory} writable; the same command again goes on",
        )


def _list(directory: Path) -> list[Path]:
    try:
        return sorted(directory.iterdir())
    except OSError:
        return []


def _has_content(directory: Path) -> bool:
    try:
        return next(directory.iterdir(), None) is not None
    except PermissionError:
        # Somebody who shuts others out has something in there.
        return True
    except OSError:
        return False


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""

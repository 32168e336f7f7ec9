"""Reads the files of a bundle by name, out of a tar or a directory: regular files only, no links, nothing is extracted.

The tar is read header by header rather than with a library's extraction: what this format has no use for
(links, devices, directories, long-name and extension records) is refused instead of interpreted.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tarfile
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final, Protocol

from prismctl.errors import PrismError
from prismctl.files.text import name_for_people
from prismctl.install.bundle.damage import DamagedBundleError
from prismctl.install.bundle.index import INDEX_NAME, MAX_FILES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_BLOCK_BYTES: Final = tarfile.BLOCKSIZE
_NO_BUNDLE: Final = "`prismctl dev init --make-bundle FILE` on another machine writes one"
_PLAIN: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class Source(Protocol):
    """Something with files in it."""

    shown: str
    """As it is called in messages."""

    def list_sizes(self) -> Mapping[str, int]:
        """Bytes of each file, by name.

        Raises:
            PrismError: it cannot be read, or is not what it should be.
        """

    def open(self, name: str) -> contextlib.AbstractContextManager[Section]:
        """A file of those that are listed, to be read once from its beginning.

        Raises:
            PrismError: it cannot be read.
        """


class Section:
    """A stretch of a file that is open."""

    def __init__(self, file: IO[bytes], size: int, shown: str) -> None:
        self._file = file
        self._left = size
        self._shown = shown
        self.size_bytes = size
        """As long as it was when it was looked at."""

    def read(self, size: int) -> bytes:
        """The next bytes; none at its end.

        Raises:
            DamagedBundleError: it ends too early.
            PrismError: the system cannot read it.
        """
        with _reading(self._shown):
            data = self._file.read(min(size, self._left))
        if not data and self._left and size:
            raise DamagedBundleError(f"{self._shown} ends too early: it was cut short")
        self._left -= len(data)
        return data


def open_source(path: Path) -> Source:
    """What a path leads to.

    Raises:
        PrismError: nothing is there, or something that can hold no bundle.
    """
    shown = name_for_people(path)
    with _reading(shown):
        mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        return DirectorySource(path, shown)
    if stat.S_ISREG(mode):
        return TarSource(path, shown)
    raise PrismError(f"{shown} is neither a file nor a directory", hint=_NO_BUNDLE)


@dataclass(frozen=True, slots=True)
class _Place:
    offset: int
    size: int


class TarSource:
    """An uncompressed tar."""

    def __init__(self, path: Path, shown: str) -> None:
        self.shown = shown
        self._path = path
        self._places: dict[str, _Place] | None = None

    def list_sizes(self) -> Mapping[str, int]:
        """Bytes of each file, by name, in the order of the tar.

        Raises:
            PrismError: it cannot be read, or is no bundle.
        """
        return {name: place.size for name, place in self._find_places().items()}

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[Section]:
        """A file of those that are listed."""
        place = self._find_places()[name]
        with self._open_tar() as file:
            with _reading(self.shown):
                file.seek(place.offset)
            yield Section(file, place.size, self.shown)

    @contextlib.contextmanager
    def _open_tar(self) -> Iterator[IO[bytes]]:
        with _reading(self.shown):
            file = self._path.open("rb", buffering=0)
        with file:
            yield file

    def _find_places(self) -> dict[str, _Place]:
        if self._places is None:
            with self._open_tar() as file, _reading(self.shown):
                self._places = dict(_walk(file, self.shown))
        return self._places


class DirectorySource:
    """A directory, in which one below the other is looked into by name only."""

    def __init__(self, path: Path, shown: str) -> None:
        self.shown = shown
        self._path = path

    def list_sizes(self) -> Mapping[str, int]:
        """Bytes of each regular file, by name, two levels deep.

        Raises:
            PrismError: it cannot be read.
        """
        with _reading(self.shown):
            found = dict(_list_files(self._path, ""))
            for entry in sorted(os.scandir(self._path), key=lambda entry: entry.name):
                if entry.is_dir(follow_symlinks=False):
                    found.update(_list_files(self._path / entry.name, f"{entry.name}/"))
        return found

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[Section]:
        """A file of those that are listed."""
        shown = f"{self.shown}/{name}"
        directory, _, file_name = name.rpartition("/")
        with contextlib.ExitStack() as stack:
            with _reading(shown):
                # Step by step, so that a link put there in between leads nowhere.
                top = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
                stack.callback(os.close, top)
                if directory:
                    top = os.open(directory, _PLAIN | os.O_DIRECTORY, dir_fd=top)
                    stack.callback(os.close, top)
                descriptor = os.open(file_name, _PLAIN, dir_fd=top)
                file = stack.enter_context(os.fdopen(descriptor, "rb", buffering=0))
                status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise PrismError(f"{shown} is not a file")
            yield Section(file, status.st_size, shown)


def _walk(file: IO[bytes], shown: str) -> Iterator[tuple[str, _Place]]:
    """Each file of a tar with its place."""
    end = os.fstat(file.fileno()).st_size
    seen: set[str] = set()
    offset = 0
    while True:
        file.seek(offset)
        header = file.read(_BLOCK_BYTES)
        if len(header) < _BLOCK_BYTES:
            # Two empty blocks are the end of every tar; before them, something is missing.
            raise _cut_short(shown) if seen else _no_bundle(shown)
        if not any(header):
            if not seen:
                raise _no_bundle(shown)
            return
        try:
            member = tarfile.TarInfo.frombuf(header, "utf-8", "strict")
        except (tarfile.HeaderError, UnicodeDecodeError) as error:
            if not seen:
                raise _no_bundle(shown) from error
            raise DamagedBundleError(
                f"{shown} is damaged: what is at byte {offset} is no header of a file"
            ) from error
        _refuse_member(member, seen, shown)
        place = _Place(offset + _BLOCK_BYTES, member.size)
        if place.offset + place.size > end:
            raise _cut_short(shown)
        seen.add(member.name)
        yield member.name, place
        blocks = -(-member.size // _BLOCK_BYTES)
        offset = place.offset + blocks * _BLOCK_BYTES


def _refuse_member(member: tarfile.TarInfo, seen: set[str], shown: str) -> None:
    if not seen and member.name != INDEX_NAME:
        raise _no_bundle(shown)
    faults = {
        "is a link": member.issym() or member.islnk(),
        "is not a file": member.type not in {tarfile.REGTYPE, tarfile.AREGTYPE},
        "is there twice": member.name in seen,
        "has no size": member.size < 0,
        f"is one of more than {MAX_FILES} files": len(seen) > MAX_FILES,
    }
    fault = next((fault for fault, is_so in faults.items() if is_so), "")
    if fault:
        raise DamagedBundleError(f"in {shown}, {member.name!r} {fault}")


def _list_files(directory: Path, prefix: str) -> Iterator[tuple[str, int]]:
    with os.scandir(directory) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.is_file(follow_symlinks=False):
                yield f"{prefix}{entry.name}", entry.stat(follow_symlinks=False).st_size


def _cut_short(shown: str) -> DamagedBundleError:
    return DamagedBundleError(f"{shown} ends too early: it was cut short")


def _no_bundle(shown: str) -> DamagedBundleError:
    return DamagedBundleError(f"{shown} is not a bundle of prismctl", hint=_NO_BUNDLE)


@contextlib.contextmanager
def _reading(shown: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise PrismError(f"cannot read {shown}: {error.strerror}") from error

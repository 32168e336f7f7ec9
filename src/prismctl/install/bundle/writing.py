"""Writes a bundle: one uncompressed tar that is there as a whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import tarfile
import time
from typing import IO, TYPE_CHECKING, Final

from prismctl.errors import PrismError
from prismctl.install.bundle.index import INDEX_NAME, BundledFile, render_index

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from prismctl.install.bundle.index import Index
    from prismctl.install.threads import Course

_CHUNK_BYTES: Final = 1 << 20
_END: Final = bytes(2 * tarfile.BLOCKSIZE)
_MAX_BYTES: Final = (1 << 33) - 1
"""What the size field of a header can say."""
_MODE: Final = 0o600
"""The catalog may hold secrets."""


def measure(path: Path, name: str, course: Course) -> BundledFile:
    """What the index says about a file.

    Raises:
        PrismError: it cannot be read, or is too large for a tar.
    """
    digest = hashlib.sha256()
    size = 0
    for chunk in _read(path):
        course.advance(0)
        digest.update(chunk)
        size += len(chunk)
    if size > _MAX_BYTES:
        raise PrismError(f"{path} has {size} bytes; a file in a bundle has at most {_MAX_BYTES}")
    return BundledFile(path=name, sha256=digest.hexdigest(), size_bytes=size)


def write_bundle(target: Path, index: Index, paths: Mapping[str, Path], course: Course) -> int:
    """Write a bundle, replacing what is there under its name once all is written; how many bytes it has.

    Args:
        target: its name.
        index: what it says about itself.
        paths: where each of its files is now.
        course: of the work.

    Raises:
        PrismError: it cannot be written, or a file has changed since it was measured; nothing of it is left.
    """
    with _whole_or_nothing(target) as file:
        size = 0

        def write(data: bytes) -> None:
            nonlocal size
            size += len(data)
            with _writing(target):
                view = memoryview(data)
                while view:
                    view = view[file.write(view) :]

        now = int(time.time())
        document = render_index(index)
        write(_header(INDEX_NAME, len(document), now) + _padded(document))
        for entry in index.files.values():
            write(_header(entry.path, entry.size_bytes, now))
            _copy(paths[entry.path], entry, write, course)
        write(_END)
    return size


def _copy(path: Path, entry: BundledFile, write: Callable[[bytes], None], course: Course) -> None:
    digest = hashlib.sha256()
    left = entry.size_bytes
    for chunk in _read(path):
        left -= len(chunk)
        if left < 0:
            break
        digest.update(chunk)
        write(chunk)
        course.advance(len(chunk))
    if left or digest.hexdigest() != entry.sha256:
        raise PrismError(f"{path} has changed while it was packed", hint="try again")
    write(bytes(-entry.size_bytes % tarfile.BLOCKSIZE))


def _read(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb", buffering=0) as file:
            while chunk := file.read(_CHUNK_BYTES):
                yield chunk
    except OSError as error:
        raise PrismError(f"cannot read {path}: {error.strerror}") from error


def _header(name: str, size: int, now: int) -> bytes:
    member = tarfile.TarInfo(name)
    member.size = size
    member.mode = 0o644
    member.mtime = now
    return member.tobuf(tarfile.USTAR_FORMAT, "utf-8", "strict")


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % tarfile.BLOCKSIZE)


@contextlib.contextmanager
def _whole_or_nothing(target: Path) -> Iterator[IO[bytes]]:
    """A file that gets its name at the end; without one until then where the system can, so that a kill leaves nothing."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        with contextlib.ExitStack() as stack:
            with _writing(target):
                directory = os.open(target.parent, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
                stack.callback(os.close, directory)
                descriptor, is_named = _open(temporary, directory)
                file = stack.enter_context(os.fdopen(descriptor, "wb", buffering=0))
            yield file
            with _writing(target):
                os.fsync(descriptor)
                if not is_named:
                    # Naming a directory, though the path is absolute, makes Python call what follows the link.
                    os.link(f"/proc/self/fd/{descriptor}", temporary, src_dir_fd=directory)
                temporary.replace(target)
                os.fsync(directory)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _open(temporary: Path, directory: int) -> tuple[int, bool]:
    """A new file, and whether it has its name already."""
    nameless = getattr(os, "O_TMPFILE", 0)
    if nameless:
        with contextlib.suppress(OSError):
            flags = os.O_WRONLY | os.O_CLOEXEC | nameless
            return os.open(".", flags, _MODE, dir_fd=directory), False
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    return os.open(temporary, flags, _MODE), True


@contextlib.contextmanager
def _writing(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        hint = "name a file in a directory that can be written"
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            hint = f"free some space: `df -h {target.parent}` shows the disk"
        if error.errno == errno.EFBIG:
            hint = "raise the limit for files: `ulimit -f unlimited`, or name one on another disk"
        raise PrismError(f"cannot write {target}: {error.strerror}", hint=hint) from error

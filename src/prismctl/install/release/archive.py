"""Takes the one program out of a release archive, and refuses archives that hold anything else."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
import stat
import threading
import zipfile
import zlib
from typing import IO, TYPE_CHECKING, Final

from prismctl.install.release.refusal import RefusedReleaseError
from prismctl.install.release.writing import writing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_PROGRAM_BYTES: Final = 1 << 30
MAX_RATIO: Final = 100
"""Programs shrink to a third; a bomb to a thousandth."""
_CHUNK_BYTES: Final = 1 << 18
_DOCUMENT: Final = re.compile(r"[\w-]+(\.txt|\.md)", re.ASCII)
_IS_ENCRYPTED: Final = 1
_METHODS: Final = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}


async def unpack(descriptor: int, program: str, path: Path, *, shown: str) -> str:
    """SHA-256 in hexadecimal of the program, once it lies at ``path``; nothing lies there after anything else.

    Raises:
        RefusedReleaseError: the archive is damaged, or holds something that it should not.
        PrismError: the program cannot be written.
    """
    stop = threading.Event()

    def work() -> str:
        with os.fdopen(os.dup(descriptor), "rb") as file:
            return _unpack(file, path, stop, program=program, shown=shown)

    done = asyncio.get_running_loop().run_in_executor(None, work)
    try:
        return await asyncio.shield(done)
    except asyncio.CancelledError:
        # The thread must not write to what is cleaned up below.
        stop.set()
        await asyncio.wait([done])
        if done.exception() is None:
            discard(path)
        raise


def discard(path: Path) -> None:
    """Take a program away, if it is there."""
    with contextlib.suppress(OSError):
        path.unlink()


class _StoppedError(Exception):
    """Nobody waits for the program any more."""


def _unpack(
    file: IO[bytes],
    path: Path,
    stop: threading.Event,
    *,
    program: str,
    shown: str,
) -> str:
    with _reading(shown), zipfile.ZipFile(file) as archive:
        member = _find_program(archive, program, shown)
        with writing(path):
            path.unlink(missing_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
            descriptor = os.open(path, flags, 0o700)
        try:
            with os.fdopen(descriptor, "wb", buffering=0) as target, archive.open(member) as source:
                return _copy(source, target, path, stop)
        except BaseException:
            discard(path)
            raise


def _copy(source: IO[bytes], target: IO[bytes], path: Path, stop: threading.Event) -> str:
    digest = hashlib.sha256()
    while chunk := source.read(_CHUNK_BYTES):
        if stop.is_set():
            raise _StoppedError
        digest.update(chunk)
        view = memoryview(chunk)
        with writing(path):
            while view:
                view = view[target.write(view) :]
    with writing(path):
        # It is renamed into use next, and must not turn out empty after a power failure.
        os.fsync(target.fileno())
    return digest.hexdigest()


def _find_program(archive: zipfile.ZipFile, program: str, shown: str) -> zipfile.ZipInfo:
    found = None
    for member in archive.infolist():
        reason = _find_fault(member, program)
        if not reason and member.filename == program and found is not None:
            reason = "is there twice"
        if reason:
            raise RefusedReleaseError(f"in {shown}, {member.orig_filename!r} {reason}")
        if member.filename == program:
            found = member
    if found is None:
        raise RefusedReleaseError(f"in {shown}, there is no {program!r}")
    return found


def _find_fault(member: zipfile.ZipInfo, program: str) -> str:
    """What is wrong with a member; empty: nothing."""
    name = member.orig_filename
    kind = stat.S_IFMT(member.external_attr >> 16)
    faults = {
        "is an absolute path": name.startswith("/"),
        "leads out of the archive": ".." in re.split(r"[/\\]", name),
        "is a link": kind == stat.S_IFLNK,
        "is not a file": kind not in {0, stat.S_IFREG} or name.endswith("/"),
        "is encrypted": bool(member.flag_bits & _IS_ENCRYPTED),
        "is compressed in a way that releases are not": member.compress_type not in _METHODS,
        f"is larger than {MAX_PROGRAM_BYTES} bytes": member.file_size > MAX_PROGRAM_BYTES,
        f"would grow more than {MAX_RATIO} times": (
            member.file_size > max(member.compress_size, 1 << 10) * MAX_RATIO
        ),
        "does not belong there": name != program and not _DOCUMENT.fullmatch(name),
    }
    return next((fault for fault, is_so in faults.items() if is_so), "")


@contextlib.contextmanager
def _reading(shown: str) -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise RefusedReleaseError(f"{shown} is a damaged archive: {error}") from error

"""An archive on its way: the file it grows in, what it is a part of, and that only one process fetches it."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import stat
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from prismctl.errors import PrismError
from prismctl.install.release.writing import writing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BLOCK_BYTES: Final = 1 << 20
_MAX_ORIGIN_BYTES: Final = 1 << 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What a part is a part of, so that its rest can be asked for."""

    url: str
    """Without secrets."""
    validator: str
    """A strong entity tag, or else a date; never empty."""
    total: int | None
    """Bytes in all, as far as the server said."""


class PartFile:
    """The part of an archive that is there; nobody else writes to it while this object has it."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.descriptor = descriptor
        """Open for reading and writing."""
        self._origin_path = path.with_name(f"{path.name}.json")
        self._is_deleted = False

    def measure(self) -> int:
        """Bytes that are there."""
        return os.fstat(self.descriptor).st_size

    def hash(self) -> hashlib._Hash:
        """The state of SHA-256 after all that is there; reads it in blocks."""
        digest = hashlib.sha256()
        offset = 0
        with writing(self.path):
            while block := os.pread(self.descriptor, _BLOCK_BYTES, offset):
                digest.update(block)
                offset += len(block)
        return digest

    def recall(self) -> Origin | None:
        """What it is a part of; ``None``: nobody knows, or not any more."""
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            with self._origin_path.open("rb") as file:
                values: dict[str, Any] = json.loads(file.read(_MAX_ORIGIN_BYTES))
            total = values["total"]
            return Origin(
                url=str(values["url"]),
                validator=str(values["validator"]),
                total=None if total is None else int(total),
            )
        return None

    def restart(self, origin: Origin | None) -> None:
        """Throw away what is there, and remember what will be.

        Raises:
            PrismError: it cannot be written.
        """
        with writing(self.path):
            # In this order: whatever is remembered never belongs to something older.
            os.ftruncate(self.descriptor, 0)
            self._origin_path.unlink(missing_ok=True)
        if origin is not None:
            with writing(self._origin_path):
                # Not beside its name first: torn, it is not understood, and the archive is fetched from its beginning.
                opened = os.open(
                    self._origin_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600
                )
                with os.fdopen(opened, "w", encoding="utf-8") as file:
                    json.dump(asdict(origin), file)

    def append(self, data: bytes) -> None:
        """Write at the end.

        Raises:
            PrismError: it cannot be written.
        """
        view = memoryview(data)
        with writing(self.path):
            os.lseek(self.descriptor, 0, os.SEEK_END)
            while view:
                view = view[os.write(self.descriptor, view) :]

    def delete(self) -> None:
        """Leave nothing of it; what another process begins afterwards under the same name stays."""
        if self._is_deleted:
            return
        self._is_deleted = True
        for path in (self._origin_path, self.path):
            with contextlib.suppress(OSError):
                path.unlink()


@contextlib.contextmanager
def open_part(path: Path) -> Iterator[PartFile]:
    """The part at a path, new or from before; it stays there afterwards if its rest can be asked for.

    Raises:
        PrismError: it cannot be written, is no file, or another process has it.
    """
    with writing(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        descriptor = os.open(path, flags, 0o600)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise PrismError(f"{path} is not a file", hint=f"move it away: `mv {path} {path}.old`")
        with writing(path):
            os.fchmod(descriptor, 0o600)
            _lock(path, descriptor)
        part = PartFile(path, descriptor)
        try:
            yield part
        finally:
            if not part.measure() or part.recall() is None:
                part.delete()
    finally:
        os.close(descriptor)


def _lock(path: Path, descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Whoever had it may have finished and deleted it in between.
        is_there = path.exists() and os.path.samestat(path.stat(), os.fstat(descriptor))
    except BlockingIOError:
        is_there = False
    if not is_there:
        raise PrismError(
            f"another process is fetching {path.name.removesuffix('.part')}",
            hint="wait for it, and try again",
        )

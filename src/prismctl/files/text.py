"""Reads files that people wrote, and names them the way people would."""

from __future__ import annotations

import contextlib
import os
import shlex
import stat
from pathlib import Path
from typing import BinaryIO, Final

from prismctl.domain.problems import nearest_name
from prismctl.errors import ConfigError, PrismError, Problem

MAX_BYTES: Final = 1 << 20
_MOST_NAMES: Final = 1000
"""Of a directory in which a file is missing; a guess among more is worth little."""

_KINDS: Final = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
_STREAMS: Final = ("/dev/stdin", "/dev/fd/", "/proc/self/fd/")
"""Where a shell puts what it pipes to us: `--services /dev/stdin` and `--services <(…)`."""


def read_text(path: Path) -> str:
    """The text of a file that a person wrote.

    Raises:
        ConfigError: it is not there, no file (another program's output, as a shell pipes it, is taken for
            one), too large or not UTF-8.
        PrismError: it cannot be read.
    """
    shown = name_for_people(path)
    try:
        with _open(path, shown) as file:
            data = file.read(MAX_BYTES + 1)
            size = os.fstat(file.fileno()).st_size
    except FileNotFoundError as error:
        raise _missing(path, shown) from error
    except OSError as error:
        raise PrismError(
            f"cannot read {shown}: {error.strerror}", hint=f"look at `ls -l {path}`"
        ) from error
    if len(data) > MAX_BYTES:
        message = (
            f"has {_megabytes(max(size, len(data)))}; at most {_megabytes(MAX_BYTES)} are read"
        )
        raise ConfigError([Problem(message=message, file=shown)])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line = before.count(b"\n") + 1
        column = len(before) - (before.rfind(b"\n") + 1) + 1
        message = f"is not UTF-8: byte 0x{data[error.start]:02x} at offset {error.start}"
        problem = Problem(message=message, file=shown, line=line, column=column)
        raise ConfigError([problem], hint="save the file as UTF-8") from error


def _missing(path: Path, shown: str) -> ConfigError:
    """That a file is not there, with one of nearly its name that is."""
    directory = path.absolute().parent
    try:
        names = os.listdir(directory)[:_MOST_NAMES]  # noqa: PTH208 - names are all that is wanted
    except OSError:
        hint = f"there is no directory {directory}"
        return ConfigError([Problem(message="there is no such file", file=shown)], hint=hint)
    suggestion = nearest_name(path.name, sorted(names))
    return ConfigError(
        [Problem(message="there is no such file", file=shown, suggestion=suggestion)],
        hint=f"`ls {shlex.quote(str(directory))}` shows what is there",
    )


def name_for_people(path: Path) -> str:
    """A path as somebody standing in the working directory would type it.

    What lies below a home directory begins with ``~``, unless somebody stands in a directory further down.
    """
    for find_parent, prefix in ((_find_standing_place, ""), (Path.home, "~/")):
        # A directory that was removed under our feet, an account without a home: then there is no short name.
        with contextlib.suppress(OSError, RuntimeError, ValueError):
            return f"{prefix}{path.absolute().relative_to(find_parent())}"
    return str(path)


def _find_standing_place() -> Path:
    """The working directory, where a path that begins there says more than one from the top.

    Raises:
        ValueError: it is the top of everything, or a home directory or above one.
    """
    place = Path.cwd()
    if place in {Path.home(), *Path.home().parents}:
        raise ValueError(place)
    return place


def _open(path: Path, shown: str) -> BinaryIO:
    """The file, open for reading; never waits for somebody to write into a pipe.

    Raises:
        ConfigError: it is no file.
        OSError: it cannot be opened.
    """
    _refuse_what_is_no_file(path, path.stat(), shown)
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK)
    file = os.fdopen(descriptor, "rb")
    try:
        # Whatever stood there a moment ago, this is what will be read.
        _refuse_what_is_no_file(path, os.fstat(descriptor), shown)
        os.set_blocking(descriptor, True)
    except BaseException:
        file.close()
        raise
    return file


def _refuse_what_is_no_file(path: Path, status: os.stat_result, shown: str) -> None:
    kind = stat.S_IFMT(status.st_mode)
    if kind == stat.S_IFREG or os.path.samestat(status, Path(os.devnull).stat()):
        return
    is_stream = str(path.absolute()).startswith(_STREAMS)
    if not (is_stream and kind in {stat.S_IFIFO, stat.S_IFCHR}):
        message = f"is {_KINDS.get(kind, 'something else')}, not a file"
        hint = (
            f"name a file: `ls {shlex.quote(str(path))}` shows those in it"
            if kind == stat.S_IFDIR
            else ""
        )
        raise ConfigError([Problem(message=message, file=shown)], hint=hint)


def _megabytes(size: int) -> str:
    return f"{size / (1 << 20):.1f} MB"

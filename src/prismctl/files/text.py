"""Reads files that people wrote, and names them the way people would."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

from prismctl.errors import ConfigError, PrismError, Problem

MAX_BYTES: Final = 1 << 20


def read_text(path: Path) -> str:
    """The text of a file that a person wrote.

    Raises:
        ConfigError: it is not there, too large or not UTF-8.
        PrismError: it cannot be read.
    """
    shown = name_for_people(path)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
            size = os.fstat(file.fileno()).st_size
    except FileNotFoundError as error:
        raise ConfigError([Problem(message="there is no such file", file=shown)]) from error
    except IsADirectoryError as error:
        raise ConfigError([Problem(message="is a directory, not a file", file=shown)]) from error
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


def name_for_people(path: Path) -> str:
    """A path as somebody standing in the working directory would type it."""
    for find_parent, prefix in ((Path.cwd, ""), (Path.home, "~/")):
        # A directory that was removed under our feet, an account without a home: then there is no short name.
        with contextlib.suppress(OSError, RuntimeError, ValueError):
            return f"{prefix}{path.absolute().relative_to(find_parent())}"
    return str(path)


def _megabytes(size: int) -> str:
    return f"{size / (1 << 20):.1f} MB"

"""What may stand where a PostgreSQL writes its version, and is none: whoever looks must neither hang nor read it out."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def make_link_to_zeros(version: Path) -> None:
    version.symlink_to("/dev/zero")


def make_link_to_another_file(version: Path) -> None:
    other = version.parent.with_name("other")
    other.write_text("15\n")
    version.symlink_to(other)


def make_pipe(version: Path) -> None:
    os.mkfifo(version)


def make_words(version: Path) -> None:
    version.write_bytes(b"hush \xff\xfe")


def make_big(version: Path) -> None:
    version.write_bytes(b"15" * (1 << 19))


NO_VERSIONS = (make_link_to_zeros, make_link_to_another_file, make_pipe, make_words, make_big)

"""A disk that is quickly full, where a test may mount one."""

from __future__ import annotations

import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def open_small_disk() -> Iterator[Path]:
    """A file system of 64 KiB; a test that cannot have one is skipped."""
    with tempfile.TemporaryDirectory(prefix="prism-disk-") as name:
        mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", name]
        try:
            subprocess.run(mount, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("only root can mount a small file system")
        try:
            yield Path(name)
        finally:
            subprocess.run(["umount", name], check=True)

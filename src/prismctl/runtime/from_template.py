"""Fills a data directory with a copy of what was made once: ``from_template.py TEMPLATE DATA SYNC MAKE…``.

Run by path with the bare interpreter, so it imports nothing of ours. The template is made by the command MAKE, in which
the data directory's path is replaced by the template's; by one process at a time, and it is whole or absent. With SYNC
1 the copy is on the disk before this ends.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

EXIT_CANNOT_FILL = 73
CHUNK_BYTES = 1 << 20


def ensure_template(template: Path, data: Path, make: list[str]) -> int:
    """Have the template made, unless it is there; the exit code of what makes it."""
    if template.is_dir():
        return 0
    template.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with template.with_name(f"{template.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if template.is_dir():
            return 0
        workshop = template.with_name(f".{template.name}")
        if workshop.exists():
            shutil.rmtree(workshop)
        workshop.mkdir(mode=0o700)
        command = [word.replace(str(data), str(workshop)) for word in make]
        # Where the command may go: it may not see the rest.
        code = subprocess.run(command, cwd=workshop, check=False).returncode
        if code:
            shutil.rmtree(workshop)
            return code if code > 0 else 128 - code
        workshop.rename(template)
    return 0


def copy(source: Path | str, target: Path | str) -> None:
    """Copy what is in a directory into another one, owners included; a cluster is a thousand small files."""
    gives_away = os.geteuid() == 0
    with os.scandir(source) as entries:
        for entry in entries:
            there = os.path.join(target, entry.name)  # noqa: PTH118 - strings are faster
            status = entry.stat(follow_symlinks=False)
            if entry.is_symlink():
                os.symlink(os.readlink(entry.path), there)  # noqa: PTH115, PTH211 - likewise
            elif entry.is_dir():
                os.mkdir(there, stat.S_IMODE(status.st_mode))  # noqa: PTH102 - likewise
                copy(entry.path, there)
            else:
                copy_file(entry.path, there, stat.S_IMODE(status.st_mode))
            if gives_away:
                os.lchown(there, status.st_uid, status.st_gid)


def copy_file(source: str, target: str, mode: int) -> None:
    """Copy what is in a file into a new one."""
    reader = os.open(source, os.O_RDONLY)
    try:
        writer = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            while chunk := os.read(reader, CHUNK_BYTES):
                while chunk:
                    chunk = chunk[os.write(writer, chunk) :]
        finally:
            os.close(writer)
    finally:
        os.close(reader)


def sync(directory: Path) -> None:
    """Return once everything below a directory is on the disk."""
    for parent, _, files in os.walk(directory, topdown=False):
        for path in (*(Path(parent, name) for name in files), Path(parent)):
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def main(template: Path, data: Path, make: list[str], *, syncs: bool) -> int:
    """Make the template if need be, and copy it."""
    try:
        code = ensure_template(template, data, make)
        if code == 0:
            copy(template, data)
            if syncs:
                sync(data)
    except OSError as error:
        sys.stderr.write(f"cannot fill {data}: {error.strerror or error}\n")
        return EXIT_CANNOT_FILL
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[4:], syncs=sys.argv[3] == "1"))

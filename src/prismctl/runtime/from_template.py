"""Fills a data directory with a copy of what was made once: ``from_template.py TEMPLATE DATA SYNC MAKE…``.

Run by path with the bare interpreter, so it imports nothing of ours. The template is made by the command MAKE, in which
the data directory's path is replaced by the template's; by one process at a time, and it is whole or absent. With SYNC
1 the copy is on the disk before this ends.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

EXIT_CANNOT_FILL = 73


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


def copy(template: Path, data: Path) -> None:
    """Copy what is in a directory into another one that is empty, owners included."""
    shutil.copytree(template, data, symlinks=True, dirs_exist_ok=True)
    if os.geteuid() == 0:
        for parent, folders, files in os.walk(template):
            there = Path(data, Path(parent).relative_to(template))
            for name in (*folders, *files):
                status = os.lstat(os.path.join(parent, name))  # noqa: PTH118 - a thousand of them
                os.lchown(os.path.join(there, name), status.st_uid, status.st_gid)  # noqa: PTH118


def sync(directory: Path) -> None:
    """Return once everything below a directory is on the disk."""
    for parent, _, files in os.walk(directory, topdown=False):
        for path in (*(Path(parent, name) for name in files), Path(parent)):
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def describe(error: OSError) -> str:
    """Why it failed; a copy that fails in parts has them all in one list, and the first will do."""
    if isinstance(error, shutil.Error) and error.args and isinstance(error.args[0], list):
        text = str(error.args[0][0][2])
        return text.partition("] ")[2].partition(": '")[0] or text
    return error.strerror or str(error)


def main(template: Path, data: Path, make: list[str], *, syncs: bool) -> int:
    """Make the template if need be, and copy it."""
    try:
        code = ensure_template(template, data, make)
        if code == 0:
            copy(template, data)
            if syncs:
                sync(data)
    except OSError as error:
        sys.stderr.write(f"cannot fill {data}: {describe(error)}\n")
        return EXIT_CANNOT_FILL
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[4:], syncs=sys.argv[3] == "1"))

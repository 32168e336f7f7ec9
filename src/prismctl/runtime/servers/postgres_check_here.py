"""Looks whether PostgreSQL can run on a data directory, and becomes its command: ``… DATA USER POSTGRES COMMAND…``.

Run by path with the bare interpreter, so it imports nothing of ours. What the server would say of each case comes
in three lines of its own language, or after a crash in the middle of a write; here it is one sentence, and the way out.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

EXIT_REFUSED = 78
"""What `sysexits` calls a mistake in the configuration: the next try would end the same."""
NEEDED_BYTES = 24 << 20
"""With less to write to, it starts and dies at the first checkpoint."""
VERSION_BYTES = 64
"""More is never read of a file that has a number in it."""
VERSION = re.compile(rb"[0-9]{1,4}(\.[0-9]{1,4})?")


def find_fault(data: Path, user: str, postgres: str) -> str:
    """Why the server could not run on a directory, and what to do; empty: nothing is known against it."""
    account = pwd.getpwnam(user) if user and os.geteuid() == 0 else None
    owner = account.pw_uid if account else os.geteuid()
    status = data.stat()
    room = os.statvfs(data)
    if room.f_flag & os.ST_RDONLY:
        return f"{data} is on a file system that can only be read; put PRISM_HOME on another one"
    free = room.f_bavail * room.f_frsize
    if free < NEEDED_BYTES:
        return (
            f"the disk of {data} is full: {free >> 20} MB are free, {NEEDED_BYTES >> 20} are needed; "
            "`prismctl dev clean` frees what stacks have left"
        )
    # Root gives away what is its own or that of whoever has home; nobody else's data is taken from them.
    givers = {0, data.parent.stat().st_uid} if account else set()
    if status.st_uid not in {owner, *givers}:
        return (
            f"{data} belongs to {name_user(status.st_uid)}, not to {name_user(owner)}; "
            f"`sudo chown -R {name_user(owner)} {data}` gives it back"
        )
    if account is None and not os.access(data, os.W_OK | os.X_OK):
        return f"{data} cannot be written to; `chmod u+rwx {data}` changes that"
    return find_other_version(data, postgres)


def find_other_version(data: Path, postgres: str) -> str:
    """What to say of data that another major version has made."""
    try:
        made_by = read_version(data / "PG_VERSION")
    except FileNotFoundError:
        return ""
    except PermissionError:
        return f"{data}/PG_VERSION cannot be read; `chown -R` its owner on all of {data}"
    except (OSError, ValueError):
        return (
            f"{data}/PG_VERSION is no file with a version of PostgreSQL in it, as every server writes one; start without "
            "`--persist` for an empty database: the old data is put aside, not removed"
        )
    said = subprocess.run(
        (postgres, "--version"), capture_output=True, text=True, errors="replace", check=False
    )
    found = re.search(r"\b(\d+)(?:\.\d+|\D|$)", said.stdout)
    if found is None or found[1] == made_by.partition(".")[0]:
        return ""
    return (
        f"the data in {data} was made by PostgreSQL {made_by}, and {postgres} is PostgreSQL {found[1]}, which cannot read "
        f"it; put PostgreSQL {made_by} first on PATH, or start without `--persist` for an empty database: the old data "
        "is put aside, not removed"
    )


def read_version(file: Path) -> str:
    """What stands in a ``PG_VERSION``; whoever can write beside it may have made it anything.

    Raises:
        OSError: it is not there, is a link, or cannot be read.
        ValueError: there is no version in it.
    """
    # No link leads away from the data, and nothing that is no file is waited for.
    opened = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            raise ValueError("not a file")
        return parse_version(os.read(opened, VERSION_BYTES))
    finally:
        os.close(opened)


def parse_version(content: bytes) -> str:
    """The version that a ``PG_VERSION`` begins with.

    Raises:
        ValueError: it is none; what it is, is nobody's business.
    """
    if not VERSION.fullmatch(content.strip()):
        raise ValueError("not a version")
    return content.strip().decode("ascii")


def find_refusal(data: Path) -> Path:
    """Where it is written why a server was not started on a directory."""
    return data.with_name(f"{data.name}.refused")


def refuse(data: Path, fault: str) -> NoReturn:
    """Say why the server is not started, to whoever reads its output and to whoever tells how it is."""
    sys.stderr.write(f"{fault}\n")
    # Where nothing can be written, the output is all there is.
    with contextlib.suppress(OSError):
        find_refusal(data).write_text(fault, encoding="utf-8", errors="replace")
    sys.exit(EXIT_REFUSED)


def name_user(number: int) -> str:
    """An account as people know it."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def main(data: Path, user: str, postgres: str, command: list[str]) -> NoReturn:
    """Look, then execute the command in place of this process; never returns."""
    try:
        find_refusal(data).unlink(missing_ok=True)
        fault = find_fault(data, user, postgres)
    except OSError as error:
        fault = f"cannot look at {error.filename}: {error.strerror}"
    if fault:
        refuse(data, fault)
    # Python changes these, and a new program would inherit that.
    for each in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT):
        signal.signal(each, signal.SIG_DFL)
    os.execv(command[0], command)  # noqa: S606 - the command is the whole point


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:])

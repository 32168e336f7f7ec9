"""Looks whether a server can run on its data directory, and becomes its command: ``… DATA USER NEEDED POSTGRES COMMAND…``.

USER is the account that root runs the server under, empty for none, `ANY_ACCOUNT` where accounts are a container's own.
NEEDED is how many megabytes it has to have to write to. POSTGRES is the program, where it is one: it wants the directory
to be its own, and data of its own version. Otherwise all that counts is whether the server could read and write.

Run by path with the bare interpreter, so it imports nothing of ours, and little of Python's: Redis is there in a sixtieth
of a second, and what only a refusal needs is imported for one. What servers say of each case comes in several lines of their own language, only after a crash, or not at all as
long as nobody writes; here it is one sentence, and the way out.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the part of signal that costs nothing to load
import os
import stat
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import NoReturn

EXIT_REFUSED = 78
"""What `sysexits` calls a mistake in the configuration: the next try would end the same."""
ANY_ACCOUNT = "*"
"""Nobody here knows as whom the server reads and writes."""
MOST_ENTRIES = 10_000
"""More is not looked at: somebody else's file among them is what the server itself would tell of."""
VERSION_BYTES = 64
"""More is never read of a file that has a number in it."""
VERSION_DIGITS = 4
"""Of a part of a version, at most."""


def find_fault(data: str, user: str, needed_mb: int, postgres: str) -> str:
    """Why the server could not run on a directory, and what to do; empty: nothing is known against it."""
    room = os.statvfs(data)
    if room.f_flag & os.ST_RDONLY:
        mount = find_mount(data)
        return (
            f"{data} is on a file system that can only be read; `sudo mount -o remount,rw {mount}` changes that, "
            "or put PRISM_HOME on another one"
        )
    free_mb = room.f_bavail * room.f_frsize // 1000**2
    if free_mb < needed_mb:
        return (
            f"the disk of {data} is full: {free_mb} MB are free, {needed_mb} are needed; "
            f"free some space: `df -h {data}` shows the disk"
        )
    if user == ANY_ACCOUNT:
        return ""
    return find_other_owner(data, user, is_strict=bool(postgres)) or (
        find_other_version(data, postgres) if postgres else ""
    )


def find_mount(path: str) -> str:
    """Where the file system is mounted that has a path."""
    while not os.path.ismount(path):
        path = os.path.dirname(path)
    return path


def find_other_owner(data: str, user: str, *, is_strict: bool) -> str:
    """What to say of a directory that somebody else has, or that has something of somebody else's in it.

    Args:
        data: the directory.
        user: the account that root runs the server under.
        is_strict: whether the server refuses a directory that is not its own, writable or not.
    """
    account = find_account(user)
    status = os.stat(data)
    if account is not None or is_strict:
        owner = os.geteuid() if account is None else account
        # Root gives away what is its own or that of whoever has home; nobody else's data is taken from them.
        givers = set() if account is None else {0, os.stat(os.path.dirname(data)).st_uid}
        if status.st_uid not in {owner, *givers}:
            return describe_owner(data, status.st_uid, owner, data)
    if account is not None:
        # Once it is given away, all that is in it is.
        return ""
    # Nothing is in root's way that an owner or a mode says.
    inside = () if os.geteuid() == 0 else find_entries(data)
    for entry, found in ((data, status), *inside):
        is_folder = stat.S_ISDIR(found.st_mode)
        is_own = found.st_uid == os.geteuid()
        if stat.S_ISLNK(found.st_mode) or not (is_folder or not is_own):
            # A server knows what it does with a file that it has made read-only itself.
            continue
        if not os.access(entry, os.R_OK | os.W_OK | (os.X_OK if is_folder else 0)):
            if is_own:
                return f"{entry} cannot be written to; `chmod u+rwx {entry}` changes that"
            return describe_owner(entry, found.st_uid, os.geteuid(), data)
    return ""


def find_account(user: str) -> int | None:
    """The number of the account that root runs the server under; ``None``: it stays what it is."""
    import pwd

    return pwd.getpwnam(user).pw_uid if user and os.geteuid() == 0 else None


def find_entries(directory: str) -> Iterator[tuple[str, os.stat_result]]:
    """What is in a directory, as far as it can be seen; links are not followed."""
    import contextlib

    count = 0
    for parent, folders, files in os.walk(directory):
        for name in (*folders, *files):
            count += 1
            if count > MOST_ENTRIES:
                return
            # A server's last run may just be putting its things away.
            with contextlib.suppress(FileNotFoundError):
                yield (path := os.path.join(parent, name)), os.lstat(path)


def describe_owner(place: str, owner: int, wanted: int, data: str) -> str:
    """That something has the wrong owner, and the way to get it back."""
    mine = name_user(wanted)
    return (
        f"{place} belongs to {name_user(owner)}, not to {mine}; `sudo chown -R {mine} {data}` "
        "gives it back"
    )


def find_other_version(data: str, postgres: str) -> str:
    """What to say of data that another major version has made."""
    try:
        made_by = read_version(os.path.join(data, "PG_VERSION"))
    except FileNotFoundError:
        return ""
    except PermissionError:
        return f"{data}/PG_VERSION cannot be read; `chown -R` its owner on all of {data}"
    except (OSError, ValueError):
        return (
            f"{data}/PG_VERSION is no file with a version of PostgreSQL in it, as every server writes one; start without "
            "`--persist` for an empty database: the old data is put aside, not removed"
        )
    import re
    import subprocess

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


def read_version(file: Path | str) -> str:
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
    major, dot, minor = content.strip().partition(b".")
    parts = (major, minor) if dot else (major,)
    if not all(part.isdigit() and len(part) <= VERSION_DIGITS for part in parts):
        raise ValueError("not a version")
    return content.strip().decode("ascii")


def find_refusal(data: Path) -> Path:
    """Where it is written why a server was not started on a directory."""
    return data.with_name(f"{data.name}.refused")


def refuse(data: str, fault: str) -> NoReturn:
    """Say why the server is not started, to whoever reads its output and to whoever tells how it is."""
    import contextlib
    from pathlib import Path

    sys.stderr.write(f"{fault}\n")
    # Where nothing can be written, the output is all there is.
    with contextlib.suppress(OSError):
        find_refusal(Path(data)).write_text(fault, encoding="utf-8", errors="replace")
    sys.exit(EXIT_REFUSED)


def name_user(number: int) -> str:
    """An account as people know it."""
    import pwd

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def forget_refusal(data: str) -> None:
    """Have nothing written down of an earlier look.

    Raises:
        OSError: it cannot be removed.
    """
    # As `find_refusal` has it.
    refusal = f"{data}.refused"
    if os.path.lexists(refusal):
        os.unlink(refusal)


def main(data: str, user: str, needed_mb: int, postgres: str, command: list[str]) -> NoReturn:
    """Look, then execute the command in place of this process; never returns."""
    try:
        forget_refusal(data)
        fault = find_fault(data, user, needed_mb, postgres)
    except OSError as error:
        fault = f"cannot look at {error.filename}: {error.strerror}"
    if fault:
        refuse(data, fault)
    # Python changes these, and a new program would inherit that.
    for each in (_signal.SIGPIPE, _signal.SIGXFSZ, _signal.SIGINT):
        _signal.signal(each, _signal.SIG_DFL)
    os.execv(command[0], command)  # noqa: S606 - the command is the whole point


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5:])

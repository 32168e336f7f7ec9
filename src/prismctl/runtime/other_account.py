"""Becomes a command under another account: ``other_account.py USER DATA COMMAND…``, started by root.

Run by path with the bare interpreter, so it imports nothing of ours. The data directory is given to that account.
It lies in a home that is closed to others, and stays closed: where the way to it is barred, this process sees a
place of its own in which nothing but the data directory is behind the bar. A directory of a third one is refused.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import sys
from pathlib import Path
from typing import NoReturn

EXIT_CANNOT_START = 127

_CLONE_NEWNS = 0x20000
_MS_BIND = 0x1000
_MS_REC_PRIVATE = 0x4000 | 0x40000
_MS_NOSUID_NODEV = 0x2 | 0x4
_PR_SET_PDEATHSIG = 1
_PR_GET_PDEATHSIG = 2


def main(name: str, data: Path, command: list[str]) -> None:
    """Give the directory away, become the account, then the command; never returns."""
    try:
        account = pwd.getpwnam(name)
    except KeyError:
        fail(f"there is no user {name}")
    # Whoever changes its account, even for a moment, loses the signal.
    parent, death_signal = os.getppid(), read_death_signal()
    directory = Path.cwd()
    try:
        give(data, account)
        barred = find_barred(data, account)
        if barred is not None:
            open_place(barred, data)
            os.chdir(directory)
    except (OSError, AttributeError, NotImplementedError) as error:
        fail(f"cannot let user {name} into {data}: {error}")
    become_account(account, parent=parent, death_signal=death_signal)
    # Python ignores these two, and a new program would inherit that.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    environment = {**os.environ, "HOME": account.pw_dir, "USER": name, "LOGNAME": name}
    try:
        os.execve(command[0], command, environment)  # noqa: S606 - the command is the whole point
    except OSError as error:
        fail(f"user {name} cannot start {command[0]}: {error.strerror}")


def give(directory: Path, account: pwd.struct_passwd) -> None:
    """Make the account the owner of a directory and all that is in it; links are not followed.

    Raises:
        PermissionError: it belongs to neither root nor whoever has home: to somebody whose data is not ours to give.
    """
    owner = directory.lstat().st_uid
    if owner == account.pw_uid:
        return
    if owner not in {0, directory.parent.stat().st_uid}:
        raise PermissionError(
            f"it belongs to {name_user(owner)}; `chown -R {account.pw_name} {directory}` gives it away"
        )
    for parent, folders, files in os.walk(directory):
        for entry in (*folders, *files):
            os.lchown(os.path.join(parent, entry), account.pw_uid, account.pw_gid)  # noqa: PTH118 - as walk says it
    # Last, because it says that all is done.
    os.lchown(directory, account.pw_uid, account.pw_gid)


def name_user(number: int) -> str:
    """An account as people know it."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"


def find_barred(directory: Path, account: pwd.struct_passwd) -> Path | None:
    """The first directory on the way that the account may not pass."""
    groups = os.getgroups()
    os.initgroups(account.pw_name, account.pw_gid)
    os.setegid(account.pw_gid)
    os.seteuid(account.pw_uid)
    try:
        return next(
            (
                each
                for each in reversed(directory.parents)
                if not os.access(each, os.X_OK, effective_ids=True)
            ),
            None,
        )
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


def open_place(barred: Path, data: Path) -> None:
    """For this process and what comes from it, put an empty directory over the barred one, with the data in it.

    Raises:
        OSError: the system does not allow it.
    """
    call("unshare", _CLONE_NEWNS)
    call("mount", None, b"/", None, ctypes.c_ulong(_MS_REC_PRIVATE), None)
    descriptor = os.open(data, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    empty = ctypes.c_ulong(_MS_NOSUID_NODEV)
    call("mount", b"tmpfs", os.fsencode(barred), b"tmpfs", empty, b"mode=755,size=64k")
    before = os.umask(0o022)
    data.mkdir(parents=True)
    os.umask(before)
    source = f"/proc/self/fd/{descriptor}".encode()
    call("mount", source, os.fsencode(data), None, ctypes.c_ulong(_MS_BIND), None)
    os.close(descriptor)


def read_death_signal() -> int:
    """What this process gets when its parent dies; 0: nothing."""
    asked = ctypes.c_int(0)
    if sys.platform == "linux":
        call("prctl", _PR_GET_PDEATHSIG, ctypes.byref(asked))
    return asked.value


def become_account(account: pwd.struct_passwd, *, parent: int, death_signal: int) -> None:
    """Leave root for good, and ask again for the signal at the parent's death."""
    os.initgroups(account.pw_name, account.pw_gid)
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)
    if death_signal:
        call("prctl", _PR_SET_PDEATHSIG, ctypes.c_ulong(death_signal))
        if os.getppid() != parent:
            os._exit(EXIT_CANNOT_START)


def call(name: str, *arguments: object) -> None:
    """A function of the C library that says by -1 that it failed.

    Raises:
        OSError: it did.
    """
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, name)(*arguments) == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def fail(message: str) -> NoReturn:
    """Say what is wrong where the service's own output goes, and end."""
    sys.stderr.write(f"{message}\n")
    sys.stderr.flush()
    os._exit(EXIT_CANNOT_START)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])

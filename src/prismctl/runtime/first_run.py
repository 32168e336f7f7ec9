"""Runs what a service needs once, and becomes the service: ``first_run.py DATA COUNT INIT… COMMAND…``.

Run by path with the bare interpreter, so it imports nothing of ours. Something to do once is to be done while the
data directory is empty. A file beside the directory says that it has begun and not ended: what an interrupted
attempt left is removed before the next.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

BEGUN_SUFFIX = ".begun"
EXIT_CANNOT_START = 127


def prepare(data: Path, command: list[str]) -> int:
    """Run the command to its end if the directory is empty; its exit code, 0 when there was nothing to do."""
    begun = data.with_name(data.name + BEGUN_SUFFIX)
    if begun.exists():
        remove_content(data)
    elif any(data.iterdir()):
        return 0
    begun.touch(mode=0o600)
    code = run(command)
    if code == 0:
        begun.unlink()
    return code


def run(command: list[str]) -> int:
    """The exit code of a command; 128 and the signal's number when one ended it."""
    child = os.fork()
    if not child:
        become(command)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def remove_content(directory: Path) -> None:
    """Remove all that is in a directory; links are removed, not followed."""
    import shutil

    for entry in directory.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def become(command: list[str]) -> None:
    """Execute a command in place of this process; never returns."""
    # Python ignores these two, and a new program would inherit that.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    try:
        os.execv(command[0], command)  # noqa: S606 - the command is the whole point
    except OSError as error:
        complain(f"cannot start {command[0]}: {error.strerror}")
        os._exit(EXIT_CANNOT_START)


def complain(message: str) -> None:
    """Say what is wrong where the service's own output goes."""
    sys.stderr.write(f"{message}\n")
    sys.stderr.flush()


def main(data: Path, count: int, words: list[str]) -> None:
    """Do what is to be done once, then become the service."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    init = words[:count]
    try:
        code = prepare(data, init)
    except OSError as error:
        complain(f"cannot prepare {data}: {error.strerror}")
        sys.exit(EXIT_CANNOT_START)
    if code:
        complain(f"{Path(init[0]).name} exited with code {code}, so the service is not started")
        sys.exit(code)
    become(words[count:])


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])

"""Becomes Kafka, and has an archive of its classes made in the background once: ``… ARCHIVE PORT TEMPLATE COUNT TRAIN… COMMAND…``.

Run by path with the bare interpreter, so it imports nothing of ours. With the archive, Java starts Kafka in half the
time; without it, or with one that does not fit, it starts all the same. The archive is made by a second Kafka, TRAIN, on a
copy of the template: once the first one accepts connections, at the lowest priority, by one process at a time. It
ends with the service, and what it leaves is whole or nothing.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NoReturn

BOUND_SECONDS = 120.0
"""How long each wait may last; at the lowest priority, a busy machine makes it a long one."""
LOOK_SECONDS = 0.2
LOWEST_PRIORITY = 19
_PR_SET_PDEATHSIG = 1
_METADATA, _METADATA_VERSION = 3, 4


def make_archive(archive: Path, port: int, template: Path, train: list[str]) -> None:
    """Make the archive, unless somebody is at it."""
    archive.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with archive.with_name(f"{archive.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        if archive.exists() or not wait_until_open(port):
            return
        new = archive.with_name(f".{archive.name}")
        new.unlink(missing_ok=True)
        with tempfile.TemporaryDirectory(dir=archive.parent, prefix=".kafka-") as place:
            data = Path(place, "data")
            shutil.copytree(template, data)
            broker, controller = take_ports()
            words = {
                "{archive}": str(new),
                "{data}": str(data),
                "{broker}": str(broker),
                "{controller}": str(controller),
            }
            if run(fill(train, words), broker) and new.exists():
                new.rename(archive)


def fill(train: list[str], words: dict[str, str]) -> list[str]:
    """The command with its places filled in."""
    filled = list(train)
    for place, text in words.items():
        filled = [word.replace(place, text) for word in filled]
    return filled


def run(command: list[str], port: int) -> bool:
    """Run the second Kafka until it has made a topic, and let it end in good order; whether all of that went well."""
    quiet = subprocess.DEVNULL
    # There is no other thread here.
    options: dict[str, Any] = {"preexec_fn": die_with_parent}
    child = subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet, **options)

    def end(_number: int, _frame: object) -> None:
        child.kill()
        os._exit(0)

    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGTERM, end)
    try:
        if not wait_until_open(port):
            return False
        make_topic(port)
        child.terminate()
        # Written on the way out, which the archive takes most of.
        return child.wait(BOUND_SECONDS) in {0, 128 + signal.SIGTERM, -signal.SIGTERM}
    except (OSError, subprocess.TimeoutExpired):
        return False
    finally:
        child.kill()
        child.wait()


def make_topic(port: int) -> None:
    """Ask for a topic that is not there, so that one is made: what that takes is to be in the archive, too."""
    name, client = b"archive", b"prismctl"
    body = struct.pack(">ih", 1, len(name)) + name + struct.pack(">?", True)
    head = struct.pack(">hhih", _METADATA, _METADATA_VERSION, 1, len(client)) + client
    with socket.create_connection(("127.0.0.1", port), timeout=BOUND_SECONDS) as connection:
        connection.sendall(struct.pack(">i", len(head + body)) + head + body)
        connection.recv(4096)


def wait_until_open(port: int) -> bool:
    """Whether somebody accepts on a port, in time."""
    deadline = time.monotonic() + BOUND_SECONDS
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return True
        # Nothing tells when a port is opened.
        time.sleep(LOOK_SECONDS)
    return False


def take_ports() -> tuple[int, int]:
    """Two ports that are free now; whoever is faster costs us this attempt, and nobody anything else."""
    with socket.socket() as first, socket.socket() as second:
        for each in (first, second):
            each.bind(("127.0.0.1", 0))
        return first.getsockname()[1], second.getsockname()[1]


def die_with_parent() -> None:
    """Have this process killed when its parent ends, where the system can do that."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def become(command: list[str]) -> NoReturn:
    """Execute a command in place of this process."""
    # Python changes these, and a new program would inherit that.
    for each in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT):
        signal.signal(each, signal.SIG_DFL)
    try:
        os.execv(command[0], command)  # noqa: S606 - the command is the whole point
    except OSError as error:
        sys.stderr.write(f"cannot start {command[0]}: {error.strerror}\n")
        os._exit(127)


def leave_behind() -> bool:
    """Whether this is now the process in the background; its parent is not Kafka, which would never reap it."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return False
    if os.fork():
        os._exit(0)
    os.nice(LOWEST_PRIORITY)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_DFL)
    return True


def main(
    archive: Path, port: int, template: Path, train: list[str], command: list[str]
) -> NoReturn:
    """Become Kafka, with somebody left behind who makes the archive."""
    if not archive.exists() and leave_behind():
        try:
            make_archive(archive, port, template, train)
        finally:
            # Whatever went wrong: the next start tries again, and nobody waits for this one.
            os._exit(0)
    become(command)


if __name__ == "__main__":
    archive_word, port_word, template_word, count_word, *rest = sys.argv[1:]
    count = int(count_word)
    main(Path(archive_word), int(port_word), Path(template_word), rest[:count], rest[count:])

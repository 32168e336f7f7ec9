"""Looks whether an image's PostgreSQL can read the data it is given, and becomes its command.

``… DATA KIND PROGRAM IMAGE COUNT VOLUME… COMMAND…``: COUNT volumes as the client takes them, then what keeps the container.
Run by path with the bare interpreter, so it imports nothing of ours. What the image itself says of such data, it says in a
loop of containers that end; here it is one sentence, before there is any, and the way out.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

EXIT_REFUSED = 78
"""What `sysexits` calls a mistake in the configuration: the next try would end the same."""
ASK_SECONDS = 5.0
"""A client that does not say so soon what it knows of an image is not waited for."""
VARIABLE_PREFIX = "PRISM_CONTAINER_ENV_"
USUAL_PLACE = "/var/lib/postgresql/data"
VERSION_BYTES = 64
"""More is never read of a file that has a number in it."""
# How a `PG_VERSION` is read is written out here and in `data_check_here`, word for word, which a test compares: a script
# that is run by path (`-I -S`) has no package around it, and a path to search would put `redis.py` and its like before others.
VERSION_DIGITS = 4
"""Of a part of a version, at most."""
READ_AS_CONTAINER = f"""\
test -e "$1" || test -L "$1" || exit 0
if test -L "$1" || ! test -f "$1" || ! test -s "$1"; then echo none; exit 0; fi
exec head -c {VERSION_BYTES} "$1"
"""
"""What a shell does for `read_version`: silent where nothing is there, and a word that is no version for what is no file."""


class Client:
    """The program that talks to Podman or Docker."""

    def __init__(self, kind: str, program: str) -> None:
        self._kind = kind
        self._program = program
        self._environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(VARIABLE_PREFIX)
        }

    def read_variables(self, image: str) -> dict[str, str]:
        """What an image has in its environment; nothing when it does not say."""
        text = self._ask("image", "inspect", "--format", "{{json .Config.Env}}", "--", image)
        with contextlib.suppress(ValueError):
            words = json.loads(text or "[]") or ()
            return dict(word.split("=", 1) for word in words if "=" in word)
        return {}

    def read_version(self, data: Path) -> str:
        """Which major version has made a data directory; empty when none has, or nobody can tell.

        Raises:
            OSError: what should say it is a link, or cannot be opened.
            ValueError: it says no version.
        """
        file = data / "PG_VERSION"
        try:
            return read_version(file)
        except PermissionError:
            # It belongs to an account of the container's, which the client can be.
            if self._kind != "podman":
                return ""
            content = self._ask("unshare", "sh", "-c", READ_AS_CONTAINER, "sh", str(file))
            return parse_version(content.encode()) if content else ""
        except (FileNotFoundError, NotADirectoryError):
            return ""

    def _ask(self, *words: str) -> str:
        try:
            done = subprocess.run(
                [self._program, *words],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                env=self._environment,
                timeout=ASK_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return ""
        return done.stdout.decode(errors="replace") if done.returncode == 0 else ""


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


def find_fault(client: Client, image: str, volumes: list[str]) -> str:
    """Why the image's server could not run on the data, and what to do; empty: nothing is known against it."""
    parts = [volume.split(":") for volume in volumes if ":" in volume]
    places = [(Path(part[0]), Path(part[1])) for part in parts]
    if not any(may_have_content(outside) for outside, _ in places):
        return ""
    variables = client.read_variables(image)
    said = variables.get("PG_MAJOR") or variables.get("PG_VERSION") or ""
    major = said.partition(".")[0]
    wanted = os.environ.get(f"{VARIABLE_PREFIX}PGDATA") or variables.get("PGDATA") or USUAL_PLACE
    data = find_outside(Path(wanted), places)
    if not major or data is None:
        return ""
    try:
        made_by = client.read_version(data)
    except (OSError, ValueError):
        return (
            f"{data}/PG_VERSION is no file with a version of PostgreSQL in it, as every server writes one; start without "
            "`--persist` for an empty database: the old data is put aside, not removed"
        )
    if not made_by or made_by.partition(".")[0] == major:
        return ""
    return (
        f"the data in {data} was made by PostgreSQL {made_by}, and {image} is PostgreSQL {major}, which cannot read it; take "
        f"an image of PostgreSQL {made_by}, or start without `--persist` for an empty database: the old data is put "
        "aside, not removed"
    )


def may_have_content(directory: Path) -> bool:
    """Whether there is anything in it; yes, where nobody can tell."""
    try:
        return any(directory.iterdir())
    except PermissionError:
        return True
    except OSError:
        return False


def find_outside(inside: Path, places: list[tuple[Path, Path]]) -> Path | None:
    """Where a directory of the container is on this machine, by the deepest volume it is in."""
    found = [(outside, mounted) for outside, mounted in places if inside.is_relative_to(mounted)]
    if not found:
        return None
    outside, mounted = max(found, key=lambda place: len(place[1].parts))
    return outside / inside.relative_to(mounted)


def main(
    data: Path, client: Client, image: str, volumes: list[str], command: list[str]
) -> NoReturn:
    """Look, then execute the command in place of this process; never returns."""
    # A stop may come at any moment, and has nothing to tell.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    refusal = data.with_name(f"{data.name}.refused")
    with contextlib.suppress(OSError):
        refusal.unlink(missing_ok=True)
    fault = find_fault(client, image, volumes)
    if fault:
        sys.stderr.write(f"{fault}\n")
        # Where nothing can be written, the output is all there is.
        with contextlib.suppress(OSError):
            refusal.write_text(fault, encoding="utf-8", errors="replace")
        sys.exit(EXIT_REFUSED)
    # Python ignores these two, and a new program would inherit that.
    for each in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(each, signal.SIG_DFL)
    os.execv(command[0], command)  # noqa: S606 - the command is the whole point


if __name__ == "__main__":
    data_word, kind_word, program_word, image_word, count_word, *rest = sys.argv[1:]
    count = int(count_word)
    main(
        Path(data_word),
        Client(kind_word, program_word),
        image_word,
        rest[:count],
        rest[count:],
    )

"""Somebody who follows logs and does not read: what is gone meanwhile is told, and sequences and numbers prove it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.desk import Desk

LINES = 900_000
"""More than a hundred MiB, of which 64 are kept."""
PROGRAM = """
import os, sys, time
print("line 0", flush=True)
while not os.path.exists(sys.argv[1]):
    time.sleep(0.02)
for begin in range(1, {lines}, 1000):
    sys.stdout.write("".join(f"line {{n}} {{'x' * 70}}\\n" for n in range(begin, begin + 1000)))
print("the end", flush=True)
time.sleep(1000)
"""


def flooding_catalog(directory: Path) -> str:
    program = directory / "flood.py"
    program.write_text(PROGRAM.format(lines=LINES))
    entry = {
        "name": "flood",
        "default": True,
        "command": [sys.executable, "-S", str(program), str(directory / "go")],
    }
    return json.dumps({"core": False, "services": [entry]})


def end_of(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 200))
            return file.read()
    except OSError:
        # It is being moved aside.
        return b""


class Follower:
    """``logs -f`` whose output nobody reads for a while."""

    def __init__(self, desk: Desk, form: str) -> None:
        words = ["dev", "logs", "-f", "flood", "-o", form]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "prismctl", *words],
            env=desk.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.had = [self._read()]
        """The lines of standard output."""
        self.said = ""

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def read_on(self) -> None:
        while "the end" not in self.had[-1]:
            self.had.append(self._read())

    def close(self) -> None:
        self._process.terminate()
        _, self.said = self._process.communicate()

    @property
    def numbers(self) -> list[int]:
        return [int(each[1]) for text in self.had if (each := re.search(r"line (\d+)", text))]


@pytest.mark.timeout(180)
def test_who_does_not_read_is_told_how_much_was_missed(
    desk: Desk, wait_until: Callable[..., None]
) -> None:
    desk.pipe(*desk.start(flooding_catalog(desk.directory)))
    followers = []
    try:
        for form in ("text", "json"):
            followers.append(Follower(desk, form))
            assert "line 0" in followers[-1].had[0]
        # From now on nobody reads what they write.
        (desk.directory / "go").touch()
        log = desk.lab.paths.logs / "flood#0.log"
        wait_until(lambda: b"the end" in end_of(log), seconds=120)
        for follower in followers:
            follower.read_on()
    finally:
        for follower in followers:
            follower.close()

    for follower in followers:
        assert follower.numbers == sorted(set(follower.numbers))
        assert len(follower.numbers) < LINES
    text, document = followers
    told = re.findall(
        r"^flood: skipped (\d+) lines \(\d+ bytes\): they were gone", text.said, re.MULTILINE
    )
    assert sum(map(int, told)) == LINES + 1 - len(text.numbers)
    assert not any("skipped" in each for each in text.had)
    entries = [json.loads(each) for each in document.had]
    skips = [each["skipped"] for each in entries if each["stream"] == "skipped"]
    assert sum(each["lines"] for each in skips) == LINES + 1 - len(document.numbers)
    assert "skipped" not in document.said
    sequences = [each["sequence"] for each in entries]
    assert sequences == sorted(set(sequences))

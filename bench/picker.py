"""The picker in a real terminal: until it is there, until a key is on the screen, and from enter to all healthy."""

from __future__ import annotations

import os
import re
import sys
import time
from typing import TYPE_CHECKING, Final

import pexpect
from measuring import PRISMCTL, Figure, fresh_home

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OPENED: Final = "space toggle"
MANY: Final = 300


def open_picker(home: Path, *flags: str) -> pexpect.spawn[str]:
    """A picker on a terminal of 30 lines, as it has just been asked for."""
    environment = {**os.environ, "PRISM_HOME": str(home), "TERM": "xterm-256color"}
    environment.pop("CI", None)
    picker = pexpect.spawn(
        str(PRISMCTL),
        ["dev", "start", "--auto-ports", "--no-dashboard", *flags],
        env=environment,
        encoding="utf-8",
        dimensions=(30, 110),
        timeout=60,
    )
    # It waits before it sends, for the sake of programs that are not ready yet.
    picker.delaybeforesend = None
    return picker


def write_many(home: Path) -> None:
    """A catalog of many services, none of which is chosen."""
    lines = [f"  - {{name: service-{number:03d}, command: [sleep, '9']}}" for number in range(MANY)]
    (home / "services.yaml").write_text("services:\n" + "\n".join(lines) + "\n")


def bench_picker(runs: int) -> Iterator[Figure]:
    """What somebody waits for who chooses."""
    opened, keys, starts = [], [], []
    for _ in range(runs):
        with fresh_home() as home:
            began = time.perf_counter()
            picker = open_picker(home)
            picker.expect(OPENED)
            opened.append((time.perf_counter() - began) * 1e3)
            # Nomad comes up while somebody reads; the preview says so by then.
            picker.expect(re.escape("Engine"))
            time.sleep(2.0)
            began = time.perf_counter()
            picker.send("\r")
            picker.expect("Ready in")
            starts.append(time.perf_counter() - began)
            picker.expect(pexpect.EOF)
    with fresh_home() as home:
        write_many(home)
        picker = open_picker(home, "--engine", "local")
        picker.expect(OPENED)
        picker.expect(re.escape("Engine"))
        for _ in range(20 * runs):
            # Whatever was still to be drawn is.
            drain(picker)
            began = time.perf_counter()
            picker.send("j")
            picker.read_nonblocking(65536, timeout=10)
            keys.append((time.perf_counter() - began) * 1e3)
        picker.send("q")
        picker.expect(pexpect.EOF)
    yield Figure(what="picker on the screen", unit="ms", target=450, samples=tuple(opened))
    yield Figure(
        what=f"picker, key to screen, {MANY} services", unit="ms", target=50, samples=tuple(keys)
    )
    yield Figure(
        what="picker, enter to all healthy, minimal on nomad",
        unit="s",
        target=1.5,
        samples=tuple(starts),
    )


def drain(picker: pexpect.spawn[str]) -> None:
    """Read what comes until nothing does for a moment."""
    while True:
        try:
            picker.read_nonblocking(65536, timeout=0.1)
        except pexpect.TIMEOUT:
            return


def main() -> None:
    """Print the rows."""
    for figure in bench_picker(int(sys.argv[1]) if len(sys.argv) > 1 else 5):
        print(figure.render())


if __name__ == "__main__":
    main()

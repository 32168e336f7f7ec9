"""A first frame on a real terminal: what is typed meanwhile, and how the terminal is given back however it ends."""

from __future__ import annotations

import os
import re
import signal
import sys
import termios
from typing import TYPE_CHECKING, Any

import pexpect
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE = 30
_SIZES = ("COLUMNS", "LINES")
"""Would go before what the terminal says itself."""
PROGRAM = """
import os, select, signal, sys
from prismctl.present.text import line
from prismctl.tui.first_frame import Cell, FirstFrame

def draw(width, height):
    return [(Cell(line(f"frame of {width}x{height}"), width),)]

def wait_for(word):
    # As long as loading takes: until the test says that it is over.
    while not os.path.exists(word):
        select.select([], [], [], 0.01)

ended = 1
try:
    with FirstFrame(draw, has_colour=True) as frame:
        wait_for("loaded")
        INSIDE
    print("left in order", flush=True)
    ended = 0
except KeyboardInterrupt:
    print("interrupted", flush=True)
    ended = 130
sys.exit(ended)
"""
READ = "print('typed', os.read(0, 100), flush=True)"
"""What an application would read first."""


class Frames:
    """Programs that show a frame, each on a terminal of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.children: list[Any] = []

    def show(self, inside: str = "pass") -> Any:
        child: Any = pexpect.spawn(
            sys.executable,
            ["-c", PROGRAM.replace("INSIDE", inside)],
            cwd=str(self.directory),
            env={key: text for key, text in os.environ.items() if key not in _SIZES},
            encoding="utf-8",
            dimensions=(24, 80),
            timeout=PATIENCE,
        )
        self.children.append(child)
        child.modes_before = modes_of(child)
        child.expect("frame of 80x24")
        return child

    def load(self) -> None:
        (self.directory / "loaded").touch()


@pytest.fixture
def frames(tmp_path: Path) -> Iterator[Frames]:
    made = Frames(tmp_path)
    yield made
    for child in made.children:
        child.close(force=True)


def modes_of(child: Any) -> list[Any]:
    modes: list[Any] = termios.tcgetattr(child.child_fd)
    return modes


def end_of(child: Any) -> tuple[str, int]:
    child.expect(pexpect.EOF)
    child.wait()
    code = child.exitstatus if child.exitstatus is not None else -child.signalstatus
    return str(child.before), int(code)


def test_it_takes_the_screen_and_gives_it_back_once(frames: Frames) -> None:
    child = frames.show()
    assert "\x1b[?1049h" in child.before
    assert "\x1b[?25l" in child.before
    frames.load()
    rest, code = end_of(child)
    assert code == 0
    assert rest.count("\x1b[?1049l") == 1
    assert "\x1b[?25h" in rest
    assert modes_of(child) == child.modes_before


def test_what_is_typed_meanwhile_is_not_shown_and_reaches_who_reads_next(frames: Frames) -> None:
    child = frames.show(inside=READ)
    child.send("j \x1a\x1b[B\r")
    frames.load()
    rest, code = end_of(child)
    # Enter as enter, ctrl+z as a key: nobody could say what to do with a suspended half of a screen.
    assert r"typed b'j \x1a\x1b[B\r'" in rest
    assert "j " not in rest.partition("typed")[0]
    assert code == 0


def test_ctrl_c_gives_the_terminal_back_at_once_and_is_passed_on_in_the_end(frames: Frames) -> None:
    child = frames.show()
    child.send("\x03")
    child.expect(re.escape("\x1b[?1049l"))
    # Nothing is loaded yet: it waits, and what it has begun is whole when it hears of it.
    assert child.isalive()
    frames.load()
    rest, code = end_of(child)
    assert "interrupted" in rest
    assert code == 130
    assert "\x1b[?1049l" not in rest
    assert modes_of(child) == child.modes_before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_with_the_terminal_as_it_was(frames: Frames, number: int) -> None:
    child = frames.show()
    os.kill(child.pid, number)
    child.expect(re.escape("\x1b[?1049l"))
    frames.load()
    _, code = end_of(child)
    assert code == -number
    assert modes_of(child) == child.modes_before


def test_an_error_meanwhile_gives_the_terminal_back_before_it_is_told(frames: Frames) -> None:
    child = frames.show(inside="raise RuntimeError('broken')")
    frames.load()
    rest, code = end_of(child)
    assert rest.index("\x1b[?1049l") < rest.index("RuntimeError: broken")
    assert code == 1
    assert modes_of(child) == child.modes_before


def test_another_size_is_drawn_anew(frames: Frames) -> None:
    child = frames.show()
    child.setwinsize(12, 40)
    child.expect("frame of 40x12")
    frames.load()
    assert end_of(child)[1] == 0


def test_what_was_handed_over_is_left_to_the_one_who_has_it(frames: Frames) -> None:
    child = frames.show(inside="frame.hand_over(); signal.raise_signal(signal.SIGTERM)")
    child.setwinsize(12, 40)
    child.expect("frame of 40x12")
    frames.load()
    rest, code = end_of(child)
    assert "\x1b[?1049l" not in rest
    assert code == -signal.SIGTERM
    assert modes_of(child) == child.modes_before


def test_what_nobody_took_over_after_all_is_given_back(frames: Frames) -> None:
    child = frames.show(inside="frame.hand_over(); frame.take_back()")
    frames.load()
    rest, code = end_of(child)
    assert rest.count("\x1b[?1049l") == 1
    assert code == 0

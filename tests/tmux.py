"""A real terminal that can be looked at: a program in tmux, keys typed into it, and what its screen shows."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import time
import uuid
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

PATIENCE_SECONDS = 30.0
_LOOK_SECONDS = 0.02
IS_HERE = shutil.which("tmux") is not None


class Terminal:
    """A shell in tmux, of some size; closed with `close`."""

    def __init__(
        self, environment: Mapping[str, str], directory: Path, *, size: tuple[int, int] = (80, 24)
    ) -> None:
        self._socket = f"prism-{uuid.uuid4().hex[:12]}"
        self._environment = {**environment, "TERM": "xterm-256color", "PS1": "$ ", "ENV": ""}
        width, height = size
        self._tmux(
            "-f", os.devnull, "new-session", "-d", "-s", "it", "-x", str(width), "-y", str(height),
            "-c", str(directory), "exec /bin/sh",
        )  # fmt: skip
        self._tmux("set-option", "-g", "status", "off")

    def _tmux(self, *words: str) -> str:
        # tmux's own variables would name another server.
        environment = {key: text for key, text in self._environment.items() if key != "TMUX"}
        done = subprocess.run(
            ["tmux", "-L", self._socket, *words],
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=True,
        )
        return done.stdout

    def record(self, file: Path) -> None:
        """Write down all that comes to the screen from now on, as it comes: `cat` plays it."""
        self._tmux("pipe-pane", "-O", "-t", "it", f"exec cat > {shlex.quote(str(file))}")

    @property
    def text(self) -> str:
        """What is on the screen."""
        return self._tmux("capture-pane", "-p", "-t", "it")

    @property
    def coloured_text(self) -> str:
        """The same, with the colours as a terminal is told them."""
        return self._tmux("capture-pane", "-p", "-e", "-t", "it")

    def is_in_alternate_screen(self) -> bool:
        """Whether a program has the whole screen."""
        return self._fact("alternate_on") == "1"

    def hears_mouse(self) -> tuple[bool, bool]:
        """Whether the program is told of clicks, and of every movement."""
        return self._fact("mouse_standard_flag") == "1", self._fact("mouse_all_flag") == "1"

    def shows_cursor(self) -> bool:
        """Whether there is a cursor."""
        return self._fact("cursor_flag") == "1"

    def wait_for_program(self, name: str) -> None:
        """Return once keys that send a signal reach a program of that name, and no shell that is just starting it."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (running := self._fact("pane_current_command")) != name:
            assert time.monotonic() < deadline, f"{running}, not {name}:\n{self.text}"
            time.sleep(_LOOK_SECONDS)

    def _fact(self, name: str) -> str:
        return self._tmux("display-message", "-p", "-t", "it", f"#{{{name}}}").strip()

    def run(self, words: Sequence[str], *, then: str = "true") -> None:
        """Type a command and enter; with what the shell shall do after it, typed at once: later might be too early."""
        self._tmux("send-keys", "-t", "it", "-l", f"{shlex.join(words)}; {then}")
        self.press("Enter")

    def press(self, *keys: str) -> None:
        """Press keys, by tmux's names for them."""
        self._tmux("send-keys", "-t", "it", *keys)

    def type(self, text: str) -> None:
        """Type text as it is."""
        self._tmux("send-keys", "-t", "it", "-l", text)

    def resize(self, width: int, height: int) -> None:
        """Make it another size."""
        self._tmux("resize-window", "-t", "it", "-x", str(width), "-y", str(height))

    def expect(self, *words: str, seconds: float = PATIENCE_SECONDS) -> str:
        """The screen once all the words are on it."""
        deadline = time.monotonic() + seconds
        while not all(each in (text := self.text) for each in words):
            assert time.monotonic() < deadline, f"{words} did not come:\n{text}"
            time.sleep(_LOOK_SECONDS)
        return text

    def expect_gone(self, words: str, seconds: float = PATIENCE_SECONDS) -> str:
        """The screen once the words are not on it."""
        deadline = time.monotonic() + seconds
        while words in (text := self.text):
            assert time.monotonic() < deadline, f"{words} stays:\n{text}"
            time.sleep(_LOOK_SECONDS)
        return text

    def close(self) -> None:
        """End it and all in it."""
        self._tmux("kill-server")

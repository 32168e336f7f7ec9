"""A backend is killed while it is busy: both dashboards say so at once, and show it busy again."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from tests import tmux
from tests.browser import find_browser, open_browser
from tests.conftest import wait_until
from tests.requirements import require
from tests.tmux import Terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.e2e.conftest import Shell

PROGRAM = find_browser()
KILLED = "killed by SIGKILL"
CATALOG = """
core: false
services:
  - name: redis
    command: [redis-server, --bind, "${self.host}", --port, "${self.port}", --save, ""]
    ports: {db: auto}
    health_check: {type: redis, port: db}
    default: true
  - name: web
    command: [sleep, "3600"]
    depends_on: [redis]
    default: true
"""

FIRST_WORDS = "Ready to accept connections"
TONE = "return document.querySelector(arguments[0]).dataset.tone;"

pytestmark = pytest.mark.e2e


@contextlib.contextmanager
def load_on(port: int) -> Iterator[None]:
    """Somebody who asks a Redis all the time, and comes back when it was gone."""
    is_over = threading.Event()

    def ask() -> None:
        while not is_over.is_set():
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", port), timeout=1) as connection,
            ):
                while not is_over.is_set():
                    connection.sendall(b"GET nothing\r\n")
                    if not connection.recv(64):
                        break
            is_over.wait(0.01)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def row_of(screen: str, name: str) -> str:
    return next((each for each in screen.splitlines() if f" {name} " in each), "")


def is_red(terminal: Terminal, name: str) -> bool:
    """Whether the sign and the state of a service in the table are painted as what went wrong is."""
    signed = re.compile(rf"^..[!●✗◐◑○] {name} ")
    rows = terminal.coloured_text.splitlines()
    painted = next((each for each in rows if signed.search(re.sub(r"\x1b\[[\d;]*m", "", each))), "")
    return re.search(r"\x1b\[31m[!●✗◐◑] .*\x1b\[31m[a-z]+ ", painted) is not None


def card_on(terminal: Terminal) -> str:
    """What is below the table, where it is about redis."""
    return terminal.text.partition("── redis ─")[2]


def find_lacks(card: str) -> list[str]:
    """What a card does not tell of all that somebody wants to know; between its headings, so that nothing else counts."""
    head, _, rest = card.partition("what it said")
    said, _, rest = rest.partition("what needs it")
    needs, _, tries = rest.partition("what to try")
    told = {
        "why": KILLED in head,
        "its last words": FIRST_WORDS in said,
        "who needs it": "web healthy" in " ".join(needs.split()),
        "what to try": "prismctl dev restart redis" in tries,
    }
    return [what for what, is_told in told.items() if not is_told]


def is_busy(row: str) -> bool:
    return re.search(r"\b[1-9][0-9.]*k? ops/s", row) is not None


def test_a_backend_that_is_killed_under_load_is_told_at_once_and_its_rates_recover(
    shell: Shell, engine: str, tmp_path: Path
) -> None:
    require(PROGRAM, "chromium or chromedriver is not there: `make backends` installs them")
    require(tmux.IS_HERE, "tmux is not there: `make shells` installs it")
    require(shutil.which("redis-server"), "redis-server is not there: `make backends` installs it")
    assert PROGRAM is not None
    catalog = shell.lab.home.parent / "services.yaml"
    catalog.write_text(CATALOG)
    shell.run(
        *("dev", "start", "--services", str(catalog)),
        *("--engine", engine, "--no-dashboard"),
    )
    (port,) = shell.lab.service_status("redis")["ports"]
    terminal = Terminal(shell.environment, shell.lab.home.parent, size=(140, 40))
    recording = tmp_path / "a-kill-under-load.typescript"
    terminal.record(recording)
    try:
        with open_browser(PROGRAM) as browser, load_on(port["port"]):
            browser.open(shell.run("dev", "dashboard", "--web").strip())
            terminal.run(["prismctl", "dev", "dashboard"])
            redis = "tr[data-name='redis']"
            browser.wait_until(
                lambda: re.match(r"[1-9]", browser.text(f"{redis} td.number")) is not None
            )
            terminal.expect("ops/s", "q leave")
            wait_until(lambda: is_busy(row_of(terminal.text, "redis")), lambda: terminal.text)

            # How soon they say it is measured by the benchmark `told`.
            os.kill(shell.lab.service_status("redis")["pid"], signal.SIGKILL)
            # It is back within some milliseconds, and red all the same, with what it said before and who needs it.
            seen_on: dict[str, Callable[[], bool]] = {
                "terminal": lambda: KILLED in row_of(terminal.text, "redis"),
                "terminal, in red": lambda: is_red(terminal, "redis"),
                "terminal's card": lambda: not find_lacks(card_on(terminal)),
                "terminal, the restart": lambda: "1" in row_of(terminal.text, "redis").split(),
                "terminal, who needs it": lambda: "● web" in row_of(terminal.text, "web"),
                "page": lambda: KILLED in browser.text(redis),
                "page, in red": lambda: browser.run(TONE, redis) == "bad",
                "page's card": lambda: not find_lacks(browser.text("#failures")),
                "page, the restart": lambda: browser.text(f"{redis} .c-restarts") == "1",
                "page, who needs it": lambda: "healthy" in browser.text("tr[data-name='web']"),
            }
            is_told = dict.fromkeys(seen_on, False)

            def is_told_everywhere() -> bool:
                for place, is_seen in seen_on.items():
                    is_told[place] = is_told[place] or is_seen()
                return all(is_told.values())

            wait_until(is_told_everywhere, lambda: f"{is_told}\n{terminal.text}")
            browser.wait_until(
                lambda: (
                    re.match(r"[1-9]", browser.text(f"{redis} td.number")) is not None
                    and "healthy" in browser.text(redis)
                )
            )
            wait_until(
                lambda: is_busy(row := row_of(terminal.text, "redis")) and "healthy" in row,
                lambda: terminal.text,
            )
            assert "● running" in terminal.text
            assert KILLED.encode() in recording.read_bytes()

            # Once it is no news any more, the card is a key away on both.
            wait_until(
                lambda: "earlier: was" in row_of(terminal.text, "redis"), lambda: terminal.text
            )
            browser.wait_until(lambda: "earlier: was" in browser.text(redis))
            browser.wait_until(lambda: not browser.text("#failures"))
            wait_until(lambda: not is_red(terminal, "redis"), lambda: terminal.coloured_text)
            browser.wait_until(lambda: browser.run(TONE, redis) != "bad")
            terminal.type("w")
            wait_until(lambda: not find_lacks(card_on(terminal)), lambda: terminal.text)
            browser.click(f"{redis} button")
            browser.click("#what-went-wrong")
            browser.wait_until(lambda: not find_lacks(browser.text("#failures")))
    finally:
        terminal.close()
    shell.run("dev", "stop")

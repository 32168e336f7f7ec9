"""Takes the pictures of the web dashboard in docs/images, from a real run: `.venv/bin/python scripts/picture_web_dashboard.py`.

Needs redis-server, chromium and chromedriver (`make backends`).
"""

from __future__ import annotations

import contextlib
import math
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

CHECKOUT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CHECKOUT))

from tests.browser import Browser, find_browser, open_browser  # noqa: E402 - found by the line above

if TYPE_CHECKING:
    from collections.abc import Iterator

PICTURES: Final = CHECKOUT / "docs" / "images"
WIDTH, HEIGHT = 1280, 940
WATCHED_SECONDS: Final = 75.0
"""So long the figures are watched: a line of a few seconds shows nothing."""
CATALOG: Final = """
services:
  - name: redis
    type: backend
    command: [redis-server, --port, "${self.port}", --save, ""]
    port: 6379
    health_check: {type: redis}
    default: true
  - name: api
    command: [python3, -u, -c, 'SCRIPT']
    depends_on: [redis, prism-admin]
    default: true
  - name: worker
    command: [python3, -u, -c, 'SCRIPT']
    depends_on: [api]
    default: true
"""
SCRIPT: Final = (
    "import itertools, time; "
    '[(print(f"level=info msg=\\"order {n} served\\" took={n % 7 + 2}ms", flush=True), '
    'n % 9 or print("WARN slow answer from redis: 812 ms", flush=True), '
    "time.sleep(0.4)) for n in itertools.count(1)]"
)
FAILING: Final = """
  - name: reports
    command: [sh, -c, 'echo "LOG:  opening /var/lib/reports"; echo "FATAL:  /var/lib/reports is not a directory"; exit 1']
    depends_on: [redis]
    default: true
  - name: mailer
    command: [sleep, "1000"]
    depends_on: [reports]
    default: true
"""


def main() -> None:
    """Take them all."""
    program = find_browser()
    if program is None:
        sys.exit("chromium and chromedriver are needed: `make backends` installs them")
    PICTURES.mkdir(exist_ok=True)
    with running(CATALOG) as prismctl, open_browser(program, width=WIDTH, height=HEIGHT) as browser:
        enter(browser, prismctl)
        with asking(prismctl):
            time.sleep(WATCHED_SECONDS)
            browser.click("tr[data-name='redis'] button")
            time.sleep(2)
            browser.picture(PICTURES / "web-dashboard.png")
            browser.emulate(prefers_color_scheme="dark")
            browser.click("#tab-metrics")
            time.sleep(2)
            browser.picture(PICTURES / "web-dashboard-metrics.png")
    with (
        running(CATALOG + FAILING) as prismctl,
        open_browser(program, width=WIDTH, height=HEIGHT) as browser,
    ):
        enter(browser, prismctl)
        browser.wait_until(lambda: "what to try" in browser.text(".card"))
        browser.click("#tab-graph")
        time.sleep(2)
        browser.picture(PICTURES / "web-dashboard-failure.png")


class Prismctl:
    """The command, on a home of its own."""

    def __init__(self, home: Path) -> None:
        self._environment = {**os.environ, "PRISM_HOME": str(home), "CI": "1"}

    def run(self, *words: str, may_fail: bool = False) -> str:
        """What it prints."""
        command = [sys.executable, "-m", "prismctl", "dev", *words]
        done = subprocess.run(
            command, env=self._environment, check=not may_fail, stdout=subprocess.PIPE, text=True
        )
        return done.stdout.strip()


@contextlib.contextmanager
def running(catalog: str) -> Iterator[Prismctl]:
    """A stack of these services."""
    with tempfile.TemporaryDirectory(prefix="prism-pictures-") as directory:
        file = Path(directory) / "shop.yaml"
        file.write_text(catalog.replace("SCRIPT", SCRIPT.replace("'", "''")), encoding="utf-8")
        prismctl = Prismctl(Path(directory) / "home")
        try:
            prismctl.run(
                "start", "--services", str(file), "--engine", "local", "--auto-ports", may_fail=True
            )
            yield prismctl
        finally:
            prismctl.run("stop")


def enter(browser: Browser, prismctl: Prismctl) -> None:
    """Follow the link, and wait until the page shows something."""
    browser.open(prismctl.run("dashboard", "--web", "--print"))
    browser.wait_until(lambda: browser.texts("#rows tr") != [])


@contextlib.contextmanager
def asking(prismctl: Prismctl) -> Iterator[None]:
    """Ask redis for something, more and less often, as people do."""
    url = prismctl.run("env", "--format", "dotenv")
    port = int(url.split("REDIS_URL=")[1].split("\n")[0].strip('"').rsplit(":", 1)[1].split("/")[0])
    is_over = threading.Event()
    thread = threading.Thread(target=ask_redis, args=(port, is_over))
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def ask_redis(port: int, is_over: threading.Event) -> None:
    """Ask until it is over, in waves of a quarter of a minute."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        while not is_over.wait(1 / (90 + 60 * math.sin(time.time() / 2.5))):
            connection.sendall(b"INCR orders\r\n")
            connection.recv(64)


if __name__ == "__main__":
    main()

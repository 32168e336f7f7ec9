"""Takes the pictures of the dashboard in docs/images, from a real run: `.venv/bin/python scripts/picture_dashboard.py`.

Needs redis-server (`make backends`).
"""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from prismctl.cli.dashboard_doing import make_doing
from prismctl.cli.invocation import Invocation
from prismctl.client import StackClient
from prismctl.files.paths import Home
from prismctl.tui.dashboard.app import DashboardApp
from prismctl.tui.dashboard.feeds import Feeds
from prismctl.tui.dashboard.state import DashboardState
from prismctl.tui.dashboard.themes import choose_theme

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

IMAGES: Final = Path(__file__).parents[1] / "docs" / "images"
SIZE: Final = (118, 28)
LOAD_SECONDS: Final = 14
MOST_LOOKS: Final = 100
"""After which it is taken as it is."""
FAILING: Final = """
services:
  - name: orders
    default: true
    depends_on: [prism-admin]
    command: [sh, -c, "echo orders 1.4 on :8000; echo 'FATAL: relation \\"orders\\" does not exist'; exit 1"]
  - {name: shop, default: true, depends_on: [orders], command: [sleep, "1000"]}
"""
_FONT: Final = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)


def prismctl(home: Path, *words: str) -> None:
    """Run a command in that home; whether all came up is in the picture."""
    environment = {**os.environ, "PRISM_HOME": str(home), "CI": "1"}
    subprocess.run(
        [sys.executable, "-m", "prismctl", "dev", *words],
        env=environment,
        cwd=home,
        check=False,
        capture_output=True,
    )


def ask_redis(url: str, is_over: threading.Event) -> None:
    """Ask now more, now less, until it is enough."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname or "", parts.port or 0)) as connection:
        if parts.password:
            connection.sendall(f"AUTH {parts.password}\r\n".encode())
            connection.recv(64)
        for number in itertools.count():
            if is_over.wait(0.004 + 0.004 * (number // 150 % 4)):
                return
            connection.sendall(b"INCR visits\r\n")
            connection.recv(64)


async def take_picture(home: Path, keys: Sequence[str], is_ready: Callable[[str], bool]) -> str:
    """The dashboard of the stack that runs there, once it shows what it shall."""
    call = Invocation(home=Home(home), stack="default")
    app = DashboardApp(
        DashboardState(), make_doing(call), theme=choose_theme(""), driver_class=None
    )
    feeds = Feeds(call.paths, app.mailbox)
    async with app.run_test(size=SIZE) as pilot:
        feeds.open()
        await pilot.press(*keys)
        for _ in range(MOST_LOOKS):
            if is_ready("\n".join(_words(app))):
                break
            await pilot.pause(0.2)
        drawn = app.export_screenshot(title="prismctl dev dashboard")
        feeds.close()
    return _FONT.sub("", drawn)


def _words(app: DashboardApp) -> Iterator[str]:
    for each in app.canvas.frame.lines:
        yield "".join(span.text for span in each)


def picture_running(home: Path) -> str:
    """A stack with something to do."""
    prismctl(home, "start", "--preset=redis", "--auto-ports", "--no-dashboard")
    is_over = threading.Event()
    url = StackClient(Home(home).stack("default")).environment()["REDIS_URL"]
    load = threading.Thread(target=ask_redis, args=(url, is_over), daemon=True)
    load.start()
    is_over.wait(LOAD_SECONDS)
    try:
        return asyncio.run(
            take_picture(home, ["L"], lambda text: "█" in text and " 0 ops/s" not in text)
        )
    finally:
        is_over.set()
        load.join()


def picture_failure(home: Path) -> str:
    """A stack of which one service does not come up."""
    (home / "orders.yaml").write_text(FAILING)
    prismctl(home, "start", "--services", "orders.yaml", "--auto-ports", "--no-dashboard")
    return asyncio.run(take_picture(home, [], lambda text: "FATAL" in text))


def main() -> None:
    """Write the pictures."""
    for name, take in (
        ("dashboard", picture_running),
        ("dashboard-failure", picture_failure),
    ):
        home = Path(tempfile.mkdtemp(prefix="prism-picture-"))
        try:
            (IMAGES / f"{name}.svg").write_text(take(home), encoding="utf-8")
        finally:
            prismctl(home, "stop")
            shutil.rmtree(home)


if __name__ == "__main__":
    main()

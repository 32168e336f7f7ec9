"""A real Chromium without a screen, driven through its own driver: the standard's few requests, and nothing between.

The protocol is JSON over HTTP; a library for it would bring a hundred requests of which tests use ten.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from typing import TYPE_CHECKING, Any, Final

from tests.free_ports import take_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

DRIVER: Final = "chromedriver"
PROGRAMS: Final = ("chromium", "chromium-browser", "google-chrome")
ELEMENT: Final = "element-6066-11e4-a52e-4f735466cecf"
"""Under which key the standard hands out elements."""
BOUND_SECONDS: Final = 20.0
ENTER, ESCAPE, TAB, DOWN, UP = "\ue007", "\ue00c", "\ue004", "\ue015", "\ue013"


def find_browser() -> str | None:
    """The browser, where it and its driver are installed."""
    if shutil.which(DRIVER) is None:
        return None
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


class Browser:
    """One window; every method raises `BrowserError` where the browser refuses."""

    def __init__(self, port: int, session: str) -> None:
        self._port = port
        self._session = session

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        return _ask(self._port, method, f"/session/{self._session}/{path}", body)

    def open(self, url: str) -> None:
        self.ask("POST", "url", {"url": url})

    @property
    def url(self) -> str:
        return str(self.ask("GET", "url"))

    def run(self, script: str, *arguments: Any) -> Any:
        """What a function body returns; it has its arguments as ``arguments``."""
        return self.ask("POST", "execute/sync", {"script": script, "args": list(arguments)})

    def run_later(self, script: str, *arguments: Any) -> Any:
        """The same for a function that calls its last argument when it is done."""
        return self.ask("POST", "execute/async", {"script": script, "args": list(arguments)})

    def text(self, selector: str) -> str:
        """What somebody would read there; empty where nothing is, or nothing of it is shown."""
        script = (
            "const it = document.querySelector(arguments[0]);"
            "return it?.checkVisibility() ? it.innerText : ''"
        )
        return str(self.run(script, selector))

    def texts(self, selector: str) -> list[str]:
        script = "return [...document.querySelectorAll(arguments[0])].map((each) => each.innerText)"
        return list(self.run(script, selector))

    def click(self, selector: str) -> None:
        found = self.ask("POST", "element", {"using": "css selector", "value": selector})
        self.ask("POST", f"element/{found[ELEMENT]}/click", {})

    def type(self, keys: str) -> None:
        """Press keys, wherever the focus is."""
        presses = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        actions = [{"type": "key", "id": "keyboard", "actions": presses}]
        self.ask("POST", "actions", {"actions": actions})

    def resize(self, width: int, height: int) -> None:
        self.ask("POST", "window/rect", {"width": width, "height": height})

    def emulate(self, **features: str) -> None:
        """Media features, such as ``prefers_color_scheme="dark"``."""
        named = [
            {"name": name.replace("_", "-"), "value": value} for name, value in features.items()
        ]
        command = {"cmd": "Emulation.setEmulatedMedia", "params": {"features": named}}
        self.ask("POST", "goog/cdp/execute", command)

    def picture(self, file: Path) -> None:
        file.write_bytes(base64.b64decode(self.ask("GET", "screenshot")))

    def console(self) -> list[str]:
        """What the page had to complain about since the last time: errors, refused loads, violated policies."""
        entries = self.ask("POST", "se/log", {"type": "browser"})
        return [f"{entry['level']} {entry['message']}" for entry in entries]

    def wait_until(self, fact: Callable[[], object], *, seconds: float = BOUND_SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while not fact():
            assert time.monotonic() < deadline, (
                f"not so within {seconds:g} s; {self.text('body')[:2000]}"
            )
            time.sleep(0.02)


class BrowserError(Exception):
    """The browser refused, in its own words."""


@contextlib.contextmanager
def open_browser(program: str, *, width: int = 1280, height: int = 900) -> Iterator[Browser]:
    """A browser that knows nothing of any other; nothing of it is left behind."""
    port = take_port()
    # What the driver keeps beside the profile goes with it, too.
    with tempfile.TemporaryDirectory(
        prefix="prism-browser-", ignore_cleanup_errors=True
    ) as profile:
        environment = {**os.environ, "TMPDIR": profile, "HOME": profile}
        driver = subprocess.Popen(
            [DRIVER, f"--port={port}"],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            _wait_until_ready(port)
            browser = Browser(port, _begin_session(port, program, f"{profile}/profile"))
            browser.resize(width, height)
            yield browser
            with contextlib.suppress(BrowserError, OSError):
                _ask(port, "DELETE", f"/session/{browser._session}")
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(driver.pid, signal.SIGKILL)
            driver.wait()


def _begin_session(port: int, program: str, profile: str) -> str:
    flags = [
        "--headless=new",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--no-proxy-server",
        f"--user-data-dir={profile}",
        # Root has no other way to run it.
        *(["--no-sandbox"] if os.geteuid() == 0 else []),
    ]
    capabilities = {
        "browserName": "chrome",
        "goog:chromeOptions": {"binary": program, "args": flags},
        "goog:loggingPrefs": {"browser": "ALL"},
    }
    answer = _ask(port, "POST", "/session", {"capabilities": {"alwaysMatch": capabilities}})
    return str(answer["sessionId"])


def _wait_until_ready(port: int) -> None:
    deadline = time.monotonic() + BOUND_SECONDS
    while True:
        with contextlib.suppress(OSError):
            if _ask(port, "GET", "/status")["ready"]:
                return
        assert time.monotonic() < deadline, f"{DRIVER} did not come up"
        time.sleep(0.05)


def _ask(port: int, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        content = json.dumps(body).encode() if body is not None or method == "POST" else None
        connection.request(method, path, content, {"Content-Type": "application/json"})
        value = json.loads(connection.getresponse().read())["value"]
    finally:
        connection.close()
    if isinstance(value, dict) and "error" in value:
        raise BrowserError(f"{value['error']}: {value['message']}")
    return value

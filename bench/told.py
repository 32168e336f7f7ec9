"""A busy Redis is killed: how long until both dashboards say so, from the kill itself."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from typing import TYPE_CHECKING, Final

from backends import native_home, start
from dashboard import leave, open_dashboard
from measuring import Figure, status, wait_for
from web_page import page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TARGET_MS: Final = 1000
KILLED: Final = "killed by SIGKILL"
BUSY: Final = r"[1-9][0-9.]*k? ops/s"


def bench_told(runs: int) -> Iterator[Figure]:
    """Both engines; one kill a stack, because the words of the one before would still be there."""
    for engine in ("local", "nomad"):
        on_terminal, on_page = [], []
        for _ in range(runs):
            with native_home() as home:
                if start(home, engine, "redis") is None:
                    break
                terminal, stream = kill_once(home)
                on_terminal.append(terminal)
                on_page.append(stream)
        remark = "" if on_page else "not installed (`make tools backends`)"
        for where, samples in (("terminal", on_terminal), ("web page's stream", on_page)):
            yield Figure(
                what=f"kill -9 of a busy Redis to the words, {where}, {engine}",
                unit="ms",
                target=TARGET_MS,
                samples=tuple(samples),
                remark=remark,
            )


def kill_once(home: Path) -> tuple[float, float]:
    """Milliseconds until the terminal and until the page's stream of states say that it was killed."""
    redis = next(each for each in status(home)["services"] if each["name"] == "redis")
    stream = StatesOfPage()
    with busy(redis["ports"][0]["port"]), page(home, hear=stream.hear) as told:
        dashboard = open_dashboard(home)
        # What is on the screen at first is drawn before anybody listens; who answers a key does.
        dashboard.send("d")
        dashboard.expect("what needs what")
        dashboard.send("d")
        dashboard.expect(BUSY)
        told.wait()
        began = time.perf_counter()
        os.kill(redis["pid"], signal.SIGKILL)
        dashboard.expect(KILLED)
        on_terminal = time.perf_counter()
        on_page = wait_for(lambda: stream.told_at, seconds=30, what="the page's stream")
        leave(dashboard)
    return (on_terminal - began) * 1e3, (on_page - began) * 1e3


class StatesOfPage:
    """Notes when the page's rows were given the words; that an event was told of is not enough."""

    def __init__(self) -> None:
        self.told_at: float | None = None
        self._kind = b""

    def hear(self, line: bytes) -> None:
        """A line of the stream, as it arrives."""
        if line.startswith(b"event: "):
            self._kind = line
        elif self._kind == b"event: status\n" and KILLED.encode() in line and not self.told_at:
            self.told_at = time.perf_counter()


@contextlib.contextmanager
def busy(port: int) -> Iterator[None]:
    """Somebody who asks a Redis all the time, and comes back when it was gone."""
    is_over = threading.Event()

    def ask() -> None:
        while not is_over.wait(0.01):
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", port), timeout=1) as connection,
            ):
                while not is_over.is_set():
                    connection.sendall(b"GET nothing\r\n")
                    if not connection.recv(64):
                        break

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()

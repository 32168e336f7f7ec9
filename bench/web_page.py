"""The page in the browser, from the daemon's side: until it shows something, and what a page costs that is open."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import time
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from dashboard import FLOOD
from measuring import Figure, cpu_seconds, fresh_home, prismctl, processes_of, write_catalog

from prismctl.client import StackClient
from prismctl.files.paths import Home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SECONDS: Final = 20.0
MANY: Final = 300


def bench_web_page(runs: int) -> Iterator[Figure]:
    """What somebody waits for who follows the link, and what watching costs the daemon."""
    with stack_of(10) as home:
        waited = []
        for _ in range(5 * runs):
            began = time.perf_counter()
            with page(home) as told:
                told.wait()
            waited.append(1e3 * (time.perf_counter() - began))
        yield Figure(
            what="web page: link to first states", unit="ms", target=100, samples=tuple(waited)
        )
        yield watch(home, "10 services, one page open", 2)
    with stack_of(MANY) as home:
        yield watch(home, f"{MANY} services, one page open", 10)
    with stack_of(MANY, floods=True) as home:
        yield watch(home, f"{MANY} services and 10 000 lines/s, one page", 30)


@contextlib.contextmanager
def stack_of(count: int, *, floods: bool = False) -> Iterator[Path]:
    """A running stack of so many services that sleep, with one more that prints."""
    with fresh_home() as home:
        services = [
            {"name": f"service-{number}", "command": "sleep 1000", "default": True}
            for number in range(count)
        ]
        if floods:
            command = ["python3", "-c", FLOOD]
            services.append({"name": "flood", "command": command, "default": True})
        catalog = str(write_catalog(home, services))
        prismctl(home, "dev", "start", "--services", catalog, "--engine", "local", "--no-dashboard")
        yield home


@contextlib.contextmanager
def page(home: Path, hear: Callable[[bytes], None] = lambda _: None) -> Iterator[threading.Event]:
    """Follow the link as a browser does, and read all that is told; the event is set at the first states.

    ``hear`` is given each line as it arrives.
    """
    link = urlsplit(StackClient(Home(home).stack("default")).dashboard_link())
    host = {"Host": link.netloc}
    entrance = http.client.HTTPConnection("127.0.0.1", link.port or 0, timeout=30)
    entrance.request("GET", f"/?{link.query}", headers=host)
    cookie = str(entrance.getresponse().headers["Set-Cookie"]).partition(";")[0]
    entrance.close()
    told = threading.Event()
    with socket.create_connection(("127.0.0.1", link.port or 0)) as stream:
        stream.sendall(
            f"GET /v1/live?tail=200 HTTP/1.1\r\nHost: {link.netloc}\r\nCookie: {cookie}\r\n\r\n".encode()
        )
        answer = http.client.HTTPResponse(stream)
        answer.begin()

        def read() -> None:
            with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
                while line := answer.readline():
                    hear(line)
                    if line == b"event: status\n":
                        told.set()

        reader = threading.Thread(target=read)
        reader.start()
        try:
            yield told
        finally:
            # Ends the reading thread's wait, too.
            stream.shutdown(socket.SHUT_RDWR)
            reader.join()


def watch(home: Path, what: str, target: float) -> Figure:
    """Per cent of a core that the daemon takes."""
    daemon = [pid for pid, name in processes_of(home).items() if name == "daemon"]
    with page(home) as told:
        told.wait()
        before, began = cpu_seconds(daemon), time.perf_counter()
        time.sleep(SECONDS)
        share = 100 * (cpu_seconds(daemon) - before) / (time.perf_counter() - began)
    return Figure(what=f"CPU of the daemon, {what}", unit="%", target=target, samples=(share,))

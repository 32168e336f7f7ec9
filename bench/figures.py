"""What figures cost: the daemon of ``minimal`` with nobody watching, with one dashboard, and with one under load."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING

import grpc
from measuring import Figure, cpu_seconds, fresh_home, prismctl, processes_of, status, wait_for

from prism_proto.prism.interfaces.keyvalue import keyvalue_basic_pb2, keyvalue_basic_pb2_grpc
from prismctl.client import StackClient
from prismctl.errors import PrismError
from prismctl.files.paths import Home

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECONDS = 30.0
LOAD_PER_SECOND = 100


def bench_figures(_: int) -> Iterator[Figure]:
    """CPU of the daemon over half a minute each."""
    with fresh_home() as home:
        words = ("--engine", "local", "--no-dashboard", "--auto-ports")
        prismctl(home, "dev", "start", "--preset=minimal", *words)
        daemon = [pid for pid, name in processes_of(home).items() if name == "daemon"]
        yield figure("nobody watching", 1, measure(daemon))
        with watching(home) as documents:
            wait_for(lambda: documents, seconds=10, what="the first document")
            share = measure(daemon)
            yield figure("one dashboard", 2, share, f"{len(documents)} documents")
            with loading(home) as calls:
                before = len(calls)
                share = measure(daemon)
                rate = (len(calls) - before) / SECONDS
            yield figure("one dashboard under load", 2, share, f"{rate:.0f} calls/s")


def figure(what: str, target: float, share: float, remark: str = "") -> Figure:
    """One row."""
    return Figure(
        what=f"CPU of the daemon, minimal, {what}",
        unit="%",
        target=target,
        samples=(share,),
        remark=remark,
    )


def measure(pids: list[int]) -> float:
    """Per cent of a core, over the length of the measurement."""
    before, began = cpu_seconds(pids), time.perf_counter()
    time.sleep(SECONDS)
    return 100 * (cpu_seconds(pids) - before) / (time.perf_counter() - began)


@contextlib.contextmanager
def watching(home: Path) -> Iterator[list[int]]:
    """A client that reads the stream of status documents until the stack is stopped; what it got."""
    documents: list[int] = []

    def watch() -> None:
        with contextlib.suppress(PrismError):
            client = StackClient(Home(home).stack("default"))
            documents.extend(len(document) for document in client.watch_status())

    threading.Thread(target=watch, daemon=True).start()
    yield documents


@contextlib.contextmanager
def loading(home: Path) -> Iterator[list[float]]:
    """Somebody who asks memstore so many times a second; when each was answered."""
    ports = next(each for each in status(home)["services"] if each["name"] == "memstore")["ports"]
    calls: list[float] = []
    is_over = threading.Event()

    def load() -> None:
        with grpc.insecure_channel(f"127.0.0.1:{ports[0]['port']}") as channel:
            store = keyvalue_basic_pb2_grpc.KeyValueBasicInterfaceStub(channel)
            while not is_over.wait(1 / LOAD_PER_SECOND):
                store.Get(keyvalue_basic_pb2.GetRequest(key="k"), timeout=10)
                calls.append(time.perf_counter())

    thread = threading.Thread(target=load)
    thread.start()
    try:
        yield calls
    finally:
        is_over.set()
        thread.join()


def main() -> None:
    """Print the table."""
    for row in bench_figures(1):
        print(row.render(), flush=True)


if __name__ == "__main__":
    main()

"""Somebody else's process that has a port, for tests that own and end it."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HOLDER = """
import signal, socket, sys
ports, how, *rest = sys.argv[1:]
if how == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
def hold(port):
    if "udp" not in rest:
        return socket.create_server(("127.0.0.1", port))
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    bound.bind(("127.0.0.1", port))
    return bound
held = [hold(int(port)) for port in ports.split(",")]
print("listening", flush=True)
sys.stdin.read()
"""


@contextmanager
def holding(
    *ports: int, is_stubborn: bool = False, protocol: str = "tcp"
) -> Iterator[subprocess.Popen[str]]:
    """A process that listens on ports until it is ended; a stubborn one does not mind SIGTERM."""
    how = "stubborn" if is_stubborn else "meek"
    with subprocess.Popen(
        [sys.executable, "-S", "-c", HOLDER, ",".join(str(port) for port in ports), how, protocol],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "listening\n"
        try:
            yield process
        finally:
            process.kill()

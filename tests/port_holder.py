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
ports, how = sys.argv[1], sys.argv[2]
if how == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
held = [socket.create_server(("127.0.0.1", int(port))) for port in ports.split(",")]
print("listening", flush=True)
sys.stdin.read()
"""


@contextmanager
def holding(*ports: int, is_stubborn: bool = False) -> Iterator[subprocess.Popen[str]]:
    """A process that listens on ports until it is ended; a stubborn one does not mind SIGTERM."""
    how = "stubborn" if is_stubborn else "meek"
    with subprocess.Popen(
        [sys.executable, "-S", "-c", HOLDER, ",".join(str(port) for port in ports), how],
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

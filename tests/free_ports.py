"""Ports for tests that run side by side: no two of them, and nothing the product chooses, get the same."""

from __future__ import annotations

import random
import socket
from typing import Final

FIRST: Final = 10_000
LAST: Final = 19_999
"""Below the numbers that the product chooses from, and those that outgoing connections get."""

_held: list[socket.socket] = []
"""What says to other test processes that a number is taken, until this one ends."""


def take_port() -> int:
    """A number of loopback where nobody listens, TCP or UDP; no other test is given it while this process lives."""
    # Not the generator that is seeded alike in every process.
    numbers = random.SystemRandom()
    while True:
        number = numbers.randint(FIRST, LAST)
        with socket.socket() as trial, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind(("127.0.0.1", number))
                datagrams.bind(("127.0.0.1", number))
            except OSError:
                continue
        mark = socket.socket(socket.AF_UNIX)
        try:
            # A name that exists in the kernel only, and ends with its process.
            mark.bind(f"\0prismctl-test-port-{number}")
        except OSError:
            mark.close()
            continue
        _held.append(mark)
        return number

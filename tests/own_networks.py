"""Bridges and subnets for the containers of a test that nobody else on this machine has."""

from __future__ import annotations

import contextlib
import fcntl
import json
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


class OwnNetwork(NamedTuple):
    """A network that is a test's until it ends."""

    bridge: str
    """The name of the interface; nothing is there by that name yet."""

    subnet: str
    """The first three numbers of the addresses of its /24."""


@contextlib.contextmanager
def own_network() -> Iterator[OwnNetwork]:
    """The first network that no running test has.

    Whose it is stands in a lock, which the kernel takes back from a test that was killed. What such a test left in
    the network (a bridge, the ends of cables of containers) is taken away before somebody else has it.
    """
    locks = Path(tempfile.gettempdir(), "prism-test-networks")
    locks.mkdir(exist_ok=True)
    for number in range(1, 255):
        with (locks / str(number)).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            network = OwnNetwork(f"prism-test-{number}", f"10.213.{number}")
            remove_what_is_left(network.bridge)
            yield network
            return
    raise AssertionError("254 tests have a network each")


def remove_what_is_left(bridge: str) -> None:
    """Take away a bridge with the network namespaces that hang on it, if it is there."""
    if not any(link["ifname"] == bridge for link in _ask("link", "show")):
        return
    spaces = {each["nsid"]: each["name"] for each in _ask("netns", "list-id") if "name" in each}
    for link in _ask("link", "show", "master", bridge):
        if space := spaces.get(link.get("link_netnsid")):
            # The cable between goes with it.
            _run("netns", "delete", space)
    _run("link", "delete", bridge)


def _ask(*words: str) -> list[dict[str, Any]]:
    answer: list[dict[str, Any]] = json.loads(_run("-json", *words) or "[]")
    return answer


def _run(*words: str) -> str:
    done = subprocess.run(("ip", *words), check=True, capture_output=True, text=True)
    return done.stdout

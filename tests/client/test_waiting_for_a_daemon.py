"""A daemon on its way, waited for by several at once."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest

from prismctl.client import StartingDaemon
from prismctl.errors import PrismError, UnavailableError
from prismctl.files.paths import Home

if TYPE_CHECKING:
    from pathlib import Path

ROUNDS = 50


@pytest.mark.parametrize("said", [b"ready\n", b"failed no disk\n"])
def test_whoever_waits_in_a_thread_and_whoever_leaves_hear_the_same(
    tmp_path: Path, said: bytes
) -> None:
    for _ in range(ROUNDS):
        reader, writer = os.pipe()
        daemon = StartingDaemon(Home(tmp_path).stack("default"), reader)
        heard: list[str] = []

        def wait(daemon: StartingDaemon = daemon, heard: list[str] = heard) -> None:
            try:
                daemon.wait()
                heard.append("ready")
            except UnavailableError as error:
                heard.append(error.message)
            except (OSError, PrismError) as error:
                heard.append(f"{error!r}")

        threads = [threading.Thread(target=wait, daemon=True) for _ in range(3)]
        for thread in threads:
            thread.start()
        os.write(writer, said)
        os.close(writer)
        for thread in threads:
            thread.join(20)
        assert heard == ["ready" if said == b"ready\n" else "no disk"] * 3

"""Spares a Nomad that starts alone two waits that make sense only among others.

Its server waits one to two seconds, at random, for a leader to speak before it calls an election;
``raft_multiplier`` cannot make that shorter. It is told not to wait.

A node that registers gets a signed identity. The key for that is made in the tenth of a second after the election, and a
client that is faster is refused and tries again a whole second later. Before it registers, a client asks each host
volume plugin for its version: ours, which makes no volumes, answers once the key is there.

Where any of this fails, Nomad waits as it would have done without it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING, Final, Self

from prismctl.engine.nomad.agent_http import PAUSE_SECONDS
from prismctl.files.atomic import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from prismctl.engine.nomad.server_port import ServerPort

LISTEN_SECONDS: Final = 30.0
"""How long a server may take to listen."""
ELECTION_SECONDS: Final = 0.9
"""No server calls an election by itself this soon after it listens; told later, it might step down as the leader."""
KEY_SECONDS: Final = 0.9
"""Nomad gives up on a plugin after one second."""

_SCRIPT: Final = """\
#!/bin/sh
# Nomad asks this for its version before it registers its node; the answer comes once its server can sign for it.
read -r _ < "${0%/*/*}/server-has-key"
echo '{"version": "1.0.0"}'
"""


class HeadStart:
    """Put in place before Nomad starts, as a context manager; `give` comes right after that."""

    def __init__(self, data: Path, port: ServerPort) -> None:
        self._plugin = data / "host_volume_plugins" / "prism-wait-for-key"
        self._signal = data / "server-has-key"
        self._port = port
        self._descriptor = -1

    def __enter__(self) -> Self:
        """Place the plugin and what it waits for.

        Raises:
            PrismError: it cannot be written.
            OSError: the same, of the pipe.
        """
        self._plugin.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._signal.unlink(missing_ok=True)
        os.mkfifo(self._signal, 0o600)
        # Open at both ends: nobody waits for anybody, and what is said stays said.
        self._descriptor = os.open(self._signal, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        write_atomically(self._plugin, _SCRIPT, mode=0o700)
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of the pipe; a plugin that still waits is ended by Nomad."""
        os.close(self._descriptor)

    async def give(self) -> None:
        """Have the server elect itself as soon as it listens, and let its client register as soon as it may."""
        with contextlib.suppress(TimeoutError, OSError):
            async with asyncio.timeout(LISTEN_SECONDS):
                await self._call_election()
        with contextlib.suppress(TimeoutError, OSError):
            async with asyncio.timeout(KEY_SECONDS):
                await self._port.wait_for_key(KEY_SECONDS)
        os.write(self._descriptor, b"yes\n")

    async def _call_election(self) -> None:
        while True:
            with contextlib.suppress(ConnectionRefusedError):
                async with asyncio.timeout(ELECTION_SECONDS):
                    await self._port.call_election()
                return
            # A paced retry: nothing tells when an agent begins to listen.
            await asyncio.sleep(PAUSE_SECONDS)

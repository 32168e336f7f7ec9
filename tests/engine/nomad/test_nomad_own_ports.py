"""No secret is sent to a port before the agent itself is known to listen there."""

from __future__ import annotations

import os
import socket
import subprocess
from typing import TYPE_CHECKING

import pytest

from prismctl.engine.nomad import bring_up
from prismctl.engine.nomad.bring_up import AgentPortTakenError
from prismctl.engine.nomad.configuration import NOMAD_KEY
from prismctl.engine.nomad.processes import ProcessId
from prismctl.errors import UnavailableError
from tests.free_ports import take_port

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def idle() -> Iterator[ProcessId]:
    """Stands for an agent that could not have its port."""
    process = subprocess.Popen(["sleep", "1000"])
    yield ProcessId(process.pid, None)
    process.kill()
    process.wait()


async def test_the_agent_itself_is_trusted() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        await bring_up._wait_until_own(ProcessId(os.getpid(), None), port, NOMAD_KEY)


async def test_somebody_else_at_the_agents_port_gets_nothing(idle: ProcessId) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(AgentPortTakenError, match=f"Nomad could not have port {port}"):
            await bring_up._wait_until_own(idle, port, NOMAD_KEY)


async def test_an_agent_that_never_listens_is_given_up(
    idle: ProcessId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bring_up, "START_SECONDS", 0.05)
    with pytest.raises(UnavailableError, match="Nomad does not listen on port"):
        await bring_up._wait_until_own(idle, take_port(), NOMAD_KEY)

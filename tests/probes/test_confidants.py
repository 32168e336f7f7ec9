"""A port that somebody else has taken before the server could, who asks for its password."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from prismctl.domain.service import CheckType
from prismctl.meters.line import Line
from prismctl.probes.question import NotReadyError
from tests.probes.conversations import ask_once, question

if TYPE_CHECKING:
    from collections.abc import Iterator

STRANGER = 65534
PASSWORD = "made-for-the-stack"
CLEARTEXT = b"R" + struct.pack(">ii", 8, 3)
"""PostgreSQL's way to say: tell me the password as it is."""
THIEF = """
import contextlib, os, socket, sys
os.setuid(int(sys.argv[2]))
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
connection, _ = listener.accept()
connection.sendall(bytes.fromhex(sys.argv[1]))
heard = b""
with contextlib.suppress(ConnectionResetError):
    while said := connection.recv(4096):
        heard += said
print(heard.hex())
"""

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")


@contextmanager
def thief(user: int) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """Somebody at a port who says one thing, and tells in the end all that was said to him."""
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", THIEF, CLEARTEXT.hex(), str(user)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline()), process
    finally:
        process.kill()
        process.wait(timeout=10)
        process.stdout.close()


def heard_by(process: subprocess.Popen[str]) -> bytes:
    assert process.stdout is not None
    return bytes.fromhex(process.stdout.readline())


@needs_root
@pytest.mark.parametrize("check", [CheckType.POSTGRES, CheckType.REDIS, CheckType.NATS])
async def test_another_user_who_was_quicker_at_the_port_is_not_told_the_password(
    check: CheckType,
) -> None:
    with thief(STRANGER) as (port, process):
        answer = await ask_once(question(check, port=port, user="me", password=PASSWORD))
        heard = heard_by(process)

    assert not answer.is_ok
    assert "who was not told the password" in answer.message
    assert heard == b""


@needs_root
async def test_nor_does_he_get_it_from_who_counts() -> None:
    with thief(STRANGER) as (port, process):
        line = Line(question(CheckType.REDIS, port=port, password=PASSWORD), limit=1024)
        with pytest.raises(NotReadyError, match="who was not told the password"):
            async with line.conversation():
                pass
        assert heard_by(process) == b""


@needs_root
async def test_a_server_with_an_account_of_its_own_is_told() -> None:
    with thief(STRANGER) as (port, process):
        own = question(CheckType.POSTGRES, port=port, password=PASSWORD, pid=process.pid)
        await ask_once(own)
        assert PASSWORD.encode() in heard_by(process)


@needs_root
async def test_a_server_that_somebody_else_runs_on_purpose_is_told() -> None:
    with thief(STRANGER) as (port, process):
        external = question(CheckType.POSTGRES, port=port, password=PASSWORD, is_elsewhere=True)
        await ask_once(external)
        assert PASSWORD.encode() in heard_by(process)


async def test_a_server_of_ours_is_told() -> None:
    with thief(os.geteuid()) as (port, process):
        await ask_once(question(CheckType.POSTGRES, port=port, password=PASSWORD))
        assert PASSWORD.encode() in heard_by(process)

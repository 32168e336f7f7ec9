"""What answers before the container of the present run is there is the one of the last run."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from prismctl.domain.observation import InstanceKey
from prismctl.domain.service import CheckType, ServiceName
from prismctl.probes.alive import require_container
from prismctl.probes.question import NotReadyError, Question
from prismctl.probes.tcp import probe_tcp

if TYPE_CHECKING:
    from pathlib import Path


def ask(record: Path | None) -> Question:
    return Question(
        key=InstanceKey(ServiceName("redis"), 0),
        run="2",
        type=CheckType.TCP,
        started_at=time.time(),
        pid_file=record,
    )


def test_a_process_of_this_machine_has_no_container_to_wait_for() -> None:
    require_container(ask(None))


def test_a_container_that_is_not_there_yet_is_not_asked(tmp_path: Path) -> None:
    with pytest.raises(NotReadyError, match="its container has not begun"):
        require_container(ask(tmp_path / "redis.pid"))


def test_the_record_of_the_last_run_is_not_the_one_of_this(tmp_path: Path) -> None:
    record = tmp_path / "redis.pid"
    record.write_text("4711")
    before = time.time() - 5
    os.utime(record, (before, before))
    with pytest.raises(NotReadyError, match="its container has not begun"):
        require_container(ask(record))


def test_a_container_that_has_begun_is_asked(tmp_path: Path) -> None:
    record = tmp_path / "redis.pid"
    question = ask(record)
    record.write_text("4711")
    require_container(question)


@pytest.mark.parametrize("end", ["close", "abort"])
async def test_a_proxy_that_hangs_up_does_not_make_its_container_healthy(
    tmp_path: Path, end: str
) -> None:
    def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        getattr(writer.transport, end)()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(NotReadyError, match="nobody listens inside the container"):
            await probe_tcp(replace(ask(tmp_path / "redis.pid"), port=port))
        # A program of this machine may be like that.
        await probe_tcp(replace(ask(None), port=port))


@pytest.mark.parametrize("greeting", [b"", b"220 mail ready\r\n"])
async def test_a_server_in_a_container_that_waits_or_greets_is_ready(
    tmp_path: Path, greeting: bytes
) -> None:
    ended = asyncio.Event()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        # What the probe has not read makes its end a reset.
        with contextlib.suppress(ConnectionResetError):
            await reader.read()
        writer.close()
        ended.set()

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        await probe_tcp(replace(ask(tmp_path / "redis.pid"), port=port))
        await ended.wait()

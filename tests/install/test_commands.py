"""Other programs that are run to their end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import psutil
import pytest

from prismctl.errors import PrismError, UnavailableError
from prismctl.install.commands import MAX_OUTPUT_BYTES, Answer, run_command

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


async def run(script: str, *, timeout_seconds: float = 20) -> Answer:
    """What a shell says that runs a script."""
    return await run_command(
        ("/bin/sh", "-c", script),
        environment={"PATH": "/usr/bin:/bin", "LC_ALL": "tlh"},
        timeout_seconds=timeout_seconds,
    )


async def test_output_and_complaint_are_told_apart_and_the_language_is_nobodys() -> None:
    answer = await run('echo "$LC_ALL"; echo no >&2; exit 3')
    assert answer == Answer(status=3, output="C\n", complaint="no\n")
    assert (answer.is_success, answer.lines) == (False, ("C", "no"))


async def test_more_output_than_is_taken_is_cut_and_does_not_block() -> None:
    answer = await run(f"head -c {MAX_OUTPUT_BYTES + 1} /dev/zero")
    assert (answer.status, len(answer.output)) == (0, MAX_OUTPUT_BYTES)


async def test_a_command_that_hangs_is_given_up_and_named() -> None:
    with pytest.raises(UnavailableError, match=r"`/bin/sh -c .*` did not end within 0\.2 s"):
        await run("exec sleep 600", timeout_seconds=0.2)


async def test_a_child_that_keeps_the_output_open_is_ended_with_the_command(
    tmp_path: Path, wait_until: Callable[..., None]
) -> None:
    file = tmp_path / "pid"
    with pytest.raises(UnavailableError, match="did not end"):
        await run(f"sleep 600 & echo $! > {file}", timeout_seconds=0.5)
    number = int(file.read_text())

    def is_gone() -> bool:
        try:
            return psutil.Process(number).status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    await asyncio.to_thread(wait_until, is_gone)


async def test_a_command_that_is_not_there_is_named() -> None:
    with pytest.raises(PrismError, match=r"`/nowhere` cannot be run: No such file or directory"):
        await run_command(("/nowhere",), environment={}, timeout_seconds=20)

"""Programs that answer, and programs that do something else."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import psutil
import pytest

from prismctl.errors import PrismError
from prismctl.install.asking_versions import ask_version
from prismctl.install.versions import Version

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def make(tmp_path: Path) -> Callable[[str], Path]:
    def write(script: str) -> Path:
        program = tmp_path / "program"
        program.write_text(script)
        program.chmod(0o700)
        return program

    return write


async def test_the_version_is_what_the_program_prints(make: Callable[[str], Path]) -> None:
    program = make('#!/bin/sh\n[ "$1" = --version ] && echo "podman version 4.3.1"\n')
    assert await ask_version(program, ["--version"], timeout_seconds=20) == Version(4, 3, 1)


async def test_what_it_complains_about_is_no_version(make: Callable[[str], Path]) -> None:
    program = make("#!/bin/sh\necho warning: 9.9.9 is out >&2\necho v1.2.3\n")
    assert await ask_version(program, [], timeout_seconds=20) == Version(1, 2, 3)


async def test_a_program_sees_neither_the_terminal_nor_secrets(
    make: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOMAD_TOKEN", "geheim")
    program = make(
        '#!/bin/sh\n[ -z "$NOMAD_TOKEN" ] && ! read line && ! (: </dev/tty) 2>/dev/null && echo v1.2.3\n'
    )
    assert await ask_version(program, [], timeout_seconds=20) == Version(1, 2, 3)


async def test_a_program_that_hangs_is_ended_with_its_children(
    make: Callable[[str], Path], tmp_path: Path
) -> None:
    program = make(f"#!/bin/sh\nsleep 1000 &\necho $! >{tmp_path}/child\nwait\n")
    with pytest.raises(PrismError, match=r"did not answer within 0\.5 s") as caught:
        await ask_version(program, ["version"], timeout_seconds=0.5)
    assert caught.value.hint == f"try it by hand: `{program} version`"
    assert await is_gone(int((tmp_path / "child").read_text()))


async def test_a_program_that_answers_and_leaves_a_child_is_ended_with_it(
    make: Callable[[str], Path], tmp_path: Path
) -> None:
    program = make(f"#!/bin/sh\nsleep 1000 &\necho $! >{tmp_path}/child\necho v1.2.3\n")
    with pytest.raises(PrismError, match="did not answer within"):
        await ask_version(program, ["version"], timeout_seconds=0.5)
    assert await is_gone(int((tmp_path / "child").read_text()))


async def test_a_program_that_never_stops_talking_is_ended(make: Callable[[str], Path]) -> None:
    program = make("#!/bin/sh\nexec yes\n")
    with pytest.raises(PrismError, match=r"did not answer within 0\.5 s"):
        await ask_version(program, [], timeout_seconds=0.5)


async def test_asking_that_is_cancelled_ends_the_program(
    make: Callable[[str], Path], tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "started")
    program = make(f"#!/bin/sh\necho $$ >{tmp_path}/started\nexec sleep 1000\n")
    asking = asyncio.create_task(ask_version(program, [], timeout_seconds=60))
    number = int(await asyncio.to_thread((tmp_path / "started").read_text))
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert await is_gone(number)


async def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PrismError, match="nowhere does not run on this machine: No such file"):
        await ask_version(tmp_path / "nowhere", [], timeout_seconds=20)


async def test_a_file_that_may_not_be_run_is_named(make: Callable[[str], Path]) -> None:
    program = make("#!/bin/sh\n")
    program.chmod(0o600)
    with pytest.raises(PrismError, match="may not be run: Permission denied") as caught:
        await ask_version(program, [], timeout_seconds=20)
    assert "noexec" in caught.value.hint


async def test_a_complaint_is_one_printable_line(make: Callable[[str], Path]) -> None:
    program = make("#!/bin/sh\nprintf '\\n\\033[31mred\\nsecond\\n' >&2\nexit 1\n")
    with pytest.raises(PrismError, match=r"failed with status 1: \[31mred$"):
        await ask_version(program, [], timeout_seconds=20)


async def is_gone(number: int) -> bool:
    """Whether a process ends; nothing notifies of the end of somebody else's child."""
    for _ in range(500):
        try:
            if psutil.Process(number).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        await asyncio.sleep(0.01)
    return False

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from prismctl.domain.plan import EngineName, ServicePlan, StackPlan
from prismctl.domain.service import DEFAULT_STACK, Runtime, ServiceName, ServiceType
from prismctl.errors import MissingToolError
from prismctl.files.paths import StackPaths
from prismctl.runtime import first_run
from prismctl.runtime.command import render_command

if TYPE_CHECKING:
    from pathlib import Path

SERVICE = ("/bin/sh", "-c", 'echo "serves $$"')


def start(data: Path, init: str) -> subprocess.Popen[str]:
    words = ("/bin/sh", "-c", init)
    return subprocess.Popen(
        [sys.executable, "-I", "-S", first_run.__file__, str(data), "3", *words, *SERVICE],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def run(data: Path, init: str) -> tuple[int, str, int]:
    process = start(data, init)
    said, _ = process.communicate(timeout=30)
    return process.returncode, said, process.pid


@pytest.fixture
def data(tmp_path: Path) -> Path:
    made = tmp_path / "db"
    made.mkdir()
    return made


def test_what_is_to_be_done_once_comes_first_and_the_service_has_the_same_pid(data: Path) -> None:
    code, said, pid = run(data, f"echo made > {data}/made; echo prepares")
    assert (code, said) == (0, f"prepares\nserves {pid}\n")
    assert list(data.parent.iterdir()) == [data]


def test_a_directory_with_something_in_it_is_left_alone(data: Path) -> None:
    (data / "kept").touch()
    code, said, pid = run(data, "echo prepares")
    assert (code, said) == (0, f"serves {pid}\n")


def test_a_failed_preparation_keeps_the_service_from_starting_and_is_made_again(
    data: Path,
) -> None:
    code, said, _ = run(data, f"touch {data}/half; exit 3")
    assert code == 3
    assert said == "sh exited with code 3, so the service is not started\n"
    code, said, pid = run(data, f"ls {data}; touch {data}/whole")
    assert (code, said) == (0, f"serves {pid}\n")
    assert list(data.iterdir()) == [data / "whole"]


def test_a_killed_preparation_is_made_again_from_nothing(data: Path) -> None:
    process = start(data, f"touch {data}/half; echo there; exec sleep 1000")
    assert process.stdout is not None
    assert process.stdout.readline() == "there\n"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=30)
    process.stdout.close()
    assert run(data, f"ls {data}")[0] == 0
    assert list(data.iterdir()) == []


def test_a_link_in_a_half_made_directory_is_not_followed(data: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").touch()
    run(data, f"ln -s {elsewhere} {data}/link; exit 1")
    run(data, "true")
    assert (elsewhere / "precious").exists()


def render(tmp_path: Path, **changes: object) -> tuple[str, ...]:
    service = ServicePlan(
        name=ServiceName("db"),
        type=ServiceType.BACKEND,
        source="--with",
        runtime=Runtime.NATIVE,
        runtime_reason="",
        **changes,  # type: ignore[arg-type] # words only
    )
    plan = StackPlan(
        stack=DEFAULT_STACK,
        engine=EngineName.LOCAL,
        engine_reason="",
        origin="",
        services=(service,),
        base_env={"PATH": "/usr/bin:/bin"},
    )
    return render_command(service, 0, plan, StackPaths(tmp_path, "default")).argv


def test_a_program_beside_the_server_is_found(tmp_path: Path) -> None:
    for name in ("server", "make-cluster"):
        (tmp_path / name).write_text("#!/bin/sh\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    argv = render(
        tmp_path, command=(f"{tmp_path}/server", "-x"), init=("make-cluster", "-D", "there")
    )
    assert argv[4:] == (
        f"{tmp_path}/data/db",
        "3",
        f"{tmp_path}/make-cluster",
        "-D",
        "there",
        f"{tmp_path}/server",
        "-x",
    )


def test_a_missing_first_program_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingToolError, match="no-such-initdb") as caught:
        render(tmp_path, command=("/bin/true",), init=("no-such-initdb",))
    assert "native.init" in caught.value.hint

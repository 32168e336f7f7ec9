from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from prismctl.install.existing import Existing, look_for, look_for_all
from prismctl.install.tools import CONSUL, NOMAD, TOOLS
from prismctl.install.versions import Version

if TYPE_CHECKING:
    from pathlib import Path


def put(directory: Path, name: str, script: str) -> Path:
    """A program of that name which does what the script says."""
    directory.mkdir(exist_ok=True)
    path = directory / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "path"


async def find(tmp_path: Path, path: Path, *, patience_seconds: float = 20) -> Existing | None:
    environment = {"PATH": str(path), "PRISM_TOOLS_DIR": str(tmp_path / "none")}
    return await look_for(
        NOMAD, tmp_path / "home" / "bin", environment, patience_seconds=patience_seconds
    )


async def test_a_tool_that_is_nowhere_is_not_there(tmp_path: Path, path: Path) -> None:
    assert await find(tmp_path, path) is None


async def test_a_supported_version_on_path_will_do(tmp_path: Path, path: Path) -> None:
    program = put(path, "nomad", "echo Nomad v1.10.2; echo BuildDate 2025-06-09")
    assert await find(tmp_path, path) == Existing(
        path=program, origin="on PATH", version=Version(1, 10, 2)
    )


@pytest.mark.parametrize(
    ("version", "age"), [("1.6.10", "too old"), ("2.0.5", "too new")], ids=["old", "new"]
)
async def test_an_unsupported_version_will_not_do_and_says_why(
    tmp_path: Path, path: Path, version: str, age: str
) -> None:
    put(path, "nomad", f"echo Nomad v{version}")
    found = await find(tmp_path, path)
    assert found is not None
    assert not found.is_usable
    assert f"Nomad {version} at {path}/nomad is {age}" in found.problem
    assert str(NOMAD.supported) in found.problem


async def test_something_else_called_nomad_will_not_do(tmp_path: Path, path: Path) -> None:
    put(path, "nomad", "echo nomadic 1.11.3 travel planner")
    found = await find(tmp_path, path)
    assert found is not None
    assert not found.is_usable


async def test_a_nomad_that_fails_will_not_do(tmp_path: Path, path: Path) -> None:
    put(path, "nomad", "echo cannot open shared object >&2; exit 127")
    found = await find(tmp_path, path)
    assert found is not None
    assert "cannot open shared object" in found.problem


async def test_a_nomad_that_hangs_is_given_up_and_leaves_nothing(
    tmp_path: Path, path: Path
) -> None:
    put(path, "nomad", f"echo $$ > {tmp_path}/pid; exec /bin/sleep 600")
    found = await find(tmp_path, path, patience_seconds=0.2)
    assert found is not None
    assert "try it by hand" in found.hint
    assert "did not answer within 0.2 s" in found.problem
    if (tmp_path / "pid").exists():
        pid = (tmp_path / "pid").read_text().strip()
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid), 0)


async def test_home_goes_before_path(tmp_path: Path, path: Path) -> None:
    put(path, "nomad", "echo Nomad v1.10.2")
    (tmp_path / "home").mkdir()
    put(tmp_path / "home" / "bin", "nomad", "echo Nomad v1.11.3")
    found = await find(tmp_path, path)
    assert found is not None
    assert found.version == Version(1, 11, 3)


async def test_all_tools_are_found_each_under_its_name(tmp_path: Path, path: Path) -> None:
    put(path, "consul", "echo Consul v1.20.5")
    environment = {"PATH": str(path), "PRISM_TOOLS_DIR": str(tmp_path / "none")}
    found = await look_for_all(TOOLS.values(), tmp_path / "bin", environment)
    assert {name: each is not None for name, each in found.items()} == {
        CONSUL.name: True,
        NOMAD.name: False,
        "podman": False,
    }

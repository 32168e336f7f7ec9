from __future__ import annotations

import os
import pwd
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from prismctl.runtime import from_template

if TYPE_CHECKING:
    from pathlib import Path


def start(template: Path, data: Path, script: str, *, syncs: bool = False) -> subprocess.Popen[str]:
    make = ("/bin/sh", "-c", script, "make", str(data))
    words = [sys.executable, "-I", "-S", from_template.__file__, str(template), str(data)]
    return subprocess.Popen(
        [*words, str(int(syncs)), *make],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def fill(template: Path, data: Path, script: str, *, syncs: bool = False) -> tuple[int, str]:
    process = start(template, data, script, syncs=syncs)
    said, _ = process.communicate(timeout=30)
    return process.returncode, said


@pytest.fixture
def template(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "servers" / "db-1"


def make_data(tmp_path: Path, name: str) -> Path:
    data = tmp_path / name
    data.mkdir(mode=0o700)
    return data


@pytest.mark.parametrize("syncs", [True, False])
def test_what_is_made_once_is_copied_each_time(
    template: Path,
    tmp_path: Path,
    syncs: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    script = (
        f'echo made >>{tmp_path}/times; mkdir "$1/base"; echo x >"$1/base/1"; ln -s base "$1/link"'
    )
    for name in ("one", "two"):
        data = make_data(tmp_path, name)
        assert fill(template, data, script, syncs=syncs) == (0, "")
        assert (data / "base" / "1").read_text() == "x\n"
        assert (data / "link").readlink().name == "base"
        assert data.stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "times").read_text() == "made\n"


def test_two_at_once_make_it_once(template: Path, tmp_path: Path) -> None:
    script = f'echo made >>{tmp_path}/times; echo x >"$1/file"'
    both = [start(template, make_data(tmp_path, name), script) for name in ("one", "two")]
    for process in both:
        said, _ = process.communicate(timeout=30)
        assert (process.returncode, said) == (0, "")
    assert (tmp_path / "times").read_text() == "made\n"
    assert (tmp_path / "two" / "file").exists()


def test_what_could_not_be_made_is_not_there_and_says_why(template: Path, tmp_path: Path) -> None:
    data = make_data(tmp_path, "one")
    assert fill(template, data, 'touch "$1/half"; echo no luck; exit 3') == (3, "no luck\n")
    assert not template.exists()
    assert list(data.iterdir()) == []
    assert [path.name for path in template.parent.iterdir()] == ["db-1.lock"]

    assert fill(template, data, 'touch "$1/whole"') == (0, "")
    assert [path.name for path in data.iterdir()] == ["whole"]


def test_what_an_interrupted_attempt_left_is_not_taken(template: Path, tmp_path: Path) -> None:
    left = template.with_name(f".{template.name}")
    left.mkdir(parents=True)
    (left / "half").touch()
    data = make_data(tmp_path, "one")
    assert fill(template, data, 'touch "$1/whole"') == (0, "")
    assert [path.name for path in data.iterdir()] == ["whole"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_files_keep_their_owners(template: Path, tmp_path: Path) -> None:
    data = make_data(tmp_path, "one")
    assert fill(template, data, 'mkdir "$1/d"; touch "$1/d/f"; chown -R nobody "$1/d"') == (0, "")
    nobody = pwd.getpwnam("nobody").pw_uid
    assert {path.stat().st_uid for path in (data / "d", data / "d" / "f")} == {nobody}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_a_full_disk_is_told(template: Path, tmp_path: Path) -> None:
    data = make_data(tmp_path, "one")
    mount = ("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(data))
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        code, said = fill(template, data, 'head -c 1000000 /dev/zero >"$1/big"')
    finally:
        subprocess.run(("umount", str(data)), check=True)
    assert code == from_template.EXIT_CANNOT_FILL
    assert said == f"cannot fill {data}: No space left on device\n"

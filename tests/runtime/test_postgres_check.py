from __future__ import annotations

import os
import pwd
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from prismctl.runtime.refusal import find_refusal, read_refusal
from prismctl.runtime.servers import postgres_check_here

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can do that")
ME = pwd.getpwuid(os.geteuid()).pw_name


def make_link_to_zeros(version: Path) -> None:
    version.symlink_to("/dev/zero")


def make_link_to_another_file(version: Path) -> None:
    other = version.parent.with_name("other")
    other.write_text("15\n")
    version.symlink_to(other)


def make_pipe(version: Path) -> None:
    os.mkfifo(version)


def make_words(version: Path) -> None:
    version.write_bytes(b"hush \xff\xfe")


def make_big(version: Path) -> None:
    version.write_bytes(b"15" * (1 << 19))


NO_VERSIONS = (make_link_to_zeros, make_link_to_another_file, make_pipe, make_words, make_big)


@pytest.fixture
def postgres(tmp_path: Path) -> str:
    program = tmp_path / "postgres"
    program.write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 15.18 (Debian)'\n")
    program.chmod(0o755)
    return str(program)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    made = tmp_path / "data"
    made.mkdir(mode=0o700)
    return made


def look(data: Path, postgres: str, user: str = "", **options: int) -> tuple[int, str]:
    # Not this interpreter: somebody else may not get at it.
    script = Path(postgres_check_here.__file__).read_text(encoding="utf-8")
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            "-c",
            script,
            str(data),
            user,
            postgres,
            "/bin/echo",
            "serves",
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        **options,  # type: ignore[call-overload]
    )
    return done.returncode, done.stdout + done.stderr


@contextmanager
def mounted(place: Path, *options: str) -> Iterator[None]:
    mount = ("mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(place))
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        yield
    finally:
        subprocess.run(("umount", str(place)), check=True)


@pytest.mark.parametrize("made_by", ["", "15\n"])
def test_a_directory_that_fits_is_passed(data: Path, postgres: str, made_by: str) -> None:
    if made_by:
        (data / "PG_VERSION").write_text(made_by)
    assert look(data, postgres) == (0, "serves\n")


@pytest.mark.parametrize("made_by", ["14", "16", "9.6"])
def test_data_of_another_major_version_is_refused(data: Path, postgres: str, made_by: str) -> None:
    (data / "PG_VERSION").write_text(f"{made_by}\n")
    code, said = look(data, postgres)
    assert code == postgres_check_here.EXIT_REFUSED
    assert said == (
        f"the data in {data} was made by PostgreSQL {made_by}, and {postgres} is PostgreSQL 15, which cannot read it; put "
        f"PostgreSQL {made_by} first on PATH, or start without `--persist` for an empty database: the old data is put "
        "aside, not removed\n"
    )
    # Beside the data, for whoever tells how the service is.
    assert read_refusal(data) == said.strip()


def test_a_refusal_is_forgotten_once_the_data_fits(data: Path, postgres: str) -> None:
    find_refusal(data).write_text("no")
    assert look(data, postgres) == (0, "serves\n")
    assert read_refusal(data) == ""


@needs_root
def test_a_full_disk_is_told_before_anything_is_written(data: Path, postgres: str) -> None:
    with mounted(data, "size=1m"):
        code, said = look(data, postgres)
    assert code == postgres_check_here.EXIT_REFUSED
    assert said.startswith(f"the disk of {data} is full: 1 MB are free, 24 are needed")


@needs_root
def test_a_file_system_that_can_only_be_read_is_told(data: Path, postgres: str) -> None:
    with mounted(data, "ro"):
        code, said = look(data, postgres)
    assert code == postgres_check_here.EXIT_REFUSED
    assert said == (
        f"{data} is on a file system that can only be read; put PRISM_HOME on another one\n"
    )


@needs_root
def test_root_gives_its_own_directory_and_that_of_the_homes_owner_away(
    data: Path, postgres: str
) -> None:
    assert look(data, postgres, "nobody") == (0, "serves\n")
    for each in (data, data.parent):
        os.chown(each, pwd.getpwnam("daemon").pw_uid, -1)
    assert look(data, postgres, "nobody") == (0, "serves\n")


@needs_root
def test_root_does_not_take_over_data_of_somebody_else(data: Path, postgres: str) -> None:
    os.chown(data, pwd.getpwnam("daemon").pw_uid, -1)
    code, said = look(data, postgres, "nobody")
    assert code == postgres_check_here.EXIT_REFUSED
    assert said == (
        f"{data} belongs to daemon, not to nobody; `sudo chown -R nobody {data}` gives it back\n"
    )


def test_a_directory_of_somebody_else_is_told_with_the_way_to_get_it_back(
    data: Path, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: data.stat().st_uid + 1)
    stranger = postgres_check_here.name_user(data.stat().st_uid + 1)
    assert postgres_check_here.find_fault(data, "", postgres) == (
        f"{data} belongs to {ME}, not to {stranger}; `sudo chown -R {stranger} {data}` gives it back"
    )


@pytest.mark.parametrize("make", NO_VERSIONS)
def test_what_is_no_version_is_refused_without_a_word_of_it(
    data: Path, postgres: str, make: Callable[[Path], None]
) -> None:
    make(data / "PG_VERSION")
    code, said = look(data, postgres)
    assert code == postgres_check_here.EXIT_REFUSED
    assert said == (
        f"{data}/PG_VERSION is no file with a version of PostgreSQL in it, as every server writes one; start without "
        "`--persist` for an empty database: the old data is put aside, not removed\n"
    )
    assert read_refusal(data) == said.strip()

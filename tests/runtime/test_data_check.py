from __future__ import annotations

import os
import pwd
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from prismctl.runtime.refusal import find_refusal, read_refusal
from prismctl.runtime.servers import data_check_here
from tests.runtime.no_versions import NO_VERSIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can do that")
ME = pwd.getpwuid(os.geteuid()).pw_name


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


def look(data: Path, postgres: str, user: str = "", *, needed_mb: int = 24) -> tuple[int, str]:
    script = (sys.executable, "-I", "-S", data_check_here.__file__)
    done = subprocess.run(
        [*script, str(data), user, str(needed_mb), postgres, "/bin/echo", "serves"],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    return done.returncode, done.stdout + done.stderr


@contextmanager
def acting_as(name: str) -> Iterator[None]:
    """This process with the rights of another account."""
    account = pwd.getpwnam(name)
    groups = os.getgroups()
    os.setgroups([])
    os.setresgid(account.pw_gid, account.pw_gid, 0)
    os.setresuid(account.pw_uid, account.pw_uid, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)
        os.setresgid(0, 0, 0)
        os.setgroups(groups)


@pytest.fixture
def open_data() -> Iterator[Path]:
    """A data directory on whose way nobody is barred."""
    with tempfile.TemporaryDirectory(prefix="prism-data-") as name:
        Path(name).chmod(0o755)
        data = Path(name, "data")
        data.mkdir(mode=0o755)
        yield data


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
    assert code == data_check_here.EXIT_REFUSED
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
    assert code == data_check_here.EXIT_REFUSED
    assert said.startswith(f"the disk of {data} is full: 1 MB are free, 24 are needed")


@needs_root
def test_a_file_system_that_can_only_be_read_is_told(data: Path, postgres: str) -> None:
    with mounted(data, "ro"):
        code, said = look(data, postgres)
    assert code == data_check_here.EXIT_REFUSED
    assert said == (
        f"{data} is on a file system that can only be read; `sudo mount -o remount,rw {data}` changes that, "
        "or put PRISM_HOME on another one\n"
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
    assert code == data_check_here.EXIT_REFUSED
    assert said == (
        f"{data} belongs to daemon, not to nobody; `sudo chown -R nobody {data}` gives it back\n"
    )


def test_a_directory_of_somebody_else_is_told_with_the_way_to_get_it_back(
    data: Path, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: data.stat().st_uid + 1)
    stranger = data_check_here.name_user(data.stat().st_uid + 1)
    assert data_check_here.find_fault(str(data), "", 24, postgres) == (
        f"{data} belongs to {ME}, not to {stranger}; `sudo chown -R {stranger} {data}` gives it back"
    )


@pytest.mark.parametrize("make", NO_VERSIONS)
def test_what_is_no_version_is_refused_without_a_word_of_it(
    data: Path, postgres: str, make: Callable[[Path], None]
) -> None:
    make(data / "PG_VERSION")
    code, said = look(data, postgres)
    assert code == data_check_here.EXIT_REFUSED
    assert said == (
        f"{data}/PG_VERSION is no file with a version of PostgreSQL in it, as every server writes one; start without "
        "`--persist` for an empty database: the old data is put aside, not removed\n"
    )
    assert read_refusal(data) == said.strip()


@needs_root
@pytest.mark.parametrize("user", ["", data_check_here.ANY_ACCOUNT])
def test_any_servers_disk_is_looked_at(data: Path, user: str) -> None:
    below = data / "below"
    with mounted(data, "size=1m"):
        below.mkdir()
        code, said = look(below, "", user, needed_mb=10)
    assert code == data_check_here.EXIT_REFUSED
    assert said.startswith(f"the disk of {below} is full: 1 MB are free, 10 are needed")
    below.mkdir()
    with mounted(data, "ro"):
        code, said = look(data, "", user, needed_mb=10)
    assert code == data_check_here.EXIT_REFUSED
    assert said.startswith(f"{data} is on a file system that can only be read; `sudo mount -o ")


@needs_root
@pytest.mark.parametrize("user", ["", data_check_here.ANY_ACCOUNT])
def test_root_and_containers_are_not_kept_from_a_directory_of_somebody_else(
    data: Path, user: str
) -> None:
    os.chown(data, pwd.getpwnam("daemon").pw_uid, -1)
    data.chmod(0o500)
    assert look(data, "", user) == (0, "serves\n")


@needs_root
def test_a_server_without_a_will_of_its_own_takes_what_it_may_write_to(open_data: Path) -> None:
    open_data.chmod(0o777)
    with acting_as("nobody"):
        assert data_check_here.find_fault(str(open_data), "", 10, "") == ""
        assert "belongs to root" in data_check_here.find_fault(
            str(open_data), "", 10, "/bin/postgres"
        )


@needs_root
@pytest.mark.parametrize("what", [".", "log", "log/segment"])
def test_what_a_run_by_root_has_left_is_told_with_the_way_to_get_it_back(
    open_data: Path, what: str
) -> None:
    number = pwd.getpwnam("nobody").pw_uid
    (open_data / "log").mkdir(mode=0o755)
    (open_data / "log" / "segment").touch(mode=0o644)
    for each in (open_data, open_data / "log", open_data / "log" / "segment"):
        os.chown(each, number, -1)
    with acting_as("nobody"):
        assert data_check_here.find_fault(str(open_data), "", 10, "") == ""
    os.chown(open_data / what, 0, -1)
    with acting_as("nobody"):
        assert data_check_here.find_fault(str(open_data), "", 10, "") == (
            f"{open_data / what} belongs to root, not to nobody; `sudo chown -R nobody {open_data}` gives it back"
        )


@needs_root
def test_a_directory_that_its_owner_has_closed_is_told_and_a_closed_file_is_not(
    open_data: Path,
) -> None:
    inside, file = open_data / "log", open_data / "dump"
    inside.mkdir()
    file.touch(mode=0o444)
    (open_data / "link").symlink_to("/etc/shadow")
    for each in (open_data, inside, file):
        os.chown(each, pwd.getpwnam("nobody").pw_uid, -1)
    with acting_as("nobody"):
        assert data_check_here.find_fault(str(open_data), "", 10, "") == ""
        inside.chmod(0o500)
        assert data_check_here.find_fault(str(open_data), "", 10, "") == (
            f"{inside} cannot be written to; `chmod u+rwx {inside}` changes that"
        )

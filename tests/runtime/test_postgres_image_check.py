from __future__ import annotations

import inspect
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from prismctl.runtime.refusal import EXIT_REFUSED, find_refusal, read_refusal
from prismctl.runtime.servers import data_check_here, postgres_image_check_here
from tests.runtime.no_versions import NO_VERSIONS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CLIENT = """\
#!/bin/sh
test "$1 $2" = "image inspect" && echo '["PATH=/bin","PG_MAJOR={major}","PGDATA={place}"]'
"""
"""Says of every image what one of the official ones says; what real clients say is tried elsewhere."""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    made = tmp_path / "postgres"
    made.mkdir(mode=0o700)
    return made


def look(
    data: Path, *volumes: str, major: str = "16", place: str = "/var/lib/postgresql/data"
) -> tuple[int, str]:
    client = data.with_name("podman")
    client.write_text(CLIENT.format(major=major, place=place))
    client.chmod(0o755)
    mounted = volumes or (f"{data}:/var/lib/postgresql/data:Z",)
    script = [sys.executable, "-I", "-S", postgres_image_check_here.__file__]
    words = [str(data), "podman", str(client), "postgres:16", str(len(mounted)), *mounted]
    done = subprocess.run(
        [*script, *words, "/bin/echo", "serves"],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    return done.returncode, done.stdout + done.stderr


def test_data_of_another_major_version_is_refused_before_there_is_a_container(data: Path) -> None:
    (data / "PG_VERSION").write_text("15\n")
    code, said = look(data)
    assert code == EXIT_REFUSED == postgres_image_check_here.EXIT_REFUSED
    assert said == (
        f"the data in {data} was made by PostgreSQL 15, and postgres:16 is PostgreSQL 16, which cannot read it; take an image "
        "of PostgreSQL 15, or start without `--persist` for an empty database: the old data is put aside, not removed\n"
    )
    assert read_refusal(data) == said.strip()


@pytest.mark.parametrize("made_by", ["", "16\n"])
def test_data_that_fits_is_passed_and_an_earlier_refusal_forgotten(
    data: Path, made_by: str
) -> None:
    find_refusal(data).write_text("no")
    if made_by:
        (data / "PG_VERSION").write_text(made_by)
    assert look(data) == (0, "serves\n")
    assert read_refusal(data) == ""


def test_the_data_is_found_where_the_image_has_it_inside_a_volume(data: Path) -> None:
    inner = data / "18" / "docker"
    inner.mkdir(parents=True)
    (inner / "PG_VERSION").write_text("17\n")
    volume = f"{data}:/var/lib/postgresql"
    place = "/var/lib/postgresql/18/docker"
    assert look(data, volume, major="18", place=place)[0] == EXIT_REFUSED
    assert look(data, volume, major="17", place=place) == (0, "serves\n")


def test_an_image_that_does_not_say_its_version_is_passed(data: Path) -> None:
    (data / "PG_VERSION").write_text("15\n")
    assert look(data, major="") == (0, "serves\n")


def test_data_that_is_no_volume_is_left_to_the_image(data: Path) -> None:
    (data / "PG_VERSION").write_text("15\n")
    assert look(data, f"{data}:/elsewhere", "anonymous") == (0, "serves\n")


@pytest.mark.parametrize("make", NO_VERSIONS)
def test_what_is_no_version_is_refused_without_a_word_of_it(
    data: Path, make: Callable[[Path], None]
) -> None:
    make(data / "PG_VERSION")
    code, said = look(data)
    assert code == EXIT_REFUSED
    assert said == (
        f"{data}/PG_VERSION is no file with a version of PostgreSQL in it, as every server writes one; start without "
        "`--persist` for an empty database: the old data is put aside, not removed\n"
    )
    assert read_refusal(data) == said.strip()


def read_in_a_shell(version: Path) -> str:
    words = ("sh", "-c", postgres_image_check_here.READ_AS_CONTAINER, "sh", str(version))
    done = subprocess.run(words, capture_output=True, check=True, timeout=30)
    return done.stdout.decode(errors="replace")


@pytest.mark.parametrize("make", NO_VERSIONS)
def test_what_is_no_version_is_none_to_an_account_of_the_container_either(
    data: Path, make: Callable[[Path], None]
) -> None:
    version = data / "PG_VERSION"
    make(version)
    said = read_in_a_shell(version)
    assert 0 < len(said) <= postgres_image_check_here.VERSION_BYTES
    with pytest.raises(ValueError, match="not a version"):
        postgres_image_check_here.parse_version(said.encode())


def test_a_version_is_read_by_an_account_of_the_container(data: Path) -> None:
    version = data / "PG_VERSION"
    assert read_in_a_shell(version) == ""
    version.write_text("9.6\n")
    assert postgres_image_check_here.parse_version(read_in_a_shell(version).encode()) == "9.6"


@pytest.mark.parametrize("name", ["read_version", "parse_version"])
def test_both_checks_read_a_version_in_the_same_way(name: str) -> None:
    here, image = (getattr(script, name) for script in (data_check_here, postgres_image_check_here))
    assert inspect.getsource(here) == inspect.getsource(image)
    for constant in ("VERSION_DIGITS", "VERSION_BYTES", "EXIT_REFUSED"):
        assert getattr(data_check_here, constant) == getattr(postgres_image_check_here, constant)

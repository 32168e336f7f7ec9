from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from prismctl.domain.packaged import PACKAGED, render_catalog
from prismctl.errors import ConfigError, PrismError
from prismctl.files.atomic import write_atomically
from prismctl.files.catalog import load_catalog
from prismctl.files.paths import Home
from prismctl.files.profiles import load_profile
from prismctl.files.settings import load_settings
from prismctl.files.text import MAX_BYTES, name_for_people, read_text

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def problem(path: Path) -> str:
    with pytest.raises(ConfigError) as raised:
        read_text(path)
    return str(raised.value.problems[0]).removeprefix(f"{path.parent}/")


def test_the_catalog_is_created_once_and_closed_to_others(home: Home) -> None:
    catalog = load_catalog(home)
    assert catalog.is_generated
    assert dict(catalog.services) == PACKAGED
    assert home.catalog.read_text(encoding="utf-8") == render_catalog()
    assert home.catalog.stat().st_mode & 0o777 == 0o600
    assert home.directory.stat().st_mode & 0o777 == 0o700
    assert (home.directory / "services.schema.json").exists()


def test_a_catalog_that_somebody_edited_is_theirs(home: Home) -> None:
    load_catalog(home)
    home.catalog.write_text(
        f"{render_catalog()}\n  - {{name: web, command: x}}\n", encoding="utf-8"
    )
    catalog = load_catalog(home)
    assert not catalog.is_generated
    assert list(catalog.services) == [*PACKAGED, "web"]


def test_a_home_can_be_looked_at_without_being_made(home: Home) -> None:
    assert load_catalog(home, creates=False).is_generated
    assert not home.directory.exists()


def test_an_untouched_catalog_needs_no_yaml_library(home: Home) -> None:
    load_catalog(home)
    code = (
        "import sys; from pathlib import Path; from prismctl.files.paths import Home;"
        "from prismctl.files.catalog import load_catalog;"
        f"load_catalog(Home(Path({str(home.directory)!r})));"
        "assert not [name for name in sys.modules if name.startswith('ruamel')];"
        "assert 'prismctl.domain.shape' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_file_that_is_not_there_is_told_by_name(tmp_path: Path) -> None:
    assert problem(tmp_path / "no.yaml") == "no.yaml: there is no such file"
    (tmp_path / "services.yaml").touch()
    assert problem(tmp_path / "servces.yaml") == (
        "servces.yaml: there is no such file; did you mean `services.yaml`?"
    )


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    assert "is a directory, not a file" in problem(tmp_path)


def test_a_file_that_is_not_utf8_is_told_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes(b"services:\n  - name: caf\xe9\n")
    assert problem(path) == "latin.yaml:2:14: is not UTF-8: byte 0xe9 at offset 23"


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    path = tmp_path / "bom.yaml"
    path.write_bytes(b"\xef\xbb\xbfservices: []\n")
    assert read_text(path) == "services: []\n"


def test_a_file_that_is_too_large_is_refused_with_its_size(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    path.write_bytes(b"#" * (5 << 20))
    assert problem(path) == "large.yaml: has 5.0 MB; at most 1.0 MB are read"
    path.write_bytes(b"#" * MAX_BYTES)
    assert len(read_text(path)) == MAX_BYTES


def test_a_device_is_no_file_but_the_empty_one_is_an_empty_file() -> None:
    assert problem(Path("/dev/zero")) == "zero: is a device, not a file"
    assert read_text(Path(os.devnull)) == ""


@pytest.mark.timeout(10)
def test_a_named_pipe_is_refused_instead_of_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.yaml"
    os.mkfifo(pipe)
    assert problem(pipe) == "pipe.yaml: is a named pipe, not a file"
    link = tmp_path / "link.yaml"
    link.symlink_to(pipe)
    assert problem(link) == "link.yaml: is a named pipe, not a file"


@pytest.mark.timeout(10)
def test_a_home_whose_files_are_named_pipes_is_told_at_once(home: Home) -> None:
    home.profiles.mkdir(parents=True)
    for path in (home.catalog, home.settings, home.profiles / "mine.yaml"):
        os.mkfifo(path)
    with pytest.raises(ConfigError, match="is a named pipe"):
        load_catalog(home)
    with pytest.raises(ConfigError, match="is a named pipe"):
        load_settings(home)
    with pytest.raises(ConfigError, match="is a named pipe"):
        load_profile(home, "mine")


def test_a_socket_is_no_file(tmp_path: Path) -> None:
    path = Path(os.path.relpath(tmp_path / "s"))
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        assert "is a socket, not a file" in problem(path)


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    ("pipe", "path"),
    [("(sleep 0.1; printf hi) |", "/dev/stdin"), ("", "<(sleep 0.1; printf hi)")],
)
def test_what_a_shell_pipes_in_is_read_to_its_end(pipe: str, path: str) -> None:
    code = (
        "import sys; from pathlib import Path; from prismctl.files.text import read_text;"
        "print(read_text(Path(sys.argv[1])))"
    )
    script = f'{pipe} "$1" -c "$2" {path}'
    shown = subprocess.run(
        ["bash", "-c", script, "bash", sys.executable, code], check=True, capture_output=True
    )
    assert shown.stdout == b"hi\n"


@pytest.mark.timeout(10)
def test_a_pipe_without_an_end_is_refused_once_it_is_too_much() -> None:
    with subprocess.Popen(["yes"], stdout=subprocess.PIPE) as flood:
        assert flood.stdout is not None
        message = problem(Path(f"/dev/fd/{flood.stdout.fileno()}"))
        flood.stdout.close()
    assert message.endswith(": has 1.0 MB; at most 1.0 MB are read")


def test_a_file_where_home_should_be_is_told(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("", encoding="utf-8")
    with pytest.raises(PrismError) as raised:
        load_catalog(Home(blocker))
    assert raised.value.exit_code == 1
    assert str(blocker) in raised.value.message


def test_a_home_below_a_file_is_told_with_a_hint(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("", encoding="utf-8")
    with pytest.raises(PrismError, match=r"cannot create .*: Not a directory") as raised:
        load_catalog(Home(blocker / "home"))
    assert "PRISM_HOME" in raised.value.hint


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_home_of_somebody_else_is_told(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    for directory in (tmp_path, *tmp_path.parents):
        if directory.stat().st_uid == 0 and directory != Path("/tmp"):
            directory.chmod(directory.stat().st_mode | 0o055)
    code = (
        "import sys; from pathlib import Path; from prismctl.errors import PrismError;"
        "from prismctl.files.paths import Home; from prismctl.files.catalog import load_catalog\n"
        f"try: load_catalog(Home(Path({str(home)!r})))\n"
        "except PrismError as error: print(error.message, '|', error.hint)"
    )
    done = subprocess.run(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "cannot write" in done.stdout, done.stderr
    assert "Permission denied" in done.stdout
    assert list(home.iterdir()) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system that holds 64 KiB."""
    directory = tmp_path / "disk"
    directory.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(directory)], check=True)
    try:
        yield directory
    finally:
        subprocess.run(["umount", str(directory)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a file system")
def test_a_full_disk_leaves_the_old_file_and_no_other(small_disk: Path) -> None:
    path = small_disk / "services.yaml"
    write_atomically(path, "old")
    with pytest.raises(PrismError, match=r"cannot write .*: No space left on device") as raised:
        write_atomically(path, "x" * (1 << 17))
    assert "df -h" in raised.value.hint
    assert path.read_text(encoding="utf-8") == "old"
    assert [each.name for each in small_disk.iterdir()] == ["services.yaml"]


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for content in ("one", b"two"):
        write_atomically(path, content, mode=0o640)
    assert path.read_bytes() == b"two"
    assert [each.name for each in tmp_path.iterdir()] == ["a"]


def test_names_are_those_a_person_would_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prismctl.files.text import name_for_people

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/ana")
    assert name_for_people(tmp_path / "sub" / "a.yaml") == "sub/a.yaml"
    assert name_for_people(Path("/home/ana/.prism/services.yaml")) == "~/.prism/services.yaml"
    assert name_for_people(Path("/etc/x.yaml")) == "/etc/x.yaml"


def test_all_that_a_stack_begins_with_is_closed_to_others(tmp_path: Path) -> None:
    paths = Home(tmp_path / "home").stack("default")
    paths.ensure()
    made = [tmp_path / "home", *(tmp_path / "home").rglob("*")]
    assert paths.socket_pointer in made
    assert [path for path in made if path.stat().st_mode & 0o077] == []
    if paths.socket_directory != paths.directory:
        paths.socket_directory.rmdir()


def test_a_path_never_loses_its_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "user"
    work = home / "work"
    work.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    for place, path, shown in (
        (Path("/"), Path("/usr/bin/nomad"), "/usr/bin/nomad"),
        (home, home / ".prism" / "bin", "~/.prism/bin"),
        (tmp_path, home / ".prism", "~/.prism"),
        (work, work / "services.yaml", "services.yaml"),
        (work, home / ".prism", "~/.prism"),
    ):
        monkeypatch.chdir(place)
        assert name_for_people(path) == shown

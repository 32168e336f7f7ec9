"""Taking programs into use and going back, with interruptions between any two steps and others looking on."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from prismctl.errors import PrismError
from prismctl.files.paths import Home
from prismctl.install.manifest import Manifest, read_manifest, with_tool, write_manifest
from prismctl.install.placing import place, roll_back, settle
from prismctl.install.provider import Offer, Provided, ProviderName
from prismctl.install.tools import BUSINESS_SOURCE, ToolName
from prismctl.install.versions import Version
from tests.install.provider_contract import program_saying

if TYPE_CHECKING:
    from pathlib import Path

OLD = Version(1, 11, 2)
NEW = Version(1, 11, 3)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def put(home: Home, version: Version, words: str = "") -> None:
    """What an installation does once the program was verified."""
    workspace = home.directory.with_name("workspace")
    workspace.mkdir(exist_ok=True)
    path = workspace / f"nomad-{version}"
    path.write_text(program_saying(words or f"Nomad v{version}"))
    offer = Offer(
        tool=ToolName.NOMAD,
        version=version,
        provider=ProviderName.RELEASE,
        source="https://releases.example/nomad.zip",
        licence=BUSINESS_SOURCE,
    )
    place(home, offer, Provided(path=path, sha256="0" * 64, verified="by a test"))


def said_by(home: Home) -> str:
    done = subprocess.run([home.tools / "nomad"], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_placed_program_is_found_by_its_name_and_accounted_for(home: Home) -> None:
    put(home, NEW)
    assert said_by(home) == "Nomad v1.11.3"
    assert (home.tools / "nomad").readlink().name == "nomad-1.11.3"
    tool = read_manifest(home).tools["nomad"].installed[0]
    assert (tool.file, tool.provider, tool.sha256) == ("nomad-1.11.3", "release", "0" * 64)
    assert (home.tools / "nomad-1.11.3").stat().st_mode & 0o777 == 0o755
    assert home.directory.stat().st_mode & 0o077 == 0
    assert home.tools.stat().st_mode & 0o077 == 0


def test_a_newer_version_stands_beside_the_older_one(home: Home) -> None:
    put(home, OLD)
    put(home, NEW)
    assert said_by(home) == "Nomad v1.11.3"
    assert (home.tools / "nomad-1.11.2").is_file()


def test_rolling_back_twice_goes_forth(home: Home) -> None:
    put(home, OLD)
    put(home, NEW)
    assert roll_back(home, "nomad") == "nomad-1.11.2"
    assert said_by(home) == "Nomad v1.11.2"
    assert roll_back(home, "nomad") == "nomad-1.11.3"
    assert said_by(home) == "Nomad v1.11.3"


def test_there_is_nothing_to_go_back_to_after_the_first(home: Home) -> None:
    home.directory.mkdir()
    with pytest.raises(PrismError, match="no earlier nomad"):
        roll_back(home, "nomad")
    put(home, NEW)
    with pytest.raises(PrismError, match="no earlier nomad"):
        roll_back(home, "nomad")
    assert said_by(home) == "Nomad v1.11.3"


def test_going_back_to_a_program_that_is_gone_changes_nothing(home: Home) -> None:
    put(home, OLD)
    put(home, NEW)
    (home.tools / "nomad-1.11.2").unlink()
    before = read_manifest(home)
    with pytest.raises(PrismError, match=r"nomad-1\.11\.2 is gone"):
        roll_back(home, "nomad")
    assert read_manifest(home) == before
    assert said_by(home) == "Nomad v1.11.3"


def test_placing_the_same_version_again_replaces_it_in_one_step(home: Home) -> None:
    put(home, OLD)
    put(home, NEW)
    put(home, NEW, "Nomad v1.11.3 again")
    assert said_by(home) == "Nomad v1.11.3 again"
    assert roll_back(home, "nomad") == "nomad-1.11.2"


def test_what_ended_before_the_manifest_was_written_is_done_by_placing_again(home: Home) -> None:
    put(home, OLD)
    (home.tools / "nomad-1.11.3").write_text("half of a manifest was never here")
    settle(home)
    assert said_by(home) == "Nomad v1.11.2"
    put(home, NEW)
    assert said_by(home) == "Nomad v1.11.3"


@pytest.mark.parametrize("link", ["nomad-1.11.2", "nowhere", None])
def test_what_ended_before_the_name_was_moved_is_settled(link: str | None, home: Home) -> None:
    put(home, OLD)
    put(home, NEW)
    (home.tools / "nomad").unlink()
    if link:
        (home.tools / "nomad").symlink_to(link)
    settle(home)
    assert said_by(home) == "Nomad v1.11.3"


def test_settling_never_points_at_a_program_that_is_gone(home: Home) -> None:
    put(home, OLD)
    put(home, NEW)
    (home.tools / "nomad").unlink()
    (home.tools / "nomad").symlink_to("nomad-1.11.2")
    (home.tools / "nomad-1.11.3").unlink()
    settle(home)
    assert said_by(home) == "Nomad v1.11.2"


def test_settling_what_is_settled_changes_nothing(home: Home) -> None:
    put(home, NEW)
    before = (home.tools / "nomad").lstat()
    settle(home)
    after = (home.tools / "nomad").lstat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    settle(Home(home.directory / "none"))


def test_whoever_looks_meanwhile_always_finds_a_program(home: Home) -> None:
    put(home, OLD)
    put(home, NEW)
    is_over = threading.Event()
    seen: set[str] = set()
    missed: list[str] = []

    def look() -> None:
        while not is_over.is_set():
            try:
                seen.add((home.tools / "nomad").read_text())
            except OSError as error:
                missed.append(str(error))

    readers = [threading.Thread(target=look) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        for turn in range(60):
            roll_back(home, "nomad")
            if turn % 10 == 0:
                put(home, NEW)
    finally:
        is_over.set()
        for reader in readers:
            reader.join()
    assert missed == []
    assert seen
    assert seen <= {program_saying("Nomad v1.11.2"), program_saying("Nomad v1.11.3")}


def test_killed_at_any_moment_it_can_be_settled(home: Home, tmp_path: Path) -> None:
    """The process ends without a word before each of the calls that change anything, one after the other."""
    script = tmp_path / "killed.py"
    script.write_text(
        "import os, sys\n"
        "from pathlib import Path\n"
        "from prismctl.files.paths import Home\n"
        "from prismctl.install.placing import roll_back\n"
        "left = int(sys.argv[2])\n"
        "def count(event, arguments):\n"
        "    global left\n"
        "    if event in {'os.rename', 'os.symlink', 'os.remove'} or event == 'open' and "
        "arguments[2] and arguments[2] & os.O_WRONLY:\n"
        "        left -= 1\n"
        "        if left < 0:\n"
        "            os._exit(9)\n"
        "sys.addaudithook(count)\n"
        "roll_back(Home(Path(sys.argv[1])), 'nomad')\n"
    )
    put(home, OLD)
    put(home, NEW)
    for allowed in range(20):
        before = read_manifest(home).tools["nomad"].current
        done = subprocess.run([sys.executable, script, home.directory, str(allowed)], check=False)
        assert (home.tools / "nomad").exists(), f"after {allowed} calls"
        settle(home)
        current = read_manifest(home).tools["nomad"].current
        assert (home.tools / "nomad").readlink().name == current
        if done.returncode == 0:
            assert current != before
            break
    else:
        pytest.fail("it never came to its end")
    assert allowed >= 3


def test_a_home_that_cannot_be_written_is_an_error_and_the_old_program_stays(
    home: Home, tmp_path: Path
) -> None:
    put(home, OLD)
    home.tools.rename(tmp_path / "bin")
    home.tools.write_text("in the way")
    with pytest.raises(PrismError, match="cannot write"):
        put(home, NEW)
    home.tools.unlink()
    (tmp_path / "bin").rename(home.tools)
    assert said_by(home) == "Nomad v1.11.2"
    assert read_manifest(home).tools["nomad"].current == "nomad-1.11.2"


def test_a_full_disk_leaves_the_old_program_in_use(home: Home, tmp_path: Path) -> None:
    put(home, OLD)
    script = tmp_path / "full.py"
    # A limit on the size of files cuts a write short as a full disk does, with another error number.
    script.write_text(
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from prismctl.errors import PrismError\n"
        "from prismctl.files.paths import Home\n"
        "from prismctl.install.manifest import read_manifest, with_created, write_manifest\n"
        "home = Home(Path(sys.argv[1]))\n"
        "manifest = with_created(read_manifest(home), 'x' * 5000)\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "try:\n"
        "    write_manifest(home, manifest)\n"
        "except PrismError as error:\n"
        "    print(error.message)\n"
    )
    done = subprocess.run(
        [sys.executable, script, home.directory], capture_output=True, text=True, check=True
    )
    assert "cannot write" in done.stdout
    assert sorted(each.name for each in home.directory.iterdir()) == ["bin", "manifest.json"]
    assert said_by(home) == "Nomad v1.11.2"
    settle(home)


def test_a_manifest_without_its_programs_points_at_nothing(home: Home) -> None:
    put(home, NEW)
    tool = read_manifest(home).tools["nomad"].installed[0]
    other = Home(home.directory.with_name("other"))
    other.directory.mkdir()
    write_manifest(other, with_tool(Manifest(), "nomad", tool))
    settle(other)
    assert not other.tools.exists()

"""`clean` as it is typed: what it asks, stops, removes, leaves and says."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from prismctl.errors import ExitCode
from prismctl.files.catalog import ensure_catalog
from prismctl.install.manifest import (
    InstalledPackages,
    InstalledTool,
    Manifest,
    read_manifest,
    with_created,
    with_packages,
    with_tool,
    write_manifest,
)
from tests.desk import ended_with, read_to_end, words

if TYPE_CHECKING:
    from collections.abc import Callable

    from prismctl.files.paths import Home
    from tests.desk import Desk

CATALOG = "core: false\nservices:\n  - name: sleeper\n    command: sleep 1000\n    default: true\n"


def everything_below(directory: Path) -> list[str]:
    return sorted(str(each.relative_to(directory)) for each in directory.rglob("*"))


def install(home: Home) -> None:
    """A home as an `init` leaves it: a tool, a catalog, a profile, a manifest."""
    ensure_catalog(home)
    home.profiles.mkdir()
    (home.profiles / "mine.yaml").write_text("with: [redis]\n")
    home.tools.mkdir()
    (home.tools / "nomad-1.11.3").write_text("#!/bin/sh\necho Nomad v1.11.3\n")
    (home.tools / "nomad-1.11.3").chmod(0o755)
    (home.tools / "nomad").symlink_to("nomad-1.11.3")
    tool = InstalledTool(
        file="nomad-1.11.3",
        version="1.11.3",
        provider="go",
        source="example.org/nomad",
        sha256="0" * 64,
        verified="by a test",
    )
    write_manifest(home, with_tool(Manifest(), "nomad", tool))


def script(directory: Path, name: str, body: str) -> Path:
    directory.mkdir(exist_ok=True)
    program = directory / name
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    return program


def test_nothing_to_remove_needs_no_consent(prismctl: Any, home: Home) -> None:
    for flags in ([], ["--all"], ["--dry-run"], ["--all", "--dry-run"]):
        answer = prismctl("dev", "clean", *flags)
        assert answer.code == 0
        assert "there is nothing to remove" in answer.out
    assert prismctl("dev", "clean", "-o", "json").document["removed"] == []
    assert not home.directory.exists()


def test_nobody_asked_and_nobody_agreed_is_an_error_that_touches_nothing(
    prismctl: Any, home: Home
) -> None:
    home.cache.mkdir(parents=True)
    answer = prismctl("dev", "clean")
    assert answer.code == ExitCode.INVALID
    assert "has to be confirmed" in answer.err
    assert "--yes" in answer.err
    assert everything_below(home.directory) == ["cache"]
    document = prismctl("dev", "clean", "-o", "json")
    assert document.code == ExitCode.INVALID
    assert document.document["error"]["code"] == "invalid"


def test_a_trial_lists_every_path_with_its_size_and_touches_nothing(
    prismctl: Any, home: Home
) -> None:
    install(home)
    home.cache.mkdir()
    (home.cache / "file").write_bytes(b"x" * 100_000)
    before = everything_below(home.directory)
    answer = prismctl("dev", "clean", "--dry-run", "--all")
    assert answer.code == 0
    for name in ("cache", "bin/nomad-1.11.3", "services.yaml", "profiles/mine.yaml", "manifest"):
        assert name in answer.out
    assert "nothing was touched" in answer.err
    document = prismctl("dev", "clean", "--dry-run", "--all", "-o", "json").document
    assert document["schema"] == 1
    assert document["dry_run"] is True
    assert document["bytes"] == sum(each["bytes"] for each in document["paths"]) > 100_000
    assert {each["kind"] for each in document["paths"]} == {
        *("state", "tool", "setting", "bookkeeping")
    }
    assert "go clean" in document["notes"][0]
    assert everything_below(home.directory) == before


def test_state_goes_and_the_rest_stays_and_is_named(prismctl: Any, home: Home) -> None:
    install(home)
    before = everything_below(home.directory)
    for directory in (home.cache, home.downloads, home.directory / "crashes"):
        directory.mkdir()
        (directory / "file").write_text("x")
    (home.directory / "notes").write_text("mine")
    answer = prismctl("dev", "clean", "--yes")
    assert (answer.code, "removed 3 paths" in answer.out) == (0, True)
    assert "not made by prismctl" in answer.out
    assert everything_below(home.directory) == sorted([*before, "notes"])
    again = prismctl("dev", "clean", "--yes")
    assert (again.code, "nothing to remove" in again.out) == (0, True)


def test_after_all_the_files_are_those_from_before(
    prismctl: Any, home: Home, tmp_path: Path
) -> None:
    before = everything_below(tmp_path)
    install(home)
    home.cache.mkdir()
    home.stack("default").ensure()
    answer = prismctl("dev", "clean", "--all", "--yes", "-o", "json")
    assert answer.code == 0
    assert answer.document["is_home_removed"] is True
    assert answer.document["kept"] == []
    assert everything_below(tmp_path) == before


def test_all_leaves_what_it_has_not_made_and_home_with_it(prismctl: Any, home: Home) -> None:
    install(home)
    (home.directory / "notes").write_text("mine")
    answer = prismctl("dev", "clean", "--all", "--yes", "-o", "json")
    assert answer.code == 0
    assert answer.document["is_home_removed"] is False
    assert [Path(each["path"]).name for each in answer.document["kept"]] == ["notes"]
    assert everything_below(home.directory) == ["notes"]


def test_a_damaged_manifest_stops_all_before_anything_is_touched(prismctl: Any, home: Home) -> None:
    install(home)
    home.cache.mkdir()
    home.manifest.write_text("{")
    before = everything_below(home.directory)
    answer = prismctl("dev", "clean", "--all", "--yes")
    assert (answer.code, "damaged" in answer.err) == (ExitCode.FAILED, True)
    assert everything_below(home.directory) == before
    assert prismctl("dev", "clean", "--yes").code == 0
    assert not home.cache.exists()


def test_an_init_at_work_is_not_disturbed(prismctl: Any, home: Home) -> None:
    home.cache.mkdir(parents=True)
    with (home.directory / "init.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        answer = prismctl("dev", "clean", "--yes")
    assert answer.code == ExitCode.FAILED
    assert "`prismctl dev init` is at work" in answer.err
    assert home.cache.exists()


def test_what_cannot_be_removed_is_listed_and_stays_accounted_for(
    prismctl: Any, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(home)
    built = tmp_path / "tools" / "nomad-1.11.3-0123456789ab"
    built.parent.mkdir()
    built.write_text("x")
    monkeypatch.setenv("PRISM_TOOLS_DIR", str(built.parent))
    lock = built.parent / ".nomad.lock"
    manifest = with_created(read_manifest(home), built)
    write_manifest(home, with_created(manifest, tmp_path / "outside"))
    (tmp_path / "outside").touch()
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        answer = prismctl("dev", "clean", "--all", "--yes")
    assert answer.code == ExitCode.PARTIAL
    assert "somebody holds it" in answer.err
    assert "again goes on" in answer.err
    assert not built.exists()
    assert (tmp_path / "outside").exists()
    assert read_manifest(home).created == (str(built),)
    again = prismctl("dev", "clean", "--all", "--yes", "-o", "json")
    assert (again.code, again.document["is_home_removed"]) == (0, True)
    assert not built.parent.exists()


def test_images_and_packages_go_by_the_programs_that_brought_them(
    prismctl: Any, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "programs"
    told = tmp_path / "told"
    for tool in ("podman", "docker"):
        script(programs, tool, f'echo "{tool} $*" >> {told}')
    script(programs, "dpkg", f'echo "dpkg $*" >> {told}')
    script(programs, "sudo", '[ "$1" = -n ] && shift; exec "$@"')
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    home.directory.mkdir()
    image, other = "a" * 64, f"sha256:{'b' * 64}"
    packages = InstalledPackages(manager="apt", names=("podman", "crun"))
    write_manifest(home, with_packages(Manifest(images=(image, other)), packages))
    trial = prismctl("dev", "clean", "--all", "--dry-run")
    assert "dpkg --purge podman crun" in trial.out
    assert not told.exists()
    answer = prismctl("dev", "clean", "--all", "--yes", "-o", "json")
    assert answer.code == 0, answer.out
    assert told.read_text().splitlines() == [
        f"podman rmi {image}",
        f"docker rmi {other}",
        "dpkg --purge podman crun",
    ]
    assert answer.document["removed_packages"] == ["podman", "crun"]
    assert not home.directory.exists()


def test_a_package_that_something_else_needs_stays_in_the_manifest(
    prismctl: Any, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "programs"
    script(programs, "dpkg", "echo 'dpkg: buildah depends on crun' >&2; exit 1")
    script(programs, "sudo", '[ "$1" = -n ] && shift; exec "$@"')
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    install(home)
    packages = InstalledPackages(manager="apt", names=("crun",))
    write_manifest(home, with_packages(read_manifest(home), packages))
    answer = prismctl("dev", "clean", "--all", "--yes", "-o", "json")
    assert answer.code == ExitCode.PARTIAL
    assert answer.document["failed"][0]["reason"] == "dpkg: buildah depends on crun"
    assert read_manifest(home) == Manifest(packages=(packages,))
    assert everything_below(home.directory) == ["manifest.json"]


def test_a_link_in_home_goes_and_what_it_points_to_stays(
    prismctl: Any, home: Home, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("x")
    home.directory.mkdir()
    home.cache.symlink_to(outside)
    (home.stacks / "default").mkdir(parents=True)
    (home.stacks / "default" / "data").symlink_to(outside)
    assert prismctl("dev", "clean", "--yes").code == 0
    assert not home.directory.exists()
    assert (outside / "file").read_text() == "x"


def test_running_stacks_are_stopped_and_killed_ones_swept(
    desk: Desk, wait_until: Callable[..., None]
) -> None:
    for stack in ("one", "two"):
        done = desk.pipe(*desk.start(CATALOG, "--stack", stack))
        assert done.returncode == 0, done.stderr
    home = desk.lab.home
    pids = json.loads(desk.pipe("dev", "status", "--stack", "two").stdout)
    keepers = [
        pid
        for pid, command in desk.lab.own_processes()
        if "/run/two" in command and ("keeper" in command or "prismctl.daemon" in command)
    ]
    for pid in keepers:
        os.kill(pid, signal.SIGKILL)
    trial = json.loads(desk.pipe("dev", "clean", "--dry-run", "-o", "json").stdout)
    conditions = {each["name"]: each["condition"] for each in trial["stacks"]}
    assert conditions["one"] == "running"
    done = desk.pipe("dev", "clean", "--all", "--yes", "-o", "json")
    assert done.returncode == 0, done.stdout
    document = json.loads(done.stdout)
    assert document["stopped"][0] == "one"
    assert document["is_home_removed"]
    assert pids["services"]
    wait_until(lambda: not desk.lab.own_processes())
    assert not home.exists()


def test_a_terminal_is_asked_and_no_touches_nothing(desk: Desk) -> None:
    desk.lab.paths.ensure()
    before = everything_below(desk.lab.home)
    for key in ("n", "\r", "\x04"):
        child = desk.terminal(["dev", "clean"], size=(24, 140))
        child.expect("leave everything as it is")
        child.send(key)
        assert "nothing was touched" in words(read_to_end(child))
        assert ended_with(child) == ExitCode.FAILED
    assert everything_below(desk.lab.home) == before


def test_a_terminal_is_asked_and_yes_removes(desk: Desk) -> None:
    desk.lab.paths.ensure()
    child = desk.terminal(["dev", "clean"], size=(24, 140))
    child.expect("leave everything as it is")
    assert "run/default" in words(child.before)
    child.send("y")
    assert "removed 1 path" in words(read_to_end(child))
    assert ended_with(child) == 0
    assert not desk.lab.home.exists()


def test_ctrl_c_at_the_question_touches_nothing(desk: Desk) -> None:
    desk.lab.paths.ensure()
    child = desk.terminal(["dev", "clean"], size=(24, 140))
    child.expect("leave everything as it is")
    child.sendintr()
    read_to_end(child)
    assert ended_with(child) == ExitCode.INTERRUPTED
    assert desk.lab.paths.directory.exists()


def test_killed_at_any_removal_it_ends_when_it_is_called_again(
    home: Home, tmp_path: Path, prismctl: Any
) -> None:
    """The process ends without a word before each of its removals, one after the other."""
    killer = tmp_path / "killed.py"
    killer.write_text(
        "import os, sys\n"
        "left = int(sys.argv[1])\n"
        "def count(event, arguments):\n"
        "    global left\n"
        "    if event in {'os.remove', 'os.rmdir', 'os.rename'}:\n"
        "        left -= 1\n"
        "        if left < 0:\n"
        "            os._exit(9)\n"
        "from prismctl.cli import main, cleaning\n"
        "import prismctl.cli.commands.clean\n"
        "sys.addaudithook(count)\n"
        "sys.exit(main.run(['dev', 'clean', '--all', '--yes', '-q']))\n"
    )
    for allowed in range(0, 40, 3):
        if not home.directory.exists():
            install(home)
            home.cache.mkdir()
            (home.stacks / "default" / "logs").mkdir(parents=True)
            (home.stacks / "default" / "logs" / "a").touch()
        done = subprocess.run(
            [sys.executable, killer, str(allowed)], check=False, capture_output=True
        )
        assert done.returncode in {0, 9}, done.stderr
        if done.returncode == 9:
            assert prismctl("dev", "clean", "--all", "--yes").code == 0
        assert not home.directory.exists(), f"after {allowed} removals"
        if done.returncode == 0:
            break
    else:
        pytest.fail("it never came to its end")
    assert allowed > 6

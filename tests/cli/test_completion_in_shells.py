"""Completion as the shells themselves do it: the real bash, zsh and fish, set up by the command."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pexpect
import pytest

from prismctl.files.catalog import ensure_catalog
from prismctl.files.paths import Home

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE = 30
CASES = [
    ("dev star", "start"),
    ("dev start --preset mes", "messaging"),
    ("dev start --preset=mes", "--preset=messaging"),
    ("dev start --profile=te", "--profile=team"),
    ("dev start --profile te", "team"),
    ("dev start --profile=team --with-pos", "--with-postgres"),
    ("dev start --with pos", "postgres"),
    ("dev start --services=./serv", "--services=./services-of-mine.yaml"),
    ("dev logs wor", "worker"),
    ("dev config explain redis.pers", "redis.persist"),
    ("completion install f", "fish"),
]
"""What is typed, and what the last word becomes."""


class Shells:
    """Somebody's account with completion installed, and a stack that has been planned."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.home = Home(directory / "prism")
        ensure_catalog(self.home)
        self.home.profiles.mkdir()
        (self.home.profiles / "team.yaml").write_text("services: [redis]\n", encoding="utf-8")
        paths = self.home.stack("default")
        paths.plan.parent.mkdir(parents=True)
        paths.plan.write_text('{"services": [{"name": "worker"}]}', encoding="utf-8")
        (directory / "services-of-mine.yaml").write_text("", encoding="utf-8")
        programs = directory / "bin"
        programs.mkdir()
        (programs / "prismctl").write_text(
            f'#!/bin/sh\nexec "{sys.executable}" -m prismctl "$@"\n', encoding="utf-8"
        )
        (programs / "prismctl").chmod(0o755)
        self.environment = {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "HOME": str(directory),
            "PRISM_HOME": str(self.home.directory),
            "TERM": "xterm",
            "LANG": "C.UTF-8",
        }

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words,
            env=self.environment,
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def install(self, shell: str) -> str:
        done = self.run("prismctl", "completion", "install", shell)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def open(self, *words: str) -> Any:
        return pexpect.spawn(
            words[0],
            list(words[1:]),
            env=self.environment,
            cwd=str(self.directory),
            encoding="utf-8",
            dimensions=(24, 400),
            timeout=PATIENCE,
        )


@pytest.fixture
def shells(tmp_path: Path) -> Shells:
    return Shells(tmp_path)


def completed(child: Any, typed: str) -> str:
    """The line that is there after the tab key, as a function in place of the program is given it."""
    child.send(f"prismctl {typed}\t")
    # Both shells run a widget at a time: what follows is typed into the completed line.
    child.send(" @@\r")
    child.expect(r"GOT<([^>\r\n]*)>")
    return str(child.match[1])


SHOW = "shown() { printf 'GOT''<%s>\\n' \"$*\"; }; prismctl() { shown \"$@\"; }"


def expect_all(child: Any) -> None:
    for typed, last in CASES:
        shown = completed(child, typed)
        words = shown.removesuffix("@@").split()
        assert words[:-1] == typed.split()[:-1], typed
        assert words[-1].rstrip("/") == last, typed


@pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash")
def test_bash_completes_names_and_values_of_options(shells: Shells) -> None:
    shells.install("bash")
    script = shells.directory / ".local/share/bash-completion/completions/prismctl"
    child = shells.open("bash", "--norc", "--noprofile", "-i")
    try:
        child.sendline(
            f"bind 'set enable-bracketed-paste off'; . '{script}'; {SHOW}; echo READY''!"
        )
        child.expect("READY!")
        # The script asks the program that is typed, which is a function here: ask the real one.
        child.sendline(
            "_ask() { _prismctl_completion \"$(type -P prismctl)\"; }; complete -o nosort -F _ask prismctl; echo SE''T"
        )
        child.expect("SET")
        expect_all(child)
    finally:
        child.close(force=True)


@pytest.mark.skipif(not shutil.which("zsh"), reason="there is no zsh")
def test_zsh_reads_what_was_installed_and_completes(shells: Shells) -> None:
    shells.install("zsh")
    child = shells.open("zsh", "-i")
    try:
        child.sendline("unsetopt zle_bracketed_paste 2>/dev/null; PS1='% '; echo READY''!")
        child.expect("READY!")
        child.sendline(
            "accept-shown() { BUFFER=\"printf 'GOT''<%s>\\\\n' ${(qq)BUFFER#prismctl }\"; zle accept-line }; zle -N accept-shown; bindkey '^G' accept-shown; echo SE''T"
        )
        child.expect("SET")
        for typed, last in CASES:
            child.send(f"prismctl {typed}\t\x07")
            child.expect(r"GOT<([^>\r\n]*)>")
            words = str(child.match[1]).split()
            assert words[:-1] == typed.split()[:-1], typed
            assert words[-1].rstrip("/") == last, typed
    finally:
        child.close(force=True)


@pytest.mark.skipif(not shutil.which("fish"), reason="there is no fish")
@pytest.mark.parametrize(("typed", "last"), CASES)
def test_fish_finds_what_was_installed_and_completes(shells: Shells, typed: str, last: str) -> None:
    shells.install("fish")
    done = shells.run("fish", "-c", f"complete -C 'prismctl {typed}'")
    offered = [each.split("\t")[0] for each in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr
    assert [each.rstrip("/") for each in offered] == [last]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_installing_again_changes_nothing_and_says_so(shells: Shells, shell: str) -> None:
    (shells.directory / ".zshrc").write_text("# mine", encoding="utf-8")
    first = shells.install(shell)
    before = contents(shells.directory)
    again = shells.install(shell)
    assert "wrote " in first
    assert "wrote " not in again
    assert "already as it should be" in again
    assert contents(shells.directory) == before


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_trial_writes_nothing_and_names_what_it_would(shells: Shells, shell: str) -> None:
    before = contents(shells.directory)
    done = shells.run("prismctl", "completion", "install", shell, "--dry-run")
    assert done.returncode == 0
    assert "would write " in done.stdout
    assert contents(shells.directory) == before


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_what_was_installed_can_be_taken_away(shells: Shells, shell: str) -> None:
    start_file = shells.directory / ".zshrc"
    start_file.write_bytes(b"alias ll='ls -l'\n# caf\xe9\n")
    start_file.chmod(0o600)
    before = contents(shells.directory)
    shells.install(shell)
    trial = shells.run("prismctl", "completion", "uninstall", shell, "--dry-run")
    assert "would remove" in trial.stdout
    done = shells.run("prismctl", "completion", "uninstall", shell)
    assert (done.returncode, "removed" in done.stdout) == (0, True)
    assert contents(shells.directory) == before
    assert start_file.stat().st_mode & 0o777 == 0o600
    nothing = shells.run("prismctl", "completion", "uninstall", shell)
    assert f"completion for {shell} is not installed" in nothing.stderr


def test_the_home_of_a_trial_is_not_read_for_ever(shells: Shells) -> None:
    shells.environment["PRISM_HOME"] = str(shells.directory / "demo")
    shells.install("zsh")
    script = shells.directory / ".local/share/prismctl/completion.zsh"
    assert script.is_file()
    assert "demo" not in (shells.directory / ".zshrc").read_text(encoding="utf-8")


def put_in_home(shells: Shells) -> Path:
    """Completion for zsh as an earlier version put it, which is returned."""
    former = shells.home.directory / "completion" / "prismctl.zsh"
    former.parent.mkdir()
    former.write_text("# old\n", encoding="utf-8")
    line = f'[ -r "{former}" ] && . "{former}"  # prismctl completion\n'
    (shells.directory / ".zshrc").write_text(f"# mine\n{line}", encoding="utf-8")
    return former


def test_the_script_that_was_in_home_gives_way_with_its_line(shells: Shells) -> None:
    former = put_in_home(shells)
    assert f"removed {former}" in shells.install("zsh")
    text = (shells.directory / ".zshrc").read_text(encoding="utf-8")
    assert text.count("# prismctl completion") == 1
    assert str(former) not in text
    assert not former.parent.exists()


def test_the_script_that_was_in_home_is_taken_away_with_its_line(shells: Shells) -> None:
    former = put_in_home(shells)
    shells.run("prismctl", "completion", "uninstall", "zsh", "--dry-run")
    assert former.exists()
    done = shells.run("prismctl", "completion", "uninstall", "zsh")
    assert (done.returncode, done.stderr) == (0, "")
    assert (shells.directory / ".zshrc").read_text(encoding="utf-8") == "# mine\n"
    assert not former.parent.exists()


def test_no_path_makes_a_start_file_run_something_else(shells: Shells) -> None:
    """Each shell is asked to read the line, with a directory in it that would be code."""
    data = shells.directory / """it's $(touch ran) `touch ran` "; touch ran #"""
    shells.environment["XDG_DATA_HOME"] = str(data)
    shells.install("zsh")
    (data / "prismctl" / "completion.zsh").write_text("echo was read\n", encoding="utf-8")
    for shell in filter(shutil.which, ("sh", "bash", "zsh")):
        done = shells.run(shell, "-c", f". {shells.directory}/.zshrc")
        assert (done.stdout, done.stderr) == ("was read\n", "")
    assert not (shells.directory / "ran").exists()


def test_a_path_of_two_lines_is_refused_before_anything_is_written(shells: Shells) -> None:
    shells.environment["XDG_DATA_HOME"] = f"{shells.directory}/a\ntouch ran"
    before = contents(shells.directory)
    done = shells.run("prismctl", "completion", "install", "zsh")
    assert done.returncode == 1
    assert "has a line break in it" in done.stderr
    assert "hint: point XDG_DATA_HOME at another directory" in done.stderr
    assert contents(shells.directory) == before


def test_completion_before_the_first_start_leaves_no_home_open_to_others(shells: Shells) -> None:
    home = shells.directory / "first"
    shells.environment["PRISM_HOME"] = str(home)
    before = os.umask(0o002)
    try:
        shells.install("zsh")
    finally:
        os.umask(before)
    assert not home.exists()
    script = shells.directory / ".local/share/prismctl/completion.zsh"
    assert (script.parent.stat().st_mode & 0o777, script.stat().st_mode & 0o022) == (0o700, 0)


def test_a_start_file_that_is_a_link_stays_one(shells: Shells) -> None:
    real = shells.directory / "dotfiles-zshrc"
    real.write_text("# mine\n", encoding="utf-8")
    (shells.directory / ".zshrc").symlink_to(real)
    shells.install("zsh")
    assert (shells.directory / ".zshrc").is_symlink()
    assert re.match(r"# mine\n\[ -r .*# prismctl completion\n$", real.read_text(encoding="utf-8"))


def contents(directory: Path) -> dict[str, bytes]:
    """Every file with something in it, but for what prismctl remembers in its home."""
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file() and path.stat().st_size and "cache" not in path.parts
    }

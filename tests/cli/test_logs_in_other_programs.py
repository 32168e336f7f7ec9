from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from prismctl.files.paths import Home

LINES = '2026-01-02T03:04:05.678901234Z stdout F {"level":"info","msg":"hello","n":1}\n'


@pytest.fixture
def logs(home: Home) -> Path:
    path = home.stack("default").log("redis#0")
    path.parent.mkdir(parents=True)
    path.write_text(LINES)
    return path


def write_program(directory: Path, script: str) -> Path:
    program = directory / "program"
    program.write_text(f"#!{sys.executable} -S\nimport os, sys\n{script}\n")
    program.chmod(0o700)
    return program


@pytest.mark.usefixtures("logs")
def test_an_editor_gets_a_file_that_is_gone_afterwards(
    prismctl: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = tmp_path / "seen"
    script = f"open({str(seen)!r}, 'w').write(repr((sys.argv[1:], open(sys.argv[-1]).read())))"
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", f"{write_program(tmp_path, script)} --wait")

    answer = prismctl("dev", "logs", "redis", "--editor")

    assert (answer.code, answer.out) == (0, "")
    (wait, name), text = eval(seen.read_text())  # noqa: S307 - written by this test
    assert wait == "--wait"
    assert Path(name).name == "redis.log"
    assert text.endswith('  {"level":"info","msg":"hello","n":1}\n')
    assert not Path(name).parent.exists()


@pytest.mark.usefixtures("logs")
def test_an_editor_that_fails_is_named(
    prismctl: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VISUAL", str(write_program(tmp_path, "sys.exit(3)")))
    answer = prismctl("dev", "logs", "--editor")
    assert answer.code == 1
    assert f"`{tmp_path}/program` ended with 3" in answer.err


@pytest.mark.usefixtures("logs")
@pytest.mark.parametrize("program", ["/nowhere/editor", "vi 'unfinished"])
def test_an_editor_that_cannot_be_run_is_named(
    prismctl: Any, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    monkeypatch.setenv("VISUAL", program)
    answer = prismctl("dev", "logs", "--editor")
    assert answer.code in {1, 2}
    assert program in answer.err


@pytest.mark.usefixtures("logs")
def test_in_a_pipe_a_pager_is_left_out(prismctl: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGER", "/nowhere/pager")
    assert prismctl("dev", "logs", "redis", "--pager").out.endswith('"n":1}\n')


@pytest.mark.parametrize("option", ["--pager", "--editor"])
def test_what_never_ends_is_shown_in_no_other_program(prismctl: Any, option: str) -> None:
    answer = prismctl("dev", "logs", "-f", option)
    assert answer.code == 2
    assert option in answer.err


def run_on_terminal(home: Home, *arguments: str, **variables: str) -> str:
    """What the command writes on a terminal."""
    leader, follower = os.openpty()
    command = [str(Path(sys.executable).with_name("prismctl")), "dev", "logs", *arguments]
    environment = {
        "PATH": os.environ["PATH"],
        "TERM": "xterm",
        "PRISM_HOME": str(home.directory),
        "NO_COLOR": "1",
        **variables,
    }
    with subprocess.Popen(
        command, stdin=follower, stdout=follower, stderr=follower, env=environment, cwd="/"
    ) as process:
        os.close(follower)
        written = b""
        while True:
            try:
                part = os.read(leader, 65536)
            except OSError:
                break
            if not part:
                break
            written += part
        assert process.wait() == 0
    os.close(leader)
    return written.decode().replace("\r\n", "\n")


@pytest.mark.usefixtures("logs")
def test_a_terminal_shows_json_readably_unless_it_is_asked_not_to(home: Home) -> None:
    assert run_on_terminal(home, "redis").endswith("  INFO hello n=1\n")
    assert run_on_terminal(home, "redis", "--raw").endswith('"msg":"hello","n":1}\n')


@pytest.mark.usefixtures("logs")
def test_a_pager_gets_what_the_terminal_would_show(home: Home, tmp_path: Path) -> None:
    program = write_program(
        tmp_path, "print('paged', os.environ['LESS'], sys.stdin.read().split('  ')[1])"
    )
    shown = run_on_terminal(home, "redis", "--pager", PAGER=str(program))
    assert shown == "paged FRX INFO hello n=1\n\n"


def test_a_pager_that_is_left_early_ends_the_command_without_a_word(
    home: Home, logs: Path, tmp_path: Path
) -> None:
    logs.write_text(LINES * 20_000)
    program = write_program(tmp_path, "sys.stdin.readline()")
    assert run_on_terminal(home, "redis", "--pager", PAGER=str(program)) == ""


def test_files_for_an_editor_are_for_nobody_else(
    prismctl: Any, logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del logs
    seen = tmp_path / "seen"
    script = f"open({str(seen)!r}, 'w').write(str(os.stat(os.path.dirname(sys.argv[-1])).st_mode))"
    monkeypatch.setenv("VISUAL", str(write_program(tmp_path, script)))
    prismctl("dev", "logs", "--editor")
    assert stat.S_IMODE(int(seen.read_text())) == 0o700


def test_lines_as_they_were_printed_reach_a_pipe_unchanged(prismctl: Any, logs: Path) -> None:
    logs.write_bytes(b"2026-01-02T03:04:05.678901234Z stdout F 10 %\r\x1b[32mdone\x1b[0m\n")
    assert prismctl("dev", "logs", "redis", "--raw").out.endswith("10 %\r\x1b[32mdone\x1b[0m\n")
    assert prismctl("dev", "logs", "redis").out.endswith("  done\n")

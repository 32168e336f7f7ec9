from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from prismctl.runtime import refusal
from prismctl.runtime.servers import postgres_password_here
from prismctl.runtime.servers.postgres_password_here import (
    EXIT_REFUSED,
    EXIT_TRY_AGAIN,
    find_statements,
    quote,
)

if TYPE_CHECKING:
    from pathlib import Path

SERVER = """\
#!{python}
import json, os, sys
said = sys.stdin.read() if "--single" in sys.argv else ""
with open({told!r}, "a") as file:
    file.write(json.dumps([sys.argv[1:], said]) + "\\n")
if said:
    print({answer!r})
    print({complaint!r}, file=sys.stderr)
"""
"""Writes down what it is asked; the statements themselves are executed by a real server elsewhere."""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    made = tmp_path / "data"
    made.mkdir(mode=0o700)
    (made / "PG_VERSION").write_text("16\n")
    return made


def start(
    data: Path, password: str, answer: str, *, syncs: str = "0", complaint: str = "FATAL:  no"
) -> tuple[int, str, list[list[str]]]:
    told = data.with_name("told")
    server = data.with_name("postgres")
    text = SERVER.format(python=sys.executable, told=str(told), answer=answer, complaint=complaint)
    server.write_text(text)
    server.chmod(0o755)
    script = [sys.executable, "-I", "-S", postgres_password_here.__file__]
    done = subprocess.run(
        [*script, str(data), syncs, "1", str(server), "-p", "1"],
        env={"POSTGRES_PASSWORD": password},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    lines = told.read_text().splitlines() if told.exists() else []
    return done.returncode, done.stdout + done.stderr, [json.loads(line) for line in lines]


@pytest.mark.parametrize("syncs", ["0", "1"])
def test_the_server_is_told_alone_and_then_started(data: Path, syncs: str) -> None:
    code, said, told = start(data, "s3cret", '1: ?column? = "prismctl: set"', syncs=syncs)
    assert (code, said) == (0, "")
    (alone, statements), served = told
    assert alone[0] == "--single"
    assert ("fsync=off" in alone) is (syncs == "0")
    assert "s3cret" not in str(alone)
    assert quote("s3cret") in statements
    assert served == [["-p", "1"], ""]


def test_statements_that_were_not_executed_keep_the_server_from_starting(data: Path) -> None:
    code, said, told = start(data, "s3cret", "")
    assert code == EXIT_REFUSED == refusal.EXIT_REFUSED
    assert said == f"cannot set the password in {data}: FATAL:  no\n"
    assert len(told) == 1
    assert refusal.read_refusal(data) == f"cannot set the password in {data}: no"


def test_data_that_another_server_is_about_to_leave_is_tried_again(data: Path) -> None:
    complaint = 'FATAL:  lock file "postmaster.pid" already exists'
    assert start(data, "s3cret", "", complaint=complaint)[0] == EXIT_TRY_AGAIN
    assert refusal.read_refusal(data) == ""


def test_without_a_password_the_server_is_only_started(data: Path) -> None:
    assert start(data, "", "") == (0, "", [[["-p", "1"], ""]])


@pytest.mark.parametrize("name", ["standby.signal", "recovery.signal"])
def test_a_server_that_follows_another_one_has_the_passwords_of_that_one(
    data: Path, name: str
) -> None:
    (data / name).touch()
    assert find_statements(data, {"POSTGRES_PASSWORD": "s3cret"}) == ""


def test_data_that_is_elsewhere_is_left_alone(data: Path) -> None:
    (data / "PG_VERSION").unlink()
    assert find_statements(data, {"POSTGRES_PASSWORD": "s3cret"}) == ""


def test_a_text_means_nothing_in_the_statements() -> None:
    assert quote("a'\n$") == r"E'\x61\x27\x0a\x24'"

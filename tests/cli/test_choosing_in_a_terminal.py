"""The picker in a real terminal: what it starts, what it leaves behind, and that the terminal is as it was."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import termios
from typing import TYPE_CHECKING

import pexpect
import pytest

from prismctl.errors import ExitCode
from tests.desk import PATIENCE, ended_with, read_to_end, words

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from tests.desk import Desk

CATALOG = """
core: false
services:
  - {name: web, command: [sleep, "1000"], default: true}
  - {name: worker, command: [sleep, "1000"], depends_on: [web]}
"""
OPENED = "space toggle"


def mode(child: Any) -> list[Any]:
    """How the terminal is set: what is typed is shown, and comes in lines."""
    flags: list[Any] = termios.tcgetattr(child.child_fd)[:4]
    return flags


@pytest.fixture
def picker(desk: Desk) -> Any:
    """An open picker over a catalog of two services."""
    home = desk.lab.home
    home.mkdir(parents=True)
    (home / "services.yaml").write_text(CATALOG)
    child = desk.terminal(["dev", "start", "--engine", "local", "--no-dashboard"])
    child.expect(OPENED)
    return child


def test_what_is_picked_is_started_and_offered_again(
    desk: Desk, picker: Any, wait_until: Callable[..., None]
) -> None:
    before = termios.tcgetattr(picker.child_fd)[3] & termios.ECHO
    assert not before
    picker.send("j ")
    picker.expect(re.escape("--with-worker"))
    picker.send("\r")
    picker.expect("Ready in: .*[0-9.]+ seconds")
    assert ended_with_rest(picker) == ExitCode.DONE
    status = json.loads(desk.pipe("dev", "status").stdout)
    assert {service["name"] for service in status["services"]} == {"web", "worker"}
    assert desk.pipe("dev", "stop").returncode == ExitCode.DONE
    again = desk.terminal(["dev", "start", "--engine", "local", "--no-dashboard"])
    again.expect("as last time")
    again.expect(re.escape("--with-worker"))
    again.send("q")
    read_to_end(again)
    wait_until(lambda: not desk.lab.own_processes())


PROFILE = """\
description: with its data kept
services: [web]
persist: true
# as measured
config:
  web: {env: {LEVEL: debug}}
"""


def test_as_last_time_dropped_the_settings_of_the_profile_and_so_the_data(
    desk: Desk, wait_until: Callable[..., None]
) -> None:
    home = desk.lab.home
    (home / "profiles").mkdir(parents=True)
    (home / "services.yaml").write_text(CATALOG)
    (home / "profiles" / "tuned.yaml").write_text(PROFILE)
    start = ["dev", "start", "--engine", "local", "--no-dashboard"]
    child = desk.terminal(start)
    child.expect(OPENED)
    child.send("p")
    child.expect(re.escape("--profile=tuned"))
    child.send("j ")
    child.expect(re.escape("--with-worker"))
    # What is saved under another name keeps what it started from.
    child.send("s")
    child.send("tuned2\r")
    child.expect("saved as")
    child.send("\r")
    child.expect("Ready in: .*[0-9.]+ seconds")
    assert ended_with_rest(child) == ExitCode.DONE
    saved = (home / "profiles" / "tuned2.yaml").read_text()
    for words_kept in ("with its data kept", "persist: true", "# as measured", "LEVEL: debug"):
        assert words_kept in saved
    assert "worker" in saved
    assert desk.pipe("dev", "stop").returncode == ExitCode.DONE
    again = desk.terminal(start)
    again.expect("as last time")
    again.expect(re.escape("--profile=tuned --with-worker"))
    again.send("\r")
    again.expect("Ready in: .*[0-9.]+ seconds")
    assert ended_with_rest(again) == ExitCode.DONE
    services = desk.lab.client.plan()["services"]
    assert {each["name"]: each["persist"] for each in services} == {"web": True, "worker": True}
    assert services[0]["env"]["LEVEL"] == "debug"
    assert desk.pipe("dev", "stop").returncode == ExitCode.DONE
    wait_until(lambda: not desk.lab.own_processes())


@pytest.mark.parametrize("waits_for", [OPENED, None], ids=["at the first sight", "blindly"])
def test_what_is_typed_before_it_is_loaded_counts_in_order(
    desk: Desk, waits_for: str | None
) -> None:
    desk.lab.home.mkdir(parents=True)
    (desk.lab.home / "services.yaml").write_text(CATALOG)
    child = desk.terminal(["dev", "start", "--engine", "local", "--no-dashboard"])
    child.delaybeforesend = None
    if waits_for is not None:
        child.expect(waits_for)
    # Down, and down once more where nothing is; in, out, and in again.
    child.send("j\x1b[B   \r")
    child.expect("Ready in: .*[0-9.]+ seconds")
    assert ended_with_rest(child) == ExitCode.DONE
    status = json.loads(desk.pipe("dev", "status").stdout)
    assert {service["name"] for service in status["services"]} == {"web", "worker"}
    assert desk.pipe("dev", "stop").returncode == ExitCode.DONE


def test_ctrl_c_at_the_first_sight_ends_it_and_leaves_nothing(
    desk: Desk, wait_until: Callable[..., None]
) -> None:
    child = desk.terminal(["dev", "start", "--engine", "local", "--no-dashboard"])
    child.delaybeforesend = None
    before = mode(child)
    child.expect(OPENED)
    child.send("\x03")
    shown = read_to_end(child)
    assert shown.count("\x1b[?1049l") == 1
    assert "Traceback" not in shown
    # Textual may have been there already, for which it is a key like `q`.
    assert ended_with(child) in {ExitCode.INTERRUPTED, ExitCode.DONE}
    assert mode(child) == before
    wait_until(lambda: not desk.lab.own_processes())


def ended_with_rest(child: Any) -> int:
    read_to_end(child)
    return ended_with(child)


def test_leaving_starts_nothing_and_gives_the_terminal_back(
    desk: Desk, picker: Any, wait_until: Callable[..., None]
) -> None:
    picker.send("q")
    shown = read_to_end(picker)
    assert "nothing was started" in shown
    assert "\x1b[?1049l" in shown, "the alternate screen was not left"
    assert "\x1b[?25h" in shown, "the cursor stays hidden"
    assert ended_with(picker) == ExitCode.DONE
    wait_until(lambda: not desk.lab.own_processes())


def test_what_is_typed_at_a_prompt_afterwards_is_shown(desk: Desk) -> None:
    (desk.lab.home).mkdir(parents=True)
    (desk.lab.home / "services.yaml").write_text(CATALOG)
    child = desk.program(["/bin/sh", "-i"])
    child.sendline(f"{os.sys.executable} -m prismctl dev start --engine local --no-dashboard")  # type: ignore[attr-defined]
    child.expect(OPENED)
    child.send("q")
    child.expect("nothing was started")
    child.sendline("stty -a; echo over-$?")
    child.expect("over-0")
    assert re.search(r"\sicanon\s", child.before)
    assert re.search(r"\secho\s", child.before)
    child.sendline("exit")
    read_to_end(child)


def test_a_smaller_terminal_is_drawn_anew(picker: Any) -> None:
    picker.setwinsize(12, 40)
    picker.expect("\u2026")
    picker.setwinsize(40, 140)
    picker.expect("p preset")
    picker.send("q")
    read_to_end(picker)


def test_a_hang_up_leaves_nothing(desk: Desk, picker: Any, wait_until: Callable[..., None]) -> None:
    picker.close(force=False)
    wait_until(lambda: not picker.isalive(), lambda: "it goes on without its terminal")
    wait_until(lambda: not desk.lab.own_processes())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_and_gives_the_terminal_back(
    desk: Desk, picker: Any, wait_until: Callable[..., None], number: int
) -> None:
    os.kill(picker.pid, number)
    shown = read_to_end(picker)
    assert "\x1b[?1049l" in shown
    assert "Traceback" not in shown
    wait_until(lambda: not desk.lab.own_processes())


def test_ctrl_z_gives_the_shell_back_and_fg_the_picker(desk: Desk) -> None:
    (desk.lab.home).mkdir(parents=True)
    (desk.lab.home / "services.yaml").write_text(CATALOG)
    child = desk.program(["/bin/bash", "--norc", "-i"])
    child.sendline(f"{os.sys.executable} -m prismctl dev start --engine local --no-dashboard")  # type: ignore[attr-defined]
    child.expect(OPENED)
    child.send("\x1a")
    child.expect("Stopped")
    child.sendline("echo here-$((1+1))")
    child.expect("here-2")
    child.sendline("fg")
    child.expect(OPENED)
    child.send("q")
    child.expect("nothing was started")
    child.sendline("exit")
    read_to_end(child)


@pytest.mark.parametrize(
    "flags", [["--preset", "minimal"], ["--no-input"], ["--yes"], ["-q"], ["-o", "json"]]
)
def test_whoever_said_what_they_want_is_not_asked(desk: Desk, flags: list[str]) -> None:
    child = desk.terminal(["dev", "start", "--engine", "local", "--dry-run", *flags])
    shown = read_to_end(child)
    assert "\x1b[?1049h" not in shown


def test_a_terminal_that_can_do_nothing_is_not_drawn_on(desk: Desk) -> None:
    desk.environment["TERM"] = "dumb"
    child = desk.terminal(desk.start(CATALOG))
    child.expect([pexpect.EOF, "Ready in", "done"], timeout=PATIENCE)
    assert "\x1b[?1049h" not in str(child.before)


def test_without_colour_nothing_is_painted(desk: Desk) -> None:
    home = desk.lab.home
    home.mkdir(parents=True)
    (home / "services.yaml").write_text(CATALOG)
    child = desk.terminal(["dev", "start", "--engine", "local", "--no-color", "--no-dashboard"])
    child.expect(OPENED)
    colours = re.findall(r"\x1b\[[0-9;]*m", str(child.before))
    used = {code for each in colours for code in each[2:-1].split(";")}
    assert not {code for code in used if re.fullmatch(r"3[0-7]|38|4[0-7]|48|9[0-7]", code)}
    child.send("q")
    read_to_end(child)


def test_what_is_pasted_into_a_name_is_a_name_and_into_the_list_nothing(
    desk: Desk, picker: Any
) -> None:
    picker.send("\x1b[200~q\x1b[201~")
    picker.send("s")
    picker.expect("save as: ")
    picker.send("\x1b[200~quiet\x1b[201~")
    picker.expect("quiet")
    picker.send("\r")
    picker.expect("saved as")
    picker.send("q")
    read_to_end(picker)
    assert (desk.lab.home / "profiles" / "quiet.yaml").exists()


def test_a_name_that_is_typed_in_one_go_with_its_key_reaches_no_list(
    desk: Desk, picker: Any
) -> None:
    picker.delaybeforesend = None
    picker.send("squick\r")
    picker.expect("saved as")
    picker.send("q")
    assert ended_with_rest(picker) == ExitCode.DONE
    assert (desk.lab.home / "profiles" / "quick.yaml").exists()


def test_a_crash_ends_as_every_bug_does_and_gives_the_terminal_back(desk: Desk) -> None:
    home = desk.lab.home
    home.mkdir(parents=True)
    (home / "services.yaml").write_text(CATALOG)
    lost = desk.directory / "lost"
    lost.mkdir()
    # What a selection would be is found out where somebody stands, and there is no such place any more.
    command = f"cd {lost} && exec {sys.executable} -m prismctl dev start --engine local"
    child = desk.program(["/bin/sh", "-c", command])
    before = mode(child)
    child.expect("Memory")
    lost.rmdir()
    child.send("j ")
    shown = read_to_end(child)

    assert ended_with(child) == ExitCode.FAILED
    after = shown.rpartition("\x1b[?1049l")[2]
    assert "this is a bug in prismctl: FileNotFoundError" in words(after)
    assert "Traceback" not in shown
    assert "\x1b[?25h" in shown, "the cursor stays hidden"
    assert mode(child) == before
    (report,) = (home / "crashes").iterdir()
    assert "FileNotFoundError" in report.read_text()

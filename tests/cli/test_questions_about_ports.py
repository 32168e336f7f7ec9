"""What a start asks about taken ports, in a real terminal, with holders that the test owns."""

from __future__ import annotations

import contextlib
import re
import shlex
import shutil
import signal
import sys
import termios
from typing import TYPE_CHECKING, Any

import pytest

from prismctl.errors import ExitCode
from tests.desk import PATIENCE, ended_with, read_to_end, words
from tests.free_ports import take_port
from tests.port_holder import holding

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.desk import Desk

QUESTION = r"stop here \(Enter\)"
GIVING_BACK = re.compile(r"(\d+) instead of (\d+)")


def catalog(**ports: int) -> str:
    """Services that answer HTTP on the ports that are asked for."""
    rows = [
        f"  - name: {name}\n    ports: {{http: {port}}}\n    default: true\n"
        f"    command: [{sys.executable}, -S, -m, http.server, --bind, 127.0.0.1, '${{self.port}}']\n"
        for name, port in ports.items()
    ]
    return "core: false\nservices:\n" + "".join(rows)


def modes(child: Any) -> list[Any]:
    return termios.tcgetattr(child.child_fd)


def is_waiting_for_a_key(child: Any) -> bool:
    return not modes(child)[3] & (termios.ICANON | termios.ECHO)


def ask(desk: Desk, *flags: str, **ports: int) -> tuple[Any, list[Any], str]:
    """A start that asks: its terminal, the modes it had before, and what is on it."""
    child = desk.terminal(desk.start(catalog(**ports), *flags), size=(24, 140))
    before = modes(child)
    child.expect(QUESTION)
    assert is_waiting_for_a_key(child)
    return child, before, words(child.before + child.after)


def nothing_is_left(desk: Desk, wait_until: Callable[..., None]) -> None:
    wait_until(lambda: not desk.lab.own_processes())


def port_of(desk: Desk, name: str) -> int:
    status = desk.lab.client.status()
    service = next(each for each in status["services"] if each["name"] == name)
    return int(service["ports"][0]["port"])


def test_the_question_is_asked_as_drawn(desk: Desk) -> None:
    port = take_port()
    with holding(port) as holder:
        child, _, shown = ask(desk, web=port)
        assert re.match(
            rf"error: port {port} \(web\) is in use by PID {holder.pid}, python\S* -S -c .*, "
            r"user \S+, since \d\d:\d\d\r\n\r\n"
            rf"  k  end PID {holder.pid}      a  give web another port      q  stop here \(Enter\)$",
            shown,
            re.DOTALL,
        )
        child.send("q")
        read_to_end(child)


def test_k_ends_the_holder_and_goes_on(desk: Desk) -> None:
    port = take_port()
    with holding(port) as holder:
        child, before, _ = ask(desk, web=port)
        child.send("k")
        child.expect(f"PID {holder.pid} has ended; port {port} is free")
        assert holder.wait(PATIENCE) == -signal.SIGTERM
        child.expect("Ready in: ")
        read_to_end(child)
    assert ended_with(child) == ExitCode.DONE
    assert modes(child) == before
    assert port_of(desk, "web") == port


def test_a_suspended_holder_ends_too(desk: Desk) -> None:
    port = take_port()
    with holding(port) as holder:
        holder.send_signal(signal.SIGSTOP)
        child, _, _ = ask(desk, web=port)
        child.send("k")
        child.expect("Ready in: ")
        assert holder.wait(PATIENCE) == -signal.SIGTERM


def test_a_holder_that_stays_is_killed_only_when_asked_again(desk: Desk) -> None:
    port = take_port()
    with holding(port, is_stubborn=True) as holder:
        child, before, _ = ask(desk, web=port)
        child.send("k")
        child.expect(f"PID {holder.pid} still has port {port} 5 s after SIGTERM")
        child.expect(f"kill PID {holder.pid} .*{QUESTION}")
        assert holder.poll() is None
        child.send("k")
        child.expect("Ready in: ")
        assert holder.wait(PATIENCE) == -signal.SIGKILL
        read_to_end(child)
    assert ended_with(child) == ExitCode.DONE
    assert modes(child) == before


def test_a_gives_the_service_another_port(desk: Desk) -> None:
    port, free = take_port(), take_port()
    with holding(port) as holder:
        child, before, _ = ask(desk, web=port, other=free)
        child.send("a")
        child.expect(GIVING_BACK)
        instead, taken = (int(each) for each in child.match.groups())
        child.expect("Ready in: ")
        read_to_end(child)
        assert holder.poll() is None
        assert taken == port
        assert port_of(desk, "web") == instead
        assert port_of(desk, "other") == free
    assert ended_with(child) == ExitCode.DONE
    assert modes(child) == before


@pytest.mark.parametrize("key", ["q", "\r", "\n", "\x04"])
def test_declining_starts_nothing(desk: Desk, wait_until: Callable[..., None], key: str) -> None:
    port = take_port()
    with holding(port) as holder:
        child, before, _ = ask(desk, web=port)
        child.send(key)
        shown = words(read_to_end(child))
        assert holder.poll() is None
    assert ended_with(child) == ExitCode.FAILED
    assert "nothing was started\r\n\r\nhint: end it, or start with --auto-ports" in shown
    assert modes(child) == before
    nothing_is_left(desk, wait_until)


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (None, ExitCode.INTERRUPTED),
        (signal.SIGINT, ExitCode.INTERRUPTED),
        (signal.SIGTERM, ExitCode.TERMINATED),
    ],
)
def test_an_interrupt_starts_nothing(
    desk: Desk, wait_until: Callable[..., None], number: int | None, code: ExitCode
) -> None:
    port = take_port()
    with holding(port) as holder:
        child, before, _ = ask(desk, web=port)
        if number is None:
            child.sendintr()
        else:
            child.kill(number)
        shown = words(read_to_end(child))
        assert holder.poll() is None
    assert ended_with(child) == code
    assert "nothing was started" in shown
    assert modes(child) == before
    nothing_is_left(desk, wait_until)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_that_ends_the_question_leaves_the_terminal_as_it_was(
    desk: Desk, wait_until: Callable[..., None], number: int
) -> None:
    port = take_port()
    with holding(port) as holder:
        child, before, _ = ask(desk, web=port)
        child.kill(number)
        read_to_end(child)
        assert holder.poll() is None
    assert ended_with(child) == -number
    assert modes(child) == before
    nothing_is_left(desk, wait_until)


@pytest.mark.parametrize("prelude", ["", "trap '' HUP; "], ids=["hung-up", "ignoring-it"])
def test_a_terminal_that_is_closed_at_the_question_ends_it_quietly(
    desk: Desk, wait_until: Callable[..., None], prelude: str
) -> None:
    port = take_port()
    command = [sys.executable, "-m", "prismctl", *desk.start(catalog(web=port))]
    with holding(port) as holder:
        child = desk.program(["sh", "-c", f"{prelude}exec {shlex.join(command)}"], size=(24, 140))
        child.expect(QUESTION)
        child.ptyproc.fileobj.close()
        child.wait()
        assert holder.poll() is None
    nothing_is_left(desk, wait_until)
    assert not (desk.lab.home / "crashes").exists()


def test_other_keys_are_no_answer(desk: Desk) -> None:
    port = take_port()
    with holding(port) as holder:
        child, _, _ = ask(desk, web=port)
        # Arrow up, F2, Alt-k, letters that are no choice, and half of a longer character.
        for keys in ("\x1b[A", "\x1bOQ", "\x1bk", "xyz7", "é"):
            child.send(keys)
        child.send("a")
        child.expect(GIVING_BACK)
        child.expect("Ready in: ")
        assert holder.poll() is None


def test_what_was_typed_before_the_question_does_not_answer_it(desk: Desk) -> None:
    port = take_port()
    with holding(port) as holder:
        child = desk.terminal(desk.start(catalog(web=port)), size=(24, 140))
        child.send("k")
        child.expect(QUESTION)
        child.send("q")
        read_to_end(child)
        assert ended_with(child) == ExitCode.FAILED
        assert holder.poll() is None


def test_a_key_that_is_pressed_while_it_looks_again_is_not_lost(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = take_port()
    with contextlib.ExitStack() as stack:
        with monkeypatch.context() as marked:
            # Of a stack of another home, which cannot be stopped from here.
            marked.setenv("PRISM_KEEPER", "prism-0000000000000000")
            stack.enter_context(holding(port))
        child, _, shown = ask(desk, web=port)
        assert "look again" in shown

        child.send("r")
        child.expect(f"port {port} is still taken")
        child.expect(QUESTION)
        assert is_waiting_for_a_key(child)
        child.send("ra")

        child.expect(GIVING_BACK)
        child.expect("Ready in: ")


def test_several_conflicts_are_listed_and_asked_one_by_one(desk: Desk) -> None:
    first, second = take_port(), take_port()
    with holding(first) as meek, holding(second) as spared:
        child, before, shown = ask(desk, web=first, other=second)
        assert "error: 2 ports are in use" in shown
        assert f"port {first} (web) is in use by PID {meek.pid}" in shown
        assert f"port {second} (other) is in use by PID {spared.pid}" in shown
        assert f"k  end PID {meek.pid}" in shown
        child.send("k")
        child.expect(f"PID {meek.pid} has ended")
        child.expect(f"end PID {spared.pid} .*give other another port.*{QUESTION}")
        child.send("a")
        child.expect(f"[0-9]+ instead of {second}")
        child.expect("Ready in: ")
        read_to_end(child)
        assert spared.poll() is None
        assert meek.wait(PATIENCE) == -signal.SIGTERM
    assert port_of(desk, "web") == first
    assert modes(child) == before


def test_one_holder_of_two_ports_is_asked_about_once(desk: Desk) -> None:
    first, second = take_port(), take_port()
    with holding(first, second) as holder:
        child, _, _ = ask(desk, web=first, other=second)
        child.send("k")
        child.expect(f"PID {holder.pid} has ended; ports {first} and {second} are free")
        child.expect("Ready in: ")
        assert "stop here" not in child.before
        assert holder.wait(PATIENCE) == -signal.SIGTERM


def test_five_ports_of_one_holder_are_listed_and_asked_about_once(desk: Desk) -> None:
    ports = {name: take_port() for name in ("web", "two", "three", "four", "five")}
    with holding(*ports.values()) as holder:
        child, before, shown = ask(desk, **ports)
        assert "error: 5 ports are in use" in shown
        assert all(f"port {port} ({name}) is in use" in shown for name, port in ports.items())
        assert f"k  end PID {holder.pid}      a  take other ports instead      q  stop" in shown
        child.send("a")
        child.expect("Ready in: ")
        said = words(child.before)
        assert "stop here" not in said
        assert all(f"instead of {port}" in said for port in ports.values())
        assert holder.poll() is None
        read_to_end(child)
    assert modes(child) == before


def test_the_time_of_the_question_does_not_count(desk: Desk) -> None:
    port = take_port()
    with holding(port, is_stubborn=True):
        child, _, _ = ask(desk, "--wait-timeout", "4", web=port)
        child.send("k")
        child.expect("5 s after SIGTERM")
        child.expect(QUESTION)
        child.send("k")
        child.expect("Ready in: ")
        read_to_end(child)
    assert ended_with(child) == ExitCode.DONE
    assert desk.lab.client.status()["ready_seconds"] < 5


def test_a_service_of_another_stack_is_not_ended_but_its_stack_is_stopped(desk: Desk) -> None:
    port = take_port()
    started = desk.pipe(*desk.start(catalog(web=port)), "--stack", "two")
    assert started.returncode == ExitCode.DONE, started.stderr
    try:
        child = desk.terminal(desk.start(catalog(web=port)), size=(24, 140))
        child.expect(rf"port {port} \(web\) belongs to web of stack two \(PID \d+, since ")
        child.expect("belongs to stack two, which would start it again")
        child.expect("`prismctl dev stop --stack two` stops it")
        child.expect(QUESTION)
        assert "k  end" not in words(child.before)
        assert "s  stop stack two" in words(child.before)
        child.send("s")
        child.expect("stack two was stopped")
        child.expect("Ready in: ")
    finally:
        desk.pipe("dev", "stop", "--stack", "two")
    assert port_of(desk, "web") == port


def test_a_stack_that_runs_is_asked_about_what_comes_to_it(desk: Desk) -> None:
    first, second = take_port(), take_port()
    assert desk.pipe(*desk.start(catalog(web=first))).returncode == ExitCode.DONE
    with holding(second) as holder:
        child, _, _ = ask(desk, web=first, other=second)
        child.send("q")
        assert "nothing was changed" in read_to_end(child)
        assert ended_with(child) == ExitCode.FAILED
        child, _, _ = ask(desk, web=first, other=second)
        child.send("a")
        child.expect("Ready in: ")
        read_to_end(child)
        assert holder.poll() is None
    assert port_of(desk, "web") == first
    assert port_of(desk, "other") != second


@pytest.mark.parametrize("flags", [("--no-input",), ("--yes",), ("-o", "json")])
def test_a_call_that_must_not_be_asked_is_refused(desk: Desk, flags: tuple[str, ...]) -> None:
    port = take_port()
    with holding(port) as holder:
        child = desk.terminal(desk.start(catalog(web=port), *flags), size=(24, 140))
        shown = words(read_to_end(child))
        assert holder.poll() is None
    assert ended_with(child) == ExitCode.FAILED
    assert f"port {port} (web) is in use by PID {holder.pid}" in shown
    assert "end it, or start with --auto-ports" in shown
    assert "stop here" not in shown


def test_a_pipe_and_ci_are_not_asked(desk: Desk, wait_until: Callable[..., None]) -> None:
    port = take_port()
    with holding(port) as holder:
        done = desk.pipe(*desk.start(catalog(web=port)))
        desk.environment["CI"] = "true"
        child = desk.terminal(desk.start(catalog(web=port)), size=(24, 140))
        shown = words(read_to_end(child))
        assert holder.poll() is None
    assert (done.returncode, ended_with(child)) == (ExitCode.FAILED, ExitCode.FAILED)
    for said in (done.stderr, shown):
        assert f"error: port {port} (web) is in use by PID {holder.pid}" in said
        assert "hint: end it, or start with --auto-ports" in said
        assert "stop here" not in said
    nothing_is_left(desk, wait_until)


def test_a_dry_run_does_not_ask(desk: Desk) -> None:
    port = take_port()
    with holding(port):
        child = desk.terminal(desk.start(catalog(web=port), "--dry-run"), size=(24, 140))
        shown = words(read_to_end(child))
    assert ended_with(child) == ExitCode.FAILED
    assert "stop here" not in shown


@pytest.mark.parametrize("shell_words", [["bash", "--norc", "--noediting", "-i"], ["dash", "-i"]])
def test_a_suspended_question_gives_the_terminal_back_and_is_asked_again(
    desk: Desk, shell_words: list[str]
) -> None:
    """One of the shells puts the terminal's modes right by itself, the other does not."""
    if shutil.which(shell_words[0]) is None:
        pytest.skip(f"needs {shell_words[0]}")
    port = take_port()
    arguments = desk.start(catalog(web=port))
    with holding(port) as holder:
        shell = desk.program(shell_words, size=(24, 140))
        shell.sendline(shlex.join([sys.executable, "-m", "prismctl", *arguments]))
        shell.expect(QUESTION)
        shell.send("\x1a")
        shell.expect("Stopped")
        shell.sendline("stty -a | grep -o '.icanon'")
        shell.expect(" icanon")
        shell.sendline("fg")
        shell.expect(QUESTION)
        assert is_waiting_for_a_key(shell)
        shell.send("q")
        shell.expect("nothing was started")
        shell.sendline("stty -a | grep -o '.icanon'; exit")
        shell.expect(" icanon")
        read_to_end(shell)
        assert holder.poll() is None

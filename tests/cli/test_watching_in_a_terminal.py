"""The dashboard in a real terminal, over real stacks: what it shows, outlives, and leaves behind."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from tests import tmux
from tests.free_ports import take_port
from tests.port_holder import holding
from tests.requirements import require

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.desk import Desk
    from tests.tmux import Terminal

PRISMCTL = [sys.executable, "-m", "prismctl"]
CATALOG = """
core: false
services:
  - {name: web, default: true, command: [sh, -c, "echo web is here; exec sleep 1000"]}
  - {name: worker, default: true, command: [sh, -c, "echo worker is here; exec sleep 1000"], depends_on: [web]}
  - {name: alone, default: true, command: [sleep, "1000"]}
  - {name: spare, command: [sh, -c, "echo spare is here; exec sleep 1000"]}
"""
FAILING = """
core: false
services:
  - {name: web, default: true, command: [sleep, "1000"]}
  - {name: bad, default: true, command: [sh, -c, "echo FATAL no disk; exit 3"]}
"""
FLOODING = """
core: false
services:
  - {name: quiet, default: true, command: [sleep, "1000"]}
  - name: flood
    default: true
    command:
      - PYTHON
      - -c
      - |
        import itertools, sys, time
        for number in itertools.count():
            sys.stdout.write("".join(f"line {number}.{each} of a flood\\n" for each in range(100)))
            sys.stdout.flush()
            time.sleep(0.01)
"""


@pytest.fixture
def terminal(desk: Desk) -> Iterator[Callable[..., Terminal]]:
    """Opens terminals, and closes them."""
    require(tmux.IS_HERE, "tmux is not there: `make shells` installs it")
    opened: list[Terminal] = []

    def make(size: tuple[int, int] = (100, 30)) -> Terminal:
        opened.append(tmux.Terminal(desk.environment, desk.directory, size=size))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


@pytest.fixture
def running(desk: Desk) -> Desk:
    """A stack of three services."""
    assert desk.pipe(*desk.start(CATALOG)).returncode == 0
    return desk


def watch(terminal: Terminal, *flags: str) -> None:
    terminal.run([*PRISMCTL, "dev", "dashboard", *flags])
    # The log's lines are not on the first frame: they come once all is loaded.
    terminal.expect("● web", "running", "web is here", "q leave")


def test_it_shows_the_stack_and_leaves_it_running(
    running: Desk, terminal: Callable[..., Terminal]
) -> None:
    screen = terminal()
    watch(screen)
    screen.expect("● web", "● worker", "web is here")
    assert screen.is_in_alternate_screen()
    screen.press("j")
    screen.expect("worker is here")
    screen.press("q")
    screen.expect("stack default runs on", "prismctl dev stop stops it")
    assert not screen.is_in_alternate_screen()
    assert screen.shows_cursor()
    assert running.state() == "running"


@pytest.mark.usefixtures("running")
def test_a_mouse_that_only_moves_is_not_heard(terminal: Callable[..., Terminal]) -> None:
    screen = terminal()
    watch(screen)
    assert screen.hears_mouse() == (True, False)
    screen.press("q")
    screen.expect("runs on")
    assert screen.hears_mouse() == (False, False)


def test_a_start_on_a_terminal_opens_it(desk: Desk, terminal: Callable[..., Terminal]) -> None:
    screen = terminal()
    start = [word for word in desk.start(CATALOG) if word != "--no-dashboard"]
    screen.run([*PRISMCTL, *start])
    screen.expect("● web", "q leave")
    screen.press("q")
    screen.expect("Ready in", "runs on")


def test_a_start_that_fails_opens_it_with_what_went_wrong_and_ends_as_it_would_have(
    desk: Desk, terminal: Callable[..., Terminal]
) -> None:
    screen = terminal()
    start = [word for word in desk.start(FAILING) if word != "--no-dashboard"]
    screen.run([*PRISMCTL, *start], then="echo ended-$?")
    screen.expect("✗ bad failed", "FATAL no disk", "tries it again", "q leave")
    screen.press("q")
    screen.expect("1 of 2 services failed: bad", "ended-7")


@pytest.mark.parametrize("flag", ["--no-dashboard", "-q", "--no-input"])
def test_a_start_that_was_told_so_opens_nothing(
    desk: Desk, terminal: Callable[..., Terminal], flag: str
) -> None:
    screen = terminal()
    start = [word for word in desk.start(CATALOG) if word != "--no-dashboard"]
    screen.run([*PRISMCTL, *start, flag], then="echo ended-$?")
    screen.expect("ended-0")


def test_a_change_from_elsewhere_is_on_the_screen(
    running: Desk, terminal: Callable[..., Terminal]
) -> None:
    screen = terminal()
    watch(screen)
    assert running.pipe("dev", "scale", "worker", "2").returncode == 0
    screen.expect("healthy 2/2", seconds=5)


def test_keys_restart_scale_and_stop_with_the_other_processes_left_alone(
    running: Desk, terminal: Callable[..., Terminal]
) -> None:
    screen = terminal()
    watch(screen)
    before = running.lab.pids()
    screen.press("j", "r")
    screen.expect("restarted worker in")
    screen.press("s")
    screen.expect("how many of worker?")
    screen.press("3", "Enter")
    screen.expect("healthy 3/3", "worker has 3 now")
    screen.press("x")
    screen.expect("take worker out of the stack?")
    screen.press("y")
    screen.expect("took worker out of the stack")
    after = running.lab.pids()
    assert after == {name: before[name] for name in ("web", "alone")}


@pytest.mark.parametrize("key", ["k", "a"])
def test_a_asks_what_to_do_about_a_port_that_somebody_has(
    desk: Desk, terminal: Callable[..., Terminal], key: str
) -> None:
    number = take_port()
    catalog = f"""
core: false
services:
  - {{name: web, default: true, command: [sh, -c, "echo web is here; exec sleep 1000"]}}
  - name: server
    ports: {{http: {number}}}
    command: ['{sys.executable}', -S, -m, http.server, --bind, 127.0.0.1, '${{self.port}}']
"""
    assert desk.pipe(*desk.start(catalog)).returncode == 0
    screen = terminal()
    watch(screen)
    with holding(number) as holder:
        screen.press("a")
        screen.expect("▸ server")
        screen.press("Enter")
        screen.expect(
            f"port {number} (server) is in use by PID {holder.pid}",
            f"k end PID {holder.pid}",
            "a give server another port",
            "q stop here",
        )
        screen.press(key)
        screen.expect("added server", "● server")
        assert (holder.poll() is None) is (key == "a")
    (port,) = desk.lab.service_status("server")["ports"]
    assert (port["port"] == number) is (key == "k")


@pytest.mark.usefixtures("running")
def test_a_adds_a_service_of_the_stacks_catalog(terminal: Callable[..., Terminal]) -> None:
    screen = terminal()
    watch(screen)
    screen.press("a")
    screen.expect("▸ spare")
    screen.press("Enter")
    screen.expect("added spare", "● spare")


def test_a_offers_what_the_project_of_the_stack_has(
    desk: Desk, terminal: Callable[..., Terminal]
) -> None:
    (desk.directory / "services.yaml").write_text(
        'core: false\nservices:\n  - {name: web, command: [sleep, "1000"]}\n'
    )
    (desk.directory / "prism.yaml").write_text(
        "stack: default\ncatalog: services.yaml\nwith: [web]\n"
        'services:\n  - {name: ours, command: [sleep, "1000"]}\n'
    )
    began = desk.pipe("dev", "start", "--engine", "local", "--no-dashboard")
    assert began.returncode == 0, began.stderr
    screen = terminal()
    screen.run([*PRISMCTL, "dev", "dashboard"])
    screen.expect("● web", "q leave")
    screen.press("a")
    screen.expect("ours")


def test_x_asks_what_goes_with_it_and_no_leaves_all(
    running: Desk, terminal: Callable[..., Terminal]
) -> None:
    screen = terminal()
    watch(screen)
    before = running.lab.pids()
    screen.press("x")
    screen.expect("take web, and what needs it: worker, out of the stack?")
    screen.press("n")
    screen.expect_gone("and what needs it")
    assert running.lab.pids() == before


def test_a_service_that_is_killed_is_on_the_screen_within_a_second_and_well_again_after(
    desk: Desk, terminal: Callable[..., Terminal]
) -> None:
    number = take_port()
    server = (
        "import http.server, time; time.sleep(2); "
        f"http.server.HTTPServer(('127.0.0.1', {number}), http.server.BaseHTTPRequestHandler).serve_forever()"
    )
    catalog = f"""
core: false
services:
  - {{name: alone, default: true, command: [sh, -c, "echo alone is here; exec sleep 1000"]}}
  - name: store
    default: true
    ports: {{http: {number}}}
    command: ['{sys.executable}', -S, -c, "{server}"]
  - {{name: shop, default: true, command: [sleep, "1000"], depends_on: [store]}}
"""
    assert desk.pipe(*desk.start(catalog)).returncode == 0
    screen = terminal((120, 30))
    screen.run([*PRISMCTL, "dev", "dashboard"])
    screen.expect("● store", "alone is here", "q leave")
    os.kill(desk.lab.pids()["store"], signal.SIGKILL)
    # Nobody has pressed a key: what to do about it is shown by itself.
    screen.expect("▸ ◐ store", "was killed by SIGKILL", "tries it again", seconds=2)
    shown = screen.expect("▸ ● store", "● shop", "running", "earlier: was killed by SIGKILL")
    (row,) = [each for each in shown.splitlines() if "▸ ● store" in each]
    assert "earlier: was killed by SIGKILL" in row


def test_it_says_stale_while_the_daemon_is_suspended_and_goes_on_after(
    running: Desk, terminal: Callable[..., Terminal]
) -> None:
    screen = terminal()
    watch(screen)
    daemon = running.lab.daemon_pid()
    os.kill(daemon, signal.SIGSTOP)
    try:
        screen.expect("stale", "s old", f"suspended (PID {daemon})", "● web")
    finally:
        os.kill(daemon, signal.SIGCONT)
    screen.expect("connected again", "running")


def test_it_outlives_the_daemon(running: Desk, terminal: Callable[..., Terminal]) -> None:
    screen = terminal((140, 30))
    watch(screen)
    os.kill(running.lab.daemon_pid(), signal.SIGKILL)
    screen.expect("connected again", "● running")
    before = running.lab.pids()
    os.kill(before["worker"], signal.SIGKILL)
    screen.expect("worker is here", "earlier: was killed by SIGKILL")


def test_a_stack_that_is_stopped_elsewhere_is_said_and_can_be_started_again(
    running: Desk, terminal: Callable[..., Terminal]
) -> None:
    screen = terminal()
    watch(screen)
    assert running.pipe("dev", "stop").returncode == 0
    screen.expect("was stopped from elsewhere", "S   start it again")
    screen.press("S")
    screen.expect("● web", "● worker", "q leave")
    assert running.state() == "running"


def test_shift_x_stops_the_stack_after_a_yes(
    running: Desk, terminal: Callable[..., Terminal]
) -> None:
    screen = terminal()
    watch(screen)
    screen.press("X")
    screen.expect("stop the whole stack default, 3 services?")
    screen.press("y")
    screen.expect("stack default is stopped")
    assert running.state() == "stopped"


def test_a_read_only_one_changes_nothing(running: Desk, terminal: Callable[..., Terminal]) -> None:
    screen = terminal()
    watch(screen, "--read-only")
    before = running.lab.pids()
    screen.press("r")
    screen.expect("this dashboard is read-only")
    screen.press("X", "y")
    screen.press("d")
    screen.expect("what needs what")
    assert running.lab.pids() == before


def test_a_shell_beside_a_service_knows_the_stack_and_comes_back(
    running: Desk, terminal: Callable[..., Terminal]
) -> None:
    running.environment["SHELL"] = "/bin/sh"
    screen = terminal()
    watch(screen)
    screen.press("e")
    screen.expect("command beside web")
    screen.press("Enter")
    screen.expect("a shell beside web")
    screen.type('echo "for $PRISM_SERVICE of $PRISM_STACK"')
    screen.press("Enter")
    screen.expect("\nfor web of default")
    screen.type("sleep 1000")
    screen.press("Enter")
    screen.wait_for_program("sleep")
    screen.press("C-c")
    screen.run(["exit"])
    screen.expect("● web", "q leave")
    assert screen.is_in_alternate_screen()


def test_logs_open_in_the_pager_that_somebody_chose(
    running: Desk, terminal: Callable[..., Terminal]
) -> None:
    running.environment["PAGER"] = "sh -c 'cat \"$0\"; echo read it; read answer'"
    screen = terminal()
    watch(screen)
    screen.press("o")
    screen.expect("web is here", "read it")
    assert not screen.is_in_alternate_screen()
    screen.press("Enter")
    screen.expect("q leave")
    assert not list(running.directory.parent.glob("prism-logs-*"))


@pytest.mark.usefixtures("running")
def test_ctrl_z_gives_the_shell_back_and_fg_the_dashboard(
    terminal: Callable[..., Terminal],
) -> None:
    screen = terminal()
    screen.run(["exec", "bash", "--norc", "-i"])
    watch(screen)
    screen.press("C-z")
    screen.expect("Stopped")
    screen.run(["fg"])
    screen.expect("● web", "q leave")
    screen.press("q")
    screen.expect("runs on")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it_and_gives_the_terminal_back(
    running: Desk, terminal: Callable[..., Terminal], number: signal.Signals
) -> None:
    screen = terminal()
    screen.run(
        ["sh", "-c", 'echo $$ > pid; exec "$@"', "sh", *PRISMCTL, "dev", "dashboard"],
        then="echo ended-$?",
    )
    screen.expect("● web", "web is here")
    os.kill(int((running.directory / "pid").read_text()), number)
    shown = screen.expect(f"ended-{128 + number}")
    assert not screen.is_in_alternate_screen()
    assert screen.shows_cursor()
    assert "Traceback" not in shown
    assert running.state() == "running"


def test_a_flood_of_logs_does_not_keep_keys_waiting_and_a_new_size_is_filled(
    desk: Desk, terminal: Callable[..., Terminal]
) -> None:
    assert desk.pipe(*desk.start(FLOODING.replace("PYTHON", sys.executable))).returncode == 0
    screen = terminal()
    screen.run([*PRISMCTL, "dev", "dashboard"])
    screen.expect("● flood", "q leave")
    screen.press("j")
    screen.expect("of a flood")
    for size in ((60, 16), (140, 45), (40, 12)):
        screen.resize(*size)
        shown = screen.expect("? help", "of a flood")
        assert max(map(len, shown.splitlines())) <= size[0]
    screen.press("d")
    screen.expect("what needs what", seconds=5)
    screen.press("q")
    screen.expect("runs on")


@pytest.mark.usefixtures("running")
def test_two_of_them_show_the_same(terminal: Callable[..., Terminal]) -> None:
    one, two = terminal(), terminal((60, 20))
    watch(one)
    watch(two)
    one.press("j", "s")
    one.expect("how many of worker?")
    one.press("2", "Enter")
    two.expect("2/2")


def test_k_ends_who_has_the_port_and_starts_the_service(
    desk: Desk, terminal: Callable[..., Terminal]
) -> None:
    number = take_port()
    catalog = f"""
core: false
services:
  - {{name: other, default: true, command: [sleep, "1000"]}}
  - name: server
    default: true
    ports: {{http: {number}}}
    command: ['{sys.executable}', -m, http.server, --bind, 127.0.0.1, '{number}']
"""
    assert desk.pipe(*desk.start(catalog)).returncode == 0
    screen = terminal()
    screen.run([*PRISMCTL, "dev", "dashboard"])
    screen.expect("● server", "q leave")
    assert desk.pipe("dev", "scale", "server", "0").returncode == 0
    with holding(number) as holder:
        desk.pipe("dev", "scale", "server", "1")
        screen.expect("✗ server", f"port {number} is in use by PID {holder.pid}")
        screen.press("k")
        screen.expect(f"end PID {holder.pid}")
        screen.press("y")
        screen.expect("● server", "and server runs")


def test_a_theme_that_there_is_not_is_refused_before_anything_is_drawn(running: Desk) -> None:
    running.lab.home.joinpath("config.yaml").write_text("theme: drak\nkeys: {restrat: r}\n")
    child = running.terminal([*["dev", "dashboard"]])
    shown = child.read()
    assert "\x1b[?1049h" not in shown
    assert "there is no `drak`" in shown
    child.wait()
    assert child.exitstatus == 2


def test_a_pipe_gets_lines(running: Desk) -> None:
    from prismctl.client import StackClient

    child = running.program([*PRISMCTL, "dev", "dashboard", "--plain", "--no-input"])
    child.expect("stack default is running, 3 services")
    child.expect("worker is healthy")
    for _ in StackClient(running.lab.paths).scale("worker", 2):
        pass
    child.expect("worker is healthy, 2 of 2 instances")
    assert running.pipe("dev", "stop").returncode == 0
    child.expect("stack default was stopped")
    child.wait()
    assert child.exitstatus == 0


def test_lines_do_what_is_typed(running: Desk) -> None:
    child = running.program([*PRISMCTL, "dev", "dashboard", "--plain"])
    child.expect("type help")
    child.sendline("logs web")
    child.expect("web is here")
    child.sendline("restart worker")
    child.expect("restarted worker in")
    child.sendline("stop web")
    child.expect("and what needs it: worker, out of the stack\\? type yes")
    child.sendline("no")
    child.expect("nothing was done")
    child.sendline("quit")
    child.wait()
    assert child.exitstatus == 0
    assert running.state() == "running"

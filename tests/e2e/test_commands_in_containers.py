"""`e` of the dashboard beside a container: what is typed runs inside it, with the terminal as its own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from prismctl.client import StackCondition, find_condition
from tests import tmux
from tests.container_images import ImageShop, require_containers
from tests.requirements import require
from tests.tmux import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.conftest import Shell

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(180),
    # Podman's storage is one for all of them.
    pytest.mark.xdist_group("podman"),
]

MARK = "only-in-the-box"


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    require_containers("podman")
    require(tmux.IS_HERE, "tmux is not there: `make shells` installs it")
    shop = ImageShop("podman")
    yield shop.make("sh", "sleep", "cat", "tty", "ls", changes=['CMD ["/bin/sh"]'])
    shop.clear()


@pytest.fixture
def dashboard(shell: Shell, engine: str, image: str) -> Iterator[Terminal]:
    """The dashboard of a stack with one container, which has a file that this machine has not."""
    shell.lab.home.mkdir(mode=0o700, parents=True)
    (shell.lab.home / "config.yaml").write_text("containers: podman\n")
    entry = {
        "name": "box",
        "default": True,
        "container": image,
        "args": ["/bin/sh", "-c", f"echo inside > /{MARK}; exec sleep 1000"],
    }
    catalog = shell.lab.home.parent / "services.yaml"
    catalog.write_text(json.dumps({"core": False, "services": [entry]}))
    shell.run(
        *("dev", "start", "--engine", engine, "--no-dashboard", "--runtime=container"),
        *("--services", str(catalog)),
    )
    terminal = Terminal(shell.environment, shell.lab.home.parent, size=(120, 30))
    try:
        terminal.run(["prismctl", "dev", "dashboard"])
        terminal.expect("box", "● running", "q leave")
        yield terminal
    finally:
        terminal.close()
        if find_condition(shell.lab.paths) is not StackCondition.STOPPED:
            shell.run("dev", "stop")


def test_a_shell_runs_inside_the_container_and_says_so_and_comes_back(dashboard: Terminal) -> None:
    dashboard.press("e")
    dashboard.expect("command beside box")
    dashboard.press("Enter")
    dashboard.expect("a shell in the container of box", "exit goes back\n#")
    dashboard.type(f"cat /{MARK}; tty; echo $((6 * 7)) things")
    dashboard.press("Enter")
    dashboard.expect("\ninside\n", "/dev/pts/", "\n42 things\n")
    # Ctrl-C is for what runs in there.
    dashboard.type("echo $((6 * 8)) sheep; sleep 1000")
    dashboard.press("Enter")
    dashboard.expect("\n48 sheep\n")
    dashboard.press("C-c")
    dashboard.type("echo $((6 * 9)) things")
    dashboard.press("Enter")
    dashboard.expect("\n54 things\n")
    dashboard.type("exit")
    dashboard.press("Enter")

    dashboard.expect("box", "● running", "q leave")
    assert dashboard.is_in_alternate_screen()


def test_a_command_runs_inside_the_container(dashboard: Terminal) -> None:
    dashboard.press("e")
    dashboard.expect("command beside box")
    dashboard.type(f"cat /{MARK}; tty; echo $((6 * 7)) things")
    dashboard.press("Enter")

    shown = dashboard.expect("inside", "/dev/pts/", "42 things", "enter goes back")

    # It waits, so that there is time to read; then all is as it was.
    assert "● running" not in shown
    dashboard.press("Enter")
    dashboard.expect("box", "● running", "q leave")

"""From an empty home to a machine that runs stacks on Nomad, and back."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from prismctl.client import StackCondition, find_condition
from prismctl.machine import tools_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.e2e.conftest import Shell

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

MIRROR = Path(__file__).parents[2] / "bench" / "release_mirror.py"
PRISMCTL = str(Path(sys.executable).with_name("prismctl"))
KILLS = 20


def snapshot(home: Path) -> dict[str, tuple[int, int]]:
    """Every path of a home with its mode and when it was changed."""
    return {
        str(path.relative_to(home)): (path.lstat().st_mode, path.lstat().st_mtime_ns)
        for path in home.rglob("*")
    }


def steps(said: str) -> dict[str, dict[str, Any]]:
    """The steps of an `init` that answered with JSON."""
    return {step["name"]: step for step in json.loads(said)["steps"]}


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A release server with the real programs."""
    directory = tmp_path_factory.mktemp("mirror")
    server = subprocess.Popen(
        [
            *(sys.executable, MIRROR, directory),
            *("--tools", tools_directory(), "--megabytes-per-second", "50"),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    assert server.stdin is not None
    try:
        yield json.loads(server.stdout.readline())
    finally:
        server.stdin.close()
        server.wait()
        server.stdout.close()


@pytest.fixture
def far_shell(shell: Shell, mirror: dict[str, str]) -> Shell:
    """Somebody with nothing installed, who has the mirror in their settings."""
    shell.environment["PRISM_TOOLS_DIR"] = str(shell.lab.home.parent / "no tools")
    shell.environment["SSL_CERT_FILE"] = mirror["authority"]
    shell.lab.home.mkdir(parents=True)
    settings = f"release_url: {mirror['url']}\nrelease_key: {mirror['key']}\n"
    (shell.lab.home / "config.yaml").write_text(settings)
    return shell


def test_an_empty_home_becomes_ready_and_a_second_init_changes_nothing(shell: Shell) -> None:
    first = steps(shell.run("dev", "init", "--without", "podman", "-o", "json"))
    assert {step["state"] for step in first.values()} == {"done"}
    assert list(first) == ["home", "consul", "nomad", "catalog", "trial"]
    assert first["trial"]["is_changed"]
    before = snapshot(shell.lab.home)

    second = json.loads(shell.run("dev", "init", "--without", "podman", "-o", "json"))

    assert not second["is_changed"]
    assert snapshot(shell.lab.home) == before
    assert shell.lab.own_processes() == []


def test_what_was_installed_from_a_release_is_used_by_a_start(far_shell: Shell) -> None:
    far_shell.run("dev", "init", "--without", "podman")
    versions = json.loads(far_shell.run("dev", "version", "-o", "json"))["tools"]
    nomad = next(tool for tool in versions if tool["name"] == "nomad")
    assert nomad["path"] == str(far_shell.lab.home / "bin" / "nomad")

    far_shell.run("dev", "start", "--preset=minimal", "--no-dashboard")

    assert far_shell.status()["engine"] == "nomad"
    assert far_shell.status()["state"] == "running"
    far_shell.run("dev", "stop")


def test_an_init_killed_at_any_moment_is_finished_by_the_next(far_shell: Shell) -> None:
    moments = random.Random(20)  # noqa: S311 - the same moments each time
    home = far_shell.lab.home
    command = [PRISMCTL, "dev", "init", "--without", "podman", "-q"]
    for _ in range(KILLS):
        # From before the first byte until after the trial run has begun.
        patience = moments.uniform(0.05, 8.0)
        init = subprocess.Popen(command, env=far_shell.environment, stdin=subprocess.DEVNULL)
        try:
            init.wait(timeout=patience)
        except subprocess.TimeoutExpired:
            init.kill()
            init.wait()
        for name in ("nomad", "consul"):
            found = home / "bin" / name
            if found.exists():
                # Whatever is on the path is whole.
                subprocess.run([found, "version"], check=True, capture_output=True)

    ended = steps(far_shell.run("dev", "init", "--without", "podman", "-o", "json"))

    assert {step["state"] for step in ended.values()} == {"done"}
    assert sorted(path.name for path in (home / "bin").iterdir()) == [
        "consul",
        "consul-1.20.5",
        "nomad",
        "nomad-1.11.3",
    ]
    assert list((home / "downloads").iterdir()) == []
    assert not (home / "run" / "init-trial").exists()
    assert far_shell.lab.own_processes() == []


def test_ctrl_c_leaves_an_init_that_goes_on_later(
    far_shell: Shell, wait_until: Callable[..., None]
) -> None:
    home = far_shell.lab.home
    init = subprocess.Popen(
        [PRISMCTL, "dev", "init", "--without", "podman"],
        env=far_shell.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    wait_until(lambda: any((home / "downloads").glob("*.part")))
    init.send_signal(signal.SIGINT)
    said = init.communicate()[0]
    assert init.returncode == 130, said
    assert "init was interrupted; what is done stays" in said
    assert "Traceback" not in said
    far_shell.run("dev", "init", "--without", "podman")


def test_sigterm_during_the_trial_run_leaves_nothing_running(
    shell: Shell, wait_until: Callable[..., None]
) -> None:
    trial = shell.lab.home / "run" / "init-trial"
    init = subprocess.Popen(
        [PRISMCTL, "dev", "init", "--without", "podman"],
        env=shell.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    wait_until(trial.exists)
    init.send_signal(signal.SIGTERM)
    said = init.communicate()[0]
    assert init.returncode == 143, said
    assert "Traceback" not in said
    assert not trial.exists()
    assert shell.lab.own_processes() == []


def test_two_inits_at_once_take_turns(far_shell: Shell) -> None:
    command = [PRISMCTL, "dev", "init", "--without", "podman"]
    inits = [
        subprocess.Popen(
            command,
            env=far_shell.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(2)
    ]
    said = [init.communicate()[0] for init in inits]
    assert [init.returncode for init in inits] == [0, 0], said
    assert sum("another init is at work in this home" in words for words in said) == 1
    assert sum("everything was here; nothing was changed" in words for words in said) == 1


def test_clean_all_leaves_the_machine_as_it_was_before_init(far_shell: Shell) -> None:
    above = far_shell.lab.home.parent
    home = far_shell.lab.home
    before = sorted(path for path in above.rglob("*") if home not in {path, *path.parents})
    far_shell.run("dev", "init", "--without", "podman")
    far_shell.run("dev", "start", "--preset=minimal", "--no-dashboard")

    far_shell.run("dev", "clean", "--all", "--yes")

    assert find_condition(far_shell.lab.paths) is StackCondition.STOPPED
    assert far_shell.lab.own_processes() == []
    assert sorted(above.rglob("*")) == before


def test_a_machine_without_anything_says_what_would_work(shell: Shell) -> None:
    shell.environment["PRISM_TOOLS_DIR"] = str(shell.lab.home.parent / "no tools")
    shell.environment["PATH"] = f"{Path(PRISMCTL).parent}:/bin"
    said = shell.run("dev", "init", "--offline", "--without", "podman", expect=3)
    assert "--offline forbids fetching it" in said
    assert "--engine local" in said
    assert (shell.lab.home / "services.yaml").exists()

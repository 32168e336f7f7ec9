"""What goes wrong with containers: no memory left, never ready, a Podman or a Docker that is there and does not work."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from prismctl.client import StackCondition, find_condition
from prismctl.errors import ExitCode
from tests.container_images import (
    NOBODY,
    ImageShop,
    require_containers,
    running_docker,
    separate_podman,
    write_program_of_nobody,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.e2e.conftest import Shell

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(240),
    pytest.mark.xdist_group("backend-images"),
]

GREEDY = "x=$(head -c 200000000 /dev/zero | tr '\\0' x); sleep 1000"
NATIVE = ["sleep", "1000"]


@pytest.fixture(scope="module", params=["podman", "docker"])
def shop(request: pytest.FixtureRequest) -> Iterator[ImageShop]:
    kind = request.param
    require_containers(kind)
    with contextlib.ExitStack() as stack:
        environment = (
            stack.enter_context(separate_podman())
            if kind == "podman"
            else {"DOCKER_HOST": stack.enter_context(running_docker())}
        )
        yield ImageShop(kind, environment)


@pytest.fixture(scope="module")
def tools_image(shop: ImageShop) -> str:
    return shop.make("sh", "sleep", "head", "tr", changes=['CMD ["/bin/sh"]'])


@pytest.fixture
def boxes(shell: Shell, shop: ImageShop) -> Iterator[Callable[[], list[str]]]:
    """The containers of the stack; none when all is over."""
    settle(shell, containers=shop.kind)
    shell.environment |= shop.environment

    def look() -> list[str]:
        return shop.containers(f"prism.keeper={shell.lab.paths.keeper_id}")

    yield look
    if find_condition(shell.lab.paths) is not StackCondition.STOPPED:
        shell.run("dev", "stop")
    assert look() == []


def settle(shell: Shell, **settings: str) -> None:
    shell.lab.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    (shell.lab.home / "config.yaml").write_text(json.dumps(settings))


def start(shell: Shell, *words: str, expect: int = 0, **entry: Any) -> str:
    path = shell.lab.home.parent / "services.yaml"
    box = {"name": "box", "default": True, "port": 8123, "health_check": {"type": "redis"}, **entry}
    path.write_text(json.dumps({"core": False, "services": [drop_none(box)]}))
    words = ("--engine=local", "--no-dashboard", f"--services={path}", *words)
    return shell.run("dev", "start", *words, expect=expect)


def drop_none(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if value is not None}


def service(shell: Shell) -> dict[str, Any]:
    found: dict[str, Any] = shell.status()["services"][0]
    return found


def test_a_container_that_needs_more_memory_than_its_limit_says_so(
    shell: Shell, boxes: Callable[[], list[str]], tools_image: str
) -> None:
    said = start(
        shell,
        container=tools_image,
        args=["/bin/sh", "-c", GREEDY],
        memory_mb=32,
        expect=ExitCode.FAILED,
    )
    assert "was killed because it needed more memory than its limit" in said
    assert "needed more memory than its limit" in service(shell)["reason"]
    assert boxes() == []


def test_a_container_that_is_never_ready_is_named_and_can_be_stopped(
    shell: Shell,
    boxes: Callable[[], list[str]],
    tools_image: str,
    wait_until: Callable[..., None],
) -> None:
    said = start(
        shell,
        "--wait-timeout=10",
        container=tools_image,
        args=["/bin/sh", "-c", "exec sleep 1000"],
        expect=ExitCode.NOT_READY,
    )
    # Where the machine is slow, Podman has only just been tried by then.
    assert re.search("(?:box|the stack) was not ready within 10 s", said)
    wait_until(lambda: len(boxes()) == 1)
    # A first process in a container that has not asked for signals gets none: the grace has to run out.
    shell.run("dev", "stop", "--kill")
    assert boxes() == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a file system")
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            "ro",
            "{data} is on a file system that can only be read; `sudo mount -o remount,rw {data}`",
        ),
        (
            "size=2m",
            "the disk of {data} is full: 2 MB are free, 10 are needed; free some space: `df -h {data}`",
        ),
    ],
)
def test_a_server_in_a_container_that_could_not_keep_anything_is_not_started(
    shell: Shell,
    boxes: Callable[[], list[str]],
    tools_image: str,
    options: str,
    sentence: str,
) -> None:
    data = shell.lab.paths.data_of("box", 0)
    data.mkdir(mode=0o700, parents=True)
    subprocess.run(("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(data)), check=True)
    try:
        said = start(
            shell,
            container=tools_image,
            driver="redis",
            volumes=["${self.data}:/data"],
            persist=True,
            expect=ExitCode.FAILED,
        )
        words = sentence.format(data=data)
        assert f"✗ box failed: {words}" in " ".join(said.split())
        assert service(shell)["reason"].startswith(words)
        assert service(shell)["restarts"] == 0
        assert boxes() == []
    finally:
        subprocess.run(("umount", "--lazy", str(data)), check=True)


VIRTUAL_MACHINE = """\
Cannot connect to Podman. Please verify your connection to the Linux system using `podman system connection list`, \
or try `podman machine init` and `podman machine start` to manage a new Linux VM
Error: unable to connect to Podman socket: failed to connect: dial tcp 127.0.0.1:51234: connect: connection refused"""
"""What Podman says on a Mac."""
BROKEN = {
    "prints an error": ("echo 'Error: the moon is full' >&2; exit 125", "the moon is full"),
    "says nothing": ("exit 125", "failed without a word"),
    "says what nobody understands": ("echo '{'; exit 0", ""),
    "has a virtual machine that does not run": (
        f"echo '{VIRTUAL_MACHINE}' >&2; exit 125",
        "its virtual machine does not answer",
    ),
}


@pytest.mark.parametrize("way", BROKEN)
def test_a_podman_that_is_broken_is_told_and_the_program_of_this_machine_is_taken(
    shell: Shell, way: str
) -> None:
    script, words = BROKEN[way]
    programs = shell.lab.home.parent / "programs"
    programs.mkdir()
    podman = programs / "podman"
    podman.write_text(f"#!/bin/sh\n{script}\n")
    podman.chmod(0o755)
    settle(shell, containers="podman")
    shell.environment["PATH"] = f"{programs}:{shell.environment['PATH']}"

    said = start(shell, container="localhost/any:1", command=NATIVE, port=None, health_check=None)
    assert "runtime=native" in said
    assert "Podman does not work" in said
    assert words in said
    shell.run("dev", "stop")

    said = start(
        shell,
        container="localhost/any:1",
        port=None,
        health_check=None,
        expect=ExitCode.MISSING_TOOL,
    )
    assert "box needs a container (localhost/any:1): Podman does not work" in said
    assert words in said
    assert ("podman machine start" in said) == ("virtual machine" in way)
    assert shell.lab.own_processes() == []


def test_a_podman_that_hangs_is_given_up(shell: Shell) -> None:
    programs = shell.lab.home.parent / "programs"
    programs.mkdir()
    podman = programs / "podman"
    podman.write_text("#!/bin/sh\nexec sleep 1000\n")
    podman.chmod(0o755)
    settle(shell, containers="podman")
    shell.environment["PATH"] = f"{programs}:{shell.environment['PATH']}"

    said = start(shell, container="localhost/any:1", command=NATIVE, port=None, health_check=None)

    assert "runtime=native" in said
    assert "did not end within" in said
    shell.run("dev", "stop")


def act_as_nobody(shell: Shell, program: str) -> Path:
    """A home of nobody's, in which a program of the machine is run as nobody instead of whoever calls it."""
    home = Path(tempfile.mkdtemp(prefix="prism-nobody-"))
    os.chown(home, NOBODY, NOBODY)
    programs = shell.lab.home.parent / "programs"
    programs.mkdir()
    write_program_of_nobody(programs / program, program, {"HOME": str(home)})
    shell.environment["PATH"] = f"{programs}:{shell.environment['PATH']}"
    return home


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_a_docker_that_this_user_may_not_talk_to_is_told(shell: Shell) -> None:
    require_containers("docker")
    settle(shell, containers="docker")
    home = act_as_nobody(shell, "docker")
    with socket.socket(socket.AF_UNIX) as closed:
        place = home / "docker.sock"
        closed.bind(str(place))
        closed.listen()
        place.chmod(0o600)
        shell.environment["DOCKER_HOST"] = f"unix://{place}"
        try:
            said = start(shell, container="localhost/any:1", port=None, health_check=None, expect=3)
            assert "Docker does not work here: this user may not talk to its daemon" in said
            assert "`sudo usermod -aG docker USER`" in said
        finally:
            shutil.rmtree(home)


OBEDIENT = "trap 'exit 0' TERM INT; while :; do sleep 1000 & wait; done"
"""A first process that ends when it is asked to."""


def start_obedient(shell: Shell, image: str, *words: str) -> None:
    start(
        shell,
        *words,
        container=image,
        args=["/bin/sh", "-c", OBEDIENT],
        port=None,
        health_check=None,
    )


def pause(shop: ImageShop, boxes: Callable[[], list[str]]) -> None:
    name = boxes()[0].partition(" ")[0]
    shop.run("pause", name)


@pytest.mark.parametrize("words", [(), ("--kill",)])
def test_a_paused_container_can_be_stopped(
    shell: Shell,
    shop: ImageShop,
    boxes: Callable[[], list[str]],
    tools_image: str,
    words: tuple[str, ...],
) -> None:
    start_obedient(shell, tools_image)
    pause(shop, boxes)
    assert "stopped" in shell.run("dev", "stop", *words)
    assert boxes() == []
    assert shell.lab.own_processes() == []


def test_a_paused_container_is_shown_at_once_with_what_ends_the_pause(
    shell: Shell,
    shop: ImageShop,
    boxes: Callable[[], list[str]],
    tools_image: str,
    wait_until: Callable[..., None],
) -> None:
    start_obedient(shell, tools_image)
    name = boxes()[0].partition(" ")[0]
    shop.run("pause", name)
    # By far less than three failed checks, which would be another reason.
    wait_until(lambda: service(shell)["state"] == "unhealthy", seconds=5)
    assert service(shell)["reason"] == f"paused; `{shop.kind} unpause {name}` lets it go on"
    shop.run("unpause", name)
    wait_until(lambda: service(shell)["state"] == "healthy", seconds=5)


def test_a_server_that_is_suspended_inside_its_container_is_shown_at_once(
    shell: Shell,
    boxes: Callable[[], list[str]],
    tools_image: str,
    wait_until: Callable[..., None],
) -> None:
    del boxes
    start_obedient(shell, tools_image)
    (record,) = shell.lab.paths.containers.glob("*.pid")
    inner = int(record.read_text())
    os.kill(inner, signal.SIGSTOP)
    wait_until(lambda: service(shell)["state"] == "unhealthy", seconds=5)
    assert service(shell)["reason"] == f"suspended by SIGSTOP; `kill -CONT {inner}` lets it go on"
    os.kill(inner, signal.SIGCONT)
    wait_until(lambda: service(shell)["state"] == "healthy", seconds=5)


def test_a_paused_container_on_nomad_can_be_restarted_and_stopped(
    shell: Shell, shop: ImageShop, boxes: Callable[[], list[str]], tools_image: str
) -> None:
    start_obedient(shell, tools_image, "--engine=nomad")
    pause(shop, boxes)
    shell.run("dev", "restart", "box")
    assert service(shell)["state"] == "healthy"
    pause(shop, boxes)
    shell.run("dev", "stop")
    assert boxes() == []
    assert shell.lab.own_processes() == []


def test_a_paused_container_can_be_restarted(
    shell: Shell, shop: ImageShop, boxes: Callable[[], list[str]], tools_image: str
) -> None:
    start_obedient(shell, tools_image)
    pause(shop, boxes)
    shell.run("dev", "restart", "box")
    assert service(shell)["state"] == "healthy"
    assert service(shell)["restarts"] == 0
    assert "Up" in boxes()[0]
    assert "aused" not in boxes()[0]
    shell.run("dev", "stop")
    assert boxes() == []


def kill_supervisors(shell: Shell) -> None:
    """Keeper and daemon at one moment, so that neither brings the other back."""
    marks = ("keeper/__main__.py", "-m prismctl.daemon")
    found = [
        psutil.Process(pid)
        for pid, words in shell.lab.own_processes()
        if any(mark in words for mark in marks)
    ]
    assert len(found) == len(marks)
    for each in found:
        each.suspend()
    for each in found:
        each.kill()
    assert psutil.wait_procs(found, timeout=10)[1] == []


@pytest.mark.parametrize("pauses", [0, 1])
def test_a_container_that_outlived_keeper_and_daemon_is_named_and_taken_away(
    shell: Shell, shop: ImageShop, boxes: Callable[[], list[str]], tools_image: str, pauses: int
) -> None:
    start_obedient(shell, tools_image)
    name = boxes()[0].partition(" ")[0]
    for _ in range(pauses):
        shop.run("pause", name)
    kill_supervisors(shell)
    assert find_condition(shell.lab.paths) is StackCondition.LEFT_BEHIND

    assert f"container {name} (" in shell.status()["notes"][0]
    doctor = shell.run("dev", "doctor", "-o", "json", expect=1)
    assert f"container {name} is still there" in doctor
    assert f"removes container {name}" in shell.run("dev", "clean", "--dry-run")
    said = shell.run("dev", "stop")
    assert f"swept container {name}" in said
    assert "stopped what was left of stack" in said
    assert "Nothing is left running" in said
    assert boxes() == []
    assert shell.lab.own_processes() == []

"""Docker's client with Podman at the other end of its socket, as machines have it on which `docker` was to go on working."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from prismctl.client import StackCondition, find_condition
from tests.backend_images import make_image
from tests.container_images import (
    ImageShop,
    require_containers,
    separate_podman,
    serving_podman,
)
from tests.requirements import require

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.e2e.conftest import Shell

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(180),
    pytest.mark.xdist_group("backend-images"),
]


@pytest.fixture
def shop() -> Iterator[ImageShop]:
    """Docker's client, and a Podman of its own that it talks to; the image of a Redis is there."""
    require_containers("podman")
    require(shutil.which("docker"), "docker is not there: `make podman` installs it")
    with contextlib.ExitStack() as stack:
        address = stack.enter_context(serving_podman(stack.enter_context(separate_podman())))
        shop = ImageShop("docker", {"DOCKER_HOST": address})
        shop.load(make_image("redis").archive())
        yield shop


@pytest.fixture
def boxes(shell: Shell, shop: ImageShop) -> Iterator[Callable[[], list[str]]]:
    """The containers of the stack; none when all is over."""
    shell.lab.home.mkdir(mode=0o700, parents=True)
    (shell.lab.home / "config.yaml").write_text("containers: docker\n")
    shell.environment |= shop.environment

    def look() -> list[str]:
        return shop.containers(f"prism.keeper={shell.lab.paths.keeper_id}")

    yield look
    if find_condition(shell.lab.paths) is not StackCondition.STOPPED:
        shell.run("dev", "stop")
    assert look() == []


def noted_process(shell: Shell) -> int:
    """The first process of the container."""
    (record,) = shell.lab.paths.containers.glob("*.pid")
    return int(record.read_text(encoding="ascii"))


def redis(shell: Shell) -> dict[str, Any]:
    found: dict[str, Any] = next(s for s in shell.status()["services"] if s["name"] == "redis")
    return found


def ask(address: str, *words: str) -> bytes:
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(" ".join(words).encode() + b"\r\n")
        return connection.recv(4096)


def test_a_redis_is_run_measured_brought_back_and_taken_away(
    shell: Shell, boxes: Callable[[], list[str]], wait_until: Callable[..., None]
) -> None:
    path = shell.lab.home.parent / "services.yaml"
    path.write_text(json.dumps({"core": False, "services": [{"name": "redis", "default": True}]}))
    said = shell.run("dev", "start", "--engine=local", "--no-dashboard", f"--services={path}")
    assert "runtime=container" in said
    (box,) = boxes()
    assert box.startswith(shell.lab.paths.keeper_id)
    address = shell.address("redis")
    assert ask(address, "SET", "key", "value") == b"+OK\r\n"

    inner = noted_process(shell)
    assert Path(f"/proc/{inner}/comm").read_text(encoding="utf-8").strip() == "redis-server"
    wait_until(lambda: redis(shell)["memory_bytes"])

    os.kill(inner, signal.SIGKILL)
    wait_until(
        lambda: (now := redis(shell))["state"] == "healthy" and now["restarts"] == 1,
        lambda: f"{redis(shell)}",
    )
    assert ask(address, "GET", "key") == b"$5\r\nvalue\r\n"

    shell.run("dev", "restart", "redis")
    assert ask(address, "GET", "key") == b"$5\r\nvalue\r\n"

    assert "Nothing is left running" in shell.run("dev", "stop")
    assert boxes() == []
    assert shell.lab.own_processes() == []

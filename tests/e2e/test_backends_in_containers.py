"""Redis, PostgreSQL, NATS and Kafka as containers of the images that the packaged catalog names, nothing of it changed."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from prismctl.client import StackCondition, find_condition
from prismctl.machine import find_program
from tests.backend_images import make_image
from tests.container_images import ImageShop, require_containers, running_docker, separate_podman
from tests.e2e.backend_clients import redis
from tests.e2e.backend_contents import Contents

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.e2e.conftest import Shell

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(300),
    pytest.mark.xdist_group("backend-images"),
]

PRESETS = {
    "redis": ("redis",),
    "postgres": ("postgres",),
    "messaging": ("nats", "kafka"),
    "full": ("redis", "postgres", "nats", "kafka"),
}
"""The servers of each; beside them run the core services."""
MOST_BYTES = {"redis": 40, "nats": 40, "postgres": 160, "kafka": 500}
"""In MiB: more is not the server alone."""


@pytest.fixture(scope="module")
def shops() -> Iterator[Callable[[str], ImageShop]]:
    """What runs containers, each with all images in a storage of its own, made when somebody first asks for it."""
    for program in ("redis-server", "postgres", "nats-server", "kafka-server-start.sh"):
        if not find_program(program):
            pytest.fail(f"{program} is not there: `make backends` installs it")
    made: dict[str, ImageShop] = {}
    with contextlib.ExitStack() as stack:

        def open_shop(kind: str) -> ImageShop:
            if kind not in made:
                require_containers(kind)
                environment = (
                    stack.enter_context(separate_podman())
                    if kind == "podman"
                    else {"DOCKER_HOST": stack.enter_context(running_docker())}
                )
                made[kind] = ImageShop(kind, environment)
                for server in PRESETS["full"]:
                    made[kind].load(make_image(server).archive())
            return made[kind]

        yield open_shop


class Boxes:
    """A stack whose servers are containers."""

    def __init__(self, shell: Shell, shop: ImageShop, engine: str) -> None:
        self.shell = shell
        self.shop = shop
        self.engine = engine
        shell.environment |= shop.environment
        shell.lab.home.mkdir(mode=0o700, parents=True)
        (shell.lab.home / "config.yaml").write_text(f"containers: {shop.kind}\n")

    def start(self, *words: str) -> str:
        return self.shell.run(
            *("dev", "start", "--engine", self.engine, "--no-dashboard", "--runtime=container"),
            *words,
        )

    def there(self) -> list[str]:
        return self.shop.containers(f"prism.keeper={self.shell.lab.paths.keeper_id}")

    def service(self, name: str) -> dict[str, Any]:
        services = self.shell.status()["services"]
        found: dict[str, Any] = next(each for each in services if each["name"] == name)
        return found

    def inside(self, name: str) -> int:
        """The first process of a container."""
        paths = self.shell.lab.paths
        record: Path = paths.containers / f"{paths.keeper_id}-{name}.pid"
        return int(record.read_text())

    def stop(self) -> None:
        """Nothing is left: no container, no process, no port."""
        ports = [
            (port["host"], port["port"])
            for service in self.shell.status()["services"]
            for port in service["ports"]
        ]
        self.shell.run("dev", "stop")
        assert self.there() == []
        assert self.shell.lab.own_processes() == []
        for address in ports:
            with socket.socket() as taker:
                taker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                taker.bind(address)


@pytest.fixture
def new_boxes(
    shell: Shell, shops: Callable[[str], ImageShop]
) -> Iterator[Callable[[str, str], Boxes]]:
    made: list[Boxes] = []

    def make(kind: str, engine: str) -> Boxes:
        made.append(Boxes(shell, shops(kind), engine))
        return made[-1]

    yield make
    for boxes in made:
        if find_condition(shell.lab.paths) is not StackCondition.STOPPED:
            shell.run("dev", "stop")
        assert boxes.there() == []


@pytest.fixture
def contents(shell: Shell) -> Contents:
    return Contents(shell)


@pytest.mark.parametrize(
    ("preset", "where"),
    [
        ("redis", "podman nomad"),
        ("postgres", "docker local"),
        ("messaging", "podman local"),
        ("full", "podman local"),
        ("full", "podman nomad"),
        ("full", "docker local"),
        ("full", "docker nomad"),
    ],
)
def test_what_was_written_is_there_after_a_restart_and_a_crash_and_nothing_after_a_stop(
    new_boxes: Callable[[str, str], Boxes],
    contents: Contents,
    wait_until: Callable[..., None],
    preset: str,
    where: str,
) -> None:
    boxes, names = new_boxes(*where.split()), PRESETS[preset]
    said = boxes.start(f"--preset={preset}")
    for name in names:
        assert re.search(rf"plan +{name} .*runtime=container", said)
        assert boxes.service(name)["state"] == "healthy"
    contents.write(*names)

    boxes.shell.run("dev", "restart", *names)
    contents.read(*names)
    for name in names:
        wait_until(
            lambda name=name: (
                0 < (boxes.service(name)["memory_bytes"] or 0) < MOST_BYTES[name] << 20
            ),
            lambda name=name: f"{name}: {boxes.service(name)}",
        )

    before = {name: boxes.inside(name) for name in names}
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    for name in names:
        wait_until(
            lambda name=name: (
                (now := boxes.service(name))["state"] == "healthy"
                and now["last_error"] == "exited with code 137 (SIGKILL)"
            ),
            lambda name=name: f"{name}: {boxes.service(name)}",
            seconds=60,
        )
    contents.read(*names)
    assert len(boxes.there()) == len(names)

    boxes.stop()


@pytest.mark.parametrize(("kind", "engine"), [("podman", "local"), ("docker", "nomad")])
def test_what_goes_through_servers_in_containers_is_counted(
    new_boxes: Callable[[str, str], Boxes], wait_until: Callable[..., None], kind: str, engine: str
) -> None:
    boxes = new_boxes(kind, engine)
    boxes.start("--preset=full")
    for name in PRESETS["full"]:
        wait_until(
            lambda name=name: boxes.service(name)["requests_per_second"] is not None,
            lambda name=name: f"{name}: {boxes.service(name)}",
        )
    before = boxes.service("redis")["requests_total"]
    for _ in range(20):
        redis(boxes.shell.address("redis"), "GET", "k")
    wait_until(lambda: boxes.service("redis")["requests_total"] >= before + 20)
    assert boxes.service("redis")["requests_total"] == before + 20
    boxes.stop()


@pytest.mark.parametrize(("kind", "engine"), [("podman", "nomad"), ("docker", "local")])
def test_data_that_persists_is_there_after_a_stop_and_is_gone_without(
    new_boxes: Callable[[str, str], Boxes], contents: Contents, kind: str, engine: str
) -> None:
    boxes = new_boxes(kind, engine)
    boxes.start("--preset=full", "--persist")
    contents.write()
    boxes.stop()

    boxes.start("--preset=full", "--persist")
    contents.read()
    boxes.stop()

    boxes.start("--preset=redis")
    assert redis(boxes.shell.address("redis"), "GET", "key") == []
    boxes.stop()


@pytest.mark.parametrize(("kind", "engine"), [("podman", "nomad"), ("docker", "local")])
def test_a_postgres_with_a_client_is_stopped_at_once(
    new_boxes: Callable[[str, str], Boxes], kind: str, engine: str
) -> None:
    boxes = new_boxes(kind, engine)
    boxes.start("--with=postgres", "--persist")
    url = boxes.shell.variable("DATABASE_URL")
    psql = Path(find_program("postgres")).resolve().with_name("psql")
    client = subprocess.Popen(
        (psql, "-w", "-Atq", url), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with client:
        assert client.stdin is not None
        assert client.stdout is not None
        client.stdin.write("select 'here';\n")
        client.stdin.flush()
        assert client.stdout.readline() == "here\n"
        boxes.shell.run("dev", "restart", "postgres")
        client.kill()

    said = boxes.shell.run("dev", "logs", "postgres")
    # As its image asks to be ended: clients are sent away, and all that is written is on the disk.
    assert "received fast shutdown request" in said
    assert "database system was shut down" in said
    assert "not properly shut down" not in said

"""Services that are containers, on both engines: run, watched, ended, and never left behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
from typing import TYPE_CHECKING, Any

import pytest

from prismctl.client import StackCondition, find_condition
from prismctl.errors import ExitCode
from tests.container_images import ImageShop, require_containers, running_docker
from tests.free_ports import take_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.e2e.conftest import Shell

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(240),
    # Podman's storage is one for all of them.
    pytest.mark.xdist_group("podman"),
]


@pytest.fixture(scope="module", params=["podman", "docker"])
def shop(request: pytest.FixtureRequest) -> Iterator[ImageShop]:
    """What runs the containers of these tests, with images of their own."""
    kind = request.param
    require_containers(kind)
    with contextlib.ExitStack() as stack:
        address = stack.enter_context(running_docker()) if kind == "docker" else ""
        shop = ImageShop(kind, {"DOCKER_HOST": address} if address else {})
        yield shop
        shop.clear()


@pytest.fixture(autouse=True)
def chosen_tool(shell: Shell, shop: ImageShop) -> None:
    """The home asks for this one, whichever else is installed."""
    shell.lab.home.mkdir(mode=0o700, parents=True)
    (shell.lab.home / "config.yaml").write_text(f"containers: {shop.kind}\n")
    shell.environment.update(shop.environment)


@pytest.fixture(scope="module")
def redis_image(shop: ImageShop) -> str:
    return shop.make(
        "redis-server",
        changes=[
            'ENTRYPOINT ["/bin/redis-server"]',
            'CMD ["--bind","0.0.0.0","--protected-mode","no","--save","","--dir","/data"]',
        ],
    )


@pytest.fixture(scope="module")
def tools_image(shop: ImageShop) -> str:
    return shop.make("sh", "sleep", "env", "cat", "head", "tail", changes=['CMD ["/bin/sh"]'])


@pytest.fixture
def containers(shell: Shell, shop: ImageShop) -> Iterator[Callable[[], list[str]]]:
    """The containers of this stack; there must be none when all is over."""

    def look() -> list[str]:
        return shop.containers(f"prism.keeper={shell.lab.paths.keeper_id}")

    yield look
    if find_condition(shell.lab.paths) is not StackCondition.STOPPED:
        shell.run("dev", "stop")
    assert look() == []


def write(shell: Shell, *services: dict[str, Any]) -> str:
    path = shell.lab.home.parent / "services.yaml"
    path.write_text(json.dumps({"core": False, "services": list(services)}))
    return str(path)


def redis(image: str, **more: Any) -> dict[str, Any]:
    return {
        "name": "redis-box",
        "default": True,
        "container": image,
        "port": 6379,
        **more,
    }


def script(image: str, text: str, **more: Any) -> dict[str, Any]:
    return {
        "name": "script-box",
        "default": True,
        "container": image,
        "args": ["/bin/sh", "-c", text],
        **more,
    }


def start(shell: Shell, engine: str, *services: dict[str, Any], expect: int = 0) -> str:
    return shell.run(
        *("dev", "start", "--engine", engine, "--no-dashboard"),
        *("--services", write(shell, *services)),
        expect=expect,
    )


def ask_redis(address: str, command: bytes) -> bytes:
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(command + b"\r\n")
        return connection.recv(4096)


def service(shell: Shell, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(s for s in shell.status()["services"] if s["name"] == name)
    return found


UDP_ECHO = """
socket(S, 2, 2, 17) or die; bind(S, pack("Sna4x8", 2, 53, "\\0" x 4)) or die;
send(S, $text, 0, $sender) while defined($sender = recv(S, $text, 2048, 0));
"""
"""Listens at 53 of every address, by nothing but what perl has built in."""


def test_containers_come_and_go_beside_those_that_run(
    shell: Shell, engine: str, redis_image: str, containers: Callable[[], list[str]]
) -> None:
    volumes = ["${self.data}:/data"]
    other = redis(redis_image, name="other-box", volumes=volumes, port="auto:6379", default=False)
    start(shell, engine, redis(redis_image, volumes=volumes), other)
    before = service(shell, "redis-box")["pid"]

    shell.run("dev", "add", "other-box")
    shell.run("dev", "scale", "redis-box", "2")

    scaled = service(shell, "redis-box")
    assert scaled["replicas"] == {"wanted": 2, "healthy": 2}
    assert scaled["pid"] == before
    assert len(containers()) == 3
    addresses = [f"{p['host']}:{p['port']}" for i in scaled["instances"] for p in i["ports"]]
    assert len(set(addresses)) == 2
    first, second = addresses
    assert ask_redis(first, b"SET who first").startswith(b"+OK")
    assert ask_redis(first, b"SAVE").startswith(b"+OK")
    assert ask_redis(second, b"GET who") == b"$-1\r\n"
    # Neither writes where the other one does.
    files = sorted(path.parent.name for path in shell.lab.paths.data.glob("*/dump.rdb"))
    assert files == ["redis-box"]

    shell.run("dev", "scale", "redis-box", "1")
    shell.run("dev", "remove", "other-box")

    assert len(containers()) == 1
    assert service(shell, "redis-box")["pid"] == before


def test_a_container_that_does_not_hear_signals_could_not_be_scaled_to_nothing(
    shell: Shell, engine: str, tools_image: str, containers: Callable[[], list[str]]
) -> None:
    # The first process of a container ignores what it has no handler for.
    deaf = script(tools_image, "exec sleep 1000", stop_grace="0.5s")
    start(shell, engine, deaf)

    shell.run("dev", "restart", "script-box")
    assert service(shell, "script-box")["state"] == "healthy"
    shell.run("dev", "scale", "script-box", "0")
    assert containers() == []
    shell.run("dev", "scale", "script-box", "1")
    assert len(containers()) == 1


@pytest.mark.usefixtures("containers")
def test_a_udp_port_of_a_container_is_mapped_as_one(
    shell: Shell, engine: str, shop: ImageShop, wait_until: Callable[..., None]
) -> None:
    port = take_port()
    start(
        shell,
        engine,
        {
            "name": "dns-box",
            "default": True,
            "container": shop.make("perl", changes=['ENTRYPOINT ["/bin/perl"]']),
            "args": ["-e", UDP_ECHO],
            "port": f"{port}:53/udp",
        },
    )
    assert shell.address("dns-box") == f"127.0.0.1:{port}"

    def ask() -> bytes:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(0.5)
            client.connect(("127.0.0.1", port))
            try:
                client.send(b"hello")
                return client.recv(2048)
            except OSError:
                return b""

    wait_until(lambda: ask() == b"hello")


@pytest.mark.usefixtures("containers")
def test_a_container_answers_on_its_port_and_its_figures_are_its_own(
    shell: Shell, engine: str, redis_image: str, wait_until: Callable[..., None]
) -> None:
    said = start(shell, engine, redis(redis_image))
    assert "runtime=container" in said

    assert ask_redis(shell.address("redis-box"), b"PING") == b"+PONG\r\n"
    # The client alone needs several times that.
    wait_until(lambda: 0 < (service(shell, "redis-box")["memory_bytes"] or 0) < 25 << 20)


@pytest.mark.usefixtures("containers")
def test_a_port_may_have_another_number_inside_the_container_and_memory_a_limit(
    shell: Shell, engine: str, redis_image: str
) -> None:
    outside = take_port()
    box = redis(redis_image, port=f"127.0.0.1:{outside}:6379", memory_mb=64)
    start(shell, engine, box)
    assert shell.address("redis-box") == f"127.0.0.1:{outside}"
    assert ask_redis(shell.address("redis-box"), b"PING") == b"+PONG\r\n"


def test_a_killed_container_comes_back(
    shell: Shell,
    engine: str,
    redis_image: str,
    containers: Callable[[], list[str]],
    wait_until: Callable[..., None],
) -> None:
    start(shell, engine, redis(redis_image))
    record = shell.lab.paths.containers / f"{shell.lab.paths.keeper_id}-redis-box.pid"
    wait_until(record.exists)
    inside = int(record.read_text())

    os.kill(inside, signal.SIGKILL)

    wait_until(lambda: service(shell, "redis-box")["restarts"] == 1)
    wait_until(lambda: service(shell, "redis-box")["state"] == "healthy")
    assert service(shell, "redis-box")["last_error"] == "exited with code 137 (SIGKILL)"
    assert len(containers()) == 1


def test_a_container_whose_client_is_killed_is_replaced(
    shell: Shell,
    engine: str,
    redis_image: str,
    containers: Callable[[], list[str]],
    wait_until: Callable[..., None],
) -> None:
    start(shell, engine, redis(redis_image))
    client = service(shell, "redis-box")["pid"]

    os.kill(client, signal.SIGKILL)

    wait_until(lambda: service(shell, "redis-box")["pid"] not in {None, client})
    wait_until(lambda: service(shell, "redis-box")["state"] == "healthy")
    assert ask_redis(shell.address("redis-box"), b"PING") == b"+PONG\r\n"
    assert len(containers()) == 1


def test_a_container_goes_with_its_killed_keeper_and_comes_back_with_the_next(
    shell: Shell,
    engine: str,
    redis_image: str,
    containers: Callable[[], list[str]],
    wait_until: Callable[..., None],
) -> None:
    start(shell, engine, redis(redis_image))
    before = service(shell, "redis-box")["pid"]

    os.kill(shell.lab.keeper_pid(), signal.SIGKILL)

    def is_back() -> bool:
        found = service(shell, "redis-box")
        return str(found["state"]) == "healthy" and found["pid"] != before

    wait_until(is_back, lambda: f"{shell.status()}", seconds=60)
    assert len(containers()) == 1


@pytest.mark.usefixtures("containers")
def test_a_container_that_is_emptied_and_restarted_never_meets_the_one_before_it(
    shell: Shell, engine: str, redis_image: str
) -> None:
    box = redis(redis_image, volumes=["data:/data"])
    start(shell, engine, box)

    for _ in range(3):
        shell.run("dev", "data", "reset", "redis-box", "--yes")
        shell.run("dev", "restart", "redis-box")

    told = {event["kind"] for event in shell.events() if event["service"] == "redis-box"}
    assert not told & {"service.exited", "service.unhealthy", "service.failed"}
    assert service(shell, "redis-box")["restarts"] == 0
    assert ask_redis(shell.address("redis-box"), b"PING") == b"+PONG\r\n"


def test_a_start_after_everything_was_killed_takes_the_old_container_away(
    shell: Shell,
    engine: str,
    redis_image: str,
    containers: Callable[[], list[str]],
    wait_until: Callable[..., None],
) -> None:
    start(shell, engine, redis(redis_image))
    both = (shell.lab.keeper_pid(), shell.lab.daemon_pid())
    for signum in (signal.SIGSTOP, signal.SIGKILL):
        for pid in both:
            os.kill(pid, signum)
    wait_until(lambda: find_condition(shell.lab.paths) is StackCondition.LEFT_BEHIND)

    start(shell, engine, redis(redis_image))

    assert len(containers()) == 1
    assert ask_redis(shell.address("redis-box"), b"PING") == b"+PONG\r\n"


def test_what_a_container_is_given_arrives_as_it_was_written(
    shell: Shell, engine: str, tools_image: str, wait_until: Callable[..., None]
) -> None:
    given = {
        "SPACES": " a  \"b\" 'c' ",
        "DOLLAR": "$HOME $${x} `id`",
        "LINES": "one\ntwo\n",
        "UNICODE": "größe ☃",
        "LONG": "x" * 100_000,
        "HOME": "/data",
        "PATH": "/bin",
    }
    box = script(
        tools_image, "env -0 > /data/seen; exec sleep 1000", env=given, volumes=["./box:/data"]
    )
    (shell.lab.home.parent / "box").mkdir()
    start(shell, engine, box)
    seen = shell.lab.home.parent / "box" / "seen"
    wait_until(lambda: seen.exists() and seen.stat().st_size > 100_000)
    found = dict(
        entry.split("=", 1) for entry in seen.read_text(encoding="utf-8").split("\0") if entry
    )
    expected = {**given, "DOLLAR": "$HOME ${x} `id`"}
    assert {name: found[name] for name in expected} == expected
    assert found["PRISM_SERVICE"] == "script-box"
    assert "PRISM_HOME" not in found
    shell.run("dev", "stop")


@pytest.mark.parametrize("engine", ["local"])
def test_a_container_that_ends_at_once_says_how(
    shell: Shell, engine: str, tools_image: str, containers: Callable[[], list[str]]
) -> None:
    start(shell, engine, script(tools_image, "echo no luck; exit 3"), expect=int(ExitCode.FAILED))
    assert "with code 3" in service(shell, "script-box")["reason"]
    assert "no luck" in shell.run("dev", "logs", "script-box", "--tail", "1")
    assert containers() == []


@pytest.mark.parametrize("engine", ["local"])
def test_a_volume_that_is_not_there_is_told_before_anything_starts(
    shell: Shell, engine: str, tools_image: str
) -> None:
    box = script(tools_image, "exec sleep 1000", volumes=["./missing:/data"])
    said = start(shell, engine, box, expect=int(ExitCode.INVALID))
    missing = shell.lab.home.parent / "missing"
    assert f"script-box: there is no {missing} to be a volume" in said
    assert not missing.exists()


@pytest.mark.parametrize("engine", ["local"])
@pytest.mark.usefixtures("containers")
def test_a_program_that_the_image_does_not_have_is_told_in_words(
    shell: Shell, engine: str, tools_image: str
) -> None:
    box = {**script(tools_image, ""), "args": ["/bin/nothing"]}
    start(shell, engine, box, expect=int(ExitCode.FAILED))
    reason = service(shell, "script-box")["reason"]
    assert "could not be started" in reason
    assert "/bin/nothing" in reason


@pytest.mark.parametrize("engine", ["local"])
@pytest.mark.usefixtures("containers")
def test_a_volume_with_only_a_name_is_a_directory_of_the_services_data(
    shell: Shell, engine: str, tools_image: str, wait_until: Callable[..., None]
) -> None:
    box = script(
        tools_image, "echo kept > /things/seen; exec sleep 1000", volumes=["things:/things"]
    )
    start(shell, engine, box)
    seen = shell.lab.paths.data / "script-box" / "things" / "seen"
    wait_until(lambda: seen.exists() and seen.read_text() == "kept\n")


@pytest.mark.parametrize("engine", ["local"])
def test_a_container_of_our_name_that_was_left_is_no_obstacle(
    shell: Shell,
    engine: str,
    redis_image: str,
    shop: ImageShop,
    containers: Callable[[], list[str]],
) -> None:
    name = f"{shell.lab.paths.keeper_id}-redis-box"
    shop.run("create", "--name", name, redis_image)
    start(shell, engine, redis(redis_image))
    assert len(containers()) == 1


@pytest.mark.parametrize("engine", ["local"])
@pytest.mark.usefixtures("containers")
def test_an_image_that_is_nowhere_is_told_before_anything_starts(shell: Shell, engine: str) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        registry = f"127.0.0.1:{unused.getsockname()[1]}"
        said = start(shell, engine, redis(f"{registry}/gone:1"), expect=int(ExitCode.MISSING_TOOL))
    assert f"the image {registry}/gone:1 is not here, and {registry} does not answer" in said
    assert find_condition(shell.lab.paths) is StackCondition.STOPPED


@pytest.mark.parametrize("engine", ["local"])
def test_where_an_image_is_nowhere_the_program_of_this_machine_is_taken(
    shell: Shell, engine: str
) -> None:
    box = redis(
        "localhost/nowhere:1",
        command=["redis-server", "--port", "${self.port}", "--save", "", "--dir", "${self.data}"],
    )
    said = start(shell, engine, box)
    assert "runtime=native" in said
    assert "there is no image localhost/nowhere:1 on this machine" in said
    shell.run("dev", "stop")

"""Images from a registry: brought before anything starts, noted, taken away again; or refused, each time in a sentence."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from prismctl.client import StackCondition, find_condition
from prismctl.daemon.operations.images import PULLS_AT_ONCE
from prismctl.domain.containers import ContainerTool
from prismctl.errors import ExitCode, PrismError
from prismctl.runtime.image_pull import pull_image
from tests.backend_images import Archive, Image, make_image, wrap
from tests.container_images import (
    NOBODY,
    ImageShop,
    require_containers,
    running_docker,
    separate_podman,
    write_program_of_nobody,
)
from tests.image_registry import Registry, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.conftest import Shell

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(240),
    pytest.mark.xdist_group("backend-images"),
]

NO_SUCH = "the registry has no such image, or shows it only to those who log in"


@pytest.fixture(scope="module", params=["podman", "docker"])
def shop(request: pytest.FixtureRequest) -> Iterator[ImageShop]:
    """What pulls, into a storage of its own in which there is nothing."""
    kind = request.param
    require_containers(kind)
    with contextlib.ExitStack() as stack:
        environment = (
            stack.enter_context(separate_podman())
            if kind == "podman"
            else {"DOCKER_HOST": stack.enter_context(running_docker())}
        )
        yield ImageShop(kind, environment)


@pytest.fixture
def registry() -> Iterator[Registry]:
    with serving(make_image("redis")) as registry:
        yield registry


class Puller:
    """A stack of one service, whose image is in the registry."""

    def __init__(self, shell: Shell, shop: ImageShop, registry: Registry) -> None:
        self.shell = shell
        self.shop = shop
        self.image = f"{registry.host}/box:1"
        home = shell.lab.home
        home.mkdir(mode=0o700, parents=True)
        (home / "config.yaml").write_text(f"containers: {shop.kind}\n")
        shell.environment |= shop.environment
        # Docker needs no permission to do without encryption on loopback.
        shell.environment |= registry.allow(home.parent / "registries.conf")

    def start(self, *services: dict[str, Any], expect: int = 0) -> str:
        """What a start of these said; without any, of one whose image is in the registry."""
        box = {
            "name": "box",
            "default": True,
            "container": self.image,
            "driver": "redis",
            "port": 6379,
            "health_check": {"type": "redis"},
        }
        path: Path = self.shell.lab.home.parent / "services.yaml"
        path.write_text(json.dumps({"core": False, "services": services or [box]}))
        words = ("dev", "start", "--engine=local", "--no-dashboard", f"--services={path}")
        return self.shell.run(*words, expect=expect)

    def has_image(self) -> bool:
        return self.image in self.shop.run("images", "--format", "{{.Repository}}:{{.Tag}}")

    def manifest(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(
            (self.shell.lab.home / "manifest.json").read_text(encoding="utf-8")
        )
        return document


@pytest.fixture
def puller(shell: Shell, shop: ImageShop, registry: Registry) -> Iterator[Puller]:
    puller = Puller(shell, shop, registry)
    yield puller
    if find_condition(shell.lab.paths) is not StackCondition.STOPPED:
        shell.run("dev", "stop")
    if puller.has_image():
        shop.run("rmi", "--force", puller.image)


def test_an_image_is_brought_first_and_goes_with_the_home_that_brought_it(puller: Puller) -> None:
    said = puller.start()
    assert 'why="asked for"' not in said
    kinds = [(each["kind"], each["service"]) for each in puller.shell.events()]
    pulling, pulled = kinds.index(("image.pulling", "box")), kinds.index(("image.pulled", "box"))
    begun = next(i for i, kind in enumerate(kinds) if kind == ("service.starting", "box"))
    assert pulling < pulled < begun
    identity = puller.shop.run("image", "inspect", "--format", "{{.Id}}", puller.image)
    assert identity in json.dumps(puller.manifest())
    puller.shell.run("dev", "stop")
    assert puller.has_image()

    puller.shell.run("dev", "clean", "--all", "--yes")

    assert not puller.has_image()


def small_image(content: str) -> Image:
    """An image in which there is one file, which no other has."""
    archive = Archive()
    archive.text("content", content)
    return wrap("small", archive.finish(), {"Entrypoint": ["/content"]})


def test_no_more_images_are_fetched_at_once_than_a_line_is_filled_by(
    puller: Puller, registry: Registry
) -> None:
    names = ("first", "second", "third", "fourth")
    for name in names:
        registry.hold(small_image(name), name)
    registry.awaited = PULLS_AT_ONCE + 1
    # The last one is not to be had, so that nothing is started in the end.
    images = {name: f"{registry.host}/{name}:1" for name in (*names, "none")}
    services = [
        {"name": name, "default": True, "container": image} for name, image in images.items()
    ]

    said = puller.start(*services, expect=ExitCode.FAILED)

    assert f"cannot pull {images['none']}: {NO_SUCH}" in said
    assert registry.most_at_once == PULLS_AT_ONCE
    for name in names:
        puller.shop.run("rmi", "--force", images[name])


@pytest.mark.parametrize(
    ("status", "code", "sentence"),
    [
        (404, "MANIFEST_UNKNOWN", NO_SUCH),
        (404, "NAME_UNKNOWN", NO_SUCH),
        (403, "DENIED", NO_SUCH),
        (401, "UNAUTHORIZED", "the registry wants a login"),
        (429, "TOOMANYREQUESTS", "the registry gives no more images to this address for a while"),
        (503, "UNAVAILABLE", "the registry has trouble of its own"),
    ],
)
def test_each_refusal_has_a_sentence_and_nothing_is_started(
    puller: Puller, registry: Registry, status: int, code: str, sentence: str
) -> None:
    registry.refusal = (status, code)

    said = puller.start(expect=ExitCode.FAILED)

    assert f"cannot pull {puller.image}: {sentence}" in said
    assert find_condition(puller.shell.lab.paths) is StackCondition.STOPPED
    assert puller.shell.lab.own_processes() == []
    assert not puller.has_image()


def test_an_image_for_another_machine_is_refused_at_once_and_not_kept(
    shell: Shell, shop: ImageShop
) -> None:
    image = make_image("redis")
    foreign = json.dumps({**json.loads(image.config), "architecture": "s390x"}).encode()
    with serving(image._replace(config=foreign)) as registry:
        puller = Puller(shell, shop, registry)

        said = puller.start(expect=ExitCode.FAILED)

        assert f"{puller.image} is for s390x, and this machine is" in said
        assert "name another image in the catalog" in said
        assert find_condition(shell.lab.paths) is StackCondition.STOPPED
        assert not puller.has_image()


class LocalImage:
    """A stack of one service, whose image was here before."""

    def __init__(self, shell: Shell, shop: ImageShop) -> None:
        self.shell = shell
        self.shop = shop
        self.name = f"localhost/prism-machine-{shell.lab.paths.name}:1"
        home = shell.lab.home
        home.mkdir(mode=0o700, parents=True)
        (home / "config.yaml").write_text(f"containers: {shop.kind}\n")
        shell.environment |= shop.environment

    def load(self, architecture: str) -> None:
        image = make_image("redis")
        config = {**json.loads(image.config), "architecture": architecture}
        self.shop.load(image._replace(name=self.name, config=json.dumps(config).encode()).archive())

    def start(self, *, expect: int) -> str:
        catalog = self.shell.lab.home.parent / "services.yaml"
        box = {"name": "box", "default": True, "container": self.name}
        catalog.write_text(json.dumps({"core": False, "services": [box]}))
        words = ("--engine=local", "--no-dashboard", f"--services={catalog}")
        return self.shell.run("dev", "start", *words, expect=expect)

    def containers(self) -> list[str]:
        return self.shop.containers(f"prism.keeper={self.shell.lab.paths.keeper_id}")


@pytest.fixture
def local_image(shell: Shell, shop: ImageShop) -> Iterator[LocalImage]:
    local_image = LocalImage(shell, shop)
    yield local_image
    if find_condition(shell.lab.paths) is not StackCondition.STOPPED:
        shell.run("dev", "stop")
    shop.run("rmi", "--force", local_image.name)
    assert local_image.containers() == []


def test_an_image_for_another_machine_that_is_here_is_refused_before_there_is_a_container(
    local_image: LocalImage,
) -> None:
    local_image.load("s390x")

    said = local_image.start(expect=ExitCode.FAILED)

    assert f"{local_image.name} is for s390x, and this machine is" in said
    assert f"`{local_image.shop.kind} pull --platform linux/" in said
    assert find_condition(local_image.shell.lab.paths) is StackCondition.STOPPED
    assert local_image.shell.lab.own_processes() == []
    assert local_image.containers() == []
    # It is somebody's own.
    assert local_image.shop.run("image", "inspect", local_image.name)


@pytest.fixture
def tool(shop: ImageShop, registry: Registry, tmp_path: Path) -> ContainerTool:
    """What pulls, called directly: the bounds of a start are too long for a test."""
    environment = {**shop.environment, **registry.allow(tmp_path / "registries.conf")}
    return ContainerTool(
        kind=shop.kind, program=shutil.which(shop.kind) or "", environment=environment
    )


def test_a_registry_that_hangs_is_given_up(
    tool: ContainerTool, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    for bound in ("STALL_SECONDS", "SILENT_SECONDS"):
        monkeypatch.setattr(f"prismctl.runtime.image_pull.{bound}", 1.5)
    monkeypatch.setattr("prismctl.runtime.image_pull.LOOK_SECONDS", 0.5)
    registry.hangs = True
    image = f"{registry.host}/box:1"
    with pytest.raises(PrismError) as caught:
        asyncio.run(pull_image(tool, image))
    assert caught.value.message == f"the pull of {image} came to a halt: nothing for 1.5 s"


def test_a_layer_that_takes_longer_than_the_bound_arrives(
    tool: ContainerTool, shop: ImageShop, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nobody can see what Docker's daemon reads, so that its bound is another.
    monkeypatch.setattr("prismctl.runtime.image_pull.STALL_SECONDS", 1.0)
    monkeypatch.setattr("prismctl.runtime.image_pull.LOOK_SECONDS", 0.2)
    registry.pause_seconds = 0.01
    image = f"{registry.host}/box:1"
    began = time.monotonic()
    asyncio.run(pull_image(tool, image))
    assert time.monotonic() - began > 2.0
    shop.run("rmi", "--force", image)


@pytest.fixture
def tool_of_nobody(registry: Registry) -> Iterator[ContainerTool]:
    """The Podman of a user to whom nobody has given subordinate IDs."""
    require_containers("podman")
    with tempfile.TemporaryDirectory(prefix="prism-nobody-") as place:
        home = Path(place)
        home.chmod(0o755)
        run = home / "run"
        run.mkdir(mode=0o700)
        for each in (home, run):
            os.chown(each, NOBODY, NOBODY)
        variables = {
            "HOME": str(home),
            "XDG_RUNTIME_DIR": str(run),
            "STORAGE_DRIVER": "vfs",
            **registry.allow(home / "registries.conf"),
        }
        (home / "registries.conf").chmod(0o644)
        program = home / "podman"
        write_program_of_nobody(program, "podman", variables)
        yield ContainerTool(kind="podman", program=str(program))
        # It ends what holds a user's namespace open.
        subprocess.run((program, "system", "migrate"), check=True, capture_output=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_a_user_without_subordinate_ids_is_told_what_gives_them(
    tool_of_nobody: ContainerTool, registry: Registry
) -> None:
    # There is a directory of another user's in it, as in most images of servers.
    image = f"{registry.host}/box:1"
    with pytest.raises(PrismError) as caught:
        asyncio.run(pull_image(tool_of_nobody, image))
    assert caught.value.message == (
        f"cannot pull {image}: this user has too few subordinate IDs (/etc/subuid, /etc/subgid) for the users in it"
    )
    assert "--add-subuids 100000-165535" in caught.value.hint

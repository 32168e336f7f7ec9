from __future__ import annotations

import fcntl
import io
import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from prismctl.files.paths import Home
from prismctl.install.asking_versions import ask_version
from prismctl.install.containers.configuration import podman_environment
from prismctl.install.containers.facts import inspect_podman
from prismctl.install.containers.trial import INITS, LABEL
from prismctl.install.podman import make_podman_work
from prismctl.install.tools import PODMAN as TOOL
from tests.container_images import require_containers

if TYPE_CHECKING:
    from collections.abc import Iterator

PODMAN = shutil.which("podman") or ""
PROGRAM = "/bin/true"

pytestmark = [
    pytest.mark.e2e,
    # Podman's storage is one for all of them.
    pytest.mark.xdist_group("podman"),
]


def podman(*arguments: str, environment: dict[str, str] | None = None, **options: bytes) -> str:
    done = subprocess.run(
        (PODMAN, *arguments),
        capture_output=True,
        check=True,
        timeout=60,
        env={**os.environ, **(environment or {})},
        **options,  # type: ignore[call-overload]
    )
    return str(done.stdout.decode()).strip()


def needed_files(program: str) -> list[str]:
    """A program with the libraries that it is linked with, and what links them."""
    linked = subprocess.run(("ldd", program), capture_output=True, text=True, check=False).stdout
    words = linked.replace("=>", " ").split()
    return [program, *(word for word in words if word.startswith("/") and Path(word).is_file())]


@pytest.fixture(autouse=True)
def podman_is_here() -> None:
    require_containers("podman")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "home").mkdir()
    return Home(tmp_path / "home")


@pytest.fixture
def image() -> Iterator[str]:
    """An image of files of this machine, removed after the test."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", dereference=True) as archive:
        for name in needed_files(PROGRAM):
            archive.add(name, arcname=name.lstrip("/"))
    name = f"localhost/prism-trial-{os.getpid()}:1"
    podman("import", "-q", "-c", f'CMD ["{PROGRAM}"]', "-", name, input=packed.getvalue())
    try:
        yield name
    finally:
        podman("rmi", "-f", name)


@pytest.fixture(autouse=True)
def _alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One test of this file at a time: each looks at all trial containers of the machine."""
    with (tmp_path_factory.getbasetemp().parent / "podman.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def trials_left() -> str:
    return podman("ps", "-aq", "--filter", f"label={LABEL}")


@pytest.mark.parametrize("inits", [INITS, ()], ids=["without an image", "with an image"])
async def test_after_making_it_work_containers_run(
    home: Home, image: str, inits: tuple[str, ...]
) -> None:
    told: list[object] = []
    path = Path(PODMAN)
    outcome = await make_podman_work(home, path, os.environ, told.append, inits=inits)
    environment = podman_environment(home)
    facts = await inspect_podman(path, {**os.environ, **environment})
    assert outcome.detail.startswith(facts.summary)
    podman("run", "--rm", "--pull=never", "--network=none", image, environment=environment)
    assert trials_left() == ""

    again = await make_podman_work(home, path, os.environ, told.append, inits=inits)
    assert not again.is_changed
    assert podman_environment(home) == environment


async def test_short_names_have_a_registry_afterwards(home: Home) -> None:
    path = Path(PODMAN)
    await make_podman_work(home, path, os.environ, lambda _: None)
    facts = await inspect_podman(path, {**os.environ, **podman_environment(home)})
    assert facts.search_registries


async def test_nothing_of_the_system_is_touched(home: Home) -> None:
    def look() -> dict[str, int]:
        return {
            str(file): file.stat().st_mtime_ns
            for directory in ("/etc/containers", "/usr/share/containers")
            for file in Path(directory).rglob("*.conf")
        }

    before = look()
    await make_podman_work(home, Path(PODMAN), os.environ, lambda _: None)
    assert look() == before


async def test_podman_says_its_version_to_whoever_looks_for_it() -> None:
    version = await ask_version(Path(PODMAN), TOOL.version_arguments, timeout_seconds=20)
    assert version in TOOL.supported

"""Packed on one machine, installed on another that has no network."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from prismctl.machine import tools_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.e2e.conftest import Shell

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

MIRROR = Path(__file__).parents[2] / "bench" / "release_mirror.py"
CATALOG = """
services:
  - name: prism-admin
  - name: pattern-launcher
  - name: memstore
  - name: of-our-own
    command: [sleep, "1000"]
"""


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A release server with the real programs."""
    directory = tmp_path_factory.mktemp("mirror")
    with subprocess.Popen(
        [
            *(sys.executable, MIRROR, directory),
            *("--tools", tools_directory(), "--megabytes-per-second", "200"),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        yield json.loads(server.stdout.readline())
        server.communicate()


@pytest.fixture
def shells(
    new_shell: Callable[..., Shell], mirror: dict[str, str], tmp_path: Path
) -> tuple[Shell, Shell]:
    """Somebody who reaches a mirror, and somebody who knows its key and reaches nobody."""
    connected, other = new_shell(), new_shell()
    for shell in (connected, other):
        shell.environment["PRISM_TOOLS_DIR"] = str(tmp_path / "no tools")
        shell.lab.home.mkdir(parents=True)
        (shell.lab.home / "config.yaml").write_text(f"release_key: {mirror['key']}\n")
    connected.environment["SSL_CERT_FILE"] = mirror["authority"]
    with (connected.lab.home / "config.yaml").open("a") as settings:
        settings.write(f"release_url: {mirror['url']}\n")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        other.environment[name] = "http://127.0.0.1:9"
    return connected, other


def test_what_was_packed_there_runs_here(shells: tuple[Shell, Shell], tmp_path: Path) -> None:
    connected, other = shells
    (connected.lab.home / "services.yaml").write_text(CATALOG)
    file = tmp_path / "tools.tar"
    connected.run("dev", "init", "--make-bundle", str(file), "--without-wheels")
    assert not (connected.lab.home / "bin").exists(), "packing installs nothing"

    arguments = ("dev", "init", "--from-bundle", str(file), "--without", "podman")
    said = other.run(*arguments)

    assert said.count("checksum signed") == 2
    assert (other.lab.home / "services.yaml").read_text() == CATALOG
    assert "nothing was changed" in other.run(*arguments)
    assert not list((other.lab.home / "downloads").iterdir())
    other.start("nomad")
    assert other.status()["state"] == "running"


def test_archives_that_somebody_carried_over_by_hand_are_installed(
    shells: tuple[Shell, Shell], mirror: dict[str, str], tmp_path: Path
) -> None:
    _, other = shells
    directory = tmp_path / "carried"
    directory.mkdir()
    for path in Path(mirror["key"]).with_name("www").rglob("*_*"):
        shutil.copy(path, directory)

    said = other.run("dev", "init", "--from-dir", str(directory), "--without", "podman")

    assert said.count("checksum signed") == 2
    assert {"nomad", "consul"} <= {path.name for path in (other.lab.home / "bin").iterdir()}

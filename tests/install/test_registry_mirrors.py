from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from prismctl.domain.containers import DOCKER, PODMAN, ContainerTool
from prismctl.files.paths import Home
from prismctl.install.containers.availability import find_containers
from prismctl.install.containers.mirrors import is_redirected

if TYPE_CHECKING:
    from pathlib import Path

NOWHERE = "registry.prism-test.invalid"


@pytest.mark.parametrize(
    ("text", "is_elsewhere"),
    [
        ("", False),
        ('unqualified-search-registries = ["docker.io"]', False),
        (f'[[registry]]\nlocation = "{NOWHERE}"\n[[registry.mirror]]\nlocation = "m:5000"', True),
        (f'[[registry]]\nprefix = "{NOWHERE}/team"\nlocation = "m.local/team"', True),
        (f'[[registry]]\nlocation = "{NOWHERE}"\ninsecure = true', True),
        ('[[registry]]\nprefix = "*.invalid"\nlocation = "m.local"', True),
        ('[[registry]]\nlocation = "other.invalid"\ninsecure = true', False),
        ("[[registry", False),
    ],
)
def test_what_registries_conf_says_of_a_registry_is_left_to_the_pull(
    tmp_path: Path,
    text: str,
    is_elsewhere: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    file = tmp_path / "registries.conf"
    file.write_text(text)
    variables = {"CONTAINERS_REGISTRIES_CONF": str(file), "HOME": str(tmp_path)}
    tool = ContainerTool(kind=PODMAN, program="podman", environment=variables)

    assert is_redirected(NOWHERE, tool, {}) is is_elsewhere


def test_a_mirror_in_a_file_of_its_own_counts(tmp_path: Path) -> None:
    place = tmp_path / ".config" / "containers" / "registries.conf.d"
    place.mkdir(parents=True)
    (place / "mirror.conf").write_text(f'[[registry]]\nlocation = "{NOWHERE}"\ninsecure = true\n')
    tool = ContainerTool(kind=PODMAN, program="podman")

    assert is_redirected(NOWHERE, tool, {"HOME": str(tmp_path)})


@pytest.mark.parametrize(("mirrors", "can_be_had"), [('["http://m/"]', True), ("null", False)])
def test_a_mirror_of_docker_hub_is_asked_where_docker_hub_itself_does_not_answer(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mirrors: str,
    can_be_had: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    docker = tmp_path / "docker"
    docker.write_text(f"#!/bin/sh\ncase $1 in info) echo '{mirrors}';; esac\n")
    docker.chmod(0o755)
    # Nobody listens there: whatever this machine can reach, Docker Hub does not answer.
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    # urllib reads that once a process, and keeps it.
    monkeypatch.setattr("urllib.request._opener", None)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)

    facts = find_containers(Home(tmp_path / "home"), {"PATH": str(tmp_path)}, kind=DOCKER)

    assert facts.find_image("nats:2").can_be_had is can_be_had

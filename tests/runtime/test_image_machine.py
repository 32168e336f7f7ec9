from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

import pytest

from prismctl.domain.containers import DOCKER, PODMAN, ContainerTool
from prismctl.errors import PrismError
from prismctl.runtime import run_container
from prismctl.runtime.image_machine import require_own_machine

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.uname().machine not in run_container.MACHINES,
    reason="what images call this kind of machine is not known",
)

OWN = run_container.MACHINES.get(os.uname().machine, ("",))[0]
FOREIGN = "s390x" if OWN != "s390x" else "amd64"
CLIENT = """\
#!/bin/sh
echo "$@" >> "$0.calls"
case "$1 $2" in
    "image inspect")
        shift 5
        for image do case "$image" in *foreign*) echo {foreign} ;; *gone*) exit 1 ;; *) echo {own} ;; esac done ;;
    "version --format") echo "$KERNEL" ;;
esac
"""
"""Says of images what their names say; what real clients say is tried elsewhere."""


@pytest.fixture(autouse=True)
def no_emulators(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the kernel of this test hands programs to; empty."""
    place = tmp_path / "binfmt_misc"
    place.mkdir()
    monkeypatch.setattr(run_container, "EMULATORS", place)
    return place


def make_tool(directory: Path, kind: str = PODMAN, **environment: str) -> ContainerTool:
    client = directory / "client"
    client.write_text(CLIENT.format(foreign=FOREIGN, own=OWN))
    client.chmod(0o755)
    kernel = {"KERNEL": os.uname().release}
    return ContainerTool(kind=kind, program=str(client), environment={**kernel, **environment})


def refusal(tool: ContainerTool, *images: str, keeps: bool = True) -> PrismError | None:
    try:
        asyncio.run(require_own_machine(tool, images, keeps=keeps))
    except PrismError as error:
        return error
    return None


@pytest.mark.parametrize("kind", [PODMAN, DOCKER])
def test_each_image_for_another_machine_is_named_with_what_brings_the_right_one(
    tmp_path: Path, kind: str
) -> None:
    refused = refusal(make_tool(tmp_path, kind), "own", "foreign/a:1", "foreign/b:1")
    assert refused is not None
    assert refused.message == (
        f"foreign/a:1 is for {FOREIGN}, and this machine is {OWN}; "
        f"foreign/b:1 is for {FOREIGN}, and this machine is {OWN}"
    )
    assert refused.hint.startswith(
        f"`{kind} pull --platform linux/{OWN} docker.io/foreign/a:1` brings this machine's"
    )
    assert "rmi" not in (tmp_path / "client.calls").read_text()


def test_one_question_is_enough_for_images_that_fit(tmp_path: Path) -> None:
    assert refusal(make_tool(tmp_path, DOCKER), "own", "own/too") is None
    assert len((tmp_path / "client.calls").read_text().splitlines()) == 1


def test_what_was_pulled_for_nothing_is_let_go_of(tmp_path: Path) -> None:
    refused = refusal(make_tool(tmp_path), "foreign/a:1", keeps=False)
    assert refused is not None
    assert refused.hint == "name another image in the catalog, or start with `--runtime native`"
    assert "rmi -- docker.io/foreign/a:1\n" in (tmp_path / "client.calls").read_text()


@pytest.mark.parametrize("emulator", ["qemu-s390x", "rosetta"])
def test_what_the_kernel_has_emulated_may_run(
    tmp_path: Path, no_emulators: Path, emulator: str
) -> None:
    (no_emulators / emulator).write_text("enabled\n")
    assert refusal(make_tool(tmp_path), "foreign/a:1") is None


def test_a_format_that_is_no_machine_emulates_none(tmp_path: Path, no_emulators: Path) -> None:
    (no_emulators / "python3.11").write_text("enabled\n")
    assert refusal(make_tool(tmp_path), "foreign/a:1") is not None


@pytest.mark.parametrize(
    ("kind", "environment"),
    [(DOCKER, {"KERNEL": "6.6.12-linuxkit"}), (PODMAN, {"CONTAINER_HOST": "ssh://box"})],
)
def test_what_runs_containers_elsewhere_knows_best(
    tmp_path: Path, kind: str, environment: dict[str, str]
) -> None:
    assert refusal(make_tool(tmp_path, kind, **environment), "foreign/a:1") is None


def test_a_client_that_does_not_know_keeps_nothing_from_starting(tmp_path: Path) -> None:
    assert refusal(make_tool(tmp_path), "foreign/a:1", "gone") is None

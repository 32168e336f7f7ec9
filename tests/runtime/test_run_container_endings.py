from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from prismctl.runtime import run_container
from prismctl.runtime.container_records import read_ending

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import StackLab

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.uname().machine not in run_container.MACHINES,
    reason="what images call this kind of machine is not known",
)

CLIENT = """\
#!/bin/sh
case "$1 $2" in
    run*) exit {code} ;;
    "image inspect") echo {architecture} ;;
esac
"""
OWN = run_container.MACHINES.get(os.uname().machine, ("",))[0]
FOREIGN = "s390x" if OWN != "s390x" else "amd64"


def end(lab: StackLab, tmp_path: Path, *, code: int, architecture: str) -> tuple[int, str]:
    client = tmp_path / "podman"
    client.write_text(CLIENT.format(code=code, architecture=architecture))
    client.chmod(0o755)
    places = (str(lab.paths.containers), str(tmp_path / "data"))
    done = subprocess.run(
        (
            *(sys.executable, run_container.__file__, "podman", str(client), "box"),
            *(*places, "3", "0", "image"),
        ),
        env={name: text for name, text in os.environ.items() if name != "CONTAINER_HOST"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.mark.skipif(
    run_container.EMULATORS.exists() and any(run_container.EMULATORS.glob("qemu-*")),
    reason="what is for another machine may run here",
)
def test_a_container_whose_image_became_one_for_another_machine_says_so_beside_its_code(
    lab: StackLab, tmp_path: Path
) -> None:
    code, said = end(lab, tmp_path, code=1, architecture=FOREIGN)
    words = f"exited with code 1: its image is for {FOREIGN}, and this machine is {OWN}"
    assert (code, said) == (1, f"the container {words}\n")
    assert read_ending(lab.paths, "box") == words

    assert end(lab, tmp_path, code=0, architecture=FOREIGN) == (0, "")
    assert read_ending(lab.paths, "box") == ""


def test_a_container_for_this_machine_ends_with_its_code_alone(
    lab: StackLab, tmp_path: Path
) -> None:
    assert end(lab, tmp_path, code=1, architecture=OWN) == (1, "")
    assert read_ending(lab.paths, "box") == ""

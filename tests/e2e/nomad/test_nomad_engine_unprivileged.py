from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from prismctl.engine.nomad.tools import NomadTools

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        os.geteuid() != 0 or shutil.which("setpriv") is None,
        reason="needs root and setpriv to become somebody else",
    ),
]

NOBODY = 65534


def test_the_engine_needs_no_privileges(tools: NomadTools) -> None:
    repository = Path(__file__).parents[3]
    with tempfile.TemporaryDirectory(prefix="prism-nobody-") as directory:
        os.chown(directory, NOBODY, NOBODY)
        programs = Path(directory, "bin")
        programs.mkdir()
        for tool in (tools.nomad, tools.consul):
            os.link(tool, programs / tool.name.partition("-")[0]) if (
                tool.stat().st_dev == programs.stat().st_dev
            ) else shutil.copy(tool, programs / tool.name.partition("-")[0])
        selected = " or ".join(
            (
                "comes_up_in_order",
                "killed_nomad_comes_back",
                "typed_commands",
                "killing_takes_everything",
            )
        )
        done = subprocess.run(
            [
                *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"),
                *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
                *("--basetemp", f"{directory}/tmp", "-k", selected, "-n", "0"),
                str(repository / "tests" / "e2e" / "nomad"),
            ],
            cwd=repository,
            env={
                "PATH": os.environ["PATH"],
                "HOME": directory,
                "PRISM_TOOLS_DIR": str(programs),
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
        assert "4 passed" in done.stdout

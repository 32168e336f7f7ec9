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
    pytest.mark.timeout(240),
    pytest.mark.skipif(
        os.geteuid() != 0 or not all(map(shutil.which, ("setpriv", "unshare"))),
        reason="needs root, setpriv and unshare to become somebody else",
    ),
]

NOBODY = 65534
SELECTED = (
    "comes_up_in_order or killed_nomad_comes_back or typed_commands or killing_takes_everything"
)
OPEN_UP = """
set -e
mkdir -p "$1/interpreter" && mount --bind "$2" "$1/interpreter"
mount -t tmpfs -o mode=755 none "$3" && mkdir -p "$2" && mount --bind "$1/interpreter" "$2"
shift 3 && exec "$@"
"""
"""In a mount namespace of its own: the interpreter's directory ($2) in a home ($3) that others may enter."""


def find_closed(path: Path) -> Path | None:
    """The uppermost directory on the way to a path that others may not enter."""
    return next((one for one in reversed(path.parents) if not one.stat().st_mode & 0o001), None)


def test_the_engine_needs_no_privileges(tools: NomadTools) -> None:
    repository = Path(__file__).parents[3]
    if find_closed(repository / "src") is not None:
        pytest.skip(f"others cannot read {repository}")
    interpreter = Path(sys.base_prefix)
    closed = find_closed(interpreter / "bin")
    with tempfile.TemporaryDirectory(prefix="prism-nobody-") as directory:
        os.chown(directory, NOBODY, NOBODY)
        programs = Path(directory, "bin")
        programs.mkdir()
        for tool in (tools.nomad, tools.consul):
            shutil.copy(tool, programs / tool.name.partition("-")[0])
        opened = (
            ("unshare", "-m", "sh", "-c", OPEN_UP, "sh", directory, str(interpreter), str(closed))
            if closed
            else ()
        )
        done = subprocess.run(
            [
                *opened,
                *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"),
                *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
                *("--basetemp", f"{directory}/tmp", "-k", SELECTED, "-n", "0"),
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

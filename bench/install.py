"""From an empty home to a healthy stack on Nomad, with the releases on a line of 50 MB/s; and when all is there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from measuring import PRISMCTL, Figure, fresh_home

from prismctl.machine import tools_directory

if TYPE_CHECKING:
    from collections.abc import Iterator

START = ("dev", "start", "--preset=minimal", "--no-dashboard")
INIT = ("dev", "init", "--without", "podman")
MEGABYTES_PER_SECOND = 50


def bench_install(runs: int) -> Iterator[Figure]:
    """`init`, once from nothing and once when there is nothing to do, and `doctor`."""
    if not (tools_directory() / "nomad").exists():
        yield Figure(
            what="empty home to healthy minimal on nomad",
            unit="s",
            target=60,
            samples=(),
            remark="no programs to make a release of (`make tools`)",
        )
        return
    whole, inits, again, doctors = [], [], [], []
    with tempfile.TemporaryDirectory() as directory, mirror(Path(directory)) as environment:
        for _ in range(max(2, runs // 2)):
            with fresh_home() as home:
                settings = f"release_url: {environment['URL']}\nrelease_key: {environment['KEY']}\n"
                (home / "config.yaml").write_text(settings)
                variables = {**os.environ, **environment, "PRISM_HOME": str(home)}
                began = time.perf_counter()
                inits.append(timed(variables, *INIT))
                timed(variables, *START)
                whole.append(time.perf_counter() - began)
                timed(variables, "dev", "stop")
                again.append(timed(variables, *INIT))
                doctors.append(timed(variables, "dev", "doctor"))
    yield Figure(
        what="empty home to healthy minimal on nomad, init and start",
        unit="s",
        target=60,
        samples=tuple(whole),
        remark=f"releases at {MEGABYTES_PER_SECOND} MB/s",
    )
    yield Figure(what="of which init", unit="s", target=55, samples=tuple(inits))
    yield Figure(what="init when all is there", unit="s", target=1, samples=tuple(again))
    yield Figure(what="doctor", unit="s", target=2, samples=tuple(doctors))


def timed(environment: dict[str, str], *arguments: str) -> float:
    """Seconds that a whole command takes."""
    began = time.perf_counter()
    done = subprocess.run(
        [PRISMCTL, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise SystemExit(done.stdout + done.stderr)
    return time.perf_counter() - began


@contextmanager
def mirror(directory: Path) -> Iterator[dict[str, str]]:
    """A release server while the context is entered; what its clients need in their environment."""
    server = subprocess.Popen(
        [
            *(sys.executable, Path(__file__).with_name("release_mirror.py"), directory),
            *("--tools", tools_directory()),
            *("--megabytes-per-second", str(MEGABYTES_PER_SECOND)),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    if server.stdin is None or server.stdout is None:
        raise AssertionError("both are pipes")
    try:
        said = json.loads(server.stdout.readline())
        yield {
            "URL": said["url"],
            "KEY": said["key"],
            "SSL_CERT_FILE": said["authority"],
            "PRISM_TOOLS_DIR": str(directory / "no-tools"),
        }
    finally:
        server.stdin.close()
        server.wait()

"""Prometheus as the guide to services of one's own has it: a server of this machine, with a catalog entry and nothing else."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from prismctl.client import StackCondition, find_condition
from prismctl.machine import find_program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.e2e.conftest import Shell

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

GUIDE = Path(__file__).parents[2] / "docs/how-to/add-a-service.md"


def find_block(language: str) -> str:
    text = GUIDE.read_text(encoding="utf-8")
    blocks = re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return next(str(block) for block in blocks if "prometheus" in block)


@pytest.fixture
def directory(shell: Shell) -> Iterator[Path]:
    if not find_program("prometheus", shell.environment):
        pytest.fail("prometheus is not there: `make backends` installs it")
    yield shell.lab.home.parent
    if find_condition(shell.lab.paths) is not StackCondition.STOPPED:
        shell.run("dev", "stop")


def ask(shell: Shell, path: str) -> Any:
    with urllib.request.urlopen(f"http://{shell.address('prometheus')}{path}", timeout=10) as said:
        return json.load(said)


def test_prometheus_of_the_guide_reads_the_figures_of_prism_admin(
    shell: Shell, engine: str, directory: Path, wait_until: Callable[..., None]
) -> None:
    (directory / "services.yaml").write_text(find_block("yaml"))
    subprocess.run(("/bin/sh", "-ec", find_block("sh")), check=True, timeout=30, cwd=directory)
    shell.run(
        *("dev", "start", "--services", "services.yaml", "--engine", engine, "--no-dashboard"),
        "--auto-ports",
    )
    ports = next(
        each["ports"] for each in shell.status()["services"] if each["name"] == "prism-admin"
    )
    metrics = next(port["port"] for port in ports if port["name"] == "metrics")
    # This stack is not the only one of the machine, so its admin is where nobody else is.
    configuration = directory / "prometheus.yml"
    configuration.write_text(configuration.read_text().replace("9190", str(metrics)))
    shell.run("dev", "restart", "prometheus")

    wait_until(
        lambda: (
            [each["health"] for each in ask(shell, "/api/v1/targets")["data"]["activeTargets"]]
            == ["up"]
        ),
        seconds=30,
    )
    assert (shell.lab.paths.data / "prometheus" / "wal").is_dir()

"""What is imported when: start-up time is a feature, and the packages do not know each other."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import prism_services

SERVE = {
    "admin": "prism_services.admin.serve",
    "launcher": "prism_services.launcher.serve",
    "memstore": "prism_services.memstore.serve",
}
HEAVY = (
    "google.protobuf",
    "grpc_health.v1",
    "grpc_reflection.v1alpha",
    "ruamel",
    "aiohttp",
    "prismctl",
)


def modules_after(statement: str) -> set[str]:
    code = f"import sys; {statement}; print('\\n'.join(sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
    )
    return set(result.stdout.split())


@pytest.mark.parametrize("name", sorted(SERVE))
def test_nothing_heavy_is_imported_before_a_service_listens(name: str) -> None:
    loaded = modules_after(f"import {SERVE[name]}")
    assert "grpc.aio" in loaded
    assert not {module for module in loaded if module.startswith(HEAVY)}


@pytest.mark.parametrize("name", sorted(SERVE))
def test_the_command_line_is_read_before_grpc_is_imported(name: str) -> None:
    loaded = modules_after(f"import prism_services.{name}.main; import prism_services.{name}.flags")
    assert not loaded & {"grpc", "asyncio", "sqlite3", "ruamel.yaml"}


def test_the_services_know_nothing_of_prismctl() -> None:
    sources = Path(prism_services.__file__).parent.rglob("*.py")
    assert [
        path
        for path in sources
        if "import prismctl" in path.read_text() or "from prismctl" in path.read_text()
    ] == []


def test_the_version_is_that_of_the_distribution() -> None:
    assert prism_services.__version__ == version("prismctl")

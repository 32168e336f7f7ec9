"""The ways to get prismctl, each from what this checkout builds into an empty environment."""

from __future__ import annotations

import fcntl
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

CHECKOUT = Path(__file__).resolve().parents[2]
UV = Path(sys.executable).parent / "uv"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
PROCESSOR = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
TARGET = f"{platform.system().lower()}-{PROCESSOR}"


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The wheel and the single file, built once for all workers."""
    base = tmp_path_factory.getbasetemp()
    directory = (base if worker_id == "master" else base.parent) / "distribution"
    directory.mkdir(exist_ok=True)
    with (directory / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (directory / "prismctl").exists():
            subprocess.run(
                [UV, "build", "--quiet", "--wheel", "--out-dir", directory, CHECKOUT],
                check=True,
            )
            subprocess.run(
                [
                    *(sys.executable, CHECKOUT / "scripts" / "build_single_file.py"),
                    *("--wheel", next(directory.glob("*.whl"))),
                    *("--target", TARGET, "--python", PYTHON, "--output", directory / "prismctl"),
                ],
                check=True,
            )
    return directory


@pytest.fixture
def wheel(built: Path) -> Path:
    return next(built.glob("*.whl"))


@pytest.fixture
def empty(tmp_path: Path) -> dict[str, str]:
    """The environment of somebody who has nothing yet but a Python."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PRISM", "PYTHON"))
    }
    home = tmp_path / "home dir"
    home.mkdir()
    beside = os.pathsep.join([str(Path(sys.base_prefix) / "bin"), "/usr/bin", "/bin"])
    return {
        **kept,
        "HOME": str(home),
        "PATH": beside,
        "PRISM_TOOLS_DIR": str(tmp_path / "no tools"),
    }


@pytest.fixture
def single_file(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(built / "prismctl", tmp_path / "prismctl"))


def run(
    program: Path, *arguments: str, environment: dict[str, str], expect: int = 0
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [program, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == expect, done.stdout + done.stderr
    return done


def starts_and_stops(program: Path, environment: dict[str, str], tmp_path: Path) -> None:
    """A stack of a name, and so of ports, of its own comes up, and goes again."""
    stack = ("--stack", f"dist-{tmp_path.name[-20:].lower().replace('_', '-').strip('-')}")
    run(program, "dev", "start", "--engine", "local", *stack, environment=environment)
    try:
        status = json.loads(run(program, "dev", "status", *stack, environment=environment).stdout)
        assert status["state"] == "running"
        assert {service["name"] for service in status["services"]} >= {"prism-admin", "memstore"}
    finally:
        run(program, "dev", "stop", *stack, environment=environment)


def app_directory(environment: dict[str, str]) -> Path:
    return Path(environment["HOME"]) / ".local" / "share" / "prismctl" / "app"


def test_the_single_file_unpacks_itself_and_runs_a_stack(
    single_file: Path, empty: dict[str, str], tmp_path: Path
) -> None:
    assert run(single_file, "--version", environment=empty).stdout.startswith("prismctl ")
    unpacked = list(app_directory(empty).iterdir())
    assert len(unpacked) == 1
    starts_and_stops(single_file, empty, tmp_path)
    assert list(app_directory(empty).iterdir()) == unpacked


def test_a_place_of_its_own_is_compiled_for_those_who_cannot_write_there(
    single_file: Path, empty: dict[str, str], tmp_path: Path
) -> None:
    shared = tmp_path / "opt"
    run(single_file, "--version", environment={**empty, "PRISM_APP_DIR": str(shared)})
    modules = {path.name for path in shared.rglob("prismctl/tui/picker/*.py")}
    compiled = {path.name.split(".")[0] for path in shared.rglob("prismctl/tui/picker/**/*.pyc")}
    assert {name.removesuffix(".py") for name in modules} == compiled != set()


def test_two_first_calls_of_the_single_file_do_not_disturb_each_other(
    single_file: Path, empty: dict[str, str]
) -> None:
    calls = [
        subprocess.Popen([single_file, "--version"], env=empty, stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    assert [call.communicate()[0].split()[0] for call in calls] == [b"prismctl"] * 2
    assert len(list(app_directory(empty).iterdir())) == 1


def test_a_first_call_that_was_killed_is_made_up_for_by_the_next(
    single_file: Path, empty: dict[str, str], wait_until: Callable[..., None]
) -> None:
    app = app_directory(empty)
    first = subprocess.Popen([single_file, "--version"], env=empty, start_new_session=True)
    wait_until(lambda: app.exists() and any(app.iterdir()))
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    assert run(single_file, "--version", environment=empty).stdout.startswith("prismctl ")


def test_a_python_that_has_gone_is_replaced_by_another(
    single_file: Path, empty: dict[str, str]
) -> None:
    run(single_file, "--version", environment=empty)
    python = next(app_directory(empty).iterdir()) / "bin" / "python"
    python.unlink()
    python.symlink_to("/nowhere/python")
    assert run(single_file, "--version", environment=empty).stdout.startswith("prismctl ")
    assert python.exists()


def test_a_cut_single_file_is_damaged_and_leaves_nothing(
    single_file: Path, empty: dict[str, str]
) -> None:
    os.truncate(single_file, single_file.stat().st_size // 2)
    said = run(single_file, "--version", environment=empty, expect=1).stderr
    assert "is damaged" in said
    assert "Traceback" not in said
    assert list(app_directory(empty).iterdir()) == []


def test_without_a_python_the_single_file_says_which_it_needs(
    single_file: Path, empty: dict[str, str], tmp_path: Path
) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "uname", "tr"):
        (tools / name).symlink_to(str(shutil.which(name)))
    said = run(single_file, environment={**empty, "PATH": str(tools)}, expect=3).stderr
    assert f"needs one of Python {PYTHON}" in said


def test_the_single_file_of_another_platform_names_both(
    single_file: Path, empty: dict[str, str]
) -> None:
    system, processor = TARGET.split("-")
    text = single_file.read_bytes()
    single_file.write_bytes(text.replace(f"{system} {processor}".encode(), b"plan9 mips"))
    said = run(single_file, environment=empty, expect=3).stderr
    assert f"is for plan9 mips; this machine is {system} {processor}" in said


def test_a_place_that_cannot_be_written_is_named(
    single_file: Path, empty: dict[str, str], tmp_path: Path
) -> None:
    blocker = tmp_path / "blocker"
    blocker.touch()
    environment = {**empty, "PRISM_APP_DIR": str(blocker / "app")}
    said = run(single_file, "--version", environment=environment, expect=1).stderr
    assert str(blocker) in said
    assert "PRISM_APP_DIR" in said


def test_uv_tool_install_gives_a_command_that_runs_a_stack(
    wheel: Path, empty: dict[str, str], tmp_path: Path
) -> None:
    environment = {
        **empty,
        "UV_TOOL_DIR": str(tmp_path / "tools"),
        "UV_TOOL_BIN_DIR": str(tmp_path / "bin"),
        "UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR", str(Path.home() / ".cache" / "uv")),
    }
    install = ("tool", "install", "--quiet", "--system-certs", "--python", sys.executable)
    run(UV, *install, str(wheel), environment=environment)
    starts_and_stops(tmp_path / "bin" / "prismctl", environment, tmp_path)


def test_pipx_install_gives_a_command_that_runs_a_stack(
    wheel: Path, empty: dict[str, str], tmp_path: Path
) -> None:
    venv = tmp_path / "pipx"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    python = str(venv / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "--quiet", "pipx"], check=True)
    environment = {
        **empty,
        "PIPX_HOME": str(tmp_path / "pipx home"),
        "PIPX_BIN_DIR": str(tmp_path / "bin"),
    }
    run(venv / "bin" / "pipx", "install", str(wheel), environment=environment)
    starts_and_stops(tmp_path / "bin" / "prismctl", environment, tmp_path)


def test_an_installed_prismctl_carries_what_it_builds_tools_from(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    wanted = {
        f"prismctl/install/toolchain/{tool}/{file}"
        for tool in ("nomad", "consul")
        for file in ("go.mod", "go.sum")
    }
    assert wanted | {"prismctl/install/release/hashicorp.asc"} <= names


def test_a_later_call_of_the_single_file_unpacks_nothing(
    single_file: Path, empty: dict[str, str]
) -> None:
    run(single_file, "--version", environment=empty)
    app = next(app_directory(empty).iterdir())
    before = app.stat().st_mtime_ns
    run(single_file, "--version", environment=empty)
    assert app.stat().st_mtime_ns == before

"""What the fast paths load, asked in clean interpreters: both that heavy things stay away and that they come when needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

HEAVY = {
    "aiohttp",
    "asyncio",
    "grpc",
    "google.protobuf",
    "h2",
    "hypothesis",
    "psutil",
    "rich",
    "ruamel.yaml",
    "http.client",
    "concurrent.futures",
    "sqlite3",
}
PROBE = """
import atexit, json, os, sys
atexit.register(lambda: print("\\n" + json.dumps(sorted(sys.modules)), file=sys.__stdout__))
sys.argv = ["prismctl", *{arguments!r}]
# Completion leaves without cleaning up, and so without telling.
os._exit = sys.exit
from prismctl.cli.main import main
sys.exit(main())
"""


def loaded(arguments: list[str], home: Path, **environment: str) -> set[str]:
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(arguments=arguments)],
        capture_output=True,
        text=True,
        env={**kept, "HOME": str(home), "PRISM_HOME": str(home / "prism"), **environment},
        cwd=home,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def complete(words: str) -> dict[str, str]:
    return {
        "_PRISMCTL_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - (not words.endswith(" "))),
    }


def test_the_version_is_printed_before_anything_is_imported(tmp_path: Path) -> None:
    modules = loaded(["--version"], tmp_path)
    assert not modules & {"click", "typing", "dataclasses", "re"} - {"re", "typing"}
    assert "click" not in modules
    assert {name for name in modules if name.startswith("prismctl")} == {
        "prismctl",
        "prismctl.cli",
        "prismctl.cli.main",
    }


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["dev", "--help"],
        ["dev", "start", "--help"],
        ["dev", "status"],
        ["dev", "status", "-o", "json"],
        ["dev", "stop"],
        ["dev", "logs"],
        ["completion", "show", "bash"],
    ],
)
def test_light_commands_load_nothing_heavy(tmp_path: Path, arguments: list[str]) -> None:
    assert not loaded(arguments, tmp_path) & HEAVY


def test_a_status_for_programs_loads_no_archives() -> None:
    # They come with what asks for the width of a terminal, and take 3 ms. In a short home: a long one has its sockets elsewhere.
    archives = {"shutil", "bz2", "lzma"}
    with tempfile.TemporaryDirectory(prefix="prism-") as home:
        assert not loaded(["dev", "status", "-o", "json"], Path(home)) & archives
        assert not loaded([], Path(home), **complete("prismctl dev logs ")) & archives


def test_status_loads_no_other_command(tmp_path: Path) -> None:
    commands = "prismctl.cli.commands."
    modules = loaded(["dev", "status"], tmp_path)
    assert {name for name in modules if name.startswith(commands)} == {f"{commands}status"}


@pytest.mark.parametrize(
    "words",
    [
        "prismctl dev st",
        "prismctl dev logs re",
        "prismctl dev start --with-",
        "prismctl dev start --preset ",
        "prismctl dev start --profile ",
        "prismctl dev profile show ",
        "prismctl dev config explain redis.",
    ],
)
def test_completion_loads_nothing_heavy(tmp_path: Path, words: str) -> None:
    assert not loaded([], tmp_path, **complete(words)) & (HEAVY | {"prismctl.client", "socket"})


def test_completion_of_an_untouched_catalog_parses_no_yaml(tmp_path: Path) -> None:
    from prismctl.files.catalog import ensure_catalog
    from prismctl.files.paths import Home

    ensure_catalog(Home(tmp_path / "prism"))
    assert "ruamel.yaml" not in loaded([], tmp_path, **complete("prismctl dev logs re"))


def test_a_catalog_somebody_edited_is_parsed(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("services:\n  - name: a\n    command: sleep 1\n")
    assert "ruamel.yaml" in loaded(["dev", "catalog", "validate", "mine.yaml"], tmp_path)


def test_an_edited_catalog_is_parsed_once(tmp_path: Path) -> None:
    home = tmp_path / "prism"
    home.mkdir()
    (home / "services.yaml").write_text("services:\n  - name: a\n    command: sleep 1\n")
    assert "ruamel.yaml" in loaded(["dev", "catalog", "list"], tmp_path)
    assert "ruamel.yaml" not in loaded(["dev", "catalog", "list"], tmp_path)


def test_the_picker_is_drawn_before_what_runs_it_is_loaded() -> None:
    probe = (
        "import json, sys, prismctl.cli.choosing; from prismctl.machine import find_tool; "
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    late = {
        "textual",
        "prismctl.planning",
        "prismctl.cli.starting",
        "prismctl.domain.plan",
        "prismctl.files.profiles",
        "prismctl.machine.ports",
    }
    assert not set(json.loads(done.stdout)) & (HEAVY | late)


def test_all_that_is_told_of_the_machine_is_there() -> None:
    import prismctl.machine

    for name in prismctl.machine.__all__:
        assert getattr(prismctl.machine, name)
    assert not hasattr(prismctl.machine, "nothing")


def test_a_daemon_that_comes_up_loads_no_database() -> None:
    probe = (
        "import sys, prismctl.daemon.api, prismctl.daemon.stack; print('sqlite3' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"

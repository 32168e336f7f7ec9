"""`dev start --watch` as somebody types it: what is edited is restarted on both engines, the rest keeps its processes."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.e2e.conftest import Shell

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(180),
    pytest.mark.skipif(sys.platform != "linux", reason="Linux alone tells of changes so"),
]

CATALOG = """\
core: false
services:
  - name: web
    command: [sh, ./web/run.sh]
    working_directory: .
    watch: [web]
    default: true
  - name: built
    runtime: binary
    depends_on: {web: {condition: started}}
    default: true
  - name: idle
    command: [sleep, "1000"]
    default: true
"""
RUN = "echo {words}\nexec sleep 1000\n"


def write_program(path: Path, words: str) -> None:
    """As a compiler does: beside it, and then in its place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.new")
    fresh.write_text(f"#!/bin/sh\n{RUN.format(words=words)}")
    fresh.chmod(0o755)
    fresh.replace(path)


def pids(shell: Shell) -> dict[str, int | None]:
    return {each["name"]: each["pid"] for each in shell.status()["services"]}


def reloads(shell: Shell) -> list[dict[str, Any]]:
    lines = shell.run("dev", "events", "-o", "json").splitlines()
    events = [json.loads(each) for each in lines if each.startswith("{")]
    return [each for each in events if each["kind"] == "service.reloading"]


def test_what_is_edited_is_restarted_and_nothing_else(
    shell: Shell, engine: str, wait_until: Callable[..., None]
) -> None:
    directory = shell.lab.home.parent
    (directory / "services.yaml").write_text(CATALOG)
    (directory / "web").mkdir()
    script = directory / "web" / "run.sh"
    script.write_text(RUN.format(words="first"))
    built = directory / "build" / "binaries" / "built"
    write_program(built, "first")
    flags = ("--engine", engine, "--services", "services.yaml", "--no-dashboard")
    shell.run("dev", "start", "--watch", *flags)

    def states() -> dict[str, str]:
        return {each["name"]: each["state"] for each in shell.status()["services"]}

    def is_settled_but(name: str, before: dict[str, int | None]) -> bool:
        after = pids(shell)
        is_another = after[name] not in {None, before[name]}
        return is_another and states() == dict.fromkeys(before, "healthy")

    note = "restarted when their files change: web, built"
    wait_until(lambda: note in shell.status()["notes"])
    first = pids(shell)

    script.write_text(RUN.format(words="second"))
    wait_until(lambda: is_settled_but("web", first))
    second = pids(shell)
    assert {**second, "web": 0} == {**first, "web": 0}
    wait_until(lambda: "second" in shell.run("dev", "logs", "web"))

    write_program(built, "second")
    wait_until(lambda: is_settled_but("built", second))
    third = pids(shell)
    assert {**third, "built": 0} == {**second, "built": 0}
    assert [(each["service"], each["message"]) for each in reloads(shell)] == [
        ("web", "web/run.sh changed"),
        ("built", "built changed"),
    ]

    # The same start without it follows nothing any more, and restarts nothing either.
    shell.run("dev", "start", *flags)
    assert (pids(shell), shell.status()["notes"]) == (third, [])
    # Nor does one that only wants it again.
    shell.run("dev", "start", "--watch", "--no-dashboard")
    wait_until(lambda: note in shell.status()["notes"])
    shell.run("dev", "start", "--no-dashboard")
    assert (pids(shell), shell.status()["notes"]) == (third, [note])

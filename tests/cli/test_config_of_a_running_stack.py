"""`config explain` without flags is about the stack that runs, as it was started."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from prismctl.domain.plan import plan_to_json
from prismctl.planning import PlanRequest, make_plan

if TYPE_CHECKING:
    from prismctl.domain.plan import StackPlan
    from prismctl.files.paths import Home

CATALOG = """\
services:
  - name: store
    command: [sleep, "60"]
    port: {port}
    resources: {{memory: 128}}
  - name: worker
    command: [sleep, "60"]
"""
PROFILE = """\
services: [store]
config:
  store:
    memory_mb: 64
"""


@pytest.fixture
def tuned(home: Home) -> Path:
    from tests.free_ports import take_port

    home.profiles.mkdir(parents=True)
    home.catalog.write_text(CATALOG.format(port=take_port()), encoding="utf-8")
    file = home.profiles / "tuned.yaml"
    file.write_text(PROFILE, encoding="utf-8")
    return file


def run(daemon: Any, home: Home, **request: Any) -> StackPlan:
    """Have the daemon run what was asked for; its plan."""
    plan = make_plan(
        PlanRequest(engine="local", auto_ports=True, **request),
        home=home,
        environment=dict(os.environ),
        working_directory=Path.cwd(),
    )
    daemon.plan = plan_to_json(plan)
    return plan


def test_explain_said_not_chosen_of_a_service_that_runs(
    prismctl: Any, daemon: Any, home: Home, tuned: Path
) -> None:
    run(daemon, home, profile="tuned")
    answer = prismctl("dev", "config", "explain", "store")
    assert answer.out.splitlines()[0] == "store is in this stack: profile tuned", answer.err
    words = " ".join(answer.out.split())
    assert f"from {tuned}:1 " in words
    assert "running profile tuned; the next plain start would be without store" in words


def test_explain_of_what_runs_names_the_line_of_its_profile_and_what_that_beat(
    prismctl: Any, daemon: Any, home: Home, tuned: Path
) -> None:
    run(daemon, home, profile="tuned")
    answer = prismctl("dev", "config", "explain", "store.memory_mb", "-o", "json").document
    assert (answer["value"], answer["file"], answer["line"]) == (64, str(tuned), 4)
    assert answer["beaten"][0]["value"] == 128
    assert answer["is_running"]
    assert (answer["next_start"]["key"], answer["next_start"]["value"]) == ("store", False)


def test_show_lists_the_services_that_run(
    prismctl: Any, daemon: Any, home: Home, tuned: Path
) -> None:
    del tuned
    run(daemon, home, profile="tuned")
    answer = prismctl("dev", "config", "show")
    assert answer.out.startswith("running: stack default, profile tuned\n"), answer.err
    assert "store.memory_mb" in answer.out


def test_flags_ask_about_a_start_with_these_flags(
    prismctl: Any, daemon: Any, home: Home, tuned: Path
) -> None:
    del tuned
    run(daemon, home, profile="tuned")
    answer = prismctl("dev", "config", "explain", "store", "--with-worker", "-o", "json").document
    assert (answer["value"], answer["is_running"]) == (False, False)


def test_what_was_added_and_removed_since_is_told(
    prismctl: Any, daemon: Any, home: Home, tuned: Path
) -> None:
    del tuned
    whole = run(daemon, home, profile="tuned", with_services=("worker",))
    without = replace(whole, services=tuple(s for s in whole.services if s.name != "store"))
    daemon.plan = plan_to_json(without)
    gone = prismctl("dev", "config", "explain", "store", "-o", "json").document
    assert (gone["value"], gone["source"]) == (False, "removed from what runs")
    there = prismctl("dev", "config", "explain", "worker", "-o", "json").document
    assert (there["value"], there["source"]) == (True, "--with")


def test_a_profile_that_was_edited_after_the_start_is_told(
    prismctl: Any, daemon: Any, home: Home, tuned: Path
) -> None:
    run(daemon, home, profile="tuned")
    tuned.write_text(PROFILE.replace("64", "96") + "    args: [more]\n", encoding="utf-8")
    answer = prismctl("dev", "config", "explain", "store.memory_mb")
    assert "a file has changed since it was started" in " ".join(answer.out.split())


def test_what_was_asked_for_is_known_wherever_somebody_stands(
    prismctl: Any, daemon: Any, home: Home, tuned: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = Path.cwd() / "shared.yaml"
    tuned.rename(shared)
    run(daemon, home, profile="./shared.yaml")
    elsewhere = home.directory.parent / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    answer = prismctl("dev", "config", "explain", "store.memory_mb", "-o", "json").document
    assert (answer["value"], answer["file"]) == (64, str(shared))

"""What `start --dry-run -o json` tells a program: the plan, and what each setting is because of whom."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.free_ports import take_port

if TYPE_CHECKING:
    from prismctl.files.paths import Home

DRY_RUN = ("dev", "start", "--dry-run", "-o", "json", "--engine", "local", "--auto-ports")
REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "plan-document.md"
CATALOG = f"""\
core: false
services:
  - name: web
    command: [{sys.executable}, -c, pass]
    default: true
    env: {{TOKEN: very-secret-words}}
    secrets: [TOKEN]
  - name: other
    command: [{sys.executable}, -c, pass]
    port: {{port}}
"""
PROJECT = """\
settings:
  on_failure: stop
  wait_timeout: 7s
"""


@pytest.fixture
def project(home: Home, tmp_path: Path) -> Path:
    del home
    work = tmp_path / "work"
    (work / "services.yaml").write_text(
        CATALOG.replace("{port}", str(take_port())), encoding="utf-8"
    )
    (work / "prism.yaml").write_text(PROJECT, encoding="utf-8")
    return work


def test_every_setting_says_who_said_it(prismctl: Any, project: Path) -> None:
    del project
    answer = prismctl(*DRY_RUN, "--services", "services.yaml", "--wait-timeout", "9")
    assert answer.code == 0, answer.err
    settings = answer.document["settings"]

    def told(key: str) -> tuple[Any, ...]:
        return tuple(settings[key][name] for name in ("value", "source", "file", "line"))

    assert told("engine") == ("local", "--engine", None, None)
    assert told("on_failure") == ("stop", "prism.yaml", "prism.yaml", 2)
    assert told("wait_timeout") == (9.0, "--wait-timeout", None, None)
    assert settings["wait_timeout"]["beaten"][0] == {
        "value": 7.0,
        "source": "prism.yaml",
        "file": "prism.yaml",
        "line": 3,
    }
    assert told("persist") == (False, "default", None, None)
    assert told("web.command")[1:] == ("services.yaml", "services.yaml", 4)


@pytest.mark.parametrize("flags", [(), ("--with=other", "--persist"), ("--without=web",)])
def test_settings_are_those_that_config_shows(
    prismctl: Any, project: Path, flags: tuple[str, ...]
) -> None:
    del project
    flags = ("--engine=local", "--auto-ports", "--services=services.yaml", *flags)
    planned = prismctl("dev", "start", "--dry-run", "-o", "json", *flags).document["settings"]
    shown = prismctl("dev", "config", "show", "-o", "json", *flags).document["settings"]
    assert planned == {each.pop("key"): each for each in shown}


def test_watching_is_part_of_the_plan_where_it_is_asked_for(
    prismctl: Any, project: Path, tmp_path: Path
) -> None:
    del project
    catalog = tmp_path / "work" / "services.yaml"
    text = catalog.read_text(encoding="utf-8")
    catalog.write_text(text.replace("    env:", "    watch: src\n    env:"), encoding="utf-8")
    for flags, is_asked_for in (((), False), (("--watch",), True)):
        plan = prismctl(*DRY_RUN, "--services", "services.yaml", *flags).document
        assert plan["watch"] is is_asked_for
        assert plan["services"][0]["watch"] == [str(catalog.parent / "src")]


def test_secrets_are_in_none_of_it(prismctl: Any, project: Path) -> None:
    del project
    answer = prismctl(*DRY_RUN, "--services", "services.yaml")
    assert answer.document["settings"]["web.env.TOKEN"]["value"] == "(secret)"
    assert "very-secret-words" not in answer.out


def test_the_reference_names_every_field_of_the_document(prismctl: Any, project: Path) -> None:
    del project
    document = prismctl(*DRY_RUN, "--services", "services.yaml").document
    first, second, third = (
        set(re.findall(r"^\| `([a-z_]+)` \|", part, re.MULTILINE))
        for part in REFERENCE.read_text(encoding="utf-8").split("\n## ")
    )
    # Only a random preset has one.
    assert first - {"seed"} == set(document)
    assert second == set(document["services"][0])
    assert third == set(document["settings"]["engine"])


def test_as_text_it_said_nothing_of_what_a_profile_changes(prismctl: Any, project: Path) -> None:
    (project / "tuned.yaml").write_text(
        "services: [web]\nconfig:\n  web:\n    memory_mb: 64\n", encoding="utf-8"
    )
    flags = ("--services", "services.yaml", "--engine", "local")
    answer = prismctl("dev", "start", "--dry-run", "--profile", "./tuned.yaml", *flags)
    assert answer.code == 0, answer.err
    told = [line.split() for line in answer.out.splitlines() if line.startswith("setting")]
    assert ["setting", "web.resources.memory=64", "from=tuned.yaml:4"] in told
    # What nobody has made different is not worth a line.
    assert not any("persist" in word for words in told for word in words)

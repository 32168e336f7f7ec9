"""Entries put into files that people wrote: everything else stays as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from prismctl.errors import ConfigError, PrismError
from prismctl.files.catalog import parse_catalog
from prismctl.files.catalog_change import change_text, check_change, open_target, save_change
from prismctl.files.paths import Home

if TYPE_CHECKING:
    from pathlib import Path

ENTRY: dict[str, Any] = {"name": "web", "container": "example/web"}
BASE = """\
# mine
services:   # all of it
    # the cache
    - name: cache   # small
      container: redis:7
      args: |-
        --save ''
        --appendonly yes
      # the end of cache

    -
      name: web
      container: old/web
    # behind web
    - {name: last, container: x}
core: false   # no core
"""


def target_of(tmp_path: Path, text: str, name: str = "services.yaml") -> Any:
    (tmp_path / name).write_text(text)
    return open_target(Home(tmp_path / "home"), tmp_path / name)


def test_an_entry_is_replaced_in_its_place_and_nothing_else_changes(tmp_path: Path) -> None:
    target = target_of(tmp_path, BASE)
    changed = change_text(target, [ENTRY], origin="compose.yaml")
    expected = BASE.replace(
        "    -\n      name: web\n      container: old/web\n",
        "    - name: web\n      container: example/web\n",
    )
    assert changed == expected


def test_a_new_entry_follows_the_last_one(tmp_path: Path) -> None:
    target = target_of(tmp_path, BASE)
    changed = change_text(target, [{**ENTRY, "name": "new"}], origin="compose.yaml")
    added = "\n    # imported from compose.yaml\n    - name: new\n      container: example/web\n"
    assert changed == BASE.replace("container: x}\n", "container: x}\n" + added)
    catalog = parse_catalog(changed, target.path)
    assert list(catalog.names)[-4:] == ["cache", "web", "last", "new"]


@pytest.mark.parametrize(
    "text",
    [
        "services:\n- name: a\n  container: x",
        "services:\n- name: a\n  container: x\n\n\n# the end\n",
        "services:\r\n  - name: a\r\n    container: x\r\n",
        "services:\n  - name: a\n    container: x\n    args: |+\n      words\n\n\n",
        "core: false\nservices:\n  - name: a\n    container: x\nx-more: [1,\n  2]\n",
    ],
)
def test_whatever_the_layout_the_file_stays_valid_and_keeps_its_lines(
    text: str, tmp_path: Path
) -> None:
    (tmp_path / "services.yaml").write_bytes(text.encode())
    target = open_target(Home(tmp_path / "home"), tmp_path / "services.yaml")
    changed = change_text(target, [ENTRY], origin="compose.yaml")
    assert {"a", "web"} <= set(parse_catalog(changed, target.path).names)
    for line in text.splitlines():
        assert line in changed.splitlines()
    assert ("\r\n" in changed) == ("\r\n" in text)


def test_a_list_in_brackets_is_refused_with_its_place(tmp_path: Path) -> None:
    target = target_of(tmp_path, "services: [{name: a, container: x}]\n")
    with pytest.raises(ConfigError) as raised:
        change_text(target, [ENTRY], origin="compose.yaml")
    assert (raised.value.problems[0].line, raised.value.problems[0].column) == (1, 11)


@pytest.mark.parametrize("text", ["preset: minimal\n", "preset: minimal\nservices:\n"])
def test_a_project_file_without_services_gets_them(text: str, tmp_path: Path) -> None:
    target = target_of(tmp_path, text, "prism.yaml")
    changed = change_text(target, [ENTRY], origin="compose.yaml")
    check_change(Home(tmp_path / "home"), target, changed)
    assert changed.startswith("preset: minimal\n")
    assert "  - name: web\n" in changed


def test_what_would_not_be_valid_is_not_written(tmp_path: Path) -> None:
    target = target_of(tmp_path, BASE)
    changed = change_text(target, [{**ENTRY, "depends_on": ["gone"]}], origin="compose.yaml")
    with pytest.raises(ConfigError, match="gone"):
        check_change(Home(tmp_path / "home"), target, changed)


def test_a_file_that_was_changed_meanwhile_is_left_alone(tmp_path: Path) -> None:
    target = target_of(tmp_path, BASE)
    target.path.write_text("core: true\n")
    with pytest.raises(PrismError, match="changed meanwhile"):
        save_change(Home(tmp_path / "home"), target, "services: []\n", entries=[])
    assert target.path.read_text() == "core: true\n"


def test_the_mode_of_a_file_stays(tmp_path: Path) -> None:
    target = target_of(tmp_path, BASE)
    target.path.chmod(0o640)
    save_change(
        Home(tmp_path / "home"), target, f"{BASE}# more\n", entries=[{"secrets": ["TOKEN"]}]
    )
    assert target.path.stat().st_mode & 0o777 == 0o640
    assert [each.name for each in tmp_path.iterdir()] == ["services.yaml"]


@pytest.mark.parametrize(("secrets", "mode"), [(["TOKEN"], 0o600), ([], 0o644)])
def test_a_new_file_with_secrets_is_for_nobody_else(
    secrets: list[str], mode: int, tmp_path: Path
) -> None:
    home = Home(tmp_path / "home")
    target = open_target(home, tmp_path / "new.yaml")
    entry = {**ENTRY, "env": {"TOKEN": "hush"}, "secrets": secrets}
    changed = change_text(target, [entry], origin="compose.yaml")
    save_change(home, target, changed, entries=[entry])
    assert target.path.stat().st_mode & 0o777 == mode

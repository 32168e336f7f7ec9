from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from prismctl.domain.packaged import PACKAGED, render_catalog
from prismctl.files.catalog import load_catalog
from prismctl.files.catalog_names import catalog_stamp, recall_names, remember_names
from prismctl.files.paths import Home

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def test_a_home_without_a_catalog_has_what_ships(home: Home) -> None:
    assert recall_names(home) == list(PACKAGED)
    assert not home.directory.exists()


def test_what_nobody_has_read_is_not_known(home: Home) -> None:
    home.directory.mkdir()
    home.catalog.write_text("services: []\n", encoding="utf-8")
    assert recall_names(home) is None


def test_names_are_known_once_the_catalog_was_read(home: Home) -> None:
    load_catalog(home)
    assert recall_names(home) == list(PACKAGED)


def test_an_edited_catalog_is_not_known_by_its_old_names(home: Home) -> None:
    load_catalog(home)
    text = f"{render_catalog()}\n  - {{name: web, command: x}}\n"
    home.catalog.write_text(text, encoding="utf-8")
    assert recall_names(home) is None
    load_catalog(home)
    assert recall_names(home) == [*PACKAGED, "web"]


def test_an_edit_while_the_catalog_was_read_is_noticed(home: Home) -> None:
    load_catalog(home)
    stamp = catalog_stamp(home.catalog)
    home.catalog.write_text("services: []\n", encoding="utf-8")
    remember_names(home, ["old"], stamp=stamp)
    assert recall_names(home) is None


def test_a_catalog_that_was_taken_away_leaves_what_ships(home: Home) -> None:
    load_catalog(home)
    home.catalog.write_text("services: [{name: web, command: x}]\n", encoding="utf-8")
    load_catalog(home)
    home.catalog.unlink()
    assert recall_names(home) == list(PACKAGED)


def test_a_broken_memory_is_none(home: Home) -> None:
    load_catalog(home)
    (home.cache / "catalog-names").write_bytes(b"\xff\xfe")
    assert recall_names(home) is None
    load_catalog(home)
    assert recall_names(home) == list(PACKAGED)


def test_a_home_that_cannot_be_written_is_read_all_the_same(home: Home) -> None:
    load_catalog(home)
    home.catalog.write_text("services: [{name: web, command: x}]\n", encoding="utf-8")
    (home.cache / "catalog-names").unlink()
    home.cache.rmdir()
    home.cache.write_text("a file in the way", encoding="utf-8")
    assert "web" in load_catalog(home).names
    assert recall_names(home) is None

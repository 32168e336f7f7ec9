"""The catalog's files are parsed once: what is kept says the same, and is believed only while it is about this text."""

from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING

import pytest

from prismctl.errors import ConfigError
from prismctl.files.catalog import load_catalog
from prismctl.files.parsed_catalog import read_document
from prismctl.files.paths import Home
from prismctl.files.yaml import parse_document

if TYPE_CHECKING:
    from pathlib import Path

TEXT = """
services:
  - name: web
    command: [sleep, "1"]
    env: {A: 1.10, B: null, C: "ünï", D: yes}
    ports: {http: 0x1F90, "admin": 9000}
  - {name: worker, command: sleep 1, depends_on: [web], replicas: 2, persist: true}
"""
KEPT = "parsed-services.yaml.json"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.directory.mkdir()
    home.catalog.write_text(TEXT)
    return home


def test_what_is_kept_says_the_same_at_the_same_places(home: Home) -> None:
    parsed = parse_document(TEXT, home.catalog)
    assert read_document(TEXT, home.catalog, home) == parsed
    assert (home.cache / KEPT).exists()
    assert read_document(TEXT, home.catalog, home) == parsed


def test_a_catalog_read_twice_is_the_same_catalog(home: Home) -> None:
    assert load_catalog(home) == load_catalog(home)


def test_nobody_else_can_read_what_is_kept(home: Home) -> None:
    load_catalog(home)
    assert stat.S_IMODE((home.cache / KEPT).stat().st_mode) == 0o600
    assert stat.S_IMODE(home.cache.stat().st_mode) == 0o700


def test_an_edit_counts_at_once_even_one_that_leaves_size_and_time(home: Home) -> None:
    load_catalog(home)
    before = home.catalog.stat()
    home.catalog.write_text(TEXT.replace("worker", "walker"))
    os.utime(home.catalog, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert set(load_catalog(home).names) >= {"web", "walker"}
    assert "worker" not in load_catalog(home).names


def test_a_mistake_is_told_each_time_with_its_place(home: Home) -> None:
    home.catalog.write_text(TEXT.replace("replicas: 2", "replicas: many"))
    told = []
    for _ in range(2):
        with pytest.raises(ConfigError) as caught:
            load_catalog(home)
        told.append([(each.line, each.column, each.message) for each in caught.value.problems])
    assert told[0] == told[1]
    assert told[0][0][0] == 7


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"\x00\xff",
        b"[]",
        b'"text"',
        b"{}",
        b'{"version": "0", "text": ""}',
        b"[" * 100_000,
    ],
)
def test_what_is_broken_is_read_anew_and_mended(home: Home, broken: bytes) -> None:
    load_catalog(home)
    whole = (home.cache / KEPT).read_bytes()
    (home.cache / KEPT).write_bytes(broken)
    assert "worker" in load_catalog(home).names
    assert (home.cache / KEPT).read_bytes() == whole


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("keys", [[["services"], 1]]),
        ("keys", 7),
        ("keys", [[[["services"]], 1, 1]]),
        ("values", [[["services"], "here", 1]]),
        ("written", [[1, 2, 3]]),
        ("version", "0.0.0"),
    ],
)
def test_a_part_that_is_broken_is_read_anew(home: Home, part: str, value: object) -> None:
    load_catalog(home)
    document = json.loads((home.cache / KEPT).read_text())
    (home.cache / KEPT).write_text(json.dumps({**document, part: value}))
    assert read_document(TEXT, home.catalog, home) == parse_document(TEXT, home.catalog)


def test_a_home_that_cannot_be_written_is_slower_no_more(home: Home) -> None:
    # A file where the directory would be holds whoever runs this back, whatever they may do.
    home.cache.write_text("")
    assert "worker" in load_catalog(home).names


def test_what_lies_over_a_catalog_is_kept_beside_it(home: Home) -> None:
    overlay = home.catalog.with_name("services.local.yaml")
    overlay.write_text("services:\n  - {name: web, replicas: 3}\n")
    assert load_catalog(home).services[load_catalog(home).full_name("web")].replicas == 3
    assert (home.cache / "parsed-services.local.yaml.json").exists()
    overlay.write_text("services:\n  - {name: web, replicas: 4}\n")
    assert load_catalog(home).services[load_catalog(home).full_name("web")].replicas == 4

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prism_services.launcher.isolation import Isolation
from prism_services.launcher.manifest import HealthQuestion, ManifestError, read_manifest
from prism_services.launcher.patterns import find_patterns

if TYPE_CHECKING:
    from pathlib import Path

LEAST: dict[str, Any] = {"name": "orders", "version": "1.0.0", "executable": "./run"}


def write(directory: Path, name: str, text: str, *, mode: int = 0o755) -> None:
    folder = directory / name
    folder.mkdir()
    (folder / "manifest.yaml").write_text(text)
    (folder / "run").write_text("#!/bin/sh\n")
    (folder / "run").chmod(mode)


def test_a_complete_manifest_is_read() -> None:
    manifest = read_manifest(
        {
            **LEAST,
            "version": 1.5,
            "isolation_level": "session",
            "healthcheck": {"port": 9, "path": "/ok", "interval": "1m", "timeout": "250ms"},
            "resources": {"memory": "64Mi"},
            "backend_slots": [{"name": "storage"}],
            "environment": {"LOUD": True, "COUNT": 3, "EMPTY": None},
            "description": "d",
            "author": "a",
            "something_newer": 1,
        }
    )
    assert manifest.version == "1.5"
    assert manifest.isolation is Isolation.SESSION
    assert manifest.health == HealthQuestion(
        port=9, path="/ok", interval_seconds=60, timeout_seconds=0.25, failure_threshold=3
    )
    assert manifest.environment == {"LOUD": "true", "COUNT": "3", "EMPTY": ""}


def test_what_is_left_out_has_its_usual_value() -> None:
    manifest = read_manifest(LEAST)
    assert manifest.isolation is None
    assert manifest.health.interval_seconds == 30
    assert manifest.health.timeout_seconds == 5


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"name": None}, "name is missing"),
        ({"name": "../x"}, "name '../x' is not a name"),
        ({"version": ""}, "version is missing"),
        ({"executable": ["x"]}, "executable is not a string"),
        ({"isolation_level": "nmaespace"}, "isolation_level 'nmaespace' is none of"),
        ({"healthcheck": []}, "healthcheck is not a mapping"),
        ({"healthcheck": {"port": 70000}}, "healthcheck.port '70000' is not a number"),
        ({"healthcheck": {"interval": "soon"}}, "healthcheck.interval 'soon' is not a duration"),
        ({"healthcheck": {"failure_threshold": 0}}, "healthcheck.failure_threshold '0'"),
        ({"environment": {"A B": "c"}}, "environment 'A B' is not the name"),
        ({"environment": {"A": {}}}, "environment.A is not a string"),
        ({"backend_slots": ["storage"]}, "backend_slots is not a list of mappings"),
    ],
    ids=str,
)
def test_a_problem_names_its_field_and_value(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(ManifestError) as error:
        read_manifest({**LEAST, **change})
    assert problem in str(error.value)


def test_every_problem_is_named_at_once() -> None:
    with pytest.raises(ManifestError) as error:
        read_manifest({"isolation_level": 3})
    assert len(error.value.problems) == 4


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from([*LEAST, "healthcheck", "environment", "port"]), inner
            )
        ),
    )
)
def test_any_document_is_read_or_refused(document: object) -> None:
    with contextlib.suppress(ManifestError):
        assert read_manifest(document).name


def test_without_a_directory_keyvalue_can_be_launched() -> None:
    assert list(find_patterns(None).patterns) == ["keyvalue"]


def test_an_empty_directory_is_not_an_error(tmp_path: Path) -> None:
    catalogue = find_patterns(tmp_path)
    assert list(catalogue.patterns) == ["keyvalue"]
    assert catalogue.rejected == ()


def test_a_missing_directory_is_reported(tmp_path: Path) -> None:
    catalogue = find_patterns(tmp_path / "nowhere")
    assert catalogue.rejected == (f"{tmp_path / 'nowhere'}: no such file or directory",)


def test_valid_patterns_are_found_and_the_others_reported_one_line_each(tmp_path: Path) -> None:
    good = "name: {}\nversion: '1'\nexecutable: ./run\n"
    write(tmp_path, "a", good.format("orders"))
    write(tmp_path, "b", good.format("orders"))
    write(tmp_path, "c", "name: [unclosed\n")
    write(tmp_path, "d", "name: d\nversion: '1'\nexecutable: ./missing\n")
    write(tmp_path, "e", good.format("e"), mode=0o644)
    write(tmp_path, "f", "a: 1\na: 2\n")
    write(tmp_path, "g", good.format("keyvalue"))
    (tmp_path / "h").mkdir()
    (tmp_path / "h" / "manifest.yaml").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "README").write_text("not a pattern")
    catalogue = find_patterns(tmp_path)
    assert sorted(catalogue.patterns) == ["keyvalue", "orders"]
    assert catalogue.patterns["orders"].executable == tmp_path / "a" / "run"
    assert catalogue.patterns["keyvalue"].executable == tmp_path / "g" / "run"
    reasons = [line.removeprefix(f"{tmp_path}/") for line in catalogue.rejected]
    assert [reason[0] for reason in reasons] == list("bcdefh")
    assert "taken by" in reasons[0]
    assert "not YAML" in reasons[1]
    assert "does not exist" in reasons[2]
    assert "cannot be executed" in reasons[3]
    assert "duplicate key" in reasons[4]
    assert "not UTF-8" in reasons[5]
    assert not any("\n" in reason for reason in reasons)

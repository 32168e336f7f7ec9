"""Versions as programs print them, and which are in a range."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prismctl.install.versions import Version, VersionRange, parse_version


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("Nomad v1.11.3\nBuildDate 2026-01-02", Version(1, 11, 3)),
        ("Consul v1.20.5\nRevision 1234.5", Version(1, 20, 5)),
        ("podman version 4.3.1", Version(4, 3, 1)),
        ("go version go1.26.8 linux/amd64", Version(1, 26, 8)),
        ("go1.25", Version(1, 25, 0)),
        ("Nomad v1.11.3+ent", Version(1, 11, 3)),
        ("Nomad v2.0.0-beta.1", Version(2, 0, 0)),
        ("1.2", Version(1, 2, 0)),
        ("Version 10.20.30.", Version(10, 20, 30)),
        ("", None),
        ("no version", None),
        ("version 7", None),
        ("libc2.36", None),
    ],
)
def test_the_first_version_of_a_text_is_found(text: str, version: Version | None) -> None:
    assert parse_version(text) == version


numbers = st.integers(min_value=0, max_value=10**6)
versions = st.builds(Version, numbers, numbers, numbers)


@given(versions)
def test_what_is_printed_is_read(version: Version) -> None:
    assert parse_version(f"tool v{version}") == version


@given(st.text())
def test_any_text_has_a_version_or_none(text: str) -> None:
    found = parse_version(text)
    assert found is None or isinstance(found, Version)


@pytest.mark.parametrize(
    ("version", "is_in"),
    [
        (Version(1, 9, 99), False),
        (Version(1, 10), True),
        (Version(1, 11, 3), True),
        (Version(1, 100), True),
        (Version(2, 0), False),
        ("1.11.3", False),
    ],
)
def test_a_range_has_its_first_version_and_not_its_end(version: object, is_in: bool) -> None:  # noqa: FBT001 - a table
    supported = VersionRange(Version(1, 10), Version(2, 0))
    assert (version in supported) is is_in
    assert str(supported) == "1.10.0 to before 2.0.0"

from __future__ import annotations

import pytest

from prismctl.domain.containers import parse_image_name


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("redis", "docker.io/library/redis:latest"),
        ("redis:7-alpine", "docker.io/library/redis:7-alpine"),
        ("apache/kafka:3.9.1", "docker.io/apache/kafka:3.9.1"),
        ("docker.io/redis:7", "docker.io/library/redis:7"),
        ("ghcr.io/a/b/c", "ghcr.io/a/b/c:latest"),
        ("localhost/own:1", "localhost/own:1"),
        ("127.0.0.1:5000/own", "127.0.0.1:5000/own:latest"),
        ("redis@sha256:abc", "docker.io/library/redis@sha256:abc"),
        ("redis:7@sha256:abc", "docker.io/library/redis@sha256:abc"),
    ],
)
def test_a_short_name_stands_for_a_full_one(text: str, full: str) -> None:
    assert str(parse_image_name(text)) == full

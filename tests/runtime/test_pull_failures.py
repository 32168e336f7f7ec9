from __future__ import annotations

import pytest

from prismctl.domain.containers import PODMAN, ContainerTool
from prismctl.runtime.image_pull import explain_failure

TOOL = ContainerTool(kind=PODMAN, program="/usr/bin/podman")


@pytest.mark.parametrize(
    ("said", "message", "hint"),
    [
        (
            "Error: reading manifest 3.6 in docker.io/bitnami/kafka: manifest unknown",
            "the registry has no such image, or shows it only to those who log in",
            "`podman login docker.io`",
        ),
        (
            "Error: initializing source docker://x: unauthorized: authentication required",
            "the registry wants a login",
            "`podman login docker.io`",
        ),
        (
            "Error: initializing source docker://x: reading manifest 1 in x: denied: denied",
            "the registry has no such image, or shows it only to those who log in",
            "`podman login docker.io`",
        ),
        (
            "Error: reading manifest 1 in x: received unexpected HTTP status: 503 Service Unavailable",
            "the registry has trouble of its own",
            "try again",
        ),
        (
            "Error: toomanyrequests: You have reached your pull rate limit.",
            "the registry gives no more images to this address for a while",
            "raises the limit",
        ),
        (
            "Error: no image found in manifest list for architecture arm64, OS linux",
            "there is none for this machine's architecture",
            "--runtime native",
        ),
        (
            'Error: Get "https://registry-1.docker.io/v2/": dial tcp: lookup: no such host',
            "the registry does not answer",
            "--runtime native",
        ),
        (
            "Error: writing blob: storing blob to file: no space left on device",
            "the disk is full",
            "podman system prune",
        ),
        (
            "Error: writing blob: adding layer: potentially insufficient UIDs or GIDs available in user namespace",
            "this user has too few subordinate IDs (/etc/subuid, /etc/subgid) for the users in it",
            'sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 "$(id -un)"',
        ),
    ],
)
def test_each_way_to_fail_has_its_own_sentence(said: str, message: str, hint: str) -> None:
    error = explain_failure(TOOL, "bitnami/kafka:3.6", ["Trying to pull…", said])
    assert error.message == f"cannot pull bitnami/kafka:3.6: {message}"
    assert hint in error.hint


def test_an_image_that_is_gone_is_told_with_the_one_that_ships_for_its_server() -> None:
    said = "Error: reading manifest 3.6 in docker.io/bitnami/kafka: manifest unknown"
    assert "`apache/kafka:3.9.1`" in explain_failure(TOOL, "bitnami/kafka:3.6", [said]).hint
    assert "prismctl has" not in explain_failure(TOOL, "apache/kafka:3.9.1", [said]).hint
    assert "prismctl has" not in explain_failure(TOOL, "ghcr.io/a/api:1", [said]).hint


def test_what_nobody_knows_is_told_as_it_was_said() -> None:
    error = explain_failure(TOOL, "redis", ["Trying to pull…", "Error: the moon is full"])
    assert error.message == "cannot pull redis: the moon is full"
    assert "podman pull docker.io/library/redis:latest" in error.hint

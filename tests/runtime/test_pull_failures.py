from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from prismctl.domain.containers import PODMAN, ContainerTool
from prismctl.errors import PrismError
from prismctl.runtime.image_pull import explain_failure, pull_image

if TYPE_CHECKING:
    from collections.abc import Callable

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


def test_a_client_that_ends_while_its_refusal_is_read_is_no_failure_of_the_daemon(
    tmp_path: Path, wait_until: Callable[..., None]
) -> None:
    client = tmp_path / "podman"
    client.write_text(
        '#!/bin/sh\necho $$ >"${0%/*}/pid"\necho toomanyrequests: no more for you\nexit 125\n',
        encoding="utf-8",
    )
    client.chmod(0o755)

    def read_slowly(_: str) -> None:
        # Its end is collected meanwhile by the thread that waits for it, and the loop has not heard of it.
        process = tmp_path.joinpath("pid").read_text(encoding="ascii").strip()
        wait_until(lambda: not is_running(process))

    with pytest.raises(PrismError, match="the registry gives no more images to this address"):
        asyncio.run(
            pull_image(ContainerTool(kind=PODMAN, program=str(client)), "redis", read_slowly)
        )


async def test_a_client_that_is_gone_by_now_is_named(tmp_path: Path) -> None:
    tool = ContainerTool(kind=PODMAN, program=str(tmp_path / "podman"))
    with pytest.raises(PrismError, match="podman: No such file or directory") as caught:
        await pull_image(tool, "redis")
    assert "`prismctl dev doctor`" in caught.value.hint


def is_running(pid: str) -> bool:
    """Whether a child is there; one that ended and that the loop itself collects is not running either."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z" or is_collected_by_thread()


def is_collected_by_thread() -> bool:
    """Whether a thread waits for each child, as asyncio has it up to Python 3.11."""
    return sys.version_info < (3, 12)

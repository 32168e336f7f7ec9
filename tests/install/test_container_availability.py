from __future__ import annotations

import http.server
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from prismctl.domain.containers import PODMAN
from prismctl.files.paths import Home
from prismctl.install.containers.availability import (
    FAILURE_HOLDS_SECONDS,
    check_registry,
    choose_variables,
    find_containers,
    judge_image,
)
from prismctl.install.containers.proof import recall_failure, remember_failure
from tests.install.podman_desk import PodmanDesk

if TYPE_CHECKING:
    from pathlib import Path

HERE = frozenset({"docker.io/library/redis:7-alpine", "localhost/own:latest"})


def test_a_path_without_system_programs_is_completed_for_the_client() -> None:
    chosen = choose_variables({"PATH": "/usr/bin:/usr/sbin", "DOCKER_HOST": "unix:///x", "A": "b"})
    assert chosen == {
        "DOCKER_HOST": "unix:///x",
        "PATH": "/usr/bin:/usr/sbin:/usr/local/sbin:/sbin",
    }


def never(host: str) -> str:
    raise AssertionError(f"{host} was asked")


@pytest.mark.parametrize("image", ["redis:7-alpine", "docker.io/library/redis:7-alpine", "own"])
def test_an_image_that_is_here_is_not_asked_for_elsewhere(image: str) -> None:
    facts = judge_image(image, HERE, never)
    assert (facts.is_here, facts.can_be_had) == (True, True)


def test_an_image_can_be_had_where_its_registry_answers() -> None:
    asked: list[str] = []

    def answer(host: str) -> str:
        asked.append(host)
        return ""

    facts = judge_image("ghcr.io/a/b:1", HERE, answer)
    assert (facts.is_here, facts.can_be_had) == (False, True)
    assert asked == ["ghcr.io"]


def test_an_image_that_is_neither_here_nor_to_be_had_says_why() -> None:
    facts = judge_image("nats:2", HERE, lambda host: f"{host} does not answer (no route to host)")
    assert not facts.can_be_had
    assert facts.reason == (
        "the image nats:2 is not here, and docker.io does not answer (no route to host)"
    )


def test_an_image_that_was_only_ever_built_here_is_not_looked_for_in_the_world() -> None:
    facts = judge_image("localhost/other:1", HERE, never)
    assert facts.reason == "there is no image localhost/other:1 on this machine"


def test_a_registry_that_speaks_without_encryption_is_somebody_to_ask() -> None:
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), http.server.BaseHTTPRequestHandler
    ) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            assert check_registry(f"127.0.0.1:{server.server_port}") == ""
        finally:
            server.shutdown()
            thread.join()


def test_a_registry_that_is_not_there_is_told() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{unused.getsockname()[1]}"
        assert check_registry(host) == f"{host} does not answer (connection refused)"


def test_a_registry_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prismctl.install.containers.availability.REGISTRY_SECONDS", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        assert check_registry(host) == f"{host} does not answer (nothing within 0.2 s)"


def test_a_podman_that_runs_nothing_is_tried_at_every_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = PodmanDesk(tmp_path / "desk")
    desk.write("run", 'echo "Error: slirp4netns: /dev/net/tun" >&2; exit 126')
    monkeypatch.setenv("DESK", desk.environment["DESK"])
    monkeypatch.setenv("PATH", desk.environment["PATH"])
    home = Home(tmp_path / "home")
    home.directory.mkdir()

    def look(*, insists: bool = False, may_try: bool = True) -> tuple[str, int]:
        """Why there are no containers, and how often somebody was told to wait."""
        told: list[str] = []
        facts = find_containers(
            home,
            desk.environment,
            kind=PODMAN,
            insists=insists,
            may_try=may_try,
            tell=told.append,
        )
        return facts.reason, len(told)

    first, tries = look()
    assert first.startswith("Podman does not work here: ")
    assert "tries again" not in first
    assert tries == 1
    for may_try in (True, False):
        again, tries = look(may_try=may_try)
        assert again.startswith(f"{first} (tried at ")
        assert again.endswith("; `prismctl dev init` tries again)")
        assert tries == 0
    assert look(insists=True) == (first, 1)

    # Whatever was in the way may be gone after a while.
    failure = recall_failure(home, desk.path)
    assert failure is not None
    remember_failure(home, desk.path, failure._replace(at=time.time() - FAILURE_HOLDS_SECONDS))
    assert look() == (first, 1)

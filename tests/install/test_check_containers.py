from __future__ import annotations

from typing import TYPE_CHECKING

from prismctl.files.paths import Home
from prismctl.install.checks.containers import ContainerFacts, judge_containers
from prismctl.install.checks.finding import State
from prismctl.install.containers.proof import (
    Failure,
    recall_containers,
    recall_failure,
    remember_containers,
    remember_failure,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_without_podman_there_is_nothing_to_say() -> None:
    assert judge_containers(ContainerFacts(has_podman=False)) == ()


def test_what_nobody_has_tried_is_a_warning_that_names_init() -> None:
    (finding,) = judge_containers(ContainerFacts(has_podman=True))
    assert finding.state is State.WARNING
    assert finding.fix == "prismctl dev init"


def test_what_has_worked_is_told_in_the_words_of_then() -> None:
    (finding,) = judge_containers(ContainerFacts(has_podman=True, proof="5.0 rootless"))
    assert finding.state is State.FINE
    assert finding.detail == "5.0 rootless"


def test_a_proof_holds_until_podman_or_its_settings_change(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.directory.mkdir()
    podman = tmp_path / "podman"
    podman.write_text("one")
    assert recall_containers(home, podman) is None
    remember_containers(home, podman, "ran")
    assert recall_containers(home, podman) == "ran"
    settings = home.directory / "containers"
    settings.mkdir()
    (settings / "containers.conf").write_text("[engine]\n")
    assert recall_containers(home, podman) is None
    (settings / "containers.conf").unlink()
    podman.write_text("another")
    assert recall_containers(home, podman) is None


def test_what_was_tried_and_failed_is_something_that_nobody_has_tried(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.directory.mkdir()
    podman = tmp_path / "podman"
    podman.write_text("one")
    failure = Failure("users may not make network devices here", "sudo modprobe tun", 12.5)
    remember_failure(home, podman, failure)
    assert recall_failure(home, podman) == failure
    (finding,) = judge_containers(ContainerFacts(has_podman=True, failure=failure))
    assert finding.state is State.WARNING
    assert finding.detail == f"none ran when it was tried last: {failure.words}"
    assert finding.fix == failure.fix
    # One that ran since is the newer word.
    remember_containers(home, podman, "ran")
    assert recall_failure(home, podman) is None

"""Which services somebody means, without deciding how they would run here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from prismctl.errors import ConfigError
from prismctl.files.paths import Home
from prismctl.planning import Chosen, PlanRequest, choose_services, make_plan

if TYPE_CHECKING:
    from pathlib import Path


class Desk:
    def __init__(self, directory: Path) -> None:
        self.home = Home(directory / "home")
        self.work = directory / "shop"
        self.work.mkdir()

    def choose(self, **request: object) -> Chosen:
        return choose_services(
            PlanRequest(is_trial=True, **request),  # type: ignore[arg-type]
            home=self.home,
            environment={},
            working_directory=self.work,
        )

    def names(self, **request: object) -> list[str]:
        return [str(name) for name in self.choose(**request).selection.sources]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_programs_that_are_not_installed_are_no_obstacle_and_nothing_is_written(desk: Desk) -> None:
    assert desk.names(preset="redis", with_services=("kafka",)) == [
        "prism-admin",
        "pattern-launcher",
        "memstore",
        "redis",
        "kafka",
    ]
    assert not desk.home.directory.exists()


def test_all_that_is_wrong_is_told_at_once(desk: Desk) -> None:
    (desk.work / "mine.yaml").write_text("services: [rdeis]\nconfig: {nast: {persist: true}}\n")
    with pytest.raises(ConfigError) as raised:
        desk.choose(profile="mine.yaml", with_services=("kafak",))
    assert [each.suggestion for each in raised.value.problems] == ["nats", "redis", "kafka"]


def test_the_profile_of_a_project_has_a_say(desk: Desk) -> None:
    (desk.work / "team.yaml").write_text("services: [redis]\nconfig: {redis: {replicas: 2}}\n")
    (desk.work / "prism.yaml").write_text("profile: ./team.yaml\n")
    chosen = desk.choose(with_services=("nats",))
    assert chosen.profile is not None
    assert chosen.profile.file == desk.work / "team.yaml"
    assert {"redis", "nats"} <= set(chosen.selection.sources)
    # What the profile changes is not in the catalog that it is compared with.
    assert {each.replicas for each in chosen.catalog.services.values()} == {1}


def test_a_plan_knows_the_file_of_its_profile(desk: Desk) -> None:
    (desk.work / "team.yaml").write_text("services: [memstore]\n")
    plan = make_plan(
        PlanRequest(profile="./team.yaml", is_trial=True, auto_ports=True),
        home=desk.home,
        environment={"PATH": "/usr/bin:/bin"},
        working_directory=desk.work,
    )
    assert plan.profile == str(desk.work / "team.yaml")

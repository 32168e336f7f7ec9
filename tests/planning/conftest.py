"""A desk to plan at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from prismctl.files.paths import Home
from prismctl.machine import programs
from prismctl.planning import PlanRequest, make_plan, plan_addition

if TYPE_CHECKING:
    from pathlib import Path

    from prismctl.domain.plan import StackPlan
    from prismctl.planning import Addition


class Desk:
    """Somebody's machine: a home, a PATH and a directory to stand in."""

    def __init__(self, directory: Path) -> None:
        self.home = Home(directory / "home")
        self.path = directory / "path"
        self.project = directory / "shop"
        for each in (self.path, self.project):
            each.mkdir()
        self.environment = {"PATH": str(self.path), "HOME": str(directory)}

    def plan(self, **request: object) -> StackPlan:
        defaults: dict[str, object] = {"auto_ports": True}
        return make_plan(
            PlanRequest(**{**defaults, **request}),  # type: ignore[arg-type]
            home=self.home,
            environment=self.environment,
            working_directory=self.project,
        )

    def add(self, running: StackPlan, *words: str, **request: object) -> Addition:
        return plan_addition(
            PlanRequest(with_services=words, **request),  # type: ignore[arg-type]
            running,
            home=self.home,
            environment=self.environment,
            working_directory=self.project,
        )

    def program(self, name: str, directory: Path | None = None) -> None:
        path = (directory or self.path) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n", encoding="utf-8")
        path.chmod(0o755)

    def write(self, name: str, text: str) -> Path:
        path = self.project / name
        path.write_text(text, encoding="utf-8")
        return path


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    # What packages have put onto this machine is not on the desk.
    monkeypatch.setattr(programs, "SERVER_PLACES", {})
    return Desk(tmp_path)

"""What is asked for: the words of one call, and where they were said."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from prismctl.domain.plan import Asked
from prismctl.domain.presets import RANDOM

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from prismctl.domain.plan import StackPlan
    from prismctl.files.paths import Home


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRequest:
    """What somebody typed or picked; empty means that they said nothing about it."""

    preset: str = ""
    profile: str = ""
    picked: tuple[str, ...] | None = None
    """What was chosen in the picker; ``None``: there was none."""
    with_services: tuple[str, ...] = ()
    without_services: tuple[str, ...] = ()
    services_file: Path | None = None
    """A catalog for this one call."""
    engine: str = ""
    runtime: str = ""
    auto_ports: bool | None = None
    replaceable_ports: frozenset[tuple[str, str]] = frozenset()
    """By service and port name: these are replaced where they are taken, whatever ``auto_ports`` says."""
    persist: bool | None = None
    watch: bool = False
    """Services are restarted when their files change."""
    on_failure: str = ""
    wait_seconds: float | None = None
    """Both are a start's to keep to, and change nothing in a plan; they are settled with the rest."""
    stack: str = ""
    held_by: StackPlan | None = None
    """The stack that runs, to be planned anew: its ports are not in its own way, and those it had found are kept."""
    random_seed: int | None = None
    """Draws the same random preset again."""
    reserves_ports: bool = False
    """Keep other starts from choosing the same ports as long as this process lives."""
    is_trial: bool = False
    """Nothing is written, not even the catalog of a home that has none."""

    @property
    def names_selection(self) -> bool:
        """Whether somebody said on the spot what shall run, rather than what to add to it or take from it."""
        return bool(self.profile or self.preset or self.picked is not None)


class Inquiry(NamedTuple):
    """A request with where it was made: all that the steps of planning have in common."""

    request: PlanRequest
    home: Home
    """Of the user."""
    environment: Mapping[str, str]
    """Of the one who asks."""
    working_directory: Path
    """Absolute; where a project file is looked for, and relative paths start."""
    tell: Callable[[str], None] = lambda _: None
    """Hears of what takes seconds, before it does."""


def note_request(inquiry: Inquiry) -> Asked:
    """What was asked for, to be kept with the plan; `ask_again` makes a request of it."""
    request = inquiry.request
    return Asked(
        directory=str(inquiry.working_directory),
        preset=request.preset,
        profile=request.profile,
        picked=request.picked,
        with_services=request.with_services,
        without_services=request.without_services,
        engine=request.engine,
        runtime=request.runtime,
        auto_ports=request.auto_ports,
        persist=request.persist,
        on_failure=request.on_failure,
        wait_seconds=request.wait_seconds,
        random_seed=request.random_seed if request.preset == RANDOM else None,
    )


def ask_again(running: StackPlan, working_directory: Path) -> tuple[PlanRequest, Path]:
    """The request that a running stack came from, and where it was made; it writes nothing.

    Args:
        running: what runs.
        working_directory: absolute; of the one who wants to know, for a plan that does not say where it was asked for.
    """
    asked, terms = running.asked, running.terms
    catalog = Path(terms.catalog) if terms.catalog else None
    if asked is None:
        request = PlanRequest(
            profile=running.profile,
            services_file=catalog,
            engine=running.engine.value,
            runtime=terms.runtime,
            auto_ports=terms.auto_ports or None,
            persist=terms.persist or None,
            watch=terms.watch,
            stack=running.stack,
            held_by=running,
            is_trial=True,
        )
        return request, Path(running.project).parent if running.project else working_directory
    request = PlanRequest(
        preset=asked.preset,
        profile=asked.profile,
        picked=asked.picked,
        with_services=asked.with_services,
        without_services=asked.without_services,
        services_file=catalog,
        engine=asked.engine,
        runtime=asked.runtime,
        auto_ports=asked.auto_ports,
        persist=asked.persist,
        watch=terms.watch,
        on_failure=asked.on_failure,
        wait_seconds=asked.wait_seconds,
        random_seed=asked.random_seed,
        stack=running.stack,
        held_by=running,
        is_trial=True,
    )
    return request, Path(asked.directory)

"""What every start looks at before it begins: a machine on which it would fail is told at once, in `doctor`'s words."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from prismctl.domain.capacity import Room, find_shortages, needs_of_plan
from prismctl.domain.offering import Catalog
from prismctl.domain.packaged import PACKAGED
from prismctl.errors import PrismError, Problem
from prismctl.install.checks.before_start import examine_before_start
from prismctl.install.checks.finding import Finding, State, render_findings
from prismctl.install.checks.resources import gather_disk
from prismctl.install.checks.surroundings import Surroundings
from prismctl.machine import read_available_memory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prismctl.cli.invocation import Invocation
    from prismctl.domain.plan import StackPlan


class NotFitError(PrismError):
    """This machine, or home, is not fit for a start."""

    code = "not-fit"

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.problems = tuple(
            Problem(message=f"{finding.title}: {finding.detail}") for finding in findings
        )
        """In words, one each; never empty."""
        is_single = len(self.problems) == 1
        super().__init__(
            self.problems[0].message
            if is_single
            else f"{len(self.problems)} things are in the way",
            hint=(findings[0].fix if is_single else "")
            or "`prismctl dev doctor` checks everything a start depends on",
        )


def check_before_start(call: Invocation) -> None:
    """Warn about what is not good, and refuse where a start would fail or do harm.

    Raises:
        NotFitError: it would; every reason is listed.
    """
    judge_fitness(call, examine_before_start(_around(call)))


def look_for_room(call: Invocation) -> Room:
    """What this machine has to spare now, for the services of a stack."""
    memory, limit = read_available_memory()
    disk = gather_disk(_around(call))
    return Room(memory, disk.free_bytes, limit, str(disk.directory))


def warn_of_shortages(
    call: Invocation, plan: StackPlan, *, running: StackPlan | None = None
) -> None:
    """Tell what the services of a plan need and this machine does not have to spare; it is tried even so.

    Args:
        call: takes the warning.
        plan: what shall run.
        running: the plan that runs already, and has what it needs.
    """
    needs = needs_of_plan(plan, running=running.names if running is not None else ())
    judge_fitness(
        call,
        [
            Finding(
                name=each.resource,
                title=each.resource,
                state=State.WARNING,
                detail=str(each),
                fix=each.way_out,
            )
            for each in find_shortages(needs, look_for_room(call))
        ],
    )


def _around(call: Invocation) -> Surroundings:
    return Surroundings(
        home=call.home,
        working_directory=Path.cwd(),
        environment=os.environ,
        catalog=Catalog(services=PACKAGED, file="", is_generated=True),
    )


def judge_fitness(call: Invocation, findings: Sequence[Finding]) -> None:
    """Tell warnings, raise on problems.

    Raises:
        NotFitError: at least one is a problem.
    """
    problems = [finding for finding in findings if finding.state is State.PROBLEM]
    if problems:
        raise NotFitError(problems)
    warnings = [finding for finding in findings if finding.state is State.WARNING]
    if warnings:
        from prismctl.cli.terminal import width_of_stream
        from prismctl.present.doctor import finding_lines

        checks = render_findings(warnings)["checks"]
        call.report(finding_lines(checks, width=width_of_stream(sys.stderr)))

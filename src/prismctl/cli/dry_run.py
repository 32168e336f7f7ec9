"""What a start would do: the plan with what it takes, and for programs every setting with where it comes from."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prismctl.cli.estimating import estimate_plan, services_with_data
from prismctl.cli.preflight import look_for_room, warn_of_shortages
from prismctl.cli.stack import find_stack
from prismctl.cli.start_options import plan_request
from prismctl.cli.starting import plan_for, read_applied_plan
from prismctl.domain.capacity import needs_of_plan, render_capacity
from prismctl.domain.disturbance import find_disturbances, render_disturbances
from prismctl.domain.estimate import render_estimate
from prismctl.domain.presets import RANDOM
from prismctl.explaining import Explanation
from prismctl.planning import decide
from prismctl.present.disturbance import disturbance_lines, plain_disturbance_lines
from prismctl.present.estimate import startup_lines, startup_words
from prismctl.present.events import action_line
from prismctl.present.plan import plain_plan_lines, plan_lines, render_plan
from prismctl.present.settings import (
    difference_lines,
    plain_difference_lines,
    render_settings_by_key,
)
from prismctl.present.text import line

if TYPE_CHECKING:
    from prismctl.cli.invocation import Invocation
    from prismctl.cli.start_options import StartOptions
    from prismctl.domain.estimate import Estimate
    from prismctl.domain.plan import StackPlan


def show_plan(call: Invocation, options: StartOptions) -> None:
    """Print the plan and touch nothing.

    Raises:
        PrismError: there can be none, as a start would say.
    """
    running = read_applied_plan(find_stack(call.paths))
    plan = plan_for(call, options, held_by=running, is_trial=True)
    # What a change takes depends on what of it runs already: nobody has measured that.
    estimate = (
        estimate_plan(call.home, plan, with_data=services_with_data(call.paths, plan))
        if running is None
        else None
    )
    if call.is_json:
        document = _render(call, options, plan, running=running, estimate=estimate)
        call.write_json(document, is_pretty=call.is_on_terminal)
        return
    warn_of_shortages(call, plan, running=running)
    explanation = _explain(call, options, plan, running=running)
    settings = [setting for name in plan.names for setting in explanation.explain_differences(name)]
    missing = len(plan.missing_images)
    startup = startup_words(estimate, missing_images=missing) if estimate is not None else ""
    disturbances = find_disturbances(running, plan)
    if call.is_on_terminal:
        call.write_lines([*plan_lines(plan, width=call.width), ()])
        if disturbances:
            call.write_lines([*disturbance_lines(disturbances, width=call.width), ()])
        if settings:
            call.write_lines([*difference_lines(settings, width=call.width), ()])
        if startup:
            call.write_lines([*startup_lines(startup, width=call.width), ()])
        call.report([line("nothing was started (--dry-run)")])
    else:
        call.write_lines([*plain_plan_lines(plan), *plain_disturbance_lines(disturbances)])
        call.write_lines(plain_difference_lines(settings))
        if startup:
            call.write_lines([action_line("startup", startup)])


def _render(
    call: Invocation,
    options: StartOptions,
    plan: StackPlan,
    *,
    running: StackPlan | None,
    estimate: Estimate | None,
) -> dict[str, Any]:
    """The plan as a document, with what it needs, what it takes, and what it goes by."""
    needs = needs_of_plan(plan, running=running.names if running is not None else ())
    explanation = _explain(call, options, plan, running=running)
    document = {
        **render_plan(plan),
        "settings": render_settings_by_key(explanation.explain_all(names_defaults=True)),
        "capacity": render_capacity(needs, look_for_room(call)),
        "estimate": render_estimate(estimate) if estimate is not None else None,
        "disturbs": render_disturbances(find_disturbances(running, plan)),
    }
    if options.preset == RANDOM:
        document["seed"] = options.random_seed
    return document


def _explain(
    call: Invocation, options: StartOptions, plan: StackPlan, *, running: StackPlan | None
) -> Explanation:
    """Where everything in the plan comes from."""
    decision = decide(
        plan_request(call, options, held_by=running, is_trial=True),
        home=call.home,
        environment=os.environ,
        working_directory=Path.cwd(),
    )
    return Explanation(decision=decision, plan=plan)

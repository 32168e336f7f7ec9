"""What a shell or a program beside the stack needs to reach it: endpoints and credentials, by variable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prismctl.domain.endpoints import render_variables

if TYPE_CHECKING:
    from prismctl.daemon.stack import Stack


def render_environment_of_stack(stack: Stack) -> dict[str, str]:
    """The variables of the applied plan and of the engine; secrets are in it. Nobody has to be healthy for that."""
    plan = stack.monitor.plan
    variables = render_variables(plan.services) if plan is not None else {}
    variables["PRISM_STACK"] = stack.paths.name
    if stack.engine is not None:
        variables |= stack.engine.environment()
    return variables

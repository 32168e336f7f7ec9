"""What an `init` ends with: the error, and so the exit code, that follow from its steps or, beforehand, from its decisions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prismctl.errors import MissingToolError, PartialError
from prismctl.install.steps import StepState

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from prismctl.errors import PrismError
    from prismctl.install.installation import Decision
    from prismctl.install.steps import StepStatus

AGAIN: Final = "`prismctl dev init` goes on where this one ended"


def judge_steps(steps: Sequence[StepStatus]) -> PrismError | None:
    """Why it is not enough how the steps ended; ``None``: all is ready."""
    for step in steps:
        if step.state is StepState.FAILED and step.is_required and step.error is not None:
            return step.error
    declined = [step for step in steps if step.is_required and step.fix]
    if declined:
        names = " and ".join(step.title for step in declined)
        return MissingToolError(
            f"nobody agreed to install {names}, without which services do not run on Nomad",
            hint=f"{declined[0].fix}; without Nomad: `prismctl dev start --engine local`",
        )
    missing = [step for step in steps if not step.is_required and step.state is not StepState.DONE]
    if not missing:
        return None
    return _explain_lack(
        "everything else is ready",
        (step.title for step in missing),
        hint=next((step.fix for step in missing if step.fix), AGAIN),
    )


def judge_decisions(decisions: Sequence[Decision]) -> PrismError | None:
    """What an `init` that everybody agrees to would end with for sure; ``None``: nothing is known against it."""
    refused = [decision for decision in decisions if decision.error is not None]
    for decision in refused:
        if decision.tool.is_required:
            return decision.error
    if not refused:
        return None
    return _explain_lack(
        "everything else would be ready",
        (decision.tool.title for decision in refused),
        hint=next((each.error.hint for each in refused if each.error and each.error.hint), AGAIN),
    )


def _explain_lack(rest: str, titles: Iterable[str], *, hint: str) -> PartialError:
    names = ", ".join(titles)
    return PartialError(
        f"{rest}; without {names}, services that run in containers cannot be started", hint=hint
    )

"""What an `init` ends with, by its steps and by its decisions."""

from __future__ import annotations

from typing import Any

import pytest

from prismctl.cli.init_verdict import AGAIN, judge_decisions, judge_steps
from prismctl.errors import ExitCode, MissingToolError, PrismError, UnavailableError
from prismctl.install.installation import Decision
from prismctl.install.steps import StepState, StepStatus
from prismctl.install.tools import CONSUL, NOMAD, PODMAN

REFUSAL = UnavailableError("nobody has it", hint="look elsewhere")


def step(name: str, state: StepState = StepState.DONE, **more: Any) -> StepStatus:
    return StepStatus(name=name, title=name.title(), state=state, **more)


def failed(name: str, **more: Any) -> StepStatus:
    return step(name, StepState.FAILED, error=REFUSAL, fix=REFUSAL.hint, **more)


def refused(tool: Any, error: PrismError = REFUSAL) -> Decision:
    return Decision(tool=tool, existing=None, error=error)


def there(tool: Any) -> Decision:
    return Decision(tool=tool, existing=None)


def test_all_done_is_ready() -> None:
    assert judge_steps([step("home"), step("podman", is_required=False)]) is None
    assert judge_decisions([there(NOMAD), there(PODMAN)]) is None


def test_a_required_step_that_failed_says_why() -> None:
    steps = [failed("podman", is_required=False), failed("nomad"), step("trial")]
    assert judge_steps(steps) is REFUSAL


def test_what_nobody_agreed_to_is_named_with_what_to_type() -> None:
    declined = [step(name, StepState.LEFT_OUT, fix="say yes") for name in ("consul", "nomad")]
    error = judge_steps([*declined, step("trial", StepState.LEFT_OUT)])
    assert isinstance(error, MissingToolError)
    assert error.message.startswith("nobody agreed to install Consul and Nomad")
    assert error.hint.startswith("say yes; ")


@pytest.mark.parametrize(
    ("missing", "hint"),
    [
        (failed("podman", is_required=False), "look elsewhere"),
        (step("podman", StepState.LEFT_OUT, is_required=False), AGAIN),
    ],
    ids=["failed", "left out"],
)
def test_without_something_optional_it_is_partly_done(missing: StepStatus, hint: str) -> None:
    error = judge_steps([step("nomad"), missing])
    assert error is not None
    assert error.exit_code is ExitCode.PARTIAL
    assert error.message.startswith("everything else is ready; without Podman, ")
    assert error.hint == hint


def test_decisions_end_as_their_steps_would() -> None:
    optional = PrismError("no package manager")
    assert judge_decisions([refused(PODMAN, optional), refused(NOMAD), there(CONSUL)]) is REFUSAL
    partly = judge_decisions([there(CONSUL), there(NOMAD), refused(PODMAN)])
    assert partly is not None
    assert partly.exit_code is ExitCode.PARTIAL
    assert partly.message.startswith("everything else would be ready; without Podman, ")
    assert partly.hint == "look elsewhere"

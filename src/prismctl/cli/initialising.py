"""`init`: looks, decides, asks where it has to, then runs the steps and tells how each ended."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import click

from prismctl.cli.consent import ask_for_consent, authenticate
from prismctl.cli.init_preview import preview
from prismctl.cli.init_verdict import AGAIN, judge_steps
from prismctl.cli.interrupts import Terminated, interruption_error
from prismctl.cli.loop import run_in_loop
from prismctl.cli.telling_steps import run_and_tell, show_steps
from prismctl.cli.trial import trial_step
from prismctl.files.closing import refuse_open
from prismctl.install.home_lock import holding_home
from prismctl.install.init_steps import init_steps, prepare_home
from prismctl.install.manifest import read_manifest, rolled_back
from prismctl.install.placing import roll_back
from prismctl.install.survey import survey_machine
from prismctl.present.text import Span, Tone, line
from prismctl.present.units import render_duration

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from prismctl.cli.invocation import Invocation
    from prismctl.install.steps import StepStatus
    from prismctl.install.survey import Wanted


def initialise(call: Invocation, wanted: Wanted, *, is_trial: bool = False) -> None:
    """Make this machine ready, as far as it is not; with ``is_trial``, only show how.

    Raises:
        PrismError: something that is required failed; what is done stays.
        PartialError: only something optional is missing.
    """
    try:
        refuse_open(call.home.directory)
        if is_trial:
            preview(call, run_in_loop(survey_machine(call.home, wanted, os.environ)))
            return
        with exclusive(call):
            _initialise(call, wanted)
    except (KeyboardInterrupt, Terminated) as interrupt:
        raise interruption_error(
            interrupt, "init was interrupted; what is done stays", hint=AGAIN
        ) from interrupt


def _initialise(call: Invocation, wanted: Wanted) -> None:
    home = prepare_home(call.home)
    survey = run_in_loop(survey_machine(call.home, wanted, os.environ))
    declined = ask_for_consent(call, survey, again=AGAIN)
    declined |= authenticate(call, survey, declined=declined)
    began_at = time.monotonic()
    steps = init_steps(survey, call.home, os.environ, declined=declined)
    ended = run_and_tell(call, [*steps, trial_step(call, steps)], ended=[home])
    error = judge_steps(ended)
    show_steps(call, ended, error=error)
    if not call.is_json:
        _show_last_words(call, ended, None if error else time.monotonic() - began_at)
    elif error is not None:
        # One document has said both how the steps ended and why that is not enough.
        raise click.exceptions.Exit(error.exit_code) from error
    if error is not None:
        raise error


def _show_last_words(call: Invocation, steps: Sequence[StepStatus], seconds: float | None) -> None:
    """What to do next, when all is well; ``None`` for the seconds: it is not."""
    if call.is_quiet:
        return
    is_changed = any(step.is_changed for step in steps)
    if seconds is None:
        if is_changed:
            call.write_lines([line("what is done stays; `prismctl dev init` goes on from there")])
        return
    words = (
        f"ready in {render_duration(seconds)}"
        if is_changed
        else "everything was here; nothing was changed"
    )
    call.write_lines([line(Span(words, Tone.GOOD))])
    if call.has_animation:
        call.write_lines(
            [(), line("Next: ", Span("prismctl dev start --preset=minimal", Tone.ACCENT))]
        )


def go_back(call: Invocation, name: str, *, is_trial: bool) -> None:
    """Use the version of a tool that was in use before.

    Raises:
        PrismError: there is none.
    """
    if is_trial:
        file = rolled_back(read_manifest(call.home), name).tools[name].current
        words = f"{file} would be in use; nothing was changed (--dry-run)"
    else:
        with exclusive(call):
            file = roll_back(call.home, name)
        words = f"{file} is in use; stacks that run keep the one they were started with"
    if call.is_json:
        call.write_json({"schema": 1, "tool": name, "in_use": file, "is_changed": not is_trial})
    else:
        call.write_lines([line(words)])


def exclusive(call: Invocation) -> AbstractContextManager[None]:
    """One `init` a home at a time: a second one waits for the first, and says so."""

    def tell() -> None:
        call.report([line("another init is at work in this home; waiting for it to end")])

    return holding_home(call.home, when_busy=tell)

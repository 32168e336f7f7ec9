"""`clean`: shows what would go, asks, stops every stack, removes, and tells what is still there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import click

from prismctl.cli.agreement import ask_for_agreement
from prismctl.cli.clean_document import describe_done, describe_plan
from prismctl.cli.clean_removal import Done, carry_out_cleaning
from prismctl.cli.interrupts import Terminated, interruption_error
from prismctl.client import find_condition
from prismctl.domain.counting import count_of
from prismctl.errors import ConfigError, ExitCode, PartialError, PrismError, Problem
from prismctl.files.text import name_for_people
from prismctl.install.cleaning.planning import plan_cleaning, refuse_dangerous
from prismctl.install.cleaning.removing import remove_empty
from prismctl.install.home_lock import holding_home
from prismctl.install.manifest import read_manifest
from prismctl.present.cleaning import failure_words, plan_lines, result_lines
from prismctl.present.text import line

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from prismctl.cli.invocation import Invocation
    from prismctl.files.paths import Home
    from prismctl.install.cleaning.targets import CleaningPlan

_AGAIN: Final = "`prismctl dev clean` again goes on with what is left"


def clean_home(call: Invocation, *, is_all: bool, is_trial: bool) -> None:
    """Remove the state of a home, or with ``is_all`` everything that prismctl has made.

    Raises:
        ConfigError: nobody has agreed, and nobody can be asked.
        PartialError: something could not be removed; the rest is gone.
        PrismError: home must not be cleaned, or its manifest cannot be used.
    """
    home = call.home
    refuse_dangerous(home)
    manifest = read_manifest(home) if is_all else None
    plan = plan_cleaning(home, manifest=manifest, environment=os.environ)
    conditions = {name: find_condition(home.stack(name)) for name in plan.stacks}
    document = describe_plan(call, plan, conditions, is_all=is_all, is_trial=is_trial)
    if is_trial or plan.is_empty:
        _tell_plan(call, plan, document, is_trial=is_trial)
        return
    _confirm(call, plan, document)
    try:
        with _no_init_meanwhile(home):
            done = carry_out_cleaning(call, plan, manifest=manifest)
            home.init_lock.unlink(missing_ok=True)
    except (KeyboardInterrupt, Terminated) as interrupt:
        raise interruption_error(
            interrupt, "interrupted; some of it is gone", hint=_AGAIN
        ) from interrupt
    for directory in plan.emptied:
        remove_empty(directory)
    done.removed += [each.path for each in plan.last if each.path == home.directory]
    _tell_result(call, plan, document, done)


def _tell_plan(
    call: Invocation, plan: CleaningPlan, document: dict[str, Any], *, is_trial: bool
) -> None:
    if call.is_json:
        if not is_trial:
            document |= describe_done(call, Done(), plan.kept)
        call.write_json(document, is_pretty=call.is_on_terminal)
        return
    if plan.is_empty:
        place = name_for_people(call.home.directory)
        call.write_lines([line(f"there is nothing to remove in {place}")])
    call.write_lines(plan_lines(document))
    if is_trial and not plan.is_empty:
        call.report([(), line("nothing was touched")])


def _confirm(call: Invocation, plan: CleaningPlan, document: dict[str, Any]) -> None:
    if call.is_confirmed:
        return
    if not call.can_ask:
        message = f"clean removes {count_of(len(plan.targets) + len(plan.last), 'path')}; that has to be confirmed"
        raise ConfigError(
            [Problem(message=message)],
            hint="add --yes, or --dry-run to see what would be removed",
        )
    ask_for_agreement(
        call,
        plan_lines(document),
        yes="remove all of this",
        no="leave everything as it is",
        otherwise="nothing was touched",
    )


def _no_init_meanwhile(home: Home) -> AbstractContextManager[None]:
    """Hold the lock of `init`, which would install into what is being removed; one that is at work is not waited for."""

    def refuse() -> None:
        raise PrismError(
            f"`prismctl dev init` is at work in {home.directory}",
            hint="wait until it has ended, or end it",
        )

    return holding_home(home, when_busy=refuse)


def _tell_result(
    call: Invocation, plan: CleaningPlan, document: dict[str, Any], done: Done
) -> None:
    document = {**document, **describe_done(call, done, plan.kept)}
    if call.is_json:
        call.write_json(document, is_pretty=call.is_on_terminal)
        if done.failed:
            raise click.exceptions.Exit(ExitCode.PARTIAL)
        return
    call.write_lines(result_lines(document))
    if done.failed:
        words = "\n".join(failure_words(document["failed"]))
        fix = next((each.fix for each in done.failed if each.fix), "")
        raise PartialError(
            f"{count_of(len(done.failed), 'thing')} could not be removed\n{words}",
            hint=f"{fix}\n{_AGAIN}" if fix else _AGAIN,
        )

"""`dev add`, `dev remove` and `dev scale`: what a change comes to, the question about it, and how it went."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from prismctl.changing import plan_adding, plan_removing, plan_scaling, read_running_plan
from prismctl.cli.agreement import ask_for_agreement
from prismctl.cli.endings import conclude
from prismctl.cli.following import follow
from prismctl.cli.interrupts import Terminated, interruption_error
from prismctl.cli.naming import resolve_words
from prismctl.cli.narrators import choose_narrator
from prismctl.cli.preflight import warn_of_shortages
from prismctl.cli.stack import open_stack, option_of
from prismctl.domain.counting import count_of
from prismctl.domain.selection import is_chosen
from prismctl.domain.snapshot import is_as_asked
from prismctl.errors import DeadlineError
from prismctl.files.last_selection import remember_selection
from prismctl.planning import PlanRequest, PortTakenError
from prismctl.present.changes import dependents_lines, removal_lines
from prismctl.present.progress import begin_progress
from prismctl.present.text import line
from prismctl.present.units import list_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from prismctl.changing import Adding, Removing
    from prismctl.cli.invocation import Invocation
    from prismctl.client import StackClient
    from prismctl.domain.addressing import PortConflict
    from prismctl.domain.plan import StackPlan
    from prismctl.present.text import Line

_UNCHANGED: Final = "nothing was changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class AddOptions:
    """What was typed after ``add``."""

    words: tuple[str, ...]
    catalog_file: str | None = None
    runtime: str = ""
    """What is preferred where a service offers both; empty: what the stack was started with."""
    has_auto_ports: bool = False
    persists: bool = False
    wait_seconds: float = 60.0
    moved: tuple[PortConflict, ...] = ()
    """Taken ports in place of which their services shall get others."""


def add_services(call: Invocation, options: AddOptions) -> None:
    """Run more services in a stack that runs, and wait until they are up.

    Where ports are taken and somebody can be asked, they are, as at a start; the time they take does not count.

    Raises:
        PrismError: they cannot be added, or did not come up in time.
        click.exceptions.Exit: somebody decided not to go on.
    """
    client = open_stack(call)
    adding = _settle_adding(call, client, options)
    if not adding.changes:
        _say_present(call, client, adding)
        return
    if adding.present:
        call.report([line(f"{_there(adding)} already")])
    names, option = adding.addition.names, option_of(call.stack)
    warn_of_shortages(call, adding.plan, running=adding.running)
    _follow_change(
        call,
        client,
        adding.carry_out(client),
        plan=adding.plan,
        shown=adding.addition,
        names=names,
        done=f"added {list_of([*names])}",
        late=f"{list_of([*names])} could not be added",
        way_out=f"`prismctl dev restart {names[-1]}{option}` tries again, "
        f"`prismctl dev remove {' '.join(names)}{option}` takes it out again",
        wait_seconds=options.wait_seconds,
    )
    _remember(call, adding.plan)


def show_addition(call: Invocation, options: AddOptions) -> None:
    """Print what would be added and touch nothing.

    Raises:
        PrismError: it cannot be.
    """
    from prismctl.present.plan import plain_plan_lines, plan_lines, render_plan

    client = open_stack(call)
    adding = _plan_adding(call, client, options, is_trial=True)
    if call.is_json:
        document = {**render_plan(adding.addition), "present": list(adding.present)}
        call.write_json(document, is_pretty=call.is_on_terminal)
        return
    if adding.present:
        call.report([line(f"{_there(adding)} already")])
    if not adding.changes:
        return
    warn_of_shortages(call, adding.plan, running=adding.running)
    if call.is_on_terminal:
        call.write_lines([*plan_lines(adding.addition, width=call.width), ()])
        call.report([line(f"{_UNCHANGED} (--dry-run)")])
    else:
        call.write_lines(plain_plan_lines(adding.addition))


def list_additions(call: Invocation, options: AddOptions) -> None:
    """Print what could be added by name.

    Raises:
        PrismError: nothing runs, or a file has mistakes.
    """
    from prismctl.planning import survey_addable
    from prismctl.present.changes import addable_lines, render_addable

    found = survey_addable(
        read_running_plan(open_stack(call)),
        home=call.home,
        environment=os.environ,
        working_directory=Path.cwd(),
        services_file=Path(options.catalog_file) if options.catalog_file else None,
    )
    services = {name: (each.purpose, each.brings) for name, each in found.items()}
    if call.is_json:
        call.write_json(render_addable(services), is_pretty=call.is_on_terminal)
    else:
        call.write_lines(addable_lines(services, width=call.width))


def remove_services(
    call: Invocation,
    words: Sequence[str],
    *,
    cascades: bool,
    takes_dependencies: bool,
    wait_seconds: float,
) -> None:
    """Take services out of a stack that runs, and wait until nothing of them does.

    Raises:
        PrismError: one has to stay, others need one of them, or one does not end.
        click.exceptions.Exit: somebody decided not to go on.
    """
    client = open_stack(call)
    running = read_running_plan(client)
    names = resolve_words(words, running.names, stack=call.stack)
    removing = plan_removing(
        running, names, paths=call.paths, takes_dependencies=takes_dependencies
    )
    if removing.dependents and not (cascades or call.is_confirmed):
        cascades = _ask_about_dependents(call, removing)
    _follow_change(
        call,
        client,
        removing.carry_out(client, cascade=cascades or call.is_confirmed),
        plan=removing.plan,
        names=(),
        done=f"removed {list_of([*removing.removed])}",
        late=f"{list_of([*removing.removed])} could not be removed",
        wait_seconds=wait_seconds,
        afterwards=removal_lines(
            with_data=removing.with_data, left=removing.left, option=option_of(call.stack)
        ),
    )
    _remember(call, removing.plan)


def scale_service(call: Invocation, word: str, replicas: int, *, wait_seconds: float) -> None:
    """Have a service run in another number of instances.

    Raises:
        PrismError: it does not run, cannot have so many, or they did not come up in time.
    """
    client = open_stack(call)
    running = read_running_plan(client)
    (name,) = resolve_words([word], running.names, stack=call.stack)
    scaling = plan_scaling(running, name, replicas)
    if not scaling.changes:
        has = count_of(replicas, "instance")
        _say_unchanged(call, client, [line(f"{name} has {has} already; {_UNCHANGED}")])
        return
    more = replicas - running.service(name).replicas
    if more > 0:
        only = replace(running.service(name), replicas=more)
        warn_of_shortages(call, replace(running, services=(only,)))
    _follow_change(
        call,
        client,
        scaling.carry_out(client),
        plan=scaling.plan,
        names=[name],
        done=f"scaled {name} to {replicas}",
        late=f"{name} could not be scaled to {replicas}",
        wait_seconds=wait_seconds,
    )


def _settle_adding(call: Invocation, client: StackClient, options: AddOptions) -> Adding:
    """What is added, once somebody has said what to do about taken ports."""
    while True:
        try:
            return _plan_adding(call, client, options)
        except PortTakenError as error:
            if not call.can_ask or call.is_confirmed:
                raise
            from prismctl.cli.port_questions import settle_conflicts

            moved = settle_conflicts(call, error, untouched=_UNCHANGED)
            options = replace(options, moved=(*options.moved, *moved))


def _plan_adding(
    call: Invocation, client: StackClient, options: AddOptions, *, is_trial: bool = False
) -> Adding:
    request = PlanRequest(
        with_services=options.words,
        services_file=Path(options.catalog_file) if options.catalog_file else None,
        runtime=options.runtime,
        auto_ports=True if options.has_auto_ports else None,
        persist=True if options.persists else None,
        replaceable_ports=frozenset((each.service, each.port_name) for each in options.moved),
        stack=call.stack,
        reserves_ports=True,
        is_trial=is_trial,
    )
    return plan_adding(
        read_running_plan(client),
        request,
        home=call.home,
        environment=os.environ,
        working_directory=Path.cwd(),
        tell=lambda words: call.report([line(words)]),
    )


def _there(adding: Adding) -> str:
    verb = "is" if len(adding.present) == 1 else "are"
    return f"{list_of([*adding.present])} {verb} in stack {adding.running.stack}"


def _say_present(call: Invocation, client: StackClient, adding: Adding) -> None:
    """All that was asked for is there; what stands still is there as well."""
    lines = [line(f"{_there(adding)} already; {_UNCHANGED}")]
    asleep = [name for name in adding.present if not adding.running.service(name).replicas]
    lines += [
        line(f"{name} is scaled to 0; `prismctl dev scale {name} 1{option_of(call.stack)}` runs it")
        for name in asleep
    ]
    _say_unchanged(call, client, lines)


def _ask_about_dependents(call: Invocation, removing: Removing) -> bool:
    """Whether what needs them goes as well; where nobody can be asked, the daemon will refuse.

    Raises:
        InterruptedByUserError: Ctrl-C or SIGTERM.
        click.exceptions.Exit: everything stays.
    """
    if not call.can_ask:
        return False
    ask_for_agreement(
        call,
        dependents_lines(removing.dependents),
        yes="remove all of them",
        no="leave everything as it is",
        otherwise=_UNCHANGED,
    )
    return True


def _follow_change(
    call: Invocation,
    client: StackClient,
    messages: Iterator[dict[str, Any]],
    *,
    plan: StackPlan,
    names: Sequence[str],
    done: str,
    late: str,
    wait_seconds: float,
    shown: StackPlan | None = None,
    way_out: str = "",
    afterwards: Sequence[Line] = (),
) -> None:
    """Tell what happens until the services that are concerned are up, or it is clear that they will not be.

    Args:
        call: says how lines are shown.
        client: of the stack.
        messages: of the operation.
        plan: what shall run.
        names: of the services that have to come up.
        done: what is said once it is done.
        late: what is said where something is still to go, or to have its turn, when the time is up.
        wait_seconds: how long it may take.
        shown: what is told of it before; ``None``: nothing.
        way_out: the hint where they failed; empty: that of a start.
        afterwards: what else is said once it is done.

    Raises:
        PrismError: they did not come up, or not in time; or somebody let go of it.
    """
    began_at = time.time()
    watched: dict[str, Sequence[str]] = {
        name: [needed for needed in plan.service(name).depends_on if needed in names]
        for name in plan.names
        if name in names
    }
    try:
        with choose_narrator(call, began_at=began_at) as narrator:
            if shown is not None:
                narrator.tell_plan(shown)
            outcome = follow(
                messages,
                narrator=narrator,
                progress=begin_progress(watched),
                deadline=time.monotonic() + wait_seconds,
                read_status=client.status,
            )
    except (KeyboardInterrupt, Terminated) as interrupt:
        raise interruption_error(
            interrupt,
            "let go; the change goes on by itself",
            hint=f"`prismctl dev status{option_of(call.stack)}` shows how it is",
        ) from interrupt
    if outcome.result is None and not _find_late(client, names):
        raise DeadlineError(
            f"{late} within {wait_seconds:g} s; it goes on by itself",
            hint=f"`prismctl dev events{option_of(call.stack)}` shows how far it is",
        )
    conclude(
        call,
        client,
        outcome,
        seconds=wait_seconds,
        done=done,
        took=time.time() - began_at,
        wanted=names,
        way_out=way_out,
    )
    if afterwards and not call.is_json and not call.is_quiet:
        call.write_lines(afterwards)


def _find_late(client: StackClient, names: Sequence[str]) -> list[dict[str, Any]]:
    """Those of the services that are not up; none where something is still to go, or to have its turn."""
    services = client.status()["services"]
    return [each for each in services if each["name"] in names and not is_as_asked(each)]


def _say_unchanged(call: Invocation, client: StackClient, lines: Sequence[Line]) -> None:
    if call.is_json:
        result = {"outcome": "ready", "failed": [], "skipped": [], "status": client.status()}
        nothing: dict[str, Any] = {"added": [], "removed": [], "scaled": {}}
        call.write_json({"result": {**result, "changes": nothing}})
    elif not call.is_quiet:
        call.write_lines(lines)


def _remember(call: Invocation, plan: StackPlan) -> None:
    """Offer what somebody has by now as what they had last."""
    chosen = [service.name for service in plan.services if is_chosen(service.source)]
    file = Path(plan.profile)
    profile = file.stem if file.parent == call.home.profiles else ""
    remember_selection(call.home, chosen, profile)

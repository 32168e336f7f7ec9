"""Bringing a stack up: daemon and plan side by side, the plan shown and applied as shown, the end told truly.

What this start began, it takes down again when it is interrupted; what ran before, it leaves alone.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from prismctl.cli.disturbing import confirm_disturbances
from prismctl.cli.endings import conclude
from prismctl.cli.engine_guess import guess_engine
from prismctl.cli.estimating import find_usual
from prismctl.cli.following import follow, with_earlier_events
from prismctl.cli.interrupts import Terminated, held_interrupts, interruption_error
from prismctl.cli.lead_time import LeadTime
from prismctl.cli.narrators import choose_narrator
from prismctl.cli.preflight import check_before_start, warn_of_shortages
from prismctl.cli.process_clock import process_began_at
from prismctl.cli.stack import find_stack, option_of
from prismctl.cli.start_options import plan_request
from prismctl.cli.start_settings import settle_start
from prismctl.cli.stopping import (
    finish_stop,
    stop_after_interrupt,
    sweep_leftovers,
    sweep_lost,
    take_down,
    tell_stop,
    verify_stopped,
)
from prismctl.client import StackClient, start_daemon
from prismctl.client.condition import has_plan
from prismctl.domain.disturbance import find_disturbances
from prismctl.domain.plan import (
    EngineName,
    FailurePolicy,
    compare_plans,
    plan_from_json,
    plan_to_json,
)
from prismctl.domain.presets import RANDOM
from prismctl.domain.reloading import is_followed_alike
from prismctl.errors import PrismError
from prismctl.files.profile_schema import ensure_profile_schema
from prismctl.present.progress import begin_progress
from prismctl.present.text import Span, Tone, line
from prismctl.present.units import render_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prismctl.cli.invocation import Invocation
    from prismctl.cli.start_options import StartOptions
    from prismctl.cli.start_questions import Settled
    from prismctl.cli.start_settings import StartSettings
    from prismctl.client import StartingDaemon
    from prismctl.domain.plan import StackPlan

AGENTS: Final = {
    EngineName.NOMAD: ("consul", "nomad"),
    EngineName.LOCAL: (),
    EngineName.CLUSTER: (),
}
"""What an engine needs to have running itself, in start order."""


def plan_for(
    call: Invocation,
    options: StartOptions,
    *,
    held_by: StackPlan | None,
    is_trial: bool = False,
    hear: Callable[[str], None] = lambda _: None,
) -> StackPlan:
    """What was typed, decided; the ports of the stack that runs are not in its way.

    ``hear`` is told what takes seconds.
    """
    from prismctl.planning import make_plan

    if options.preset == RANDOM:
        call.report([line(f"`--preset=random --seed={options.random_seed}` draws the same again")])
    request = plan_request(call, options, held_by=held_by, is_trial=is_trial)

    def tell(words: str) -> None:
        hear(words)
        call.report([line(words)])

    return make_plan(
        request,
        home=call.home,
        environment=os.environ,
        working_directory=Path.cwd(),
        tell=tell,
    )


def start_stack(call: Invocation, settled: Settled) -> None:
    """Start the stack, or change it to the plan, and wait until it is ready.

    Where ports are taken and somebody can be asked, they are; nothing of the start runs meanwhile, and the
    time they take does not count.

    Raises:
        PrismError: it did not come up, or not in time, or was interrupted; the message says how it was left.
        click.exceptions.Exit: somebody decided not to go on.
    """
    options, chosen = settled.options, settled.daemon
    began_at = settled.began_at or process_began_at()
    waits_from = time.monotonic()
    while True:
        client = _find_running(call) if chosen is None else _find_planned(call)
        try:
            if client is not None:
                _change(call, options, client, began_at=began_at, waits_from=waits_from)
            else:
                _begin(call, options, chosen, began_at=began_at, waits_from=waits_from)
        except PrismError as error:
            from prismctl.planning import PortTakenError

            if not isinstance(error, PortTakenError) or not call.can_ask or call.is_confirmed:
                raise
            from prismctl.cli.port_questions import settle_conflicts

            asked_at = time.monotonic()
            untouched = "nothing was changed" if client is not None else "nothing was started"
            moved = settle_conflicts(call, error, untouched=untouched)
            chosen = None
            options = replace(options, moved=(*options.moved, *moved))
            asked_seconds = time.monotonic() - asked_at
            began_at += asked_seconds
            waits_from += asked_seconds
        else:
            return


def _find_running(call: Invocation) -> StackClient | None:
    """A client of the stack when it runs; one that goes down is waited for.

    Raises:
        PrismError: something of that one does not end.
    """
    client = find_stack(call.paths)
    return None if client is None or finish_stop(call, client) else client


def _find_planned(call: Invocation) -> StackClient | None:
    """A client of the stack that somebody else started while it was being chosen what to start here."""
    client = _find_running(call) if has_plan(call.paths) else None
    return client if client is not None and client.plan() is not None else None


def _change(
    call: Invocation,
    options: StartOptions,
    client: StackClient,
    *,
    began_at: float,
    waits_from: float,
) -> None:
    """Apply the plan to a stack that runs, once it is clear that it shall; an interrupt only lets go of it."""
    applied = read_applied_plan(client)
    plan = applied
    if plan is None or options.is_choice:
        plan = plan_for(call, options, held_by=applied)
        warn_of_shortages(call, plan, running=applied)
    elif options.watches:
        plan = replace(plan, terms=replace(plan.terms, watch=True))
    if applied is None and _find_running(call) is None:
        # Only agents ran, for somebody who was choosing, and has left meanwhile.
        _begin(call, options, None, began_at=began_at, waits_from=waits_from)
        return
    is_same = (
        applied is not None
        and not compare_plans(applied, plan)
        and is_followed_alike(applied, plan)
    )
    status = client.status()
    state = status["state"]
    if is_same and state == "running" and not options.log_file:
        _say_already_running(call, status)
        return
    disturbances = find_disturbances(applied, plan)
    asked_at = time.monotonic()
    if confirm_disturbances(call, disturbances, status["services"]):
        disturbances = ()
        asked_seconds = time.monotonic() - asked_at
        began_at += asked_seconds
        waits_from += asked_seconds
    is_first = applied is None or (is_same and state == "starting")
    settings = settle_start(call, plan_request(call, options))
    try:
        with choose_narrator(call, began_at=began_at) as narrator:
            narrator.tell_plan(plan, disturbances)
            outcome = follow(
                _request(call, client, plan, options, settings=settings, began_at=began_at),
                narrator=narrator,
                progress=begin_progress(_dependencies(plan)),
                deadline=waits_from + settings.wait_seconds,
                read_status=client.status,
            )
    except (KeyboardInterrupt, Terminated) as interrupt:
        raise interruption_error(
            interrupt,
            f"let go of stack `{call.stack}`, which ran before; it goes on changing by itself",
            hint=f"`prismctl dev status{option_of(call.stack)}` shows how it is",
        ) from interrupt
    conclude(
        call,
        client,
        outcome,
        seconds=settings.wait_seconds,
        stop=_stop_of(call, settings, client),
        # A start that is only waited for has a time of its own.
        began_at=None if is_first else began_at,
    )


def _stop_of(
    call: Invocation, settings: StartSettings, client: StackClient
) -> Callable[[], None] | None:
    """What takes the stack down when it is not ready in time; ``None`` where it shall stay."""
    if settings.on_failure is not FailurePolicy.STOP:
        return None

    def stop() -> None:
        call.report([line("not ready in time; stopping it (--on-failure stop)")])
        tell_stop(call, client.stop())
        verify_stopped(call.paths)

    return stop


def _begin(
    call: Invocation,
    options: StartOptions,
    daemon: StartingDaemon | None,
    *,
    began_at: float,
    waits_from: float,
) -> None:
    """Bring up the daemon and make the plan side by side; an interrupt takes down what was begun.

    A ``daemon`` that somebody brought up already is gone on with.
    """
    check_before_start(call)
    lost = sweep_lost(call)
    if lost:
        call.report([line(f"swept {what}") for what in lost])
    swept = sweep_leftovers(call.paths)
    if swept:
        call.report(
            [line(f"the last run ended without being stopped; swept {what}") for what in swept]
        )
    try:
        with held_interrupts() as check:
            daemon = daemon or start_daemon(call.paths, guess_engine(call, options))
            _plan_and_apply(
                call, options, daemon, began_at=began_at, waits_from=waits_from, check=check
            )
    except (KeyboardInterrupt, Terminated) as interrupt:
        if daemon is None:
            raise
        how = stop_after_interrupt(call, daemon)
        raise interruption_error(
            interrupt,
            f"stack `{call.stack}` was {how} again; nothing is left running",
            hint=f"`prismctl dev start{option_of(call.stack)}` starts it",
        ) from interrupt


def _plan_and_apply(
    call: Invocation,
    options: StartOptions,
    daemon: StartingDaemon,
    *,
    began_at: float,
    waits_from: float,
    check: Callable[[], None],
) -> None:
    """A daemon that has nothing to look after in the end is not left behind."""
    client = StackClient(call.paths)
    lead = LeadTime(waits_from)
    try:
        plan = plan_for(call, options, held_by=None, hear=lead.hear)
        settings = settle_start(call, plan_request(call, options))
        warn_of_shortages(call, plan)
        check()
        lead.mark("the plan")
        with choose_narrator(call, began_at=began_at) as narrator:
            narrator.tell_plan(plan)
            daemon.wait()
            if not daemon.is_ours and _find_running(call) is None:
                # It was up already for somebody who was choosing, and has left meanwhile.
                start_daemon(call.paths, plan.engine.value).wait()
            lead.mark("bringing up the daemon")
            check()
            messages = _request(call, client, plan, options, settings=settings, began_at=began_at)
            outcome = follow(
                with_earlier_events(messages, client, since=began_at),
                narrator=narrator,
                progress=begin_progress(_dependencies(plan), AGENTS[plan.engine]),
                deadline=waits_from + settings.wait_seconds,
                read_status=client.status,
                check=check,
            )
        conclude(
            call,
            client,
            outcome,
            seconds=settings.wait_seconds,
            stop=_stop_of(call, settings, client),
            usual=lambda result: find_usual(call.home, client, plan, result, began_at=began_at),
            lead=lead.describe(settings.wait_seconds),
        )
    except PrismError:
        # What Ctrl-C ended of the programs that were asked something has not failed by itself.
        check()
        daemon.wait()
        if find_stack(call.paths) is not None and take_down(client):
            verify_stopped(call.paths)
        raise


def _request(
    call: Invocation,
    client: StackClient,
    plan: StackPlan,
    options: StartOptions,
    *,
    settings: StartSettings,
    began_at: float,
) -> Iterator[dict[str, Any]]:
    messages = client.apply(
        plan_to_json(plan),
        began_at,
        settings.on_failure.value,
        log_file=options.log_file or "",
        dashboard_port=settings.dashboard_port,
    )
    ensure_profile_schema(call.home)
    return _noting_use(call, plan.profile, messages) if plan.profile else messages


def _noting_use(
    call: Invocation, profile: str, messages: Iterator[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    """The messages; with the first of them the plan is in the daemon's hands, and its profile has been used."""
    from prismctl.files.profile_uses import record_use

    for message in messages:
        record_use(call.home, Path(profile))
        yield message
        break
    yield from messages


def _dependencies(plan: StackPlan) -> dict[str, tuple[str, ...]]:
    return {service.name: service.depends_on for service in plan.services}


def _say_already_running(call: Invocation, status: dict[str, Any]) -> None:
    if call.is_json:
        call.write_json(
            {"result": {"outcome": "ready", "failed": [], "skipped": [], "status": status}}
        )
        return
    if call.is_quiet:
        return
    up = render_duration(status.get("uptime_seconds"))
    words = f"stack {call.stack} already runs this plan, up {up}; nothing was changed"
    call.write_lines([line(Span(words, Tone.GOOD))])


def read_applied_plan(client: StackClient | None) -> StackPlan | None:
    """The plan that runs."""
    document = client.plan() if client is not None else None
    return plan_from_json(document) if document is not None else None

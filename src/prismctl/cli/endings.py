"""How an operation ended, in words and as an error: all well, some failed, all failed, not in time."""

from __future__ import annotations

import contextlib
import shutil
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from prismctl.cli.narrators import tell_done, tell_page
from prismctl.cli.stack import option_of
from prismctl.domain.snapshot import is_as_asked
from prismctl.errors import DeadlineError, PartialError, PrismError
from prismctl.present.data import start_lines
from prismctl.present.excerpt import MOST_LINES, READ_LINES
from prismctl.present.failure import failure_card, find_dependants, find_missing
from prismctl.present.partial import describe_partial, find_given_up
from prismctl.present.progress import waiting_for
from prismctl.present.reason import explain_all
from prismctl.present.text import UNBOUNDED, line
from prismctl.present.units import render_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from prismctl.cli.following import Outcome
    from prismctl.cli.invocation import Invocation
    from prismctl.client import StackClient
    from prismctl.domain.estimate import Estimate
    from prismctl.present.progress import Progress

_WIDEST_CARD: Final = 100


def conclude(
    call: Invocation,
    client: StackClient,
    outcome: Outcome,
    *,
    seconds: float,
    stop: Callable[[], None] | None = None,
    began_at: float | None = None,
    done: str = "",
    took: float = 0.0,
    wanted: Sequence[str] = (),
    way_out: str = "",
    usual: Callable[[dict[str, Any]], Estimate | None] | None = None,
    lead: str = "",
) -> None:
    """Say how an operation ended.

    Args:
        call: says how lines are shown.
        client: of the stack.
        outcome: how it ended.
        seconds: how long it could take.
        stop: takes the stack down where it was not ready in time; ``None``: it stays as it is.
        began_at: when a change of a stack that ran began; its time is told, not that of the first start.
        done: what is said instead of the banner.
        took: how long that took.
        wanted: the services it was about; empty: all.
        way_out: the hint where some of them failed; empty: that of a start.
        usual: what was to be expected, by the result; ``None`` where nobody has measured that.
        lead: what took much of the time before there was anything to wait for.

    Raises:
        PrismError: it did not end well.
    """
    result = outcome.result
    if result is None:
        status = client.status()
        if stop is not None:
            stop()
        raise deadline_error(
            call,
            _with_last_words(status, outcome.progress),
            seconds=seconds,
            wanted=wanted,
            is_stopped=stop is not None,
            lead=lead,
        )
    if call.is_json:
        call.write_json({"result": result})
    elif call.has_animation and not call.is_quiet:
        # Where nothing is redrawn, an event has said it.
        data = result.get("data") or {}
        words = start_lines(
            data.get("fresh") or (), data.get("kept") or (), option=option_of(call.stack)
        )
        call.write_lines([*words, *([()] if words else [])])
    error = ending_error(call, result, way_out=way_out)
    if error is not None:
        raise error
    if not done:
        own_seconds = None if began_at is None else time.time() - began_at
        ready_seconds = result["status"].get("ready_seconds")
        say_ready(
            call,
            result["status"],
            ready_seconds=ready_seconds if own_seconds is None else own_seconds,
            usual=partial(usual, result) if usual is not None else None,
            read_dashboard=client.dashboard,
        )
    elif not call.is_json and not call.is_quiet:
        call.write_lines([line(f"{done} in {render_duration(took)}")])


def say_ready(
    call: Invocation,
    status: dict[str, Any],
    *,
    ready_seconds: float | None,
    usual: Callable[[], Estimate | None] | None = None,
    read_dashboard: Callable[[], dict[str, str]] | None = None,
) -> None:
    """The last words of a start that went well.

    Args:
        call: says how lines are shown.
        status: of the stack that is up.
        ready_seconds: how long that took.
        usual: what was to be expected.
        read_dashboard: asks for the address of the dashboard that lets somebody in: shown to who sits there, and to
            nobody else.
    """
    if call.is_json or call.is_quiet:
        return
    endpoints = status.get("endpoints") or {}
    page, obstacle = str(endpoints.get("dashboard") or ""), ""
    link = page
    if read_dashboard is not None and page:
        # It is up all the same, when the link cannot be had.
        with contextlib.suppress(PrismError):
            found = read_dashboard()
            link, obstacle = found["url"], found["obstacle"]
    if not call.is_on_terminal:
        took = "" if ready_seconds is None else f"{ready_seconds:.1f}s"
        if obstacle:
            tell_page(call, page, obstacle)
        tell_done(call, stack=status["stack"], ready_in=took)
        return
    from prismctl.present.banner import ready_banner

    if page:
        status = {**status, "endpoints": {**endpoints, "dashboard": link}}
    # Asked for last: nobody else has to wait for the history.
    estimate = usual() if usual is not None else None
    call.write_lines(
        ready_banner(
            status,
            ready_seconds=ready_seconds,
            estimate=estimate,
            width=call.width,
            obstacle=obstacle,
        )
    )


def ending_error(
    call: Invocation, result: dict[str, Any], *, way_out: str = ""
) -> PrismError | None:
    """The error that an operation's result stands for; ``None`` when all is ready. Shows a card a failure.

    ``way_out`` is the hint where the rest runs; empty: that of a start.
    """
    outcome = result["outcome"]
    if outcome == "ready":
        return None
    status = result["status"]
    failed = list(result.get("failed") or [])
    skipped = list(result.get("skipped") or [])
    show_cards(call, status, failed)
    option = option_of(call.stack)
    if outcome == "stopped":
        return PrismError(
            f"stack `{call.stack}` was stopped while it started",
            hint=f"`prismctl dev events{option}` shows what happened",
        )
    names = ", ".join(failed) or "nothing could be brought up"
    behind = f"; not started because of that: {', '.join(skipped)}" if skipped else ""
    if outcome == "partial":
        words = describe_partial(status.get("services") or [], failed, skipped)
        return PartialError(
            f"{words}; the rest runs",
            hint=way_out
            or f"`prismctl dev status{option}` shows all, `prismctl dev stop{option}` stops it",
        )
    was = "; everything was stopped again" if status.get("state") == "stopped" else ""
    first = failed[0] if failed else ""
    return PrismError(
        f"the stack did not come up: {names}{behind}{was}",
        hint=f"`prismctl dev logs {first}{option}` shows all it printed"
        if first
        else f"`prismctl dev events{option}` shows what happened",
    )


def deadline_error(
    call: Invocation,
    status: dict[str, Any],
    *,
    seconds: float,
    wanted: Sequence[str] = (),
    is_stopped: bool = False,
    lead: str = "",
) -> PrismError:
    """Time is up: a failure when something failed, else the culprits by name, each with its last probe error.

    Args:
        call: says how lines are shown.
        status: of the stack when the time was up.
        seconds: how long that was.
        wanted: the services it was about; empty: all.
        is_stopped: the stack was taken down because of it.
        lead: what took much of that time before there was anything to wait for.
    """
    services = [
        service
        for service in status.get("services") or []
        if not wanted or service["name"] in wanted
    ]
    lost = [service["name"] for service in services if service["state"] == "failed"]
    skipped = find_given_up(services)
    failed = [name for name in lost if name not in skipped]
    option = option_of(call.stack)
    was = "; everything was stopped again" if is_stopped else ""
    gone = f"; {lead}" if lead else ""
    shown = {**status, "state": "stopped"} if is_stopped else status
    if failed:
        show_cards(call, shown, failed)
        kind = PrismError if is_stopped else PartialError
        return kind(
            f"{describe_partial(services, failed, skipped)}{was}",
            hint=f"`prismctl dev logs {failed[0]}{option}` shows all it printed"
            if is_stopped
            else f"`prismctl dev status{option}` shows all",
        )
    culprits = find_culprits(services)
    if not culprits:
        agents = [
            name for name, state in (status.get("components") or {}).items() if state != "ready"
        ]
        what = ", ".join(agents) or "the stack"
        return DeadlineError(
            f"{what} was not ready within {seconds:g} s{gone}{was}",
            hint=f"`prismctl dev events{option}` shows what happened",
        )
    names = [culprit["name"] for culprit in culprits]
    show_cards(call, shown, names[:1])
    verb = "were" if len(names) > 1 else "was"
    return DeadlineError(
        f"{', '.join(names)} {verb} not ready within {seconds:g} s: {explain_all(culprits)}{gone}{was}",
        hint="`--wait-timeout SECONDS` waits longer, `--on-failure keep` leaves what runs"
        if is_stopped
        else f"`prismctl dev wait{option}` waits on, `prismctl dev stop{option}` stops it",
    )


def _with_last_words(status: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """The status in which a service that only waits says what an event said of it last: that its image is fetched."""
    services = [
        {**service, "reason": service.get("reason") or progress.message_of(service["name"])}
        if service["state"] == "waiting"
        else service
        for service in status.get("services") or []
    ]
    return {**status, "services": services}


def find_culprits(services: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The services that are not up though all they need is; those for which most wait come first."""
    pending = {service["name"]: service for service in services if not is_as_asked(service)}
    dependencies = {service["name"]: service.get("depends_on") or [] for service in services}
    free = [
        service
        for name, service in pending.items()
        if not any(needed in pending for needed in dependencies[name])
    ]
    # Where all wait for each other, none of them is to blame more than another.
    free = free or list(pending.values())[:1]
    return sorted(free, key=lambda service: -len(waiting_for(dependencies, service["name"])))


def show_cards(call: Invocation, status: dict[str, Any], names: Sequence[str]) -> None:
    """A card for each named service, on stderr; none where the answer is JSON."""
    if call.is_json:
        return
    from prismctl.files.service_data import ServiceData

    services = {service["name"]: service for service in status.get("services") or []}
    aside = ServiceData(call.paths.data).names_of_previous()
    for name in names:
        service = services.get(name) or {"name": name, "state": "failed"}
        card = failure_card(
            service,
            said=last_words(call, name),
            dependants=find_dependants(list(services.values()), name),
            missing=find_missing(list(services.values()), name),
            width=call.width if call.width >= UNBOUNDED else min(call.width, _WIDEST_CARD),
            stack=call.stack,
            is_running=status.get("state") != "stopped",
            has_previous=name in aside,
            most_lines=_lines_of_card(call),
        )
        call.show([*card, ()])


def _lines_of_card(call: Invocation) -> int:
    """How much of what a service said is shown: on a terminal, the beginning of the card stays in view."""
    if call.width >= UNBOUNDED:
        return MOST_LINES
    around = 15
    return min(MOST_LINES, shutil.get_terminal_size().lines - around)


def last_words(call: Invocation, service: str) -> list[dict[str, Any]]:
    """The last lines a service printed, from its files, which are there whoever has ended."""
    from prismctl.files.log_line import line_to_json
    from prismctl.files.logs import read_logs
    from prismctl.files.redaction import load_redactor

    try:
        lines = [
            line_to_json(entry)
            for entry in read_logs(
                call.paths.logs, [service], tail=READ_LINES, redactor=load_redactor(call.paths)
            )
        ]
    except (OSError, PrismError):
        return []
    return lines[-READ_LINES:]

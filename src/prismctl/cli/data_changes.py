"""Changing what services have stored: by the daemon where the stack runs, on the files where it does not."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from prismctl.cli.agreement import ask_for_agreement
from prismctl.cli.data_listing import settle_files
from prismctl.cli.interrupts import Terminated, interruption_error
from prismctl.cli.naming import resolve_words
from prismctl.cli.stack import find_stack, option_of
from prismctl.client.holding import holding_stack
from prismctl.errors import ConfigError, Problem, RejectedError
from prismctl.files.data_changes import copy_data, find_source, prepare_reset, prepare_restore
from prismctl.files.passwords import adopt_passwords
from prismctl.files.service_data import ServiceData
from prismctl.files.snapshots import MAX_SNAPSHOTS, Snapshots, verify_name
from prismctl.present.data import change_lines
from prismctl.present.text import line
from prismctl.present.units import list_of, render_bytes, render_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from prismctl.cli.invocation import Invocation
    from prismctl.client import StackClient
    from prismctl.files.data_changes import DataChange

_KNOWN: Final = "`prismctl dev data list` shows the names"
_AT_REST: Final = frozenset({"completed", "failed", "stopped"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Running:
    """A stack that runs."""

    client: StackClient
    services: dict[str, dict[str, Any]]
    """By name, as the status document has them."""


def reset_data(call: Invocation, words: Sequence[str], *, wait_seconds: float) -> None:
    """Let services start without data.

    Raises:
        PrismError: it cannot be moved, or a service did not come back.
        click.exceptions.Exit: somebody decided against it.
    """
    stack = _look(call)
    data = ServiceData(call.paths.data)
    known = {*data.names(), *(stack.services if stack else ())}
    names = resolve_words(words, sorted(known), hint=_KNOWN)
    if stack is None:

        def change() -> DataChange:
            prepared = prepare_reset(call.paths, names)
            _carry_out(data, prepared)
            return prepared

        _change_files(call, "reset", change)
        return
    _ask_about_stopping(call, stack, names, [], "puts {their} data aside")
    _operate(
        call, stack, "reset", stack.client.reset_data(names), names=names, wait_seconds=wait_seconds
    )


def restore_data(
    call: Invocation,
    words: Sequence[str],
    *,
    name: str,
    is_previous: bool,
    wait_seconds: float,
) -> None:
    """Put data of a snapshot, or what was put aside, in place.

    Raises:
        PrismError: there is no such data, it cannot be copied, or a service did not come back.
        click.exceptions.Exit: somebody decided against it.
    """
    if name and is_previous:
        problem = Problem(message="--name and --previous are two different things to restore")
        raise ConfigError((problem,), hint="leave one of them out")
    stack = _look(call)
    data, snapshots = ServiceData(call.paths.data), Snapshots(call.paths.snapshots)
    known = {*data.names(), *(stack.services if stack else ())}
    known |= {service for each in snapshots.list_all() for service in each.sizes}
    names = resolve_words(words, sorted(known), hint=_KNOWN)
    if stack is None:

        def change() -> DataChange:
            prepared = prepare_restore(
                call.paths, names, snapshot=name, is_previous=is_previous, keeps=True
            )
            _carry_out(data, prepared)
            adopt_passwords(call.paths, prepared.passwords)
            return prepared

        _change_files(call, "restore", change)
        return
    if is_previous:
        chosen = names or data.names_of_previous()
    else:
        source = find_source(call.paths, names, name)
        # What is asked about is what is done, though another snapshot may be taken meanwhile.
        name, chosen = source.name, names or list(source.sizes)
    what = "brings back what was put aside" if is_previous else f"brings back snapshot `{name}`"
    _ask_about_stopping(call, stack, chosen, [], what)
    stream = stack.client.restore_data(names, name=name, is_previous=is_previous)
    _operate(call, stack, "restore", stream, names=chosen, wait_seconds=wait_seconds)


def take_snapshot(
    call: Invocation, words: Sequence[str], *, name: str, wait_seconds: float
) -> None:
    """Copy the data of services, or of all that have some.

    Raises:
        PrismError: there is no data, it cannot be copied, or a service did not come back.
        click.exceptions.Exit: somebody decided against it.
    """
    stack = _look(call)
    data, snapshots = ServiceData(call.paths.data), Snapshots(call.paths.snapshots)
    known = {*data.names(), *(stack.services if stack else ())}
    hint = f"{_KNOWN}; what the snapshot is called is said with `--name {words[0] if words else 'NAME'}`"
    names = resolve_words(words, sorted(known), hint=hint)
    if not names:
        names = [each for each in data.names() if data.has_data(each)]
    if not names:
        raise RejectedError(f"no service of stack `{call.stack}` has any data", hint=_KNOWN)
    name = name or snapshots.choose_name(time.time())
    verify_name(name)
    oldest = snapshots.find_oldest(sparing=name)
    reasons = []
    is_there = snapshots.find(name) is not None
    if is_there:
        reasons.append(f"snapshot `{name}` is replaced")
    if oldest:
        gone = [
            f"`{each.name}` ({_age(each.taken_at)}, {render_bytes(each.size_bytes)})"
            for each in oldest
        ]
        reasons.append(f"there are {MAX_SNAPSHOTS} snapshots, the most: {list_of(gone)} is removed")
    removes = [each.name for each in oldest]
    if stack is None:
        _confirm(call, reasons)
        _change_files(
            call,
            "snapshot",
            lambda: copy_data(call.paths, names, name=name, replaces=is_there, removes=removes),
        )
        return
    stops = [each for each in names if _is_at_work(stack, each)]
    _ask_about_stopping(call, stack, stops, reasons, "copies {their} data")
    stream = stack.client.take_snapshot(names, name=name, replaces=is_there, removes=removes)
    _operate(call, stack, "snapshot", stream, names=stops, wait_seconds=wait_seconds)


def _look(call: Invocation) -> _Running | None:
    client = find_stack(call.paths)
    if client is None:
        return None
    services = {each["name"]: each for each in client.status()["services"]}
    return _Running(client=client, services=services)


def _is_at_work(stack: _Running, name: str) -> bool:
    return name in stack.services and stack.services[name]["state"] not in _AT_REST


def _age(moment: float) -> str:
    return f"{render_duration(time.time() - moment)} old"


def _ask_about_stopping(
    call: Invocation,
    stack: _Running,
    names: Sequence[str],
    reasons: Sequence[str],
    what: str,
) -> None:
    """Say who is stopped, ``what`` is done then, and who depends on it, and ask."""
    stopped = [name for name in names if _is_at_work(stack, name)]
    words = list(reasons)
    if stopped:
        them, their = ("it", "its") if len(stopped) == 1 else ("them", "their")
        done = what.replace("{their}", their)
        words.insert(0, f"this stops {list_of(stopped)}, {done} and starts {them} again")
        dependents = _dependents(stack, stopped)
        if dependents:
            depend = (
                "depends on that and runs" if len(dependents) == 1 else "depend on that and run"
            )
            words.insert(1, f"{list_of(dependents)} {depend} on without it for a moment")
    _confirm(call, words)


def _dependents(stack: _Running, names: Sequence[str]) -> list[str]:
    found = set(names)
    # Services come after what they depend on.
    for name, service in stack.services.items():
        if not found.isdisjoint(service["depends_on"]):
            found.add(name)
    return [name for name in stack.services if name in found and name not in names]


def _confirm(call: Invocation, reasons: Sequence[str]) -> None:
    """Ask; where nobody can be asked, only `--yes` is an agreement."""
    if not reasons or call.is_confirmed:
        return
    if call.can_ask:
        ask_for_agreement(
            call,
            [*map(line, reasons)],
            yes="go on",
            no="leave everything as it is",
            otherwise="nothing was touched",
        )
        return
    problem = Problem(message=f"{'; '.join(reasons)}: here nobody can be asked whether to go on")
    raise ConfigError((problem,), hint="add --yes to go on without a question")


def _carry_out(data: ServiceData, change: DataChange) -> None:
    try:
        for each in change.exchanges:
            data.carry_out(each)
    finally:
        for each in change.exchanges:
            data.give_up(each)


def _change_files(call: Invocation, action: str, change: Callable[[], DataChange]) -> None:
    """Change the files of a stack that does not run, while nobody can start it."""
    began = time.monotonic()
    try:
        with holding_stack(call.paths, f"prismctl dev data {action}"):
            notes = settle_files(call.paths)
            done = change()
    except (KeyboardInterrupt, Terminated) as interrupt:
        raise interruption_error(
            interrupt,
            f"the {action} was interrupted; all data is whole",
            hint=f"`prismctl dev data list{option_of(call.stack)}` shows what there is",
        ) from interrupt
    _tell(
        call,
        action,
        {
            "services": dict(done.sizes),
            "snapshot": done.snapshot,
            "removed": list(done.removed),
            "restarted": [],
        },
        seconds=time.monotonic() - began,
        notes=notes,
    )


def _operate(
    call: Invocation,
    stack: _Running,
    action: str,
    stream: Iterator[dict[str, Any]],
    *,
    names: Sequence[str],
    wait_seconds: float,
) -> None:
    """Have the daemon do it, and follow until what runs is healthy again."""
    from prismctl.cli.endings import deadline_error, ending_error
    from prismctl.cli.following import follow
    from prismctl.cli.narrators import SilentNarrator, choose_narrator
    from prismctl.present.progress import begin_progress

    began_at = time.time()
    watched = {name: () for name in stack.services if name in names}
    narrator = SilentNarrator() if call.is_json else choose_narrator(call, began_at=began_at)
    option = option_of(call.stack)
    try:
        with narrator:
            outcome = follow(
                stream,
                narrator=narrator,
                progress=begin_progress(watched),
                deadline=time.monotonic() + wait_seconds,
                read_status=stack.client.status,
            )
    except (KeyboardInterrupt, Terminated) as interrupt:
        raise interruption_error(
            interrupt,
            f"let go; the {action} goes on by itself",
            hint=f"`prismctl dev data list{option}` shows what there is",
        ) from interrupt
    if outcome.result is None:
        raise deadline_error(call, stack.client.status(), seconds=wait_seconds, wanted=list(names))
    _tell(call, action, outcome.result["data"], seconds=time.time() - began_at, notes=[])
    error = ending_error(call, outcome.result)
    if error is not None:
        raise error


def _tell(
    call: Invocation, action: str, done: dict[str, Any], *, seconds: float, notes: Sequence[str]
) -> None:
    document = {
        "schema": 1,
        "stack": call.stack,
        "action": action,
        "services": [
            {"name": name, "bytes": size, "restarted": name in done["restarted"]}
            for name, size in done["services"].items()
        ],
        "snapshot": done["snapshot"],
        "removed": list(done["removed"]),
        "seconds": round(seconds, 3),
        "notes": list(notes),
    }
    if call.is_json:
        call.write_json(document, is_pretty=call.is_on_terminal)
    elif not call.is_quiet:
        call.write_lines(change_lines(document, option=option_of(call.stack)))

"""What to do about taken ports, asked once for each who has some: end them, take other ports, or stop."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

import click

from prismctl.cli.holder_ending import (
    GRACE_SECONDS,
    Ending,
    end_holder,
    is_protected,
    is_same_holder,
    taken_of,
)
from prismctl.cli.interrupts import Terminated, interruption_error
from prismctl.cli.keypress import ask_for_key
from prismctl.domain.port_owner import (
    advise_on_container,
    describe_container,
    describe_owner,
    stop_command,
    who_command,
)
from prismctl.errors import ExitCode
from prismctl.machine import is_port_free, who_holds
from prismctl.present.problems import message_lines
from prismctl.present.question import Choice
from prismctl.present.text import Line, Span, Tone, clean, line
from prismctl.present.units import list_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prismctl.cli.invocation import Invocation
    from prismctl.domain.addressing import PortConflict, PortHolder
    from prismctl.domain.host_port import HostPort
    from prismctl.domain.port_owner import StackOwner
    from prismctl.planning import PortTakenError

END: Final = "k"
MOVE: Final = "a"
LOOK: Final = "r"
LEAVE: Final = "q"
STOP: Final = "s"
"""The keys of the answers."""


class _Obstacle(NamedTuple):
    """Why a holder is not offered to be ended, and what to do about it instead."""

    why: str
    advice: str


class HeldPorts(NamedTuple):
    """Taken ports about which one answer is enough: one process has them, one stack, or nobody that can be seen."""

    conflicts: tuple[PortConflict, ...]
    """Never empty."""
    owner: StackOwner | None = None
    """The stack whose processes have them."""

    @property
    def holder(self) -> PortHolder | None:
        """Who has them; of a stack's processes, the first."""
        return self.conflicts[0].holder

    @property
    def ports(self) -> tuple[HostPort, ...]:
        """The ports themselves."""
        return tuple(conflict.port for conflict in self.conflicts)

    @property
    def processes(self) -> str:
        """Who has them, by PID: ``PID 7``, ``PIDs 7 and 8``."""
        holders = (conflict.holder for conflict in self.conflicts)
        pids = dict.fromkeys(str(holder.pid) for holder in holders if holder and holder.pid)
        return f"{'PID' if len(pids) == 1 else 'PIDs'} {list_of([*pids])}"


def settle_conflicts(
    call: Invocation, error: PortTakenError, *, untouched: str
) -> tuple[PortConflict, ...]:
    """Ask what to do about the taken ports, once for each who has some; returns those whose services shall get others.

    The other ports are free, or somebody else's by now: whoever asked has to plan again.

    Args:
        call: one that can ask.
        error: what is in the way.
        untouched: how a stop leaves things, in words.

    Raises:
        InterruptedByUserError: Ctrl-C or SIGTERM.
        click.exceptions.Exit: it shall stop here.
    """
    call.show([*message_lines(error.message, hint="", problems=error.problems), ()])
    moved: list[PortConflict] = []
    try:
        holdings = group_by_holder(error.conflicts)
        for held in holdings:
            # What one holder had started may have ended with it.
            if len(holdings) > 1 and not taken_of(held.ports):
                continue
            key = _settle(call, held, is_alone=len(holdings) == 1)
            if key == LEAVE:
                call.show([line(untouched), (), _hint_line(error.hint)])
                raise click.exceptions.Exit(ExitCode.FAILED)
            if key == MOVE:
                moved += held.conflicts
            if key == STOP and held.owner is not None:
                stop_owner(call, held.owner)
    except (KeyboardInterrupt, Terminated) as interrupt:
        raise interruption_error(interrupt, f"interrupted; {untouched}") from interrupt
    return tuple(moved)


def group_by_holder(conflicts: Sequence[PortConflict]) -> list[HeldPorts]:
    """The taken ports by who has them, in the order in which they were found."""
    groups: dict[object, list[PortConflict]] = {}
    owners: dict[object, StackOwner | None] = {}
    for conflict in conflicts:
        holder = conflict.holder
        key: object = holder
        if holder is not None and holder.owner is not None:
            key = holder.owner.keeper
        elif holder is not None:
            # The same process may have been described at two moments.
            key = (holder.pid, holder.user)
        groups.setdefault(key, []).append(conflict)
        owners[key] = holder.owner if holder is not None else None
    return [HeldPorts(tuple(group), owners[key]) for key, group in groups.items()]


def _settle(call: Invocation, held: HeldPorts, *, is_alone: bool) -> str:
    """The key that settled it."""
    holder = held.holder
    obstacle = find_obstacle(held)
    above: list[Line] = []
    if not is_alone:
        which = [f"{each.port} ({each.service})" for each in held.conflicts]
        above += [line(Span(_ports(which), Tone.STRONG)), ()]
    is_stubborn = False
    while True:
        if obstacle is not None:
            above += [*obstacle_lines(obstacle), ()]
        if above:
            call.show(above)
        choices = choices_for(held, can_end=obstacle is None, is_stubborn=is_stubborn)
        key = ask_for_key(
            call, choices, declining=LEAVE, stands_after=lambda key: _look_again(call, held, key)
        )
        if key != END or holder is None:
            return key
        ending = end_holder(held.ports, holder, kills=is_stubborn)
        who = held.processes
        taken = taken_of(held.ports)
        if ending is Ending.FREE:
            verb = "is" if len(held.ports) == 1 else "are"
            call.report([line(f"{who} has ended; {_ports(held.ports)} {verb} free"), ()])
            return key
        if ending is Ending.CHANGED:
            verb = "is" if len(taken) == 1 else "are"
            if taken:
                call.show([line(f"{_ports(taken)} {verb} somebody else's by now"), ()])
            return key
        if ending is Ending.FORBIDDEN:
            obstacle = _Obstacle(
                f"{who} may not be ended by you", f"`sudo kill {holder.pid}` ends it"
            )
            above = []
        else:
            sent = "SIGKILL" if is_stubborn else "SIGTERM"
            is_stubborn = True
            words = (
                f"{who} still has {_ports(taken or held.ports)} {GRACE_SECONDS:g} s after {sent}"
            )
            above = [line(words), ()]


def _look_again(call: Invocation, held: HeldPorts, key: str) -> bool:
    """Look, where that is the answer; whether all is as it was shown, and nothing has to be planned anew."""
    if key != LOOK or not all(_is_unchanged(conflict) for conflict in held.conflicts):
        return False
    verb = "is" if len(held.ports) == 1 else "are"
    call.show([line(f"{_ports(held.ports)} {verb} still taken"), ()])
    return True


def _is_unchanged(conflict: PortConflict) -> bool:
    if is_port_free(*conflict.port):
        return False
    found = who_holds(*conflict.port)
    return found is None if conflict.holder is None else is_same_holder(conflict.holder, found)


def choices_for(held: HeldPorts, *, can_end: bool, is_stubborn: bool) -> list[Choice]:
    """What can be done about taken ports.

    Args:
        held: the ports, and who has them.
        can_end: whether ending the holder is one of the things.
        is_stubborn: it was asked to end and did not.
    """
    move = f"give {held.conflicts[0].service} another port"
    if len(held.conflicts) > 1:
        move = "take other ports instead"
    choices = [Choice(MOVE, move), Choice(LEAVE, "stop here")]
    if _can_stop(held.owner):
        return [Choice(STOP, f"stop {_stack_words(held.owner)}"), *choices]
    if not can_end or held.holder is None:
        return [Choice(LOOK, "look again"), *choices]
    verb = "kill" if is_stubborn else "end"
    return [Choice(END, f"{verb} {held.processes}"), *choices]


def find_obstacle(held: HeldPorts) -> _Obstacle | None:
    """Why the holder of ports cannot be ended from here; ``None`` when it can."""
    holder = held.holder
    if holder is None:
        return _Obstacle("nobody can be seen who has it", "it may be free again in a moment")
    if holder.pid is None:
        owner = f"a process of user {holder.user}" if holder.user else "a process of somebody else"
        return _Obstacle(
            f"it is {owner}, which only root can see",
            f"`{who_command(held.ports[0], sys.platform)}` shows which",
        )
    if is_protected(holder.pid):
        return _Obstacle(f"PID {holder.pid} is what this command runs in", "end it yourself")
    who = held.processes
    belongs, them = ("belongs", "it") if who.startswith("PID ") else ("belong", "them")
    if held.owner is not None:
        return _Obstacle(
            f"{who} {belongs} to {_stack_words(held.owner)}, which would start {them} again",
            f"{stop_command(held.owner)} stops it",
        )
    if holder.container is not None:
        return _Obstacle(
            f"{who} {belongs} to {describe_container(holder.container)}, which ending {them} would not end",
            advise_on_container(holder.container),
        )
    return None


def _stack_words(owner: StackOwner | None) -> str:
    """The stack without its service, which may be one of several here."""
    return describe_owner(owner._replace(service="")) if owner is not None else "nothing"


def _can_stop(owner: StackOwner | None) -> bool:
    """Whether a stack is one of this home, which this command knows how to stop."""
    return owner is not None and not owner.is_other_home


def stop_owner(call: Invocation, owner: StackOwner) -> None:
    """Stop another stack of this home; one that has stopped by itself since is as good.

    Raises:
        PrismError: something of it is left.
    """
    from prismctl.cli.stack import find_stack
    from prismctl.cli.stopping import stop_stack, sweep_leftovers

    theirs = replace(call, stack=owner.stack)
    if find_stack(theirs.paths) is None:
        sweep_leftovers(theirs.paths)
    else:
        stop_stack(theirs, kill=False)
    call.report([line(clean(f"{_stack_words(owner)} was stopped")), ()])


def _ports(which: Sequence[object]) -> str:
    return f"{'port' if len(which) == 1 else 'ports'} {list_of([str(each) for each in which])}"


def obstacle_lines(obstacle: _Obstacle) -> list[Line]:
    """Why, and what to type instead; the names in both are of another process's making."""
    return [line(clean(obstacle.why)), (), _hint_line(obstacle.advice)]


def _hint_line(words: str) -> Line:
    return line(Span("hint: ", Tone.ACCENT), clean(words))

"""What to do about taken ports, asked one by one: end who has it, take another one, or stop."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final, NamedTuple

import click

from prismctl.cli.holder_ending import GRACE_SECONDS, Ending, end_holder, is_protected
from prismctl.cli.interrupts import Terminated, interruption_error
from prismctl.cli.keypress import ask_for_key
from prismctl.cli.stack import option_of
from prismctl.errors import ExitCode
from prismctl.machine import is_port_free
from prismctl.present.problems import message_lines
from prismctl.present.question import Choice
from prismctl.present.text import Line, Span, Tone, clean, line

if TYPE_CHECKING:
    from prismctl.cli.invocation import Invocation
    from prismctl.domain.addressing import PortConflict, PortHolder
    from prismctl.planning import PortTakenError

_END: Final = "k"
_MOVE: Final = "a"
_LOOK: Final = "r"
_LEAVE: Final = "q"
_MARK: Final = "PRISM_KEEPER"
"""What everything that a keeper started has in its environment."""


class _Obstacle(NamedTuple):
    """Why a holder is not offered to be ended, and what to do about it instead."""

    why: str
    advice: str


def settle_conflicts(
    call: Invocation, error: PortTakenError, *, untouched: str
) -> tuple[PortConflict, ...]:
    """Ask what to do about each taken port; returns those whose service shall get another one.

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
    moved = []
    try:
        for conflict in error.conflicts:
            # One process can have had several of them.
            if len(error.conflicts) > 1 and is_port_free(conflict.number):
                continue
            key = _settle(call, conflict, is_alone=len(error.conflicts) == 1)
            if key == _LEAVE:
                call.show([line(untouched), (), _hint_line(error.hint)])
                raise click.exceptions.Exit(ExitCode.FAILED)
            if key == _MOVE:
                moved.append(conflict)
    except (KeyboardInterrupt, Terminated) as interrupt:
        raise interruption_error(interrupt, f"interrupted; {untouched}") from interrupt
    return tuple(moved)


def _settle(call: Invocation, conflict: PortConflict, *, is_alone: bool) -> str:
    """The key that settled it."""
    holder = conflict.holder
    obstacle = find_obstacle(call, conflict.number, holder)
    above: list[Line] = []
    if not is_alone:
        above += [line(Span(f"port {conflict.number} ({conflict.service})", Tone.STRONG)), ()]
    is_stubborn = False
    while True:
        if obstacle is not None:
            above += [*_obstacle_lines(obstacle), ()]
        if above:
            call.show(above)
        choices = choices_for(conflict, can_end=obstacle is None, is_stubborn=is_stubborn)
        key = ask_for_key(call, choices, declining=_LEAVE)
        if key != _END or holder is None:
            return key
        ending = end_holder(conflict.number, holder, kills=is_stubborn)
        who = f"PID {holder.pid}"
        if ending is Ending.FREE:
            call.report([line(f"{who} has ended; port {conflict.number} is free"), ()])
            return key
        if ending is Ending.CHANGED:
            call.show([line(f"port {conflict.number} is somebody else's by now"), ()])
            return key
        if ending is Ending.FORBIDDEN:
            obstacle = _Obstacle(
                f"{who} may not be ended by you", f"`sudo kill {holder.pid}` ends it"
            )
            above = []
        else:
            sent = "SIGKILL" if is_stubborn else "SIGTERM"
            is_stubborn = True
            words = f"{who} still has port {conflict.number} {GRACE_SECONDS:g} s after {sent}"
            above = [line(words), ()]


def choices_for(conflict: PortConflict, *, can_end: bool, is_stubborn: bool) -> list[Choice]:
    """What can be done about a taken port.

    Args:
        conflict: the port, and who has it.
        can_end: whether ending the holder is one of the things.
        is_stubborn: it was asked to end and did not.
    """
    choices = [Choice(_MOVE, f"give {conflict.service} another port"), Choice(_LEAVE, "stop here")]
    if not can_end or conflict.holder is None:
        return [Choice(_LOOK, "look again"), *choices]
    verb = "kill" if is_stubborn else "end"
    return [Choice(_END, f"{verb} PID {conflict.holder.pid}"), *choices]


def find_obstacle(call: Invocation, number: int, holder: PortHolder | None) -> _Obstacle | None:
    """Why the holder of a port cannot be ended from here; ``None`` when it can."""
    if holder is None:
        return _Obstacle("nobody can be seen who has it", "it may be free again in a moment")
    if holder.pid is None:
        owner = f"a process of user {holder.user}" if holder.user else "a process of somebody else"
        return _Obstacle(f"it is {owner}, which only root can see", _who_command(number))
    if is_protected(holder.pid):
        return _Obstacle(f"PID {holder.pid} is what this command runs in", "end it yourself")
    stack = find_stack_of(call, holder.pid)
    if stack is None:
        return None
    if not stack:
        return _Obstacle(
            f"PID {holder.pid} belongs to a stack of another home, which would start it again",
            "`prismctl dev stop` with its PRISM_HOME stops it",
        )
    return _Obstacle(
        f"PID {holder.pid} belongs to stack `{stack}`, which would start it again",
        f"`prismctl dev stop{option_of(stack) or ' --stack default'}` stops it",
    )


def find_stack_of(call: Invocation, pid: int) -> str | None:
    """The stack that a process was started for: empty for one of another home, ``None`` for none."""
    import psutil

    try:
        mark = psutil.Process(pid).environ().get(_MARK)
    except (psutil.Error, OSError):
        return None
    if not mark:
        return None
    try:
        names = sorted(entry.name for entry in call.home.stacks.iterdir() if entry.is_dir())
    except OSError:
        names = []
    return next((name for name in names if call.home.stack(name).keeper_id == mark), "")


def _who_command(number: int, system: str = sys.platform) -> str:
    if system == "linux":
        return f"`sudo ss -ltnp 'sport = :{number}'` shows which"
    return f"`sudo lsof -iTCP:{number} -sTCP:LISTEN` shows which"


def _obstacle_lines(obstacle: _Obstacle) -> list[Line]:
    return [line(clean(obstacle.why)), (), _hint_line(obstacle.advice)]


def _hint_line(words: str) -> Line:
    return line(Span("hint: ", Tone.ACCENT), words)

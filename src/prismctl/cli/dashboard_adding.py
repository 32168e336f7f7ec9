"""Adding a service from the dashboard: as `dev add` does it, with the question about taken ports put on the screen."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from prismctl.changing import plan_adding, read_running_plan
from prismctl.cli.holder_ending import GRACE_SECONDS, Ending, end_holder, taken_of
from prismctl.cli.port_questions import (
    END,
    MOVE,
    STOP,
    choices_for,
    find_obstacle,
    group_by_holder,
    stop_owner,
)
from prismctl.planning import PlanRequest, PortTakenError, render_conflict
from prismctl.tui.dashboard.doing import KeyQuestion

if TYPE_CHECKING:
    from prismctl.changing import Adding
    from prismctl.cli.invocation import Invocation
    from prismctl.cli.port_questions import HeldPorts
    from prismctl.client import StackClient


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What stands in the way of a service, as it was shown to the one who decides."""

    held: HeldPorts
    moved: frozenset[tuple[str, str]]
    """By service and port name: these get other ports, as was decided before."""
    is_stubborn: bool = False
    """Who has the ports was asked to end, and did not."""


@dataclass(slots=True)
class AddingByHand:
    """Plans what is added until nothing is in the way; what is asked about in between is remembered by service."""

    call: Invocation
    _asked: dict[str, _Asked] = field(default_factory=dict)

    def plan(self, client: StackClient, service: str, answer: str = "") -> Adding | KeyQuestion:
        """What would be added, or what has to be answered first: then with ``answer``, the key.

        Raises:
            PrismError: it cannot be added.
        """
        asked = self._asked.pop(service, None) if answer else None
        moved: frozenset[tuple[str, str]] = frozenset()
        if asked is not None:
            again = self._settle(service, asked, answer)
            if again is not None:
                return again
            moved = asked.moved
            if answer == MOVE:
                moved |= {(each.service, each.port_name) for each in asked.held.conflicts}
        request = PlanRequest(
            with_services=(service,),
            replaceable_ports=moved,
            stack=self.call.stack,
            reserves_ports=True,
        )
        try:
            return plan_adding(
                read_running_plan(client),
                request,
                home=self.call.home,
                environment=os.environ,
                working_directory=Path.cwd(),
            )
        except PortTakenError as error:
            # One answer is enough for all ports of one holder; who else is in the way comes after it.
            held = group_by_holder(error.conflicts)[0]
            return self._ask(service, _Asked(held=held, moved=moved))

    def _settle(self, service: str, asked: _Asked, answer: str) -> KeyQuestion | None:
        """Do what the answer says; ``None``: look again what is in the way."""
        held, holder = asked.held, asked.held.holder
        if answer == STOP and held.owner is not None:
            stop_owner(replace(self.call, is_quiet=True), held.owner)
        if answer != END or holder is None:
            return None
        ending = end_holder(held.ports, holder, kills=asked.is_stubborn)
        if ending is Ending.STAYS:
            which = _ports(held)
            sent = "SIGKILL" if asked.is_stubborn else "SIGTERM"
            why = f"{held.processes} still has {which} {GRACE_SECONDS:g} s after {sent}"
            return self._ask(service, replace(asked, is_stubborn=True), why)
        if ending is Ending.FORBIDDEN and taken_of(held.ports):
            why = f"{held.processes} may not be ended by you; `sudo kill {holder.pid}` ends it"
            return self._ask(service, asked, why, can_end=False)
        return None

    def _ask(
        self, service: str, asked: _Asked, why: str = "", *, can_end: bool = True
    ) -> KeyQuestion:
        self._asked[service] = asked
        held = asked.held
        obstacle = find_obstacle(held)
        choices = choices_for(
            held, can_end=can_end and obstacle is None, is_stubborn=asked.is_stubborn
        )
        if not why:
            why = "; ".join(map(render_conflict, held.conflicts))
            # A stack that can be stopped from here needs no advice.
            if obstacle is not None and choices[0].key != STOP:
                why += f"; {obstacle.why}; {obstacle.advice}"
        return KeyQuestion(why, tuple(choices))


def _ports(held: HeldPorts) -> str:
    numbers = ", ".join(str(each) for each in held.ports)
    return f"port {numbers}" if len(held.ports) == 1 else f"ports {numbers}"

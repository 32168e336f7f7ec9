"""What the keys of the dashboard do, made of what the commands are made of."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prismctl.cli.stopping import stop_stack
from prismctl.client import StackClient
from prismctl.errors import MissingToolError, PrismError
from prismctl.present.reason import explain_all
from prismctl.present.text import clean
from prismctl.present.units import list_of, render_duration
from prismctl.tui.dashboard.doing import Doing, Foreground, KeyQuestion, Question, ToOpen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prismctl.changing import Removing
    from prismctl.cli.dashboard_adding import AddingByHand
    from prismctl.cli.invocation import Invocation
    from prismctl.cli.port_questions import HeldPorts
    from prismctl.domain.addressing import PortConflict
    from prismctl.domain.plan import StackPlan


def make_doing(call: Invocation) -> Doing:
    """What the keys do."""
    hands = _Hands(call)
    return Doing(
        restart=hands.restart,
        scale=hands.scale,
        ask_to_stop=hands.ask_to_stop,
        stop_service=hands.stop_service,
        list_addable=hands.list_addable,
        add=hands.add,
        open_ui=hands.open_ui,
        ask_to_end_holder=hands.ask_to_end_holder,
        end_holder=hands.end_holder,
        stop_stack=hands.stop_stack,
        run_beside=hands.run_beside,
        open_logs=hands.open_logs,
    )


@dataclass(slots=True)
class _Hands:
    """Does what keys ask for; each call may come from another thread."""

    call: Invocation
    _adding: AddingByHand | None = None
    """Made when something is added: what plans takes its time to load."""
    _held: dict[str, HeldPorts] = field(default_factory=dict)
    """Who was found to have ports of a service, as it was shown."""

    @property
    def _client(self) -> StackClient:
        return StackClient(self.call.paths)

    def restart(self, service: str) -> str:
        began = time.monotonic()
        _finish(self._client.restart([service]), f"{service} did not come back")
        return f"restarted {service} in {render_duration(time.monotonic() - began)}"

    def scale(self, service: str, replicas: int) -> str:
        from prismctl.changing import plan_scaling

        scaling = plan_scaling(self._read_plan(), service, replicas)
        if not scaling.changes:
            return f"{service} has {replicas} already"
        _finish(scaling.carry_out(self._client), f"{service} was scaled, and is not well")
        return f"{service} has {replicas} now"

    def ask_to_stop(self, service: str) -> Question:
        removing = self._plan_removal(service)
        also = ", ".join(removing.dependents)
        which = f"{service}, and what needs it: {also}," if also else service
        return Question(f"take {which} out of the stack?")

    def stop_service(self, service: str) -> str:
        removing = self._plan_removal(service)
        names = ", ".join([service, *removing.dependents])
        _finish(
            removing.carry_out(self._client, cascade=True), f"{names} went, and not all is well"
        )
        kept = "; its data stays" if removing.with_data else ""
        return f"took {names} out of the stack{kept}"

    def _plan_removal(self, service: str) -> Removing:
        from prismctl.changing import plan_removing

        return plan_removing(self._read_plan(), [service], paths=self.call.paths)

    def list_addable(self) -> dict[str, str]:
        from prismctl.planning import list_addable

        found = list_addable(
            self._read_plan(),
            home=self.call.home,
            environment=os.environ,
            working_directory=Path.cwd(),
        )
        return {str(name): purpose for name, purpose in found.items()}

    def add(self, service: str, answer: str) -> str | KeyQuestion:
        from prismctl.cli.dashboard_adding import AddingByHand

        self._adding = self._adding or AddingByHand(self.call)
        adding = self._adding.plan(self._client, service, answer)
        if isinstance(adding, KeyQuestion):
            return adding
        if not adding.changes:
            return f"{service} is there already"
        names = list_of([*adding.addition.names])
        _finish(adding.carry_out(self._client), f"{names}: added, and not all is well")
        return f"added {names}"

    def ask_to_end_holder(self, service: str) -> Question | None:
        from prismctl.cli.port_questions import find_obstacle, group_by_holder
        from prismctl.domain.addressing import describe_holder

        conflicts = self._find_conflicts(service)
        if not conflicts:
            return None
        held = group_by_holder(conflicts)[0]
        self._held[service] = held
        obstacle = find_obstacle(held)
        which = f"port {held.ports[0]}"
        if obstacle is not None:
            words = f"{which} of {service}: {obstacle.why}; {obstacle.advice}"
            return Question("", words)
        return Question(f"end {describe_holder(held.holder)}, which has {which} of {service}?")

    def _find_conflicts(self, service: str) -> list[PortConflict]:
        """Ports of a service that somebody has who is none of this stack."""
        from prismctl.domain.addressing import PortConflict
        from prismctl.domain.service import ServiceName
        from prismctl.machine import who_holds

        plan = self._read_plan()
        found = next((each for each in plan.services if each.name == service), None)
        conflicts = []
        for port in found.ports if found is not None else ():
            holder = who_holds(*port.host_port)
            own = self.call.paths.keeper_id
            if holder is None or (holder.owner is not None and holder.owner.keeper == own):
                continue
            conflicts.append(
                PortConflict(
                    port.number, ServiceName(service), port.name, holder, port.host_port.protocol
                )
            )
        return conflicts

    def end_holder(self, service: str) -> str:
        from prismctl.cli.holder_ending import GRACE_SECONDS, Ending, end_holder

        held = self._held[service]
        if held.holder is None:
            raise PrismError(f"nobody can be seen who has a port of {service}")
        which = f"port {held.ports[0]}"
        ending = end_holder(held.ports, held.holder)
        if ending is Ending.STAYS:
            raise PrismError(
                f"{held.processes} still has {which} {GRACE_SECONDS:g} s after SIGTERM",
                hint=f"`kill -9 {held.holder.pid}` ends it",
            )
        if ending is Ending.FORBIDDEN:
            raise PrismError(
                f"{held.processes} may not be ended by you",
                hint=f"`sudo kill {held.holder.pid}` ends it",
            )
        if ending is Ending.CHANGED:
            raise PrismError(f"{which} is somebody else's by now")
        self.restart(service)
        return f"{held.processes} has ended, and {service} runs"

    def _read_plan(self) -> StackPlan:
        from prismctl.changing import read_running_plan

        return read_running_plan(self._client)

    def stop_stack(self) -> str:
        stop_stack(self.call, kill=False)
        return f"stopped {self.call.stack}"

    def open_ui(self, name: str) -> str | ToOpen:
        import webbrowser

        url = self._client.login(name)
        if _has_screen() and webbrowser.open(url):
            return f"opened {url}"
        return ToOpen(url)

    def run_beside(self, service: str, command: str) -> Foreground:
        variables = self._client.environment()
        environment = {**os.environ, **variables, "PRISM_STACK": self.call.stack}
        environment["PRISM_SERVICE"] = service
        inside = self._words_inside(service)
        if inside is not None:
            if command:
                return Foreground((*inside, "sh", "-c", command), environment, waits=True)
            above = f"a shell in the container of {service}, with its own variables; exit goes back"
            return Foreground((*inside, "sh"), environment, above=above)
        shell = os.environ.get("SHELL") or "/bin/sh"
        if command:
            return Foreground((shell, "-c", command), environment, waits=True)
        above = f"a shell beside {service}, with the addresses of stack {self.call.stack}; exit goes back"
        return Foreground((shell,), environment, above=above)

    def _words_inside(self, service: str) -> tuple[str, ...] | None:
        """What begins a command inside a service's container; ``None`` where it has none."""
        from prismctl.domain.containers import name_container
        from prismctl.domain.service import Runtime

        plan = self._read_plan()
        found = next((each for each in plan.services if each.name == service), None)
        if found is None or found.runtime is not Runtime.CONTAINER:
            return None
        if plan.containers is None:
            raise MissingToolError(f"{service}: nothing here runs containers")
        name = name_container(self.call.paths.keeper_id, service, 0)
        settings = [f"{key}={value}" for key, value in plan.containers.environment.items()]
        return ("env", *settings, plan.containers.program, "exec", "-it", name)

    def open_logs(self, service: str, where: str) -> Foreground:
        from prismctl.present.loglines import LogPrinter

        names = [service] if service else []
        printer = LogPrinter(names, has_prefix=not service, has_colour=False)
        directory = Path(tempfile.mkdtemp(prefix="prism-logs-"))
        file = directory / f"{clean(service) or 'all'}.log"
        with file.open("w", encoding="utf-8") as written:
            for entry in self._client.logs(names):
                written.write(f"{printer.render(entry)}\n")
        variable, usual = ("PAGER", "less") if where == "pager" else ("EDITOR", "vi")
        words = shlex.split(os.environ.get(variable) or usual) or [usual]
        # What was written for it goes with it.
        script = '"$@"; code=$?; rm -r -- "$PRISM_LOGS"; exit $code'
        environment = {**os.environ, "PRISM_LOGS": str(directory)}
        return Foreground(("/bin/sh", "-c", script, "sh", *words, str(file)), environment)


def _has_screen() -> bool:
    """Whether a browser could show something where somebody sees it, and not in this terminal."""
    return sys.platform == "darwin" or bool(
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )


def _finish(messages: Iterator[dict[str, Any]], trouble: str) -> None:
    """Follow an operation to its result.

    Raises:
        PrismError: it did not end well.
    """
    for message in messages:
        result = message.get("result")
        if result is None or result["outcome"] == "ready":
            continue
        names = result.get("failed") or ()
        services = [
            each for each in result["status"].get("services") or () if each["name"] in names
        ]
        why = f": {explain_all(services)}" if services else ""
        raise PrismError(f"{trouble}{why}")

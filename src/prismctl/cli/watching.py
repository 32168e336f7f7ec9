"""Opens the dashboard of a stack, and does what its keys ask for with what the commands are made of."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prismctl.cli.stack import find_stack, open_stack, option_of
from prismctl.cli.stopping import stop_stack, sweep_leftovers
from prismctl.client import StackClient
from prismctl.errors import MissingToolError, PrismError
from prismctl.files.settings import load_settings
from prismctl.present.reason import explain_all
from prismctl.present.text import Span, Tone, clean, line
from prismctl.present.units import render_duration
from prismctl.tui.dashboard.actions import make_keymap
from prismctl.tui.dashboard.doing import Doing, Foreground, Question
from prismctl.tui.dashboard.feeds import Feeds
from prismctl.tui.dashboard.state import DashboardState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prismctl.changing import Removing
    from prismctl.cli.invocation import Invocation
    from prismctl.cli.port_questions import HeldPorts
    from prismctl.tui.dashboard.app import DashboardApp, Ending


def can_watch(call: Invocation) -> bool:
    """Whether a full screen would reach somebody who can see it and press keys."""
    return (
        call.can_ask
        and call.is_on_terminal
        and not call.is_quiet
        and os.environ.get("TERM", "dumb") != "dumb"
    )


def watch_stack(call: Invocation, *, is_read_only: bool = False) -> None:
    """Show the dashboard until it is left, and say how the stack was left.

    Raises:
        UnavailableError: the stack does not run.
        ConfigError: settings of the dashboard have mistakes.
    """
    open_stack(call)
    while True:
        ending = show_dashboard(call, is_read_only=is_read_only)
        if ending != "start again":
            break
        start_again(call)
    option = option_of(call.stack)
    if ending == "stopped" or find_stack(call.paths) is None:
        call.report(
            [line(f"stack {call.stack} is stopped; `prismctl dev start{option}` starts it")]
        )
        return
    call.report(
        [
            line(f"stack {call.stack} runs on"),
            line(
                Span(f"prismctl dev stop{option}", Tone.STRONG),
                " stops it · ",
                Span(f"prismctl dev dashboard{option}", Tone.STRONG),
                " shows it again",
            ),
        ]
    )


def watch_in_lines(call: Invocation, *, is_read_only: bool) -> None:
    """The same in lines."""


def show_dashboard(call: Invocation, *, is_read_only: bool) -> Ending:
    """Show it once; a signal that ended it is heard by whoever hears signals here, once the terminal is given back."""
    settings = load_settings(call.home)
    keymap = make_keymap(settings.keys)
    with _without_no_color():
        from prismctl.tui.dashboard.app import DashboardApp, Ending
        from prismctl.tui.dashboard.themes import choose_theme

    app = DashboardApp(
        DashboardState(stack=call.stack, is_read_only=is_read_only, keymap=keymap),
        make_doing(call),
        theme=choose_theme(settings.theme, has_colour=call.has_colour),
    )
    feeds = Feeds(call.paths, app.mailbox)
    feeds.open()
    try:
        ending = _run(app)
    finally:
        feeds.close()
    if app.return_code:
        raise PrismError("the dashboard ended unexpectedly")
    return ending or Ending.LEFT


def _run(app: DashboardApp) -> Ending | None:
    heard = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        ending = app.run()
    finally:
        for number, handler in heard.items():
            signal.signal(number, handler)
    if app.ended_by:
        os.kill(os.getpid(), app.ended_by)
    return ending


@contextlib.contextmanager
def _without_no_color() -> Iterator[None]:
    """Textual reads the variable when it is loaded, and paints in greys then, which are colours as well."""
    said = os.environ.pop("NO_COLOR", None)
    try:
        yield
    finally:
        if said is not None:
            os.environ["NO_COLOR"] = said


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
        from prismctl.changing import plan_scaling, read_running_plan

        scaling = plan_scaling(read_running_plan(self._client), service, replicas)
        if not scaling.changes:
            return f"{service} has {replicas} already"
        _finish(scaling.carry_out(self._client), f"{service} was scaled, and is not well")
        return f"{service} has {replicas} now"

    def ask_to_stop(self, service: str) -> Question:
        removing = self._plan_removal(service)
        also = ", ".join(removing.dependents)
        return Question(f"stop {service}{f', and what needs it: {also}' if also else ''}?")

    def stop_service(self, service: str) -> str:
        removing = self._plan_removal(service)
        names = ", ".join([service, *removing.dependents])
        _finish(
            removing.carry_out(self._client, cascade=True), f"{names} went, and not all is well"
        )
        kept = "; its data stays" if removing.with_data else ""
        return f"stopped {names}{kept}"

    def _plan_removal(self, service: str) -> Removing:
        from prismctl.changing import plan_removing, read_running_plan

        plan = read_running_plan(self._client)
        return plan_removing(plan, [service], paths=self.call.paths)

    def list_addable(self) -> dict[str, str]:
        from prismctl.files.catalog import load_catalog

        running = {each["name"] for each in self._client.status()["services"]}
        catalog = load_catalog(self.call.home)
        return {
            name: each.description for name, each in catalog.services.items() if name not in running
        }

    def add(self, service: str) -> str:
        raise PrismError(f"{service} cannot be added yet")

    def ask_to_end_holder(self, service: str) -> Question | None:
        del service
        return None

    def end_holder(self, service: str) -> str:
        return service

    def stop_stack(self) -> str:
        stop_stack(self.call, kill=False)
        return f"stopped {self.call.stack}"

    def open_ui(self, name: str) -> str:
        import webbrowser

        url = self._client.login(name)
        if _has_screen() and webbrowser.open(url):
            return f"opened {url}"
        return f"{url}"

    def run_beside(self, service: str, command: str) -> Foreground:
        variables = self._client.environment()
        environment = {**os.environ, **variables, "PRISM_STACK": self.call.stack}
        environment["PRISM_SERVICE"] = service
        inside = self._words_inside(service)
        if inside is not None:
            words = ("sh", "-c", command) if command else ("sh",)
            return Foreground((*inside, *words), environment, waits=bool(command))
        shell = os.environ.get("SHELL") or "/bin/sh"
        if command:
            return Foreground((shell, "-c", command), environment, waits=True)
        above = f"a shell beside {service}, with the addresses of stack {self.call.stack}; exit goes back"
        return Foreground((shell,), environment, above=above)

    def _words_inside(self, service: str) -> tuple[str, ...] | None:
        """What begins a command inside a service's container; ``None`` where it has none."""
        from prismctl.domain.containers import name_container
        from prismctl.domain.plan import plan_from_json
        from prismctl.domain.service import Runtime

        document = self._client.plan()
        plan = plan_from_json(document) if document is not None else None
        found = (
            next((each for each in plan.services if each.name == service), None) if plan else None
        )
        if plan is None or found is None or found.runtime is not Runtime.CONTAINER:
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


def start_again(call: Invocation) -> None:
    """Start what ran before it was stopped."""
    from prismctl.cli.starting import StartOptions, start_stack

    sweep_leftovers(call.paths)
    start_stack(call, StartOptions())


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

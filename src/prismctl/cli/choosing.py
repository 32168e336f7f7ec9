"""Lets somebody choose what to start, where nobody has said; the engine comes up meanwhile."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from prismctl.cli.estimating import estimate_plan, services_with_data
from prismctl.cli.stack import find_stack
from prismctl.cli.starting import StartOptions, guess_engine, plan_request
from prismctl.cli.stopping import take_down
from prismctl.client import StackClient, start_daemon
from prismctl.domain.picking import PROFILE
from prismctl.domain.presets import PRESETS
from prismctl.domain.selection import Layer, default_layer, preset_layer
from prismctl.errors import ConfigError, PrismError
from prismctl.files.catalog import load_catalog
from prismctl.files.last_selection import recall_selection, remember_selection
from prismctl.files.paths import find_project_file
from prismctl.files.profiles import list_profiles, load_profile
from prismctl.planning import foresee_plan, render_conflict
from prismctl.present.estimate import startup_words
from prismctl.present.wording import engine_title
from prismctl.tui.picker.preview import Preview, ServicePreview
from prismctl.tui.picker.state import begin

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Self

    from prismctl.cli.invocation import Invocation
    from prismctl.client import StartingDaemon
    from prismctl.domain.offering import Catalog
    from prismctl.domain.plan import StackPlan
    from prismctl.domain.service import ServiceName
    from prismctl.tui.picker.app import Picked, PickerApp


class WarmEngine:
    """The engine's agents, brought up while somebody chooses; a context manager that takes them down again.

    What is begun goes on only if it is handed over with `keep`.
    """

    def __init__(self, call: Invocation, engine: str) -> None:
        self._call = call
        self._engine = engine
        self._daemon: StartingDaemon | None = None
        self._thread: threading.Thread | None = None
        self._is_kept = False

    def __enter__(self) -> Self:
        """Begin, where there is something worth beginning with; a failure is told by the start itself."""
        if self._engine:
            with contextlib.suppress(PrismError):
                self._daemon = start_daemon(self._call.paths, self._engine)
            self._thread = threading.Thread(target=self._stay_connected, daemon=True)
            self._thread.start()
        return self

    @property
    def is_warm(self) -> bool:
        """Whether agents are being brought up."""
        return self._daemon is not None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Take down what nobody wants any more."""
        if self._daemon is not None and not self._is_kept:
            with contextlib.suppress(PrismError):
                self._daemon.wait()
                take_down(StackClient(self._call.paths))

    def keep(self) -> StartingDaemon | None:
        """Leave it to the start, which goes on with it."""
        self._is_kept = True
        return self._daemon

    def _stay_connected(self) -> None:
        """A daemon without a plan ends when nobody has been connected for a while."""
        if self._daemon is None:
            return
        with contextlib.suppress(PrismError):
            self._daemon.wait()
            for _ in StackClient(self._call.paths).events(follow=True):
                if self._is_kept:
                    return


def is_choice_open(call: Invocation) -> bool:
    """Whether to ask what to start, where nobody has said and somebody could be asked: nothing runs, and it can be drawn."""
    if call.is_quiet or call.is_confirmed or os.environ.get("TERM", "dumb") == "dumb":
        return False
    return find_project_file(Path.cwd()) is None and find_stack(call.paths) is None


def show_picker(
    call: Invocation, options: StartOptions
) -> tuple[StartOptions, StartingDaemon | None] | None:
    """Show the picker: the options with what was picked and the daemon that came up meanwhile; ``None``: nothing.

    Raises:
        PrismError: the catalog has mistakes.
    """
    catalog = load_catalog(call.home)
    with WarmEngine(call, guess_engine(call, options)) as warm:
        with _without_no_color():
            from prismctl.tui.picker.app import Doing, PickerApp

        app = PickerApp(
            begin(catalog, list_points(call, catalog)),
            Doing(
                look=lambda picked: look_at(call, options, picked, is_warm=warm.is_warm),
                save=lambda name, names: save_picked(call, name, names),
            ),
            stack=call.stack,
            flags=list_flags(call, options),
            has_colour=call.has_colour,
        )
        picked = run_picker(app)
        if app.return_code:
            raise PrismError("the picker ended unexpectedly")
        if picked is None:
            return None
        remember_selection(call.home, picked.services)
        options = replace(options, picked=picked.services, profile=picked.profile)
        return options, warm.keep()


def run_picker(app: PickerApp) -> Picked | None:
    """Run it; a signal that ended it is heard by whoever hears signals here, once the terminal is given back."""
    heard = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        picked = app.run()
    finally:
        for number, handler in heard.items():
            signal.signal(number, handler)
    if app.ended_by:
        os.kill(os.getpid(), app.ended_by)
    return picked


@contextlib.contextmanager
def _without_no_color() -> Iterator[None]:
    """Textual reads the variable when it is loaded, and paints in greys then, which are colours as well."""
    said = os.environ.pop("NO_COLOR", None)
    try:
        yield
    finally:
        if said is not None:
            os.environ["NO_COLOR"] = said


def list_flags(call: Invocation, options: StartOptions) -> list[str]:
    """What was typed beside the services, so that the picker's command is the whole one."""
    defaults = StartOptions()
    flags = [f"--stack={call.stack}"] if call.stack != "default" else []
    flags += [f"--engine={options.engine}"] if options.engine else []
    flags += [f"--runtime={options.runtime}"] if options.runtime else []
    flags += ["--auto-ports"] if options.has_auto_ports else []
    flags += ["--persist"] if options.persists else []
    if options.on_failure != defaults.on_failure:
        flags.append(f"--on-failure={options.on_failure}")
    if options.wait_seconds != defaults.wait_seconds:
        flags.append(f"--wait-timeout={options.wait_seconds:g}")
    flags += [f"--log-file={shlex.quote(options.log_file)}"] if options.log_file else []
    return flags


def list_points(call: Invocation, catalog: Catalog) -> list[Layer]:
    """Selections to start from: the last one, what the catalog starts by itself, profiles, presets."""
    last = [name for name in recall_selection(call.home) if name in catalog.services]
    points = [Layer("as last time", last)] if last else []
    points.append(default_layer(catalog))
    for name in list_profiles(call.home):
        # A profile with mistakes is told of when it is asked for by name.
        with contextlib.suppress(PrismError):
            profile = load_profile(call.home, name)
            points.append(Layer(f"{PROFILE}{name}", profile.services))
    points += [preset_layer(preset) for preset in PRESETS.values() if preset.name != "minimal"]
    return points


def look_at(
    call: Invocation,
    options: StartOptions,
    picked: Picked,
    *,
    is_warm: bool = False,
) -> Preview:
    """What a selection would be on this machine now; writes nothing.

    Args:
        call: whose home it is.
        options: what else was typed.
        picked: what is selected.
        is_warm: the engine's agents are up, or about to be.
    """
    from prismctl.machine import read_available_memory

    options = replace(options, picked=picked.services, profile=picked.profile)
    try:
        plan, conflicts = foresee_plan(
            plan_request(call, options, is_trial=True),
            home=call.home,
            environment=os.environ,
            working_directory=Path.cwd(),
        )
    except ConfigError as error:
        return Preview(services={}, problems=[each.message for each in error.problems])
    except PrismError as error:
        return Preview(services={}, problems=[error.message])
    free, _ = read_available_memory()
    estimate = estimate_plan(
        call.home,
        plan,
        with_data=services_with_data(call.paths, plan),
        is_cold=False if is_warm else None,
    )
    return Preview(
        engine=engine_title(plan.engine.value),
        services=_services_of(plan),
        conflicts=[render_conflict(each) for each in conflicts],
        images=plan.missing_images,
        startup=startup_words(estimate, missing_images=len(plan.missing_images)),
        memory_bytes=estimate.memory_bytes,
        free_bytes=free,
    )


def _services_of(plan: StackPlan) -> dict[ServiceName, ServicePreview]:
    return {
        service.name: ServicePreview(
            runtime=service.runtime.value,
            reason=service.runtime_reason,
            ports=tuple(port.number for port in service.ports),
        )
        for service in plan.services
    }


def save_picked(call: Invocation, name: str, names: tuple[ServiceName, ...]) -> str:
    """Save what is chosen under a name; what came of it, in words."""
    from prismctl.files.profile_writing import new_file, save_profile
    from prismctl.files.text import name_for_people

    try:
        if new_file(call.home, name).exists():
            return (
                f"there is a profile {name} already; `prismctl dev profile save {name}` replaces it"
            )
        file = save_profile(call.home, name, services=names)
    except ConfigError as error:
        return error.problems[0].message
    except PrismError as error:
        return error.message
    return f"saved as {name_for_people(file)}; `prismctl dev start --profile={name}` starts it"

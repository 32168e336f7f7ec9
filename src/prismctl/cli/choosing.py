"""Lets somebody choose what to start, where nobody has said; the engine comes up meanwhile.

The first frame is on the screen before the rest is loaded: the engine's start, Textual, what the preview asks.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from prismctl.cli.engine_guess import engine_to_warm
from prismctl.cli.stack import find_stack
from prismctl.cli.start_options import list_flags
from prismctl.cli.warm_engine import WarmEngine
from prismctl.client.condition import has_plan
from prismctl.domain.picking import PROFILE, command_words
from prismctl.domain.presets import PRESETS
from prismctl.domain.problems import NOWHERE, Place
from prismctl.domain.selection import Layer, default_layer, preset_layer
from prismctl.errors import PrismError
from prismctl.files.catalog import ensure_catalog, load_catalog
from prismctl.files.last_selection import recall_last, remember_selection
from prismctl.files.paths import find_project_file
from prismctl.files.text import name_for_people
from prismctl.tui.first_frame import FirstFrame
from prismctl.tui.picker.screen import frame_lines
from prismctl.tui.picker.state import begin

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from prismctl.cli.invocation import Invocation
    from prismctl.cli.start_options import StartOptions
    from prismctl.client import StartingDaemon
    from prismctl.domain.offering import Catalog
    from prismctl.files.profiles import Profile
    from prismctl.tui.first_frame import FrameLine
    from prismctl.tui.picker.app import PickerApp
    from prismctl.tui.picker.doing import Picked
    from prismctl.tui.picker.preview import Preview
    from prismctl.tui.picker.state import PickerState

LAST_TIME: Final = "as last time"


class Choice(NamedTuple):
    """What somebody decided to start."""

    options: StartOptions
    daemon: StartingDaemon | None
    """Came up meanwhile."""


def is_choice_open(call: Invocation) -> bool:
    """Whether to ask what to start, where nobody has said and somebody could be asked: nothing runs, and it can be drawn."""
    if call.is_quiet or call.is_confirmed or os.environ.get("TERM", "dumb") == "dumb":
        return False
    return find_project_file(Path.cwd()) is None and not _runs(call)


def _runs(call: Invocation) -> bool:
    """Whether there is a stack; agents that were brought up for somebody who chooses are none yet."""
    client = find_stack(call.paths)
    return client is not None and (has_plan(call.paths) or client.plan() is not None)


def show_picker(call: Invocation, options: StartOptions) -> Choice | None:
    """Show the picker: what was decided; ``None``: nothing.

    Raises:
        PrismError: the catalog has mistakes.
        KeyboardInterrupt: somebody left before it was loaded.
    """
    catalog = load_catalog(call.home, creates=False)
    flags = list_flags(call, options)
    state = begin(catalog, list_own_points(call, catalog))
    command = command_words(state.picking, others=flags)

    def draw(width: int, height: int) -> Sequence[FrameLine]:
        return frame_lines(state, stack=call.stack, command=command, width=width, height=height)

    with WarmEngine(call) as warm:
        with FirstFrame(draw, has_colour=call.has_colour) as frame:
            warm.begin(engine_to_warm(call, options))
            ensure_catalog(call.home)
            if frame.has_ended:
                return None
            app = _load_app(call, options, state, flags=flags, warm=warm, frame=frame)
            picked = run_picker(app, frame)
        if app.return_code:
            raise PrismError("the picker ended unexpectedly")
        if picked is None:
            return None
        remember_selection(call.home, picked.services, picked.profile)
        options = replace(options, picked=picked.services, profile=picked.profile)
        return Choice(options, warm.keep())


def run_picker(app: PickerApp, frame: FirstFrame) -> Picked | None:
    """Have it take over from the first frame; a signal that ends it is told to the frame, which passes it on."""
    frame.hand_over()
    try:
        picked = None if frame.has_ended else app.run()
    finally:
        if not app.has_begun:
            frame.take_back()
        frame.ended_by = frame.ended_by or app.ended_by
    if app.failure is not None:
        raise app.failure
    return picked


def _load_app(
    call: Invocation,
    options: StartOptions,
    state: PickerState,
    *,
    flags: Sequence[str],
    warm: WarmEngine,
    frame: FirstFrame,
) -> PickerApp:
    with _without_no_color():
        from prismctl.tui.picker.app import PickerApp
        from prismctl.tui.picker.doing import Doing

    def look(picked: Picked) -> Preview:
        from prismctl.cli.picker_answers import look_at

        return look_at(call, options, picked, is_warm=warm.is_warm)

    def save(name: str, picked: Picked) -> str:
        from prismctl.cli.picker_answers import save_picked

        return save_picked(call, name, picked.services, profile=picked.profile)

    further = list_further_points(call)
    points = (*state.points, *further.layers)
    return PickerApp(
        replace(state, points=points, unloadable=further.unloadable),
        Doing(look=look, save=save, find_signal=lambda: frame.ended_by),
        stack=call.stack,
        flags=flags,
        has_colour=call.has_colour,
    )


@contextlib.contextmanager
def _without_no_color() -> Iterator[None]:
    """Textual reads the variable when it is loaded, and paints in greys then, which are colours as well."""
    said = os.environ.pop("NO_COLOR", None)
    try:
        yield
    finally:
        if said is not None:
            os.environ["NO_COLOR"] = said


def list_own_points(call: Invocation, catalog: Catalog) -> list[Layer]:
    """Selections to start from that are told at once: the last one, what the catalog starts by itself."""
    last = recall_last(call.home)
    services = [name for name in last.services if name in catalog.services]
    if not services:
        return [default_layer(catalog)]
    layer = Layer(LAST_TIME, services)
    if last.profile:
        layer = _with_base(call, layer, last.profile)
    return [layer, default_layer(catalog)]


def _with_base(call: Invocation, layer: Layer, name: str) -> Layer:
    """What was chosen last, with the profile whose settings counted then; it says so where that cannot be had."""
    from prismctl.files.profiles import load_profile

    try:
        return layer._replace(base=_layer_of(load_profile(call.home, name)))
    except PrismError:
        return layer._replace(origin=f"{LAST_TIME}, without profile {name}")


def _layer_of(profile: Profile) -> Layer:
    place = Place(name_for_people(profile.file)) if profile.file is not None else NOWHERE
    return Layer(f"{PROFILE}{profile.name}", profile.services, place=place)


class FurtherPoints(NamedTuple):
    """Selections to start from that have to be read first."""

    layers: list[Layer]
    unloadable: dict[str, str]
    """Why some of them cannot be taken, by their origin."""


def list_further_points(call: Invocation) -> FurtherPoints:
    """Profiles, those with mistakes as well, and presets."""
    from prismctl.files.profiles import list_profiles, load_profile

    points = []
    unloadable = {}
    for name in list_profiles(call.home):
        origin = f"{PROFILE}{name}"
        try:
            profile = load_profile(call.home, name)
        except PrismError as error:
            unloadable[origin] = error.message
            points.append(Layer(origin, ()))
            continue
        points.append(_layer_of(profile))
    presets = (preset_layer(preset) for preset in PRESETS.values() if preset.name != "minimal")
    return FurtherPoints([*points, *presets], unloadable)

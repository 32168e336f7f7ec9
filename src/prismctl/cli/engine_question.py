"""Where Nomad is missing and somebody can be asked: install it now, do without this time, or do without always."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from prismctl.cli.initialising import initialise
from prismctl.cli.keypress import ask_for_key
from prismctl.cli.loop import run_in_loop
from prismctl.domain.choice import NOMAD_TOOLS
from prismctl.domain.plan import EngineName
from prismctl.errors import InterruptedByUserError, PrismError
from prismctl.files.settings import save_setting
from prismctl.files.text import name_for_people
from prismctl.install.survey import Wanted, survey_machine
from prismctl.install.tools import ToolName
from prismctl.machine import find_tool
from prismctl.present.problems import error_lines
from prismctl.present.question import Choice
from prismctl.present.text import Span, Tone, line
from prismctl.present.units import render_bytes, render_duration

if TYPE_CHECKING:
    from prismctl.cli.invocation import Invocation
    from prismctl.cli.start_options import StartOptions
    from prismctl.install.survey import Survey

_LOOK_SECONDS: Final = 3.0
"""How long somebody waits for the question; without an answer by then it has no figures."""
_BYTES_PER_SECOND: Final = 10e6
"""What a download is reckoned with; unpacking and the trial run take `_REST_SECONDS` more."""
_REST_SECONDS: Final = 8.0


def ask_for_engine(call: Invocation, options: StartOptions) -> StartOptions:
    """Ask, and do what was answered: the options to go on with.

    Raises:
        PrismError: the installation failed.
    """
    wanted = Wanted(without=frozenset({ToolName.PODMAN}))
    missing = [name.capitalize() for name in NOMAD_TOOLS if not find_tool(name, call.home.tools)]
    verb = "is" if len(missing) == 1 else "are"
    words = f"{' and '.join(missing)} {verb} not installed; services would run on the local engine"
    call.show([line(Span(words, Tone.BUSY)), ()])
    choices = (
        Choice("i", f"install now{_describe_cost(call, wanted)}"),
        Choice("l", "use the local engine this time"),
        Choice("a", "always use the local engine"),
    )
    answer = ask_for_key(call, choices, declining="l")
    if answer == "i":
        try:
            initialise(call, wanted)
        except InterruptedByUserError:
            raise
        except PrismError as error:
            _ask_to_do_without(call, error)
        else:
            return options
    if answer == "a":
        save_setting(call.home, "engine", EngineName.LOCAL.value)
        where = name_for_people(call.home.settings)
        call.report([line(f"engine: local was written to {where}"), ()])
    return replace(options, engine=EngineName.LOCAL.value)


def _ask_to_do_without(call: Invocation, error: PrismError) -> None:
    """Return when somebody goes on without Nomad, after it could not be installed.

    Raises:
        PrismError: they do not.
    """
    call.show([*error_lines(error), ()])
    choices = (Choice("l", "use the local engine this time"), Choice("q", "stop here"))
    if ask_for_key(call, choices, declining="q") == "q":
        raise error


def _describe_cost(call: Invocation, wanted: Wanted) -> str:
    """``(about 25 s, 170 MB)``; nothing where nobody says in time."""

    async def look_in_time() -> Survey:
        async with asyncio.timeout(_LOOK_SECONDS):
            return await survey_machine(call.home, wanted, os.environ)

    try:
        decisions = run_in_loop(look_in_time()).decisions
    except (TimeoutError, PrismError):
        return ""
    offers = [decision.offer for decision in decisions if decision.offer]
    if any(decision.error for decision in decisions):
        return " (cannot be had at the moment)"
    warnings = [offer.warning for offer in offers if offer.warning]
    if warnings:
        return f" ({warnings[0]})"
    size = sum(offer.size_bytes or 0 for offer in offers)
    seconds = size / _BYTES_PER_SECOND + _REST_SECONDS
    return f" (about {render_duration(seconds)}, {render_bytes(size)})"

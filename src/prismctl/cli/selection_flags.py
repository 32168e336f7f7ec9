"""The flags that say what to start and how, for commands that are about a selection without starting it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from click.core import ParameterSource

from prismctl.cli.commands.start import StartCommand, start

if TYPE_CHECKING:
    from collections.abc import Mapping

    import click

    from prismctl.cli.invocation import Invocation
    from prismctl.planning import PlanRequest

SELECTION_FLAGS: Final = (
    "preset",
    "seed",
    "profile",
    "with_services",
    "without_services",
    "catalog_file",
    "engine",
    "runtime",
    "auto_ports",
    "persist",
    "on_failure",
    "wait_timeout",
)
"""By the names that `start` itself has for them."""


class SelectionCommand(StartCommand):
    """A command with the very flags that `start` has for a selection.

    Its callback is given what was typed of them as ``typed``, by the names that `start` has for them.
    """

    flags: ClassVar[tuple[str, ...]] = SELECTION_FLAGS
    """Those that it has; a command that can do with fewer names them."""

    def __init__(self, *arguments: Any, **attributes: Any) -> None:
        super().__init__(*arguments, **attributes)
        flags = [each for each in start.params if each.name in self.flags]
        self.params = [*flags, *self.params]

    def invoke(self, ctx: click.Context) -> Any:
        """Run the callback with what was typed in one piece."""
        typed = {}
        for name in self.flags:
            value = ctx.params.pop(name, None)
            if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
                typed[name] = value
        ctx.params["typed"] = typed
        return super().invoke(ctx)


def request_selection(call: Invocation, typed: Mapping[str, Any]) -> PlanRequest:
    """What was typed, to be looked at; nothing is written, and the ports of the stack that runs are not in its way."""
    from prismctl.cli.stack import find_stack
    from prismctl.cli.starting import read_applied_plan

    running = read_applied_plan(find_stack(call.paths))
    return replace(request_services(call, typed), held_by=running)


def request_services(call: Invocation, typed: Mapping[str, Any]) -> PlanRequest:
    """What was typed, where only the services matter, and no port; nothing is written."""
    from prismctl.planning import PlanRequest

    seed = typed.get("seed")
    catalog_file = typed.get("catalog_file")
    return PlanRequest(
        preset=typed.get("preset", ""),
        profile=typed.get("profile", ""),
        with_services=typed.get("with_services", ()),
        without_services=typed.get("without_services", ()),
        services_file=Path(catalog_file) if catalog_file else None,
        engine=typed.get("engine", ""),
        runtime=typed.get("runtime", ""),
        auto_ports=typed.get("auto_ports"),
        persist=typed.get("persist"),
        on_failure=typed.get("on_failure", ""),
        wait_seconds=typed.get("wait_timeout"),
        stack=call.stack,
        random_seed=int.from_bytes(os.urandom(4)) if seed is None else int(seed),
        is_trial=True,
    )

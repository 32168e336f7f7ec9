"""Which engine it will be, as far as that can be told before there is a plan."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from prismctl.cli.stack import find_stack
from prismctl.errors import PrismError
from prismctl.files.paths import find_project_file

if TYPE_CHECKING:
    from prismctl.cli.invocation import Invocation
    from prismctl.cli.start_options import StartOptions

_NOMAD: Final = "nomad"
_NOMAD_TOOLS: Final = ("nomad", "consul")
"""Without loading the plan, which knows engines by a closed set: somebody waits for the first thing to be seen."""


def is_engine_open(call: Invocation, options: StartOptions) -> bool:
    """Whether to ask who shall run the services: nobody has said, Nomad is missing, and somebody looks."""
    if options.engine is not None or not (call.can_ask and call.is_on_terminal):
        return False
    if call.is_quiet or call.is_json or call.is_confirmed or find_project_file(Path.cwd()):
        return False
    if has_nomad(call) or find_stack(call.paths) is not None:
        return False
    from prismctl.files.settings import load_settings

    return load_settings(call.home).engine == "auto"


def guess_engine(call: Invocation, options: StartOptions) -> str:
    """The engine whose agents are worth bringing up while the plan is still being made; empty for none.

    Only where nothing but the tools can decide: a wrong guess would start agents for nothing.
    """
    return _guess(call, options, is_choice=False)


def engine_to_warm(call: Invocation, options: StartOptions) -> str:
    """The engine whose agents are worth bringing up while somebody chooses; empty for none, or where settings say so."""
    return _guess(call, options, is_choice=True)


def _guess(call: Invocation, options: StartOptions, *, is_choice: bool) -> str:
    if options.engine not in {None, "auto", "nomad"} or not has_nomad(call):
        return ""
    if options.engine is None and find_project_file(Path.cwd()):
        return ""
    return _NOMAD if _settings_allow(call, options, is_choice=is_choice) else ""


def _settings_allow(call: Invocation, options: StartOptions, *, is_choice: bool) -> bool:
    if not call.home.settings.exists():
        return True
    # What reads them takes longer to load than most people have settings for.
    from prismctl.files.settings import load_settings

    try:
        settings = load_settings(call.home)
    except PrismError:
        # The start tells what is wrong with them.
        return False
    if is_choice and not settings.warm:
        return False
    return options.engine is not None or settings.engine in {"auto", "nomad"}


def has_nomad(call: Invocation) -> bool:
    """Whether Nomad and what it needs is installed."""
    from prismctl.machine import find_tool

    return all(find_tool(tool, call.home.tools) for tool in _NOMAD_TOOLS)

"""``prismctl dev config``: every setting with the layer it came from, and why one of them is what it is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from prismctl.cli.command import Entry, Group
from prismctl.cli.completion import complete_settings
from prismctl.cli.selection_flags import SelectionCommand, request_selection

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prismctl.cli.invocation import Invocation
    from prismctl.explaining import Explanation

config = Group(
    "config",
    entries={
        "show": Entry(f"{__name__}:show", "Show every setting and where it comes from."),
        "explain": Entry(f"{__name__}:explain", "Say why a setting is what it is."),
    },
    help="See which settings a start would have, and which layer each of them comes from: flags, the picker, "
    "a profile, a preset, the project's file, settings, the catalog, defaults. The highest that says anything wins.",
    short_help="See which settings hold, and why.",
    examples=[
        ("prismctl dev config show", "what `prismctl dev start` would go by"),
        (
            "prismctl dev config explain redis.memory_mb",
            "where a value is written, and what it beats",
        ),
        ("prismctl dev config explain redis", "why is this in my stack?"),
    ],
)


@click.command(
    cls=SelectionCommand,
    help="Show every setting and where it comes from: those of the whole stack, its services with the reason for "
    "each, and what somebody has said about them. Takes the flags of `prismctl dev start`, and shows what would "
    "hold with them. Nothing is started and nothing is written.",
    short_help="Show every setting and where it comes from.",
    examples=[
        ("prismctl dev config show", "what `prismctl dev start` would go by"),
        ("prismctl dev config show --profile team --with-redis", "with these flags"),
        ("prismctl dev config show -v", "defaults of every service, too"),
        (
            "prismctl dev config show -o json | jq '.settings[] | select(.source != \"default\")'",
            "for a program",
        ),
    ],
)
def show(call: Invocation, *, typed: Mapping[str, Any]) -> None:
    """List the settings."""
    from prismctl.present.settings import render_settings, settings_lines

    explanation = _look(call, typed)
    names_defaults = call.is_verbose or call.is_json
    settings = list(explanation.explain_all(names_defaults=names_defaults))
    if call.is_json:
        document = render_settings(explanation.decision.stack, settings)
        call.write_json(document, is_pretty=call.is_on_terminal)
    else:
        call.write_lines(settings_lines(settings, width=call.width))


@click.command(
    cls=SelectionCommand,
    help="Say why a setting is what it is: its value, the flag or the file and line that says so, what this machine "
    "makes of it, and every layer that it beats. KEY is a setting of the stack (`engine`), a service (`redis`: why "
    "is it in my stack?) or a setting of one (`redis.memory_mb`). Takes the flags of `prismctl dev start`.",
    short_help="Say why a setting is what it is.",
    examples=[
        ("prismctl dev config explain engine", "who runs the services, and who says so"),
        ("prismctl dev config explain redis.memory_mb --profile team", "with a profile"),
        ("prismctl dev config explain nats --preset=messaging", "why is this in my stack?"),
        ("prismctl dev config explain services -o json", "for a program"),
    ],
)
@click.argument("key", metavar="KEY", shell_complete=complete_settings)
def explain(call: Invocation, *, key: str, typed: Mapping[str, Any]) -> None:
    """Explain one setting."""
    from prismctl.present.settings import explanation_lines, render_explanation

    explanation = _look(call, typed)
    setting = explanation.explain(key)
    related = explanation.related(key)
    if call.is_json:
        call.write_json(render_explanation(setting, related), is_pretty=call.is_on_terminal)
    else:
        call.write_lines(explanation_lines(setting, related, width=call.width))


def _look(call: Invocation, typed: Mapping[str, Any]) -> Explanation:
    from prismctl.explaining import explain_selection

    return explain_selection(
        request_selection(call, typed),
        home=call.home,
        environment=os.environ,
        working_directory=Path.cwd(),
    )

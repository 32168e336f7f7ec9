"""``prismctl dev config``: every setting with the layer it came from, and why one of them is what it is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from prismctl.cli.command import Entry, Group
from prismctl.cli.completion import complete_settings
from prismctl.cli.selection_flags import SelectionCommand, request_selection
from prismctl.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prismctl.cli.invocation import Invocation
    from prismctl.domain.precedence import Setting
    from prismctl.explaining import Explanation

config = Group(
    "config",
    entries={
        "show": Entry(f"{__name__}:show", "Show every setting and where it comes from."),
        "explain": Entry(f"{__name__}:explain", "Say why a setting is what it is."),
    },
    help="See which settings hold, and which layer each of them comes from: flags, the picker, a profile, a preset, "
    "the project's file, settings, the catalog, defaults. The highest that says anything wins. Without flags it is "
    "about the stack that runs, as it was started; with flags, or where nothing runs, about what would start.",
    short_help="See which settings hold, and why.",
    examples=[
        ("prismctl dev config show", "what the stack goes by, or `prismctl dev start` would"),
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
    "each, and what somebody has said about them. Without flags it shows what the stack that runs was started with; "
    "it takes the flags of `prismctl dev start`, and shows what would hold with them. Nothing is started and nothing "
    "is written.",
    short_help="Show every setting and where it comes from.",
    examples=[
        ("prismctl dev config show", "what the stack goes by, or `prismctl dev start` would"),
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
    from prismctl.present.settings import about_line, render_settings, settings_lines

    explanation = _look(call, typed)
    running = explanation.running
    names_defaults = call.is_verbose or call.is_json
    settings = list(explanation.explain_all(names_defaults=names_defaults))
    if call.is_json:
        document = render_settings(
            explanation.decision.stack, settings, is_running=running is not None
        )
        call.write_json(document, is_pretty=call.is_on_terminal)
    else:
        if running is not None:
            call.write_lines([about_line(running.stack, running.origin), ()])
        call.write_lines(settings_lines(settings, width=call.width))


@click.command(
    cls=SelectionCommand,
    help="Say why a setting is what it is: its value, the flag or the file and line that says so, what this machine "
    "makes of it, and every layer that it beats. KEY is a setting of the stack (`engine`), a service (`redis`: why "
    "is it in my stack?) or a setting of one (`redis.memory_mb`). Without flags it is about the stack that runs, as it "
    "was started, and says what the next plain start would make of it; it takes the flags of `prismctl dev start`.",
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
    from prismctl.present.settings import explanation_lines, render_explanation, running_words

    explanation = _look(call, typed)
    setting = explanation.explain(key)
    related = explanation.related(key)
    next_start = _find_next(call, explanation, key)
    running = explanation.running
    if call.is_json:
        document = render_explanation(
            setting, related, is_running=running is not None, next_start=next_start
        )
        call.write_json(document, is_pretty=call.is_on_terminal)
        return
    words = ""
    if running is not None:
        is_outdated = explanation.is_outdated(key)
        words = running_words(running.origin, next_start, is_outdated=is_outdated)
    is_service = explanation.is_service(key)
    call.write_lines(
        explanation_lines(setting, related, is_service=is_service, running=words, width=call.width)
    )


def _look(call: Invocation, typed: Mapping[str, Any]) -> Explanation:
    """What runs, as it was asked for, where nothing else was; else what would start."""
    from prismctl.cli.stack import find_stack
    from prismctl.cli.starting import read_applied_plan
    from prismctl.explaining import explain_running

    running = None if typed else read_applied_plan(find_stack(call.paths))
    if running is None:
        return _look_at_start(call, typed)
    return explain_running(
        running, home=call.home, environment=os.environ, working_directory=Path.cwd()
    )


def _look_at_start(call: Invocation, typed: Mapping[str, Any]) -> Explanation:
    from prismctl.explaining import explain_selection

    return explain_selection(
        request_selection(call, typed),
        home=call.home,
        environment=os.environ,
        working_directory=Path.cwd(),
    )


def _find_next(call: Invocation, explanation: Explanation, key: str) -> Setting | None:
    """What a start without flags would make of it once the stack was stopped, where that is something else."""
    if explanation.running is None:
        return None
    try:
        other = _look_at_start(call, {})
        there = other.explain(key)
    except ConfigError:
        # It is not what was asked about, and `start` tells what is wrong.
        return None
    service = other.explain_absence(key, explanation)
    if service is not None:
        return service
    return there if there.value != explanation.explain(key).value else None

"""Which commands there are; none of their modules is imported here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from prismctl import __version__
from prismctl.cli.command import Entry, Group

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_COMMANDS = "prismctl.cli.commands"

DEV_ENTRIES = {
    "init": Entry(f"{_COMMANDS}.init:init", "Make this machine ready, once.", "This machine"),
    "start": Entry(
        f"{_COMMANDS}.start:start", "Start a stack and wait until it is ready.", "The stack"
    ),
    "stop": Entry(
        f"{_COMMANDS}.stop:stop", "Stop the stack; nothing is left running.", "The stack"
    ),
    "restart": Entry(
        f"{_COMMANDS}.restart:restart", "Restart the whole stack, or some services.", "The stack"
    ),
    "add": Entry(f"{_COMMANDS}.add:add", "Run more services in a stack that runs.", "The stack"),
    "remove": Entry(
        f"{_COMMANDS}.remove:remove", "Take services out of a stack that runs.", "The stack"
    ),
    "scale": Entry(
        f"{_COMMANDS}.scale:scale", "Run a service in more or fewer instances.", "The stack"
    ),
    "status": Entry(f"{_COMMANDS}.status:status", "Show how the stack is.", "The stack"),
    "wait": Entry(f"{_COMMANDS}.wait:wait", "Wait until services are healthy.", "The stack"),
    "dashboard": Entry(
        f"{_COMMANDS}.dashboard:dashboard",
        "Watch the stack, and change it with single keys.",
        "Looking closer",
    ),
    "logs": Entry(f"{_COMMANDS}.logs:logs", "Show what services print.", "Looking closer"),
    "events": Entry(
        f"{_COMMANDS}.events:events", "Show what happened to the stack.", "Looking closer"
    ),
    "stats": Entry(f"{_COMMANDS}.stats:stats", "Show what starts took.", "Looking closer"),
    "env": Entry(
        f"{_COMMANDS}.env:env", "Print endpoints and credentials for a shell.", "Looking closer"
    ),
    "data": Entry(
        f"{_COMMANDS}.data:data", "Keep, copy and empty what services store.", "The stack"
    ),
    "export": Entry(
        f"{_COMMANDS}.export:export", "Write one file for a bug report.", "Looking closer"
    ),
    "ui": Entry(
        f"{_COMMANDS}.ui:ui", "Open the UI of Nomad or Consul, logged in.", "Looking closer"
    ),
    "config": Entry(
        f"{_COMMANDS}.config:config", "See which settings hold, and why.", "What there is"
    ),
    "catalog": Entry(f"{_COMMANDS}.catalog:catalog", "See what can be started.", "What there is"),
    "profiles": Entry(
        f"{_COMMANDS}.profiles:profiles", "List the saved profiles.", "What there is"
    ),
    "profile": Entry(
        f"{_COMMANDS}.profile:profile", "Save, show and delete profiles.", "What there is"
    ),
    "doctor": Entry(f"{_COMMANDS}.doctor:doctor", "Check this machine and home.", "What there is"),
    "clean": Entry(
        f"{_COMMANDS}.clean:clean",
        "Stop every stack and remove what prismctl has made.",
        "What there is",
    ),
    "version": Entry(
        f"{_COMMANDS}.version:version", "Show the versions of all tools.", "What there is"
    ),
}

ROOT_ENTRIES = {
    "dev": Entry("prismctl.cli.root:dev", "A Prism stack on this machine."),
    "completion": Entry(f"{_COMMANDS}.completion:completion", "Completion for bash, zsh and fish."),
}


class DevGroup(Group):
    """``prismctl dev`` with flags, or with nothing at all, is ``prismctl dev start``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put ``start`` in front of flags that are not this group's own."""
        if not ctx.resilient_parsing and (
            not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names)
        ):
            args = ["start", *args]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Commands; for a dash, the options of ``start``."""
        if not incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        start = self.get_command(ctx, "start")
        if start is None:
            return []
        with start.make_context("start", [], parent=ctx, resilient_parsing=True) as start_context:
            return start.shell_complete(start_context, incomplete)


dev = DevGroup(
    "dev",
    entries=DEV_ENTRIES,
    help="A Prism stack on this machine: the core services and the backends you choose, "
    "started in dependency order and watched.",
    examples=[
        ("prismctl dev start", "choose services and start them"),
        ("prismctl dev start --preset=redis", "with Redis"),
        ("prismctl dev status", "how it is"),
        ("prismctl dev logs -f", "what it prints, as it does"),
        ("prismctl dev stop", "all of it down, nothing left"),
    ],
    epilog="Flags without a command are those of `prismctl dev start`.",
)

root = Group(
    "prismctl",
    entries=ROOT_ENTRIES,
    help="From nothing to a running, observable Prism stack.",
    examples=[
        ("prismctl dev start", "choose services and start them"),
        ("prismctl dev --help", "everything about stacks"),
        ("prismctl completion install", "complete names with the tab key"),
    ],
)
click.version_option(
    __version__, "--version", prog_name="prismctl", message="%(prog)s %(version)s"
)(root)

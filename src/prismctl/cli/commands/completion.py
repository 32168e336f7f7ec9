"""``prismctl completion``: puts completion where the shell finds it, takes it away again, or prints it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from prismctl.cli.command import Command, Entry, Group, option
from prismctl.cli.main import COMPLETION_VARIABLE, PROGRAM_NAME
from prismctl.errors import ConfigError, Problem
from prismctl.present.text import Span, Tone, line

if TYPE_CHECKING:
    from prismctl.cli.invocation import Invocation
    from prismctl.cli.shell_setup import Change

SHELLS: Final = ("bash", "zsh", "fish")

completion = Group(
    "completion",
    entries={
        "install": Entry(f"{__name__}:install", "Put completion where the shell finds it."),
        "uninstall": Entry(f"{__name__}:uninstall", "Take completion away again."),
        "show": Entry(f"{__name__}:show", "Print the completion script."),
    },
    help="Completion for bash, zsh and fish: commands, options, services, presets, profiles, stacks and settings.",
    examples=[
        ("prismctl completion install", "for the shell in use"),
        ("prismctl completion install zsh", "for another one"),
        ("prismctl completion uninstall", "take it away again"),
    ],
)

_SHELL = click.argument("shell", type=click.Choice(SHELLS), required=False)


@click.command(
    cls=Command,
    help="Put completion where the shell finds it. A file of its own where the shell reads such files, "
    "else also one line in the shell's start file; doing it again changes nothing.",
    short_help="Put completion where the shell finds it.",
    examples=[
        ("prismctl completion install", "for the shell in use"),
        ("prismctl completion install fish", "for another one"),
        ("prismctl completion install --dry-run", "only say what would be written"),
    ],
    has_stack=False,
    has_output=False,
)
@_SHELL
@option("--dry-run", is_flag=True, help="Say what would be written, and write nothing.")
def install(call: Invocation, shell: str | None, *, dry_run: bool) -> None:
    """Write the script and, where it is needed, the line that reads it."""
    from prismctl.cli.shell_setup import add_completion, find_places

    shell = shell or _shell_in_use()
    places = find_places(shell, os.environ, Path.home(), call.home.directory)
    changes = add_completion(places, completion_script(shell), is_trial=dry_run)
    _tell(call, changes, is_trial=dry_run)
    if dry_run:
        return
    words = f"new {shell} sessions complete prismctl; this one after `exec {shell}`"
    call.report([line(words if any(each.verb for each in changes) else "nothing had to be done")])


@click.command(
    cls=Command,
    help="Take completion away again: the file that `install` has written, and its line in the shell's start file. "
    "Everything else in that stays as it is.",
    short_help="Take completion away again.",
    examples=[
        ("prismctl completion uninstall", "for the shell in use"),
        ("prismctl completion uninstall zsh --dry-run", "only say what would be removed"),
    ],
    has_stack=False,
    has_output=False,
)
@_SHELL
@option("--dry-run", is_flag=True, help="Say what would be removed, and remove nothing.")
def uninstall(call: Invocation, shell: str | None, *, dry_run: bool) -> None:
    """Remove the script and the line that reads it."""
    from prismctl.cli.shell_setup import find_places, remove_completion

    shell = shell or _shell_in_use()
    places = find_places(shell, os.environ, Path.home(), call.home.directory)
    changes = remove_completion(places, is_trial=dry_run)
    _tell(call, changes, is_trial=dry_run)
    if not any(each.verb for each in changes):
        call.report([line(f"completion for {shell} is not installed")])


@click.command(
    cls=Command,
    help="Print the completion script.",
    examples=[('eval "$(prismctl completion show bash)"', "complete in this session only")],
    has_stack=False,
    has_output=False,
)
@_SHELL
def show(call: Invocation, shell: str | None) -> None:
    """Print the script for a shell."""
    call.write(completion_script(shell or _shell_in_use()).rstrip())


def completion_script(shell: str) -> str:
    """What the shell has to read so that it asks prismctl for completions."""
    from prismctl.cli.root import root
    from prismctl.cli.shells import render_script

    return render_script(shell, root, PROGRAM_NAME, COMPLETION_VARIABLE)


def _tell(call: Invocation, changes: list[Change], *, is_trial: bool) -> None:
    """One line a file: what was, or would be, done to it."""
    lines = []
    for change in changes:
        if not change.verb:
            lines.append(line("already as it should be: ", Span(str(change.path), Tone.STRONG)))
            continue
        verb = f"would {change.verb}" if is_trial else change.done
        rest = f": {change.detail}" if change.detail else ""
        lines.append(line(f"{verb} ", Span(str(change.path), Tone.STRONG), rest))
    call.write_lines(lines)


def _shell_in_use() -> str:
    name = Path(os.environ.get("SHELL", "")).name
    if name not in SHELLS:
        known = ", ".join(SHELLS)
        problem = Problem(message=f"SHELL is `{name}`, which is none of {known}")
        raise ConfigError((problem,), hint="name the shell: `prismctl completion install bash`")
    return name

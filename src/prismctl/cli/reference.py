"""The reference page of the command line, made from the commands themselves: ``python -m prismctl.cli.reference``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from prismctl.cli.command import Command, Group
from prismctl.cli.main import PROGRAM_NAME
from prismctl.cli.root import root

if TYPE_CHECKING:
    from collections.abc import Iterator

_INTRODUCTION = """# Commands

Generated from the commands (`python -m prismctl.cli.reference > docs/reference/cli.md`); a test compares.

stdout is data, stderr is everything else. With `-o json` an answer is JSON, and so is an error
([exit codes](exit-codes.md)). `dev status` is JSON whenever stdout is not a terminal
([the document](status-document.md)). Nothing moves and nothing asks where a stream is not a terminal or `CI` is set.

`dev start`, `dev restart` with `-o json` write one object a line: `{"plan": …}` (start only; with `"disturbs"` where it [changes what runs](../how-to/change-a-running-stack.md)), `{"event": …}` as things happen, and at
last `{"result": {"outcome", "failed", "skipped", "status"}}`, followed by `{"error": …}` when it did not end well.
"""


def render_reference() -> str:
    """The whole page."""
    return "\n".join([_INTRODUCTION, *_sections(root, None)])


def _sections(command: click.Command, parent: click.Context | None) -> Iterator[str]:
    name = command.name if parent else PROGRAM_NAME
    context = click.Context(
        command, info_name=name, parent=parent, help_option_names=["-h", "--help"]
    )
    if not isinstance(command, Group) or parent is not None:
        yield _section(command, context)
    if isinstance(command, Group):
        for each in command.list_commands(context):
            found = command.get_command(context, each)
            if found is not None:
                yield from _sections(found, context)


def _section(command: click.Command, context: click.Context) -> str:
    lines = [f"## `{context.command_path}`", "", " ".join((command.help or "").split()), ""]
    if isinstance(command, Command | Group) and command.examples:
        width = max(len(example.command) for example in command.examples)
        lines += ["```sh"]
        lines += [f"{each.command:<{width}}  # {each.purpose}" for each in command.examples]
        lines += ["```", ""]
    if not isinstance(command, Group):
        lines += [f"`{command.get_usage(context).removeprefix('Usage: ')}`".replace("\n", " "), ""]
        lines += _options(command, context)
    return "\n".join(lines)


def _options(command: click.Command, context: click.Context) -> list[str]:
    rows = []
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and not isinstance(parameter, click.Argument):
            names, text = (part.replace("|", "\\|").replace("\n", " ") for part in record)
            rows.append(f"| `{names}` | {' '.join(text.split())} |")
    return ["| option | meaning |", "| --- | --- |", *rows, ""] if rows else []


if __name__ == "__main__":
    sys.stdout.write(render_reference())

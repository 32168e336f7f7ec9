"""Click, as this program uses it: lazy groups, help with examples first, the options every command has."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click
from click.shell_completion import CompletionItem

from prismctl.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

COMMON_SECTION: Final = "Everywhere"
"""Options that every command has; help lists them last."""
_LONGEST_EXAMPLE: Final = 48


_NEIGHBOURS: Final = {
    "up": "start",
    "run": "start",
    "down": "stop",
    "ps": "status",
    "ls": "status",
    "log": "logs",
    "install": "init",
    "setup": "init",
    "check": "doctor",
    "prune": "clean",
    "rm": "clean",
}
"""What other tools call a command; spelling would suggest something else."""


class Option(click.Option):
    """An option with the section of the help it is listed in."""

    def __init__(self, *names: Any, section: str = "Options", **attributes: Any) -> None:
        super().__init__(*names, **attributes)
        self.section = section


def option(*names: str, section: str = "Options", **attributes: Any) -> Callable[[Any], Any]:
    """Declare an option of a command."""
    return click.option(*names, cls=Option, section=section, **attributes)


class Example(NamedTuple):
    """A line somebody can copy, and what it does."""

    command: str
    purpose: str


def _common_options(*, has_stack: bool, has_output: bool) -> list[Option]:
    from prismctl.cli.completion import complete_stacks

    options = []
    if has_output:
        options.append(
            Option(
                ["-o", "--output", "_format"],
                type=click.Choice(["text", "json"]),
                section=COMMON_SECTION,
                help="How the answer is written.",
            )
        )
    if has_stack:
        options.append(
            Option(
                ["--stack", "_stack"],
                metavar="NAME",
                section=COMMON_SECTION,
                shell_complete=complete_stacks,
                help="Which stack; else PRISM_STACK, else the project's, else `default`.",
            )
        )
    flags = (
        (["-q", "--quiet", "_quiet"], "Only the answer and errors."),
        (["-v", "--verbose", "_verbose"], "More about what happens."),
        (["--no-color", "_no_color"], "No colour; NO_COLOR and FORCE_COLOR are obeyed too."),
        (["--no-input", "_no_input"], "Never ask."),
        (["-y", "--yes", "_yes"], "Answer every question with yes."),
    )
    options += [
        Option(names, is_flag=True, section=COMMON_SECTION, help=text) for names, text in flags
    ]
    return options


class Command(click.Command):
    """A command whose callback gets an `Invocation` first, and whose help begins with examples."""

    def __init__(
        self,
        *arguments: Any,
        examples: Sequence[tuple[str, str]] = (),
        has_stack: bool = True,
        has_output: bool = True,
        outlives_readers: bool = False,
        **attributes: Any,
    ) -> None:
        super().__init__(*arguments, **attributes)
        self.outlives_readers = outlives_readers
        """Whether it is there for what it does, and goes on when nobody reads any more what it says."""
        self.examples = [Example(*example) for example in examples]
        self.params += _common_options(has_stack=has_stack, has_output=has_output)

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Parse; a word too many is explained where it is known what was meant."""
        extra.setdefault("help_option_names", ["-h", "--help"])
        return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the callback with the invocation in front."""
        from prismctl.cli.invocation import (
            Invocation,
            OutputFormat,
            resolve_stack,
        )
        from prismctl.files.paths import find_home

        own = {name: ctx.params.pop(name) for name in list(ctx.params) if name.startswith("_")}
        output_format = own.get("_format")
        ctx.obj = Invocation(
            home=find_home(),
            stack=resolve_stack(own["_stack"]) if "_stack" in own else "default",
            format=OutputFormat(output_format) if output_format else None,
            is_quiet=own["_quiet"],
            is_verbose=own["_verbose"],
            is_colour_forbidden=own["_no_color"],
            is_input_forbidden=own["_no_input"],
            is_confirmed=own["_yes"],
            outlives_readers=self.outlives_readers,
        )
        if self.callback is None:
            return None
        return ctx.invoke(self.callback, ctx.obj, **ctx.params)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """What it is for, examples, usage, options by section."""
        write_summary(self.help or "", formatter)
        write_examples(self.examples, formatter)
        self.format_usage(ctx, formatter)
        self.format_options(ctx, formatter)
        self.format_epilog(ctx, formatter)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options under the names of their sections, those that every command has last."""
        write_options(self, ctx, formatter)


def write_summary(text: str, formatter: click.HelpFormatter) -> None:
    """The help text as paragraphs."""
    for index, paragraph in enumerate(text.strip().split("\n\n")):
        if index:
            formatter.write_paragraph()
        formatter.write_text(" ".join(paragraph.split()))


def write_examples(examples: Sequence[Example], formatter: click.HelpFormatter) -> None:
    """Lines to copy."""
    if examples:
        with formatter.section("Examples"):
            formatter.write_dl(
                [(example.command, example.purpose) for example in examples],
                col_max=_LONGEST_EXAMPLE,
            )
        formatter.write_paragraph()


def write_options(
    command: click.Command, ctx: click.Context, formatter: click.HelpFormatter
) -> None:
    """The options of a command by section."""
    sections: dict[str, list[tuple[str, str]]] = {}
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx)
        if record is not None and not isinstance(parameter, click.Argument):
            section = getattr(parameter, "section", COMMON_SECTION)
            sections.setdefault(section, []).append(record)
    everywhere = sections.pop(COMMON_SECTION, [])
    for title, records in [*sections.items(), (COMMON_SECTION, everywhere)]:
        if records:
            with formatter.section(title):
                formatter.write_dl(records)


class Entry(NamedTuple):
    """A command of a group, known by name before its module is imported."""

    target: str
    """``module:attribute``."""
    summary: str
    """One line for the group's help; the command's own first line is the same, a test compares."""
    section: str = "Commands"


class Group(click.Group):
    """A group that imports a command only when it is the one that was typed."""

    def __init__(
        self,
        *arguments: Any,
        entries: dict[str, Entry],
        examples: Sequence[tuple[str, str]] = (),
        **attributes: Any,
    ) -> None:
        attributes.setdefault("no_args_is_help", True)
        super().__init__(*arguments, **attributes)
        self.entries = entries
        self.examples = [Example(*example) for example in examples]

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Parse with both spellings of help."""
        extra.setdefault("help_option_names", ["-h", "--help"])
        return super().make_context(info_name, args, parent, **extra)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the help."""
        del ctx
        return list(self.entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now."""
        del ctx
        entry = self.entries.get(cmd_name)
        if entry is None:
            return None
        module, _, attribute = entry.target.partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command the first word names; an unknown word gets the nearest name."""
        name = args[0]
        command = self.get_command(ctx, name)
        if command is None and not ctx.resilient_parsing:
            if name.startswith("-"):
                raise click.NoSuchOption(name, ctx=ctx)
            problem = Problem(
                message=f"no such command `{ctx.command_path} {name}`",
                suggestion=self._guess(ctx, name),
            )
            raise ConfigError((problem,), hint=f"`{ctx.command_path} --help` lists the commands")
        return (name if command else None), command, args[1:]

    def _guess(self, ctx: click.Context, name: str) -> str:
        """What an unknown command was meant to be: known elsewhere by that name, one group down, or misspelt."""
        from prismctl.domain.problems import nearest_name

        words = [word for word in (name, _NEIGHBOURS.get(name)) if word]
        for word in words:
            if word in self.entries:
                return word
        for own in self.entries:
            command = self.get_command(ctx, own)
            for word in words:
                if isinstance(command, Group) and word in command.entries:
                    return f"{own} {word}"
        return nearest_name(name, self.entries)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Names and summaries, without importing the commands."""
        names = [
            CompletionItem(name, help=entry.summary)
            for name, entry in self.entries.items()
            if name.startswith(incomplete)
        ]
        return names + click.Command.shell_complete(self, ctx, incomplete)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """What it is for, examples, usage, commands by section."""
        write_summary(self.help or "", formatter)
        write_examples(self.examples, formatter)
        self.format_usage(ctx, formatter)
        sections: dict[str, list[tuple[str, str]]] = {}
        for name, entry in self.entries.items():
            sections.setdefault(entry.section, []).append((name, entry.summary))
        for title, rows in sections.items():
            with formatter.section(title):
                formatter.write_dl(rows)
        write_options(self, ctx, formatter)
        self.format_epilog(ctx, formatter)

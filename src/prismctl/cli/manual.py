"""The man page, made from the commands themselves: ``python -m prismctl.cli.manual > docs/man/prismctl.1``."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Final

import click

from prismctl.cli.command import COMMON_SECTION, Command, Group
from prismctl.cli.main import PROGRAM_NAME
from prismctl.cli.root import root
from prismctl.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

EXIT_MEANINGS: Final = {
    ExitCode.DONE: "done",
    ExitCode.FAILED: "it failed",
    ExitCode.INVALID: "a flag or a file says something impossible",
    ExitCode.MISSING_TOOL: "a tool that is needed is not installed",
    ExitCode.UNAVAILABLE: "a component did not answer",
    ExitCode.REJECTED: "a component answered and refused",
    ExitCode.NOT_READY: "not ready in time",
    ExitCode.PARTIAL: "partly done; what worked and what did not is listed",
    ExitCode.INTERRUPTED: "interrupted",
    ExitCode.TERMINATED: "terminated",
}
_ENVIRONMENT: Final = (
    ("PRISM_HOME", "Where everything is kept; `~/.prism` otherwise."),
    ("PRISM_STACK", "Which stack is meant where no `--stack` says so."),
    ("NO_COLOR, FORCE_COLOR", "No colour at all; colour also where no terminal is."),
    ("CI", "Where it is set, nothing moves and nothing is asked."),
)
_FILES: Final = (
    ("~/.prism/services.yaml", "The catalog: what can be started."),
    ("~/.prism/services.local.yaml", "Put over the catalog: what one person has differently."),
    ("~/.prism/config.yaml", "Settings."),
    ("~/.prism/profiles/", "Saved selections, one file each."),
    ("~/.prism/run/STACK/", "A running stack: sockets, logs, data."),
    ("prism.yaml", "Found upwards from the working directory: what a repository wants."),
)


_ROFF: Final = {"\\": "\\e", "-": "\\-", "'": "\\(aq", "^": "\\(ha", "~": "\\(ti"}
"""Characters that would come out as something else, which nobody could copy."""


def render_manual() -> str:
    """The whole page, as roff."""
    context = click.Context(root, info_name=PROGRAM_NAME)
    lines = [
        '.\\" Generated from the commands; a test compares.',
        f'.TH {PROGRAM_NAME.upper()} 1 "" "{PROGRAM_NAME}" "User Commands"',
        ".SH NAME",
        f"{PROGRAM_NAME} \\- {escape(_first_words(root))}",
        ".SH SYNOPSIS",
        f".B {PROGRAM_NAME}",
        ".I COMMAND",
        "[\\fIOPTION\\fR]... [\\fIARGUMENT\\fR]...",
        ".SH DESCRIPTION",
        *_paragraphs(root.help or ""),
        *_examples(root),
        ".SH COMMANDS",
    ]
    for command, below in _commands(root, context):
        lines += _section(command, below)
    lines += [".SH OPTIONS OF EVERY COMMAND", *_common_options(context)]
    lines += [".SH EXIT STATUS"]
    for code, meaning in EXIT_MEANINGS.items():
        lines += _entry(str(code.value), meaning)
    for title, rows in (("ENVIRONMENT", _ENVIRONMENT), ("FILES", _FILES)):
        lines.append(f".SH {title}")
        for term, meaning in rows:
            lines += _entry(term, meaning)
    return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    r"""A text in which roff sees nothing but text; what is between backticks is bold.

    >>> escape("takes `--yes`")
    'takes \\fB\\-\\-yes\\fR'
    """
    words = "".join(_ROFF.get(each) or _ascii(each) for each in text)
    words = re.sub(r"`([^`]*)`", r"\\fB\1\\fR", words)
    # At the beginning of a line it would be a request.
    return f"\\&{words}" if words.startswith(".") else words


def _ascii(character: str) -> str:
    return character if character.isascii() else f"\\[u{ord(character):04X}]"


def _commands(
    group: Group, context: click.Context
) -> Iterator[tuple[click.Command, click.Context]]:
    """Every command below a group, each after the group it is in."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None:
            continue
        below = click.Context(
            command, info_name=name, parent=context, help_option_names=["-h", "--help"]
        )
        yield command, below
        if isinstance(command, Group):
            yield from _commands(command, below)


def _section(command: click.Command, context: click.Context) -> Iterator[str]:
    yield f'.SS "{escape(context.command_path)}"'
    if not isinstance(command, Group):
        usage = command.get_usage(context).removeprefix("Usage: ")
        yield f"\\fB{escape(' '.join(usage.split()))}\\fR"
        yield ".PP"
    yield from _paragraphs(command.help or "")
    yield from _examples(command)
    if not isinstance(command, Group):
        for parameter in command.get_params(context):
            if getattr(parameter, "section", COMMON_SECTION) != COMMON_SECTION:
                yield from _option(parameter, context)


def _common_options(context: click.Context) -> Iterator[str]:
    """Those that all commands have, once; of those that some lack, too."""
    told: set[str] = set()
    for command, below in _commands(root, context):
        if isinstance(command, Group):
            continue
        for parameter in command.get_params(below):
            is_common = getattr(parameter, "section", COMMON_SECTION) == COMMON_SECTION
            name = max(parameter.opts, key=len, default="")
            if is_common and name not in told and not isinstance(parameter, click.Argument):
                told.add(name)
                yield from _option(parameter, below)


def _option(parameter: click.Parameter, context: click.Context) -> Iterator[str]:
    record = parameter.get_help_record(context)
    if record is not None:
        yield from _entry(*record)


def _entry(term: str, meaning: str) -> list[str]:
    return [".TP", f"\\fB{escape(term)}\\fR", escape(" ".join(meaning.split()))]


def _examples(command: click.Command) -> Iterator[str]:
    if not isinstance(command, Command | Group):
        return
    for example in command.examples:
        yield ".PP"
        yield ".RS 4"
        yield f"\\fB{escape(example.command)}\\fR"
        yield ".br"
        yield escape(example.purpose)
        yield ".RE"


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in text.strip().split("\n\n"):
        yield ".PP"
        yield escape(" ".join(paragraph.split()))


def _first_words(command: click.Command) -> str:
    """The summary in the form that ``whatis`` shows: no capital, no full stop."""
    words = (command.help or "").split(". ")[0].rstrip(".")
    return words[:1].lower() + words[1:]


if __name__ == "__main__":
    sys.stdout.write(render_manual())

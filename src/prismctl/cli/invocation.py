"""One call of a command: which stack it is about, and where and how it may write."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from prismctl.cli.terminal import (
    abandon,
    has_animation,
    has_colour,
    is_in_foreground,
    is_terminal,
    paint,
    width_of_stream,
)
from prismctl.errors import ConfigError, Problem
from prismctl.files.paths import find_project_file

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prismctl.files.paths import Home, StackPaths
    from prismctl.present.text import Line


class OutputFormat(StrEnum):
    """How an answer is written."""

    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """What every command is given besides its own options."""

    home: Home
    stack: str
    format: OutputFormat | None = None
    """``None``: nobody asked, and a command may choose by what stdout is."""
    is_quiet: bool = False
    is_verbose: bool = False
    is_colour_forbidden: bool = False
    is_input_forbidden: bool = False
    is_confirmed: bool = False
    """``--yes``: questions are answered with yes."""
    outlives_readers: bool = False
    """Goes on to its end when nobody reads any more what it writes; else that ends it."""

    @property
    def paths(self) -> StackPaths:
        """The files of the stack this call is about."""
        return self.home.stack(self.stack)

    @property
    def is_json(self) -> bool:
        """Whether JSON was asked for."""
        return self.format is OutputFormat.JSON

    @property
    def width(self) -> int:
        """How many cells a line on stdout has."""
        return width_of_stream(sys.stdout)

    @property
    def has_colour(self) -> bool:
        """Whether stdout is written in colour."""
        return has_colour(sys.stdout, is_forbidden=self.is_colour_forbidden)

    @property
    def is_on_terminal(self) -> bool:
        """Whether somebody looks at stdout."""
        return is_terminal(sys.stdout)

    @property
    def has_animation(self) -> bool:
        """Whether stdout may be redrawn."""
        return has_animation(sys.stdout)

    @property
    def can_ask(self) -> bool:
        """Whether a question would reach somebody who can answer it."""
        return (
            not self.is_input_forbidden
            and not self.is_json
            and not os.environ.get("CI")
            and is_terminal(sys.stderr)
            and is_terminal(sys.stdin)
            and is_in_foreground(sys.stdin)
        )

    @property
    def can_watch(self) -> bool:
        """Whether a full screen would reach somebody who can see it and press keys."""
        is_drawable = os.environ.get("TERM", "dumb") != "dumb"
        return self.can_ask and self.is_on_terminal and not self.is_quiet and is_drawable

    def write(self, text: str) -> None:
        """Write one line of the answer.

        Raises:
            BrokenPipeError: nobody reads it any more, and that is the end of it.
        """
        try:
            sys.stdout.write(f"{text}\n")
        except BrokenPipeError as error:
            self._lose_reader(sys.stdout, error)

    def write_lines(self, lines: Iterable[Line]) -> None:
        """Write lines of the answer, painted where stdout shows colour."""
        colour = self.has_colour
        for spans in lines:
            self.write(paint(spans, has_colour=colour))
        self.flush()

    def show(self, lines: Iterable[Line]) -> None:
        """Write what explains an error, to stderr, also under ``-q``."""
        self.flush()
        colour = has_colour(sys.stderr, is_forbidden=self.is_colour_forbidden)
        try:
            for spans in lines:
                sys.stderr.write(paint(spans, has_colour=colour) + "\n")
            sys.stderr.flush()
        except BrokenPipeError as error:
            self._lose_reader(sys.stderr, error)

    def flush(self) -> None:
        """Hand on what was written, for somebody who follows."""
        try:
            sys.stdout.flush()
        except BrokenPipeError as error:
            self._lose_reader(sys.stdout, error)

    def write_json(self, document: Any, *, is_pretty: bool = False) -> None:
        """Write one JSON document: on one line, or indented for eyes."""
        from prismctl.present.json_text import render_json

        self.write(render_json(document, indent=2 if is_pretty else None))
        self.flush()

    def report(self, lines: Iterable[Line]) -> None:
        """Write what is not part of the answer, to stderr; nothing under ``-q``."""
        if not self.is_quiet:
            self.show(lines)

    def _lose_reader(self, stream: TextIO, error: BrokenPipeError) -> None:
        if not self.outlives_readers:
            raise error
        abandon(stream)


def resolve_stack(typed: str | None) -> str:
    """The stack a call is about: ``--stack``, else PRISM_STACK, else the project's, else ``default``.

    Raises:
        ConfigError: the name cannot be a stack's.
    """
    if typed == "":
        # Written by a script with a variable that is not set: it meant another stack than the default one.
        raise ConfigError(
            (Problem(message="--stack: the name is empty"),),
            hint="leave the option out for the project's stack, or `default`",
        )
    if typed is None and "PRISM_STACK" not in os.environ and find_project_file(Path.cwd()) is None:
        return "default"
    from prismctl.domain.service import NAME_PATTERN
    from prismctl.files.project import find_stack_name

    name = find_stack_name(typed or "", os.environ, Path.cwd())
    if not re.fullmatch(NAME_PATTERN, name):
        source = "--stack" if typed else "PRISM_STACK"
        problem = Problem(message=f"{source}: `{name}` cannot be the name of a stack")
        raise ConfigError(
            (problem,),
            hint="use small letters, digits and dashes, beginning with a letter or digit",
        )
    return name

"""What a stream can show: whether it is a terminal, how wide, whether in colour; and lines painted for it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, TextIO

from prismctl.present.colours import SGR
from prismctl.present.text import UNBOUNDED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prismctl.present.text import Span

_NARROWEST: Final = 20


def abandon(stream: TextIO) -> None:
    """Send what is still written to a stream nowhere: its reader has gone."""
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, stream.fileno())
    os.close(sink)


def is_terminal(stream: TextIO) -> bool:
    """Whether somebody looks at the stream; a closed one is nobody's."""
    try:
        return stream.isatty()
    except ValueError:
        return False


def is_in_foreground(terminal: TextIO) -> bool:
    """Whether what is typed there reaches this process; a job in the background would be suspended by reading."""
    try:
        return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except (OSError, ValueError):
        return False


def has_animation(stream: TextIO) -> bool:
    """Whether lines may be redrawn: on a capable terminal, outside of CI."""
    return is_terminal(stream) and os.environ.get("TERM") != "dumb" and not os.environ.get("CI")


def has_colour(stream: TextIO, *, is_forbidden: bool) -> bool:
    """Whether to colour: ``--no-color``, then FORCE_COLOR, then NO_COLOR, then what the stream is."""
    if is_forbidden:
        return False
    forced = os.environ.get("FORCE_COLOR")
    if forced:
        return forced != "0"
    if os.environ.get("NO_COLOR"):
        return False
    return is_terminal(stream) and os.environ.get("TERM") != "dumb"


def width_of_stream(stream: TextIO) -> int:
    """How many cells a line of the stream has: COLUMNS, else the terminal's; without a terminal there is no end."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns):
        return max(_NARROWEST, int(columns))
    if not is_terminal(stream):
        return UNBOUNDED
    # With it come the libraries of archives: a pipe does without.
    import shutil

    return max(_NARROWEST, shutil.get_terminal_size((80, 24)).columns)


def paint(spans: Iterable[Span], *, has_colour: bool) -> str:
    """A line as a string for a terminal; without colour, its words."""
    if not has_colour:
        return "".join(span.text for span in spans).rstrip()
    return "".join(
        f"\x1b[{SGR[span.tone]}m{span.text}\x1b[0m" if span.tone in SGR else span.text
        for span in spans
    )

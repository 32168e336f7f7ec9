"""``prismctl dev dashboard``: watch the stack, on a full screen, in lines, or in the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from prismctl.cli.command import Command, option

if TYPE_CHECKING:
    from prismctl.cli.invocation import Invocation


@click.command(
    cls=Command,
    help="Watch the running stack: states, figures and logs as they change, with keys that restart, scale, stop and "
    "add. Leaving it leaves the stack running, and any number of them can be open. With `--web` in the browser: the "
    "link is printed, and opens by itself only when somebody sits at a terminal; it is good until the stack is stopped.",
    short_help="Watch the stack, and change it with single keys.",
    examples=[
        ("prismctl dev dashboard", "on this terminal; `?` lists the keys, `q` leaves"),
        ("prismctl dev dashboard --read-only", "look, and change nothing"),
        ("prismctl dev dashboard --plain", "in lines, for a screen reader"),
        ("prismctl dev dashboard --web", "in the browser"),
        ("prismctl dev dashboard --web --print", "only the link"),
    ],
)
@option("--read-only", is_flag=True, help="Keys that change the stack do nothing.")
@option("--plain", is_flag=True, help="Write lines instead of drawing on the whole screen.")
@option("--web", is_flag=True, help="In the browser.")
@option("--print", "only_print", is_flag=True, help="With `--web`: print the link; open nothing.")
def dashboard(
    call: Invocation, *, read_only: bool, plain: bool, web: bool, only_print: bool
) -> None:
    """Show the one that was asked for."""
    if web:
        from prismctl.cli.browser import show_in_browser

        show_in_browser(call, only_print=only_print)
        return
    from prismctl.cli.watching import watch_in_lines, watch_stack

    if plain or not call.can_watch:
        watch_in_lines(call, is_read_only=read_only)
    else:
        watch_stack(call, is_read_only=read_only)

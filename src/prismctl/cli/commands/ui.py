"""``prismctl dev ui``: an address at which a UI is open and logged in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from prismctl.cli.command import Command, option
from prismctl.cli.stack import open_stack

if TYPE_CHECKING:
    from prismctl.cli.invocation import Invocation


@click.command(
    cls=Command,
    help="Open the UI of Nomad or Consul, logged in. The address is printed; the browser opens only when "
    "somebody sits at a terminal. An address is good once.",
    short_help="Open the UI of Nomad or Consul, logged in.",
    examples=[
        ("prismctl dev ui nomad", "open Nomad's UI"),
        ("prismctl dev ui consul --print", "only the address"),
    ],
)
@click.argument("name", type=click.Choice(["nomad", "consul"]), metavar="nomad|consul")
@option("--print", "only_print", is_flag=True, help="Print the address; open nothing.")
def ui(call: Invocation, name: str, *, only_print: bool) -> None:
    """Print the address, and open it where there is a screen to open it on."""
    url = open_stack(call).login(name)
    if call.is_json:
        call.write_json({"url": url})
    else:
        call.write(url)
    if call.is_on_terminal and not only_print and not call.is_json:
        import webbrowser

        webbrowser.open(url)

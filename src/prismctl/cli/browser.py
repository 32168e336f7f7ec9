"""The dashboard in the browser: the link on stdout, and the page on the screen of whoever sits there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prismctl.cli.stack import open_stack

if TYPE_CHECKING:
    from prismctl.cli.invocation import Invocation


def show_in_browser(call: Invocation, *, only_print: bool) -> None:
    """Print the link, and open it where there is somebody to look.

    Raises:
        PrismError: the stack does not run, or serves no page.
    """
    client = open_stack(call)
    url = client.dashboard_link()
    if call.is_json:
        call.write_json({"url": url})
        return
    call.write(url)
    if call.is_on_terminal and not only_print and not call.is_input_forbidden:
        import webbrowser

        # What a browser is called with can be read by everybody on the machine: this link is good once.
        webbrowser.open(client.dashboard_link(is_good_once=True))

"""``prismctl dev wait``: until healthy; otherwise the culprit with its last words."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from prismctl.cli.command import Command, option
from prismctl.cli.completion import complete_running
from prismctl.cli.numbers import SECONDS
from prismctl.errors import PrismError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prismctl.cli.invocation import Invocation


@click.command(
    cls=Command,
    outlives_readers=True,
    help="Wait until the stack, or the named services, are healthy. Exits 0 once they are, 1 when one of them "
    "failed, 6 when the time is up; then the culprit is named with the last lines it printed.",
    short_help="Wait until services are healthy.",
    examples=[
        ("prismctl dev wait", "everything"),
        ("prismctl dev wait redis --timeout 10", "one service, ten seconds"),
    ],
)
@click.argument("services", nargs=-1, metavar="[SERVICE]...", shell_complete=complete_running)
@option(
    "--timeout",
    metavar="DURATION",
    type=SECONDS,
    default=60.0,
    show_default=True,
    help="How long to wait.",
)
def wait(call: Invocation, *, services: tuple[str, ...], timeout: float) -> None:
    """Watch the status until the services are good, failed, or the time is up."""
    from prismctl.cli.stack import open_stack
    from prismctl.cli.ticking import tick

    client = open_stack(call)
    deadline = time.monotonic() + timeout
    if _is_over(call, client.status(), services):
        return
    for document in tick(client.watch_status(), seconds=1.0, deadline=deadline):
        if document is not None and _is_over(call, document, services):
            return
    from prismctl.cli.endings import deadline_error

    status = client.status()
    raise deadline_error(call, status, seconds=timeout, wanted=_resolve(call, status, services))


def _resolve(call: Invocation, status: dict[str, Any], words: Sequence[str]) -> list[str]:
    """The full names; none while the stack has no services yet, because its plan is still on its way.

    Raises:
        ConfigError: some of the words name nothing in the stack.
    """
    from prismctl.cli.naming import resolve_words

    known = [service["name"] for service in status["services"]]
    return resolve_words(words, known, stack=call.stack) if known else []


def _is_over(call: Invocation, status: dict[str, Any], words: Sequence[str]) -> bool:
    """Whether all is good, which is then said.

    Raises:
        PrismError: one of the services failed or is none of the stack's, or the stack is going down.
    """
    from prismctl.domain.snapshot import is_as_asked

    names = _resolve(call, status, words)
    wanted = [service for service in status["services"] if not names or service["name"] in names]
    failed = [service["name"] for service in wanted if service["state"] == "failed"]
    if failed:
        from prismctl.cli.endings import show_cards
        from prismctl.cli.stack import option_of

        show_cards(call, status, failed)
        raise PrismError(
            f"{', '.join(failed)} failed",
            hint=f"`prismctl dev restart {' '.join(failed)}{option_of(call.stack)}` tries again",
        )
    if status["state"] in {"stopping", "stopped"}:
        raise PrismError(f"stack `{call.stack}` is {status['state']}")
    asleep = [service["name"] for service in wanted if service["replicas"]["wanted"] == 0]
    if names and asleep:
        from prismctl.cli.stack import option_of

        raise PrismError(
            f"{', '.join(asleep)} {'is' if len(asleep) == 1 else 'are'} scaled to 0: there is nothing to wait for",
            hint=f"`prismctl dev scale {asleep[0]} 1{option_of(call.stack)}` has it run again",
        )
    if not wanted or not all(map(is_as_asked, wanted)):
        return False
    if call.is_json:
        call.write_json(status)
    elif not call.is_quiet:
        from prismctl.domain.counting import count_of
        from prismctl.present.text import Span, Tone, line

        which = ", ".join(names) or count_of(len(wanted) - len(asleep), "service")
        call.write_lines([line(Span("healthy", Tone.GOOD), f"  {which}")])
    return True

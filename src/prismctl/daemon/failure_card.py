"""The card of a service that went wrong, for front ends that cannot write it themselves: the terminal's words."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from prismctl.domain.snapshot import render_status
from prismctl.files.log_line import line_to_json
from prismctl.files.logs import read_logs
from prismctl.files.service_data import ServiceData

if TYPE_CHECKING:
    from prismctl.daemon.stack import Stack

_LINES_SINCE: Final = 2000
_WIDTH: Final = 100
"""Of the page's own lines: what is longer has been wrapped by then, and is not wrapped in the middle of a word."""


def render_card(stack: Stack, name: str) -> dict[str, Any]:
    """``{"lines"}``, each a list of ``{"text", "tone"}``; for a service that is up, what it says all the same.

    Raises:
        KeyError: there is no such service.
    """
    # Words are needed only when something failed.
    from prismctl.present.excerpt import READ_LINES
    from prismctl.present.failure import failure_card, find_dependants, find_missing

    document = render_status(stack.monitor.refresh(), time.time())
    services = {service["name"]: service for service in document["services"]}
    service = services[name]
    # Of one that is up again, what the run before said is wanted, and much may have been said since.
    count = _LINES_SINCE if service["last_exit"] else READ_LINES
    said = read_logs(stack.paths.logs, [name], tail=count, redactor=stack.redactor)
    lines = failure_card(
        service,
        said=[line_to_json(line) for line in said],
        dependants=find_dependants(document["services"], name),
        missing=find_missing(document["services"], name),
        width=_WIDTH,
        stack=document["stack"],
        is_running=document["state"] != "stopped",
        has_previous=name in ServiceData(stack.paths.data).names_of_previous(),
    )
    return {
        "lines": [[{"text": span.text, "tone": span.tone.value} for span in line] for line in lines]
    }

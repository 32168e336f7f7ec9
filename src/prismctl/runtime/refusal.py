"""What a service's own guard says when it will not start it: a sentence beside the data, and one exit code.

A guard is a script of ours that looks before the server does. What it refuses is refused the next time, too: engines do not
try again, and the sentence is the reason that is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prismctl.runtime.servers.data_check import has_data_check
from prismctl.runtime.servers.data_check_here import EXIT_REFUSED, find_refusal

if TYPE_CHECKING:
    from pathlib import Path

    from prismctl.domain.plan import ServicePlan

__all__ = ["EXIT_REFUSED", "find_refusal", "has_guard", "read_refusal"]


def has_guard(service: ServicePlan) -> bool:
    """Whether a guard of ours comes before the service's own program."""
    return has_data_check(service)


def read_refusal(data: Path) -> str:
    """Why the instance with a data directory was not started, in one line; empty: it was not refused."""
    try:
        text = find_refusal(data).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return " ".join(text.split())

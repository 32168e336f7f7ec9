"""Which checks there are: all of them for `doctor`, and the few that a start can afford."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TypeVar

from prismctl.install.checks.clock import gather_clock, judge_clock
from prismctl.install.checks.configuration import judge_configuration
from prismctl.install.checks.containers import gather_containers, judge_containers
from prismctl.install.checks.finding import Finding, State
from prismctl.install.checks.home import (
    gather_directory,
    gather_secrets,
    judge_directory,
    judge_secrets,
)
from prismctl.install.checks.kernel import (
    gather_groups,
    gather_inotify,
    judge_groups,
    judge_inotify,
)
from prismctl.install.checks.layout import gather_layout, judge_layout
from prismctl.install.checks.leftovers import gather_leftovers, judge_leftovers
from prismctl.install.checks.network import gather_network, judge_network
from prismctl.install.checks.platform import gather_platform, judge_platform
from prismctl.install.checks.ports import gather_ports, judge_ports
from prismctl.install.checks.resources import (
    gather_disk,
    gather_file_limit,
    gather_memory,
    judge_disk,
    judge_file_limit,
    judge_memory,
)
from prismctl.install.checks.skipped import gather_skipped, judge_skipped
from prismctl.install.checks.terminal import judge_terminal
from prismctl.install.checks.tools import check_tools

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from prismctl.install.checks.surroundings import Surroundings

_Facts = TypeVar("_Facts")


def run_aside(
    name: str,
    gather: Callable[[Surroundings], _Facts],
    judge: Callable[[_Facts], tuple[Finding, ...]],
) -> Callable[[Surroundings], Awaitable[tuple[Finding, ...]]]:
    """A check whose facts are gathered in a thread, so that it waits beside the others."""

    async def check(surroundings: Surroundings) -> tuple[Finding, ...]:
        try:
            return judge(await asyncio.to_thread(gather, surroundings))
        except OSError as error:
            # One thing that cannot be looked at hides none of the others.
            detail = f"cannot be looked at: {error}"
            return (Finding(name=name, title=name, state=State.WARNING, detail=detail),)

    return check


CHECKS: Final = (
    check_tools,
    run_aside("skipped", gather_skipped, judge_skipped),
    run_aside("platform", gather_platform, judge_platform),
    run_aside("home", gather_directory, judge_directory),
    run_aside("secrets", gather_secrets, judge_secrets),
    run_aside("installation", gather_layout, judge_layout),
    run_aside("configuration", lambda surroundings: surroundings.misread, judge_configuration),
    run_aside("leftovers", gather_leftovers, judge_leftovers),
    run_aside("ports", gather_ports, judge_ports),
    run_aside("memory", gather_memory, judge_memory),
    run_aside("disk", gather_disk, judge_disk),
    run_aside("file-limit", gather_file_limit, judge_file_limit),
    run_aside("inotify", gather_inotify, judge_inotify),
    run_aside("cgroups", gather_groups, judge_groups),
    run_aside("containers", gather_containers, judge_containers),
    run_aside("clock", gather_clock, judge_clock),
    run_aside("network", gather_network, judge_network),
    run_aside("terminal", lambda surroundings: surroundings.terminal, judge_terminal),
)
"""In the order in which findings are shown."""


async def examine(surroundings: Surroundings) -> tuple[Finding, ...]:
    """Look at everything, side by side."""
    results = await asyncio.gather(*(check(surroundings) for check in CHECKS))
    return tuple(finding for findings in results for finding in findings)

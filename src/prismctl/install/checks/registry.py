"""Which checks there are: all of them for `doctor`, and the few that a start can afford."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TypeVar

from prismctl.install.checks.clock import gather_clock, judge_clock
from prismctl.install.checks.configuration import judge_configuration
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
from prismctl.install.checks.terminal import judge_terminal
from prismctl.install.checks.tools import check_tools

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from prismctl.install.checks.finding import Finding
    from prismctl.install.checks.surroundings import Surroundings

_Facts = TypeVar("_Facts")


def _aside(
    gather: Callable[[Surroundings], _Facts], judge: Callable[[_Facts], tuple[Finding, ...]]
) -> Callable[[Surroundings], Awaitable[tuple[Finding, ...]]]:
    """A check whose facts are gathered in a thread, so that it waits beside the others."""

    async def check(surroundings: Surroundings) -> tuple[Finding, ...]:
        return judge(await asyncio.to_thread(gather, surroundings))

    return check


CHECKS: Final = (
    check_tools,
    _aside(gather_platform, judge_platform),
    _aside(gather_directory, judge_directory),
    _aside(gather_secrets, judge_secrets),
    _aside(gather_layout, judge_layout),
    _aside(lambda surroundings: surroundings.misread, judge_configuration),
    _aside(gather_leftovers, judge_leftovers),
    _aside(gather_ports, judge_ports),
    _aside(gather_memory, judge_memory),
    _aside(gather_disk, judge_disk),
    _aside(gather_file_limit, judge_file_limit),
    _aside(gather_inotify, judge_inotify),
    _aside(gather_groups, judge_groups),
    _aside(gather_clock, judge_clock),
    _aside(gather_network, judge_network),
    _aside(lambda surroundings: surroundings.terminal, judge_terminal),
)
"""In the order in which findings are shown."""


async def examine(surroundings: Surroundings) -> tuple[Finding, ...]:
    """Look at everything, side by side."""
    results = await asyncio.gather(*(check(surroundings) for check in CHECKS))
    return tuple(finding for findings in results for finding in findings)

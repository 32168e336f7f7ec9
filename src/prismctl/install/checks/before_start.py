"""The checks that are worth their few milliseconds before every start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prismctl.install.checks.home import gather_directory, judge_directory
from prismctl.install.checks.kernel import gather_inotify, judge_inotify
from prismctl.install.checks.resources import (
    gather_disk,
    gather_file_limit,
    gather_memory,
    judge_disk,
    judge_file_limit,
    judge_memory,
)

if TYPE_CHECKING:
    from prismctl.install.checks.finding import Finding
    from prismctl.install.checks.surroundings import Surroundings


def examine_before_start(surroundings: Surroundings) -> tuple[Finding, ...]:
    """What would make any start fail, or do harm; no program is run for it."""
    return (
        *judge_directory(gather_directory(surroundings)),
        *judge_disk(gather_disk(surroundings)),
        # Whether what is started fits is another question, asked once that is known.
        *judge_memory(gather_memory(surroundings)._replace(needs={})),
        *judge_file_limit(gather_file_limit(surroundings)),
        *judge_inotify(gather_inotify(surroundings)),
    )

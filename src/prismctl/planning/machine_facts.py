"""Looks at the machine, as far as a plan depends on it: programs, their versions, what runs containers."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from prismctl.domain.service import Runtime
from prismctl.files.program_versions import read_version
from prismctl.machine import find_program, gather_facts

if TYPE_CHECKING:
    from prismctl.domain.choice import MachineFacts
    from prismctl.domain.containers import ContainerFacts
    from prismctl.files.settings import Settings
    from prismctl.planning.loading import Files
    from prismctl.planning.request import Inquiry


def look_at_machine(inquiry: Inquiry, files: Files) -> MachineFacts:
    """What there is; containers are looked for once somebody wants to know."""
    return gather_facts(
        home_tools=inquiry.home.tools,
        project_directory=files.directory,
        look_for_containers=cache(lambda: _look_for_containers(inquiry, files.settings)),
        read_version=lambda program: _read_version(inquiry, program),
        environment=inquiry.environment,
    )


def _read_version(inquiry: Inquiry, program: str) -> str | None:
    """The version of a program; who only looks runs none that a file names by its path: it may be anybody's."""
    is_trial = inquiry.request.is_trial
    is_on_path = find_program(Path(program).name, inquiry.environment) == program
    return read_version(inquiry.home, program, saves=not is_trial, asks=is_on_path or not is_trial)


def _look_for_containers(inquiry: Inquiry, settings: Settings) -> ContainerFacts:
    from prismctl.install.containers.availability import find_containers

    return find_containers(
        inquiry.home,
        inquiry.environment,
        kind=settings.containers,
        may_try=not inquiry.request.is_trial,
        insists=inquiry.request.runtime == Runtime.CONTAINER,
        tell=inquiry.tell,
    )

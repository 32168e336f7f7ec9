"""What was typed after ``start``, and what is asked for with it."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prismctl.cli.invocation import Invocation
    from prismctl.domain.addressing import PortConflict
    from prismctl.domain.plan import StackPlan
    from prismctl.planning import PlanRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class StartOptions:
    """What was typed after ``start``."""

    preset: str | None = None
    picked: tuple[str, ...] | None = None
    """What was chosen one by one; ``None``: nobody was asked."""
    with_services: tuple[str, ...] = ()
    without_services: tuple[str, ...] = ()
    catalog_file: str | None = None
    engine: str | None = None
    """``None``: nobody chose."""
    profile: str = ""
    """A name, or a file."""
    runtime: str = ""
    """What is preferred where a service offers both; empty: nobody chose."""
    has_auto_ports: bool = False
    persists: bool = False
    """Every service keeps its data."""
    watches: bool = False
    """Services are restarted when their files change."""
    on_failure: str = ""
    """Empty: nobody chose."""
    wait_seconds: float | None = None
    """How long to wait; ``None``: nobody said."""
    log_file: str | None = None
    """Absolute."""
    moved: tuple[PortConflict, ...] = ()
    """Taken ports in place of which their services shall get others."""
    random_seed: int = field(default_factory=lambda: int.from_bytes(os.urandom(4)))
    """Planned twice, a random preset is the same."""

    @property
    def is_choice_of_services(self) -> bool:
        """Whether anything was said about which services shall run."""
        return bool(
            self.preset
            or self.picked is not None
            or self.profile
            or self.with_services
            or self.without_services
            or self.catalog_file
        )

    @property
    def is_choice(self) -> bool:
        """Whether anything was said about what shall run, and how."""
        return bool(self.is_choice_of_services or self.engine or self.runtime)


def plan_request(
    call: Invocation,
    options: StartOptions,
    *,
    held_by: StackPlan | None = None,
    is_trial: bool = False,
) -> PlanRequest:
    """What was typed, to be decided; the ports of the stack that runs are not in its way."""
    from prismctl.planning import PlanRequest

    return PlanRequest(
        preset=options.preset or "",
        picked=options.picked,
        with_services=options.with_services,
        without_services=options.without_services,
        services_file=Path(options.catalog_file) if options.catalog_file else None,
        profile=options.profile,
        engine=options.engine or "",
        runtime=options.runtime,
        auto_ports=True if options.has_auto_ports else None,
        persist=True if options.persists else None,
        watch=options.watches,
        on_failure=options.on_failure,
        wait_seconds=options.wait_seconds,
        replaceable_ports=frozenset((each.service, each.port_name) for each in options.moved),
        stack=call.stack,
        held_by=held_by,
        reserves_ports=True,
        is_trial=is_trial,
        random_seed=options.random_seed,
    )


def list_flags(call: Invocation, options: StartOptions) -> list[str]:
    """What was typed beside the services, so that the picker's command is the whole one."""
    flags = [f"--stack={call.stack}"] if call.stack != "default" else []
    flags += [f"--engine={options.engine}"] if options.engine else []
    flags += [f"--runtime={options.runtime}"] if options.runtime else []
    flags += ["--auto-ports"] if options.has_auto_ports else []
    flags += ["--persist"] if options.persists else []
    flags += ["--watch"] if options.watches else []
    flags += [f"--on-failure={options.on_failure}"] if options.on_failure else []
    if options.wait_seconds is not None:
        flags.append(f"--wait-timeout={options.wait_seconds:g}")
    flags += [f"--log-file={shlex.quote(options.log_file)}"] if options.log_file else []
    return flags

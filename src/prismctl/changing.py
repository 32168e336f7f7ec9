"""Changing a stack that runs: services more or fewer, instances more or fewer, looked at first and then carried out.

For every front end: nothing here asks or prints. What makes no sense is refused with a hint; whether services go that
need what goes is a value to ask somebody about. What is looked at is what runs at that moment: the daemon decides by
the same rules when the change has its turn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prismctl.domain.plan import compare_plans, plan_from_json, plan_to_json
from prismctl.domain.plan_change import (
    add_to_plan,
    name_services,
    remove_from_plan,
    scale_plan,
)
from prismctl.errors import UnavailableError
from prismctl.files.service_data import ServiceData

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from prismctl.client import StackClient
    from prismctl.domain.plan import PlanChanges, StackPlan
    from prismctl.domain.service import ServiceName
    from prismctl.files.paths import Home, StackPaths
    from prismctl.planning import PlanRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """A service in another number of instances."""

    running: StackPlan
    plan: StackPlan
    """What shall run."""
    service: ServiceName
    replicas: int

    @property
    def changes(self) -> PlanChanges:
        """The difference; empty where the service has so many already."""
        return compare_plans(self.running, self.plan)

    def carry_out(self, client: StackClient) -> Iterator[dict[str, Any]]:
        """Have the daemon do it; the stream is that of `StackClient.apply`."""
        return client.scale(self.service, self.replicas)


@dataclass(frozen=True, slots=True, kw_only=True)
class Adding:
    """Services beside those that run."""

    running: StackPlan
    plan: StackPlan
    """What shall run."""
    addition: StackPlan
    """What is added, and nothing else; without services where all that was asked for is there already."""
    present: tuple[ServiceName, ...]
    """What was asked for and is there already."""

    @property
    def changes(self) -> PlanChanges:
        """The difference; empty where all of it is there already."""
        return compare_plans(self.running, self.plan)

    def carry_out(self, client: StackClient) -> Iterator[dict[str, Any]]:
        """Have the daemon do it; the stream is that of `StackClient.apply`."""
        return client.add(plan_to_json(self.addition))


@dataclass(frozen=True, slots=True, kw_only=True)
class Removing:
    """Services taken out of a stack."""

    running: StackPlan
    plan: StackPlan
    """What shall run."""
    names: tuple[ServiceName, ...]
    """What was asked for."""
    dependents: Mapping[ServiceName, ServiceName]
    """A question, unless it is empty: they go as well, each because of the one it needs. Whoever does not ask it gets
    the daemon's refusal."""
    dependencies: Mapping[ServiceName, ServiceName]
    """What is there only because of those that go, with the one it came along with."""
    takes_dependencies: bool
    with_data: tuple[str, ...]
    """Those that go and leave data behind."""

    @property
    def changes(self) -> PlanChanges:
        """The difference."""
        return compare_plans(self.running, self.plan)

    @property
    def left(self) -> Mapping[ServiceName, ServiceName]:
        """What runs on although it came along only for those that go, with the one it came along with."""
        return {
            name: came_with
            for name, came_with in self.dependencies.items()
            if name in self.plan.names
        }

    @property
    def removed(self) -> tuple[ServiceName, ...]:
        """All that goes, in start order."""
        return self.changes.removed

    def carry_out(self, client: StackClient, *, cascade: bool) -> Iterator[dict[str, Any]]:
        """Have the daemon do it; the stream is that of `StackClient.apply`.

        Args:
            client: of the stack.
            cascade: what needs them goes as well; else the daemon refuses where something does.
        """
        return client.remove(self.names, cascade=cascade, dependencies=self.takes_dependencies)


def read_running_plan(client: StackClient) -> StackPlan:
    """What runs.

    Raises:
        UnavailableError: nothing does yet, or no daemon answers.
    """
    document = client.plan()
    if document is None:
        raise UnavailableError(
            "the stack has nothing running yet", hint="`prismctl dev wait` waits for it"
        )
    return plan_from_json(document)


def plan_adding(
    running: StackPlan,
    request: PlanRequest,
    *,
    home: Home,
    environment: Mapping[str, str],
    working_directory: Path,
    tell: Callable[[str], None] = lambda _: None,
) -> Adding:
    """What it comes to when services are added, with all that they need.

    Args:
        running: the plan that runs.
        request: ``with_services`` names them; a catalog and terms of their own are its other words.
        home: of the user.
        environment: of the one who asks.
        working_directory: absolute; where relative paths start.
        tell: hears of what takes seconds, before it does.

    Raises:
        ConfigError: names, flags or files say something impossible; all of it at once.
        MissingToolError: programs that are needed are not installed.
        PortTakenError: ports are held by somebody else; ``replaceable_ports`` of another request moves them.
        PrismError: a file cannot be read.
    """
    from prismctl.planning import plan_addition

    addition, present = plan_addition(
        request,
        running,
        home=home,
        environment=environment,
        working_directory=working_directory,
        tell=tell,
    )
    return Adding(
        running=running,
        plan=add_to_plan(running, addition) if addition.services else running,
        addition=addition,
        present=present,
    )


def plan_scaling(running: StackPlan, word: str, replicas: int) -> Scaling:
    """What another number of instances comes to.

    Args:
        running: the plan that runs.
        word: full or short name of the service.
        replicas: how many there shall be.

    Raises:
        RejectedError: the service is none of the stack's, or cannot have so many.
    """
    name = name_services(running, [word])[0]
    plan = scale_plan(running, name, replicas)
    return Scaling(running=running, plan=plan, service=name, replicas=replicas)


def plan_removing(
    running: StackPlan,
    words: Sequence[str],
    *,
    paths: StackPaths,
    takes_dependencies: bool = False,
) -> Removing:
    """What it comes to when services are taken out, those that need them included.

    Args:
        running: the plan that runs.
        words: full or short names of the services.
        paths: of the stack, whose data stays.
        takes_dependencies: what came along only for those that go, goes as well.

    Raises:
        RejectedError: a service is none of the stack's, or has to stay, or nothing would be left.
    """
    removal = remove_from_plan(running, words, takes_dependencies=takes_dependencies)
    data = ServiceData(paths.data)
    return Removing(
        running=running,
        plan=removal.plan,
        names=removal.names,
        dependents=removal.dependents,
        dependencies=removal.dependencies,
        takes_dependencies=takes_dependencies,
        with_data=tuple(name for name in removal.removed if data.has_data(name)),
    )

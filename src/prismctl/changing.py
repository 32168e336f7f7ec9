"""Changing a stack that runs: services more or fewer, instances more or fewer, looked at first and then carried out.

For every front end: nothing here asks or prints. What makes no sense is refused with a hint; whether services go that
need what goes is a value to ask somebody about. What is looked at is what runs at that moment: the daemon decides by
the same rules when the change has its turn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prismctl.domain.plan import compare_plans, plan_from_json
from prismctl.domain.plan_change import name_services, remove_from_plan, scale_plan
from prismctl.errors import UnavailableError
from prismctl.files.service_data import ServiceData

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from prismctl.client import StackClient
    from prismctl.domain.plan import PlanChanges, StackPlan
    from prismctl.domain.service import ServiceName
    from prismctl.files.paths import StackPaths


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
class Removing:
    """Services taken out of a stack."""

    running: StackPlan
    plan: StackPlan
    """What shall run."""
    names: tuple[ServiceName, ...]
    """What was asked for."""
    dependents: Mapping[ServiceName, ServiceName]
    """A question, unless it is empty: they go as well, each because of the one it needs."""
    dependencies: Mapping[ServiceName, ServiceName]
    """What is there only because of those that go, with the one it came along with."""
    takes_dependencies: bool
    with_data: tuple[str, ...]
    """Those that go and leave data behind."""
    refusal: str = ""
    """Why they cannot go alone, in words; empty where they can."""

    @property
    def changes(self) -> PlanChanges:
        """The difference."""
        return compare_plans(self.running, self.plan)

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

"""What the daemon needs of an engine; every engine obeys one plan, reports one kind of fact, passes one suite.

An engine *reconciles*: `apply` may be called at any time with any plan, after a crash of anything, and makes
what runs into what the plan says with as little disturbance as possible. It never judges readiness: the
daemon probes, and tells the engine through `Readiness` when a dependency is good. Whatever an instance prints
ends up in ``logs/SERVICE#REPLICA.log``, in the keeper's format: reading logs is the same for every engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from prismctl.domain.events import EventKind
    from prismctl.domain.observation import Observation
    from prismctl.domain.plan import StackPlan
    from prismctl.domain.service import ServiceName


class Readiness(Protocol):
    """The daemon's knowledge of who is ready, as far as an engine needs it."""

    async def wait_until_good(self, service: ServiceName) -> bool:
        """Return ``True`` once the service is healthy or completed, ``False`` as soon as it can never be."""

    async def wait_until_started(self, service: ServiceName) -> bool:
        """Return ``True`` once a process of the service has begun, ``False`` as soon as none ever can."""


class Engine(Protocol):
    """Runs the services of a plan."""

    async def open(self) -> None:
        """Bring up what the engine itself needs (its agents), adopting what already runs.

        Raises:
            PrismError: an agent did not come up; nothing of it is left.
        """

    async def apply(self, plan: StackPlan, *, spared: Collection[ServiceName] = ()) -> None:
        """Make what runs into what the plan says; returns once everything is handed over, not once it is ready.

        Services wait for their dependencies through `Readiness` or through the engine's own discovery. What has
        failed is tried again, but for ``spared`` services: those stay as they are.

        Raises:
            PrismError: the plan could not be handed over.
        """

    async def restart(self, services: Sequence[ServiceName]) -> None:
        """Stop and start the named services' instances; returns once new processes run."""

    async def stop(self, *, kill: bool) -> None:
        """End all services in reverse dependency order, then the agents; returns once nothing is left.

        With ``kill``, without any grace.
        """

    async def close(self) -> None:
        """Let go of everything without stopping anything."""

    async def login_url(self, ui: str) -> str:
        """An address at which one of the engine's user interfaces is open and logged in.

        Raises:
            PrismError: this engine has no such user interface.
        """

    def environment(self) -> dict[str, str]:
        """What a shell needs to reach the engine's own tools (NOMAD_ADDR, NOMAD_TOKEN, CONSUL_HTTP_ADDR)."""

    def endpoints(self) -> dict[str, str]:
        """Addresses for people, without credentials (``nomad_ui``, ``consul_ui``)."""


class Reporter(Protocol):
    """Where an engine reports to; given to it when it is made. Never blocks."""

    def observe(self, observation: Observation) -> None:
        """Take note of a fact."""

    def note(self, kind: EventKind, service: str, message: str) -> None:
        """Take note of something that happened and is worth telling (swept, resubmitted, restarted)."""

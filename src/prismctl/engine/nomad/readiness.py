"""What the daemon knows of who is ready, passed on to the shims that wait for it in Consul."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from prismctl.engine.needs import wait_until_met
from prismctl.engine.nomad.environment_files import is_checked_by_consul, ready_key
from prismctl.engine.nomad.tasks import Tasks
from prismctl.errors import RejectedError, UnavailableError

if TYPE_CHECKING:
    from prismctl.domain.needs import Need
    from prismctl.domain.plan import ServicePlan, StackPlan
    from prismctl.domain.service import ServiceName
    from prismctl.engine.interface import Readiness
    from prismctl.engine.nomad.agents import Agents

RETRY_SECONDS: Final = 0.25
"""Until Consul is told again when it did not answer; its death is noticed elsewhere, and begins all of this anew."""


class ReadinessRelay:
    """Writes to Consul what it cannot check by itself, and remembers who can never become good."""

    def __init__(self, readiness: Readiness, agents: Agents, changed: asyncio.Event) -> None:
        self._readiness = readiness
        self._agents = agents
        self._changed = changed
        """Set when there is another hopeless service."""
        self._tasks = Tasks()
        self.hopeless: set[tuple[ServiceName, Need]] = set()
        """What services need of others and what can never be."""

    def begin(self, plan: StackPlan) -> None:
        """Pass on what becomes known of every service that another one needs."""
        wanted = {
            (name, service.need_of(name))
            for service in plan.services
            for name in service.depends_on
        }
        for name, need in wanted:
            self._tasks.start(self._relay(plan, plan.service(name), need), f"readiness of {name}")

    async def end(self) -> None:
        """Pass nothing on any more, and forget who was hopeless."""
        await self._tasks.end()
        self.hopeless.clear()

    async def _relay(self, plan: StackPlan, service: ServicePlan, need: Need) -> None:
        if not await wait_until_met(self._readiness, service.name, need):
            self.hopeless.add((service.name, need))
            self._changed.set()
        elif not (need.is_told_by_health and is_checked_by_consul(service)):
            await self._put_key(ready_key(plan, service, need), service.digest)

    async def _put_key(self, key: str, value: str) -> None:
        while True:
            try:
                await self._agents.consul.put_key(key, value)
            except (UnavailableError, RejectedError):
                # A paced retry: a Consul without a leader cannot say when it will have one.
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

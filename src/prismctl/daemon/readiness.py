"""Waiting for services: until one is good, was begun, or until nothing is waited for any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prismctl.domain.snapshot import ServiceState

if TYPE_CHECKING:
    from collections.abc import Collection

    from prismctl.daemon.monitor import Monitor
    from prismctl.domain.service import ServiceName
    from prismctl.domain.snapshot import StackSnapshot


class StackReadiness:
    """Waits by the snapshots of a monitor; a `Readiness` for engines."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor

    async def wait_until_good(self, service: ServiceName) -> bool:
        """Return ``True`` once the service is healthy or completed, ``False`` as soon as it can never be."""
        self._monitor.refresh()
        async for snapshot in self._monitor.snapshots.watch():
            found = [each for each in snapshot.services if each.name == service]
            if found and found[0].is_good:
                return True
            if not found or found[0].state is ServiceState.FAILED:
                return False
        raise AssertionError("a watch has no end")

    async def wait_until_started(self, service: ServiceName) -> bool:
        """Return ``True`` once a process of the service has begun, ``False`` as soon as none ever can."""
        self._monitor.refresh()
        async for snapshot in self._monitor.snapshots.watch():
            found = [each for each in snapshot.services if each.name == service]
            if found and (found[0].is_good or self._monitor.was_tried(service)):
                return True
            if not found or found[0].state is ServiceState.FAILED:
                return False
        raise AssertionError("a watch has no end")

    async def wait_until_settled(
        self, names: Collection[ServiceName] = (), *, until_failure: bool = False
    ) -> StackSnapshot:
        """Return once nothing is waited for any more.

        Args:
            names: of the services that are waited for; all of them when none is named.
            until_failure: whether to return as soon as something failed.
        """
        self._monitor.refresh()
        async for snapshot in self._monitor.snapshots.watch():
            waited_for = [each for each in snapshot.services if not names or each.name in names]
            if all(service.is_settled for service in waited_for):
                return snapshot
            if until_failure and snapshot.has_failed:
                return snapshot
        raise AssertionError("a watch has no end")

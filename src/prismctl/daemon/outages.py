"""How long what was up has been down: the time that a recovery took, not that of the first start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prismctl.domain.snapshot import StackState

if TYPE_CHECKING:
    from prismctl.domain.service import ServiceName
    from prismctl.domain.snapshot import StackSnapshot

_LOST: Final = frozenset({StackState.STARTING, StackState.DEGRADED, StackState.FAILED})


class Outages:
    """Since when each service, and the stack, is not what it was."""

    def __init__(self) -> None:
        self._services: dict[ServiceName, float] = {}
        self._stack: float | None = None

    def take_note(
        self, before: StackSnapshot, after: StackSnapshot, now: float
    ) -> dict[ServiceName, float]:
        """Compare two snapshots; the services that are up again, with the seconds that took."""
        was_good = {service.name for service in before.services if service.is_good}
        recovered: dict[ServiceName, float] = {}
        for service in after.services:
            if not service.is_good:
                if service.name in was_good:
                    self._services[service.name] = now
            elif service.name in self._services:
                recovered[service.name] = now - self._services.pop(service.name)
        if before.state is StackState.RUNNING and after.state in _LOST:
            self._stack = now
        return recovered

    def end_stack(self, now: float) -> float | None:
        """Take note that the stack is up; the seconds since it was so the last time, ``None`` where it never was."""
        since, self._stack = self._stack, None
        return None if since is None else now - since

    def forget(self) -> None:
        """Nothing runs any more."""
        self._services.clear()
        self._stack = None

"""Which instances there are to be, and which of earlier plans are still on their way out."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from prismctl.errors import PrismError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prismctl.domain.observation import InstanceKey
    from prismctl.domain.plan import ServicePlan
    from prismctl.engine.nomad.applied import AppliedPlan
    from prismctl.engine.nomad.decode import GroupId


class Roster:
    """The plan that was applied last, with what it left behind."""

    def __init__(self) -> None:
        self.applied: AppliedPlan | None = None
        """What shall run; nothing before the first plan and after the end."""
        self._leaving: dict[GroupId, tuple[InstanceKey, ServicePlan]] = {}
        self._expected: frozenset[InstanceKey] = frozenset()

    def require(self) -> AppliedPlan:
        """What shall run.

        Raises:
            PrismError: nothing has been applied.
        """
        if self.applied is None:
            raise PrismError("nothing has been started", hint="`prismctl dev start` starts a stack")
        return self.applied

    def replace(self, applied: AppliedPlan) -> None:
        """Have another plan; instances that are not in it are leaving from now on."""
        if self.applied is not None:
            for group, key in self.applied.groups.items():
                self._leaving[group] = (key, self.applied.service(key))
        for group in applied.groups:
            self._leaving.pop(group, None)
        self.applied = applied

    @contextlib.contextmanager
    def expecting(self, keys: Iterable[InstanceKey]) -> Iterator[None]:
        """Have it known, while the files of another plan are written, that what is leaving may come back with them."""
        self._expected = frozenset(keys)
        try:
            yield
        finally:
            self._expected = frozenset()

    def is_expected(self, key: InstanceKey) -> bool:
        """Whether files are being written for an instance."""
        return key in self._expected

    def is_present(self, key: InstanceKey) -> bool:
        """Whether an instance shall run, in whatever job: its files are called the same in each."""
        return self.applied is not None and key in self.applied.groups.values()

    def leaving(self) -> list[tuple[GroupId, InstanceKey, ServicePlan]]:
        """Instances that are in no plan any more and may not have gone yet."""
        return [(group, key, service) for group, (key, service) in self._leaving.items()]

    def drop(self, group: GroupId) -> None:
        """Take note that an instance which was leaving is gone."""
        del self._leaving[group]

    def find(self, group: GroupId) -> InstanceKey | None:
        """The instance that a group of a job is, or was."""
        if self.applied is not None and group in self.applied.groups:
            return self.applied.groups[group]
        return self._leaving[group][0] if group in self._leaving else None

    def instances(self) -> list[InstanceKey]:
        """Every instance that may run."""
        present = list(self.applied.groups.values()) if self.applied is not None else []
        return present + [key for key, _ in self._leaving.values()]

    def clear(self) -> None:
        """Take note that nothing is left."""
        self.applied = None
        self._leaving.clear()

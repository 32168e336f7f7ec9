"""What Nomad last said of where tasks are, and of why some are nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prismctl.engine.nomad.decode import GroupId
from prismctl.engine.nomad.observe import choose_allocation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prismctl.engine.nomad.client import NomadClient
    from prismctl.engine.nomad.decode import Allocation


class Placements:
    """The allocations of the stack, as far as they are known."""

    def __init__(self) -> None:
        self.allocations: list[Allocation] = []
        """All of them, also of groups that are nobody's any more."""
        self._refusals: dict[GroupId, str] = {}
        self._is_nomad_lost = False

    async def refresh(self, nomad: NomadClient) -> None:
        """Ask which allocations there are.

        Raises:
            UnavailableError: Nomad does not answer.
            HttpRejectedError: it refused.
        """
        self.allocations = await nomad.list_allocations()

    async def refresh_refusals(self, nomad: NomadClient, groups: Iterable[GroupId]) -> None:
        """Ask why those of the groups are nowhere that are.

        Raises:
            UnavailableError: Nomad does not answer.
            HttpRejectedError: it refused.
        """
        placed = {item.group_id for item in self.allocations if item.desired == "run"}
        refusals: dict[GroupId, str] = {}
        for job_id in {group.job for group in groups if group not in placed}:
            evaluations = await nomad.list_evaluations(job_id)
            for evaluation in sorted(evaluations, key=lambda item: item.create_index):
                for group, reason in evaluation.refusals.items():
                    refusals[GroupId(job_id, group)] = reason
        self._refusals = refusals

    def of(self, group: GroupId) -> list[Allocation]:
        """The allocations of one group."""
        return [item for item in self.allocations if item.group_id == group]

    def newest(self, group: GroupId) -> Allocation | None:
        """The allocation of a group that counts."""
        return choose_allocation(self.of(group))

    def refusal(self, group: GroupId) -> str:
        """Why a group is nowhere; empty when nobody said so."""
        if self._is_nomad_lost:
            return "waits for Nomad, which is being brought back"
        return self._refusals.get(group, "")

    def lose(self) -> None:
        """Take note that Nomad is gone, and its allocations with it."""
        self._is_nomad_lost = True
        self.allocations = []

    def begin_anew(self) -> None:
        """Take note that there is a Nomad again, which knows of nothing."""
        self._is_nomad_lost = False

    def clear(self) -> None:
        """Take note that nothing is left."""
        self.allocations = []

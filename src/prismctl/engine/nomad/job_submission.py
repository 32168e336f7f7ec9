"""Nomad's jobs are made what the plan says, and only when nobody else has changed them in between."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from prismctl.engine.nomad.agent_http import HttpRejectedError
from prismctl.engine.nomad.applied import shim_place
from prismctl.engine.nomad.job import is_job_of, render_jobs
from prismctl.files.atomic import write_atomically

if TYPE_CHECKING:
    from collections.abc import Collection

    from prismctl.domain.observation import InstanceKey
    from prismctl.domain.service import ServiceName
    from prismctl.engine.nomad.agents import Agents
    from prismctl.engine.nomad.applied import AppliedPlan
    from prismctl.engine.nomad.placements import Placements

ENFORCE_ATTEMPTS: Final = 3
"""How often a job is looked at again when somebody else changed it just then."""


class JobSubmission:
    """Hands plans over to Nomad, job by job."""

    def __init__(self, agents: Agents) -> None:
        self._agents = agents

    async def submit(self, applied: AppliedPlan, *, stopped: Collection[InstanceKey] = ()) -> None:
        """Make Nomad's jobs those of the plan; a stack's jobs that are not in it any more are purged.

        Raises:
            PrismError: Nomad does not answer, or refused a job.
        """
        nomad = self._agents.nomad
        jobs = render_jobs(
            applied.plan,
            applied.ports,
            shim_place(self._agents.layout.paths),
            registration=self._load_registration(),
            stopped=stopped,
        )
        for job_id, job in jobs.items():
            await self._register(job_id, job)
        for job_id in await nomad.list_job_ids():
            if is_job_of(applied.plan, job_id) and job_id not in jobs:
                await nomad.purge_job(job_id)

    async def _register(self, job_id: str, job: dict[str, Any]) -> None:
        nomad = self._agents.nomad
        for attempt in range(ENFORCE_ATTEMPTS):
            index = await nomad.read_job_index(job_id)
            try:
                await nomad.register_job(job, index)
            except HttpRejectedError as error:
                # Somebody else changed the job in between: look again.
                is_conflict = "Enforcing job modify index" in error.message
                if not is_conflict or attempt + 1 == ENFORCE_ATTEMPTS:
                    raise
            else:
                return

    async def place_failed_again(
        self, applied: AppliedPlan, placements: Placements, spared: Collection[ServiceName]
    ) -> None:
        """Give instances that Nomad gave up on another try; a new apply is the wish for one, but for ``spared``.

        Raises:
            PrismError: Nomad does not answer, or refused.
        """
        jobs = set()
        for group, key in applied.groups.items():
            if key.service in spared:
                continue
            newest = placements.newest(group)
            if newest is not None and newest.status == "failed" and newest.desired == "run":
                jobs.add(group.job)
        for job_id in jobs:
            await self._agents.nomad.place_again(job_id)

    def register_anew(self) -> None:
        """From the next submission on, have every service registered with Consul again, which lost them all.

        Raises:
            PrismError: that cannot be written down.
        """
        write_atomically(self._agents.layout.registration, f"{self._load_registration() + 1}\n")

    def _load_registration(self) -> int:
        try:
            return int(json.loads(self._agents.layout.registration.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return 0

"""Instances are restarted: by their task, or by another placement where there is no task left."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from prismctl.engine.nomad.agent_http import HttpRejectedError
from prismctl.engine.nomad.job import group_of, instance_keys
from prismctl.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Collection

    from prismctl.domain.observation import InstanceKey
    from prismctl.domain.service import ServiceName
    from prismctl.engine.nomad.applied import AppliedPlan
    from prismctl.engine.nomad.client import NomadClient
    from prismctl.engine.nomad.job_submission import JobSubmission
    from prismctl.engine.nomad.watching import InstanceWatch

RESTART_SECONDS: Final = 30.0
"""How long new processes may take to appear after a restart, beyond the old ones' grace."""
REFUSED_PAUSE_SECONDS: Final = 0.25
"""Between attempts to restart a task that is just between two runs, which Nomad refuses."""


async def restart_instances(
    services: Collection[ServiceName],
    applied: AppliedPlan,
    nomad: NomadClient,
    jobs: JobSubmission,
    watch: InstanceWatch,
) -> list[ServiceName]:
    """Restart all instances of some services at once; those of which no new process appeared.

    Raises:
        PrismError: Nomad does not answer, or refused.
    """
    await watch.placements.refresh(nomad)
    keys = [key for key in instance_keys(applied.plan) if key.service in services]
    have_begun = await asyncio.gather(
        *(_restart_instance(key, applied, nomad, jobs, watch) for key in keys)
    )
    return [key.service for key, has_begun in zip(keys, have_begun, strict=True) if not has_begun]


async def _restart_instance(
    key: InstanceKey,
    applied: AppliedPlan,
    nomad: NomadClient,
    jobs: JobSubmission,
    watch: InstanceWatch,
) -> bool:
    """Restart one instance; whether a new process of it appeared."""
    before = watch.runs.run(key)

    def is_new() -> bool:
        run = watch.runs.run(key)
        return run is not None and (before is None or run.process != before.process)

    with watch.restarting(key):
        await _ask_for_new_run(key, applied, nomad, jobs, watch)
        watch.request_listing()
        return await watch.wait_for(is_new, RESTART_SECONDS)


async def _ask_for_new_run(
    key: InstanceKey,
    applied: AppliedPlan,
    nomad: NomadClient,
    jobs: JobSubmission,
    watch: InstanceWatch,
) -> None:
    service = applied.service(key)
    group = group_of(applied.plan, service, key.replica)
    # Who asks for another try gets one, even while Nomad is still at its own.
    watch.forget_refusal(key)
    deadline = asyncio.get_running_loop().time() + RESTART_SECONDS
    while (newest := watch.placements.newest(group)) is not None and not newest.is_terminal:
        watch.asked_restarts.ask(newest, service.name, time.time())
        try:
            return await nomad.restart_task(newest.id, service.name)
        except (UnavailableError, HttpRejectedError):
            if asyncio.get_running_loop().time() >= deadline:
                raise
        # A bounded poll: between two runs it refuses, and until it gives up it does not say when the next one is.
        await asyncio.sleep(REFUSED_PAUSE_SECONDS)
        await watch.list()
    if newest is not None and newest.status == "failed":
        await nomad.place_again(group.job)
    elif service.one_shot:
        await nomad.purge_job(group.job)
        await jobs.submit(applied)
    return None

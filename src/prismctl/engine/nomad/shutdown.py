"""Services end while Nomad still runs: dependents before what they depend on, each within its grace."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from prismctl.engine.nomad.job import instance_keys
from prismctl.engine.nomad.processes import wait_until_gone
from prismctl.engine.nomad.stop_order import FAST_END_SECONDS, resolve_stop_waves

if TYPE_CHECKING:
    from prismctl.domain.observation import InstanceKey
    from prismctl.engine.nomad.applied import AppliedPlan
    from prismctl.engine.nomad.job_submission import JobSubmission
    from prismctl.engine.nomad.watching import InstanceWatch


async def end_services(applied: AppliedPlan, jobs: JobSubmission, watch: InstanceWatch) -> None:
    """End services wave by wave; the last wave is left to Nomad's own end when that is quick.

    Raises:
        PrismError: Nomad does not answer, or refused.
    """
    # So that nothing that was just placed ends unheard.
    await watch.list()
    waves = resolve_stop_waves(applied.plan.services)
    stopped: list[InstanceKey] = []
    for number, wave in enumerate(waves):
        grace = max(applied.plan.service(name).end_seconds for name in wave)
        if number + 1 == len(waves) and grace <= FAST_END_SECONDS:
            return
        stopped += [key for key in instance_keys(applied.plan) if key.service in wave]
        processes = [
            run.process
            for key in stopped
            if watch.runs.is_alive(key) and (run := watch.runs.run(key)) is not None
        ]
        await jobs.submit(applied, stopped=stopped)
        watch.request_listing()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace + 1.0):
                for process in processes:
                    await wait_until_gone(process)

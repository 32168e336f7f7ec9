from __future__ import annotations

import asyncio
from typing import Any

from prismctl.engine.nomad.tasks import Tasks


async def test_ended_work_has_cleaned_up_when_the_end_returns() -> None:
    tasks, has_begun, seen = Tasks(), asyncio.Event(), []

    async def work() -> None:
        has_begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            seen.append("cleaned up")

    tasks.start(work(), "work")
    await has_begun.wait()
    await tasks.end()
    assert seen == ["cleaned up"]


async def test_a_failure_in_the_background_is_told_at_once_with_its_name() -> None:
    told: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().set_exception_handler(lambda _, what: told.set_result(what))

    async def work() -> None:
        raise ValueError("broken")

    Tasks().start(work(), "the work")
    what = await told
    assert what["message"] == "the work ended"
    assert str(what["exception"]) == "broken"

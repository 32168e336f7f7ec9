"""Processes that their control group holds, as pausing a container does: they are let go on and ended."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import pytest

from prismctl.errors import RejectedError
from prismctl.keeper import freezer
from prismctl.keeper.protocol import ProcessState, StopStep
from prismctl.keeper.tree import read_facts
from tests.control_group import Group, control_group

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.keeper.conftest import RunningKeeper

BRIEF_STOP = (StopStep(signal=signal.SIGTERM, grace_seconds=0.2),)


@pytest.fixture
def group() -> Iterator[Group]:
    with control_group() as made:
        yield made


@pytest.fixture(params=[1, 2])
def any_group(request: pytest.FixtureRequest) -> Iterator[Group]:
    """One for each version of control groups."""
    with control_group(request.param) as made:
        yield made


async def test_a_frozen_process_is_let_go_on_and_ended(
    keeper: RunningKeeper, any_group: Group
) -> None:
    running = await keeper.client.spawn(keeper.spec("a", "sleep", "1000", stop=BRIEF_STOP))
    assert running.pid is not None
    assert not freezer.is_frozen(running.pid)
    any_group.put(running.pid)
    any_group.hold(any_group.inner)
    # The second version says so a moment later.
    await keeper.until(lambda: freezer.is_frozen(running.pid or 0))

    stopped = await keeper.client.stop("a")

    assert (stopped.state, stopped.pid) == (ProcessState.STOPPED, None)


async def test_a_frozen_process_is_restarted(keeper: RunningKeeper, any_group: Group) -> None:
    before = await keeper.client.spawn(keeper.spec("a", "sleep", "1000", stop=BRIEF_STOP))
    assert before.pid is not None
    any_group.put(before.pid)
    any_group.hold(any_group.inner)

    after = await keeper.client.restart("a")

    assert after.state is ProcessState.RUNNING
    assert after.pid != before.pid


async def test_a_restart_of_what_not_even_sigkill_ends_is_refused_and_holds_nothing_up(
    keeper: RunningKeeper, group: Group
) -> None:
    stuck = await keeper.client.spawn(keeper.spec("stuck", "sleep", "1000", stop=BRIEF_STOP))
    await keeper.client.spawn(keeper.spec("other", "sleep", "1000"))
    assert stuck.pid is not None
    group.put(stuck.pid)
    # What is held from above cannot be let go from below.
    group.hold(group.outer)

    restart = asyncio.create_task(keeper.client.restart("stuck"))
    await keeper.client.restart("other")
    with pytest.raises(RejectedError, match=rf"not even SIGKILL ends {stuck.pid} \(sleep") as told:
        async with asyncio.timeout(30):
            await restart
    assert f"-p {stuck.pid}`" in told.value.hint

    group.let_go()
    await keeper.until(lambda: read_facts(stuck.pid or 0) is None)
    assert (await keeper.client.stop("stuck")).state is not ProcessState.STOPPING

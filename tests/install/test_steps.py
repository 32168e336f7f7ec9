"""Steps that depend on each other: what runs when, and whom a failure stops."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from prismctl.errors import PrismError
from prismctl.install.provider import Progress, Unit
from prismctl.install.steps import Outcome, Step, StepState, StepStatus, run_steps

if TYPE_CHECKING:
    from collections.abc import Callable

DONE = Outcome(detail="done")


class Recorder:
    """Steps that note when they run."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.told: list[StepStatus] = []

    def step(
        self,
        name: str,
        *needs: str,
        outcome: Outcome = DONE,
        error: PrismError | None = None,
        waits_for: asyncio.Event | None = None,
        sets: asyncio.Event | None = None,
    ) -> Step:
        async def act(report: Callable[[Progress | str], None]) -> Outcome:
            self.events.append(f"{name} begins")
            if sets is not None:
                sets.set()
            report(f"{name} is at it")
            report(Progress(done=1, total=2, unit=Unit.BYTES))
            try:
                if waits_for is not None:
                    await waits_for.wait()
            except asyncio.CancelledError:
                self.events.append(f"{name} is cancelled")
                raise
            if error is not None:
                raise error
            self.events.append(f"{name} ends")
            return outcome

        return Step(name=name, title=name.upper(), act=act, needs=needs)

    async def run(self, *steps: Step) -> dict[str, StepStatus]:
        async with asyncio.timeout(10):
            return {each.name: each for each in await run_steps(steps, self.told.append)}

    def states(self, name: str) -> list[StepState]:
        states = [each.state for each in self.told if each.name == name]
        return [state for index, state in enumerate(states) if states[index - 1 : index] != [state]]


async def test_a_step_runs_after_those_it_needs() -> None:
    recorder = Recorder()
    ended = await recorder.run(
        recorder.step("home"), recorder.step("tool", "home"), recorder.step("trial", "tool", "home")
    )
    assert recorder.events == [
        *("home begins", "home ends", "tool begins", "tool ends", "trial begins", "trial ends")
    ]
    assert list(ended) == ["home", "tool", "trial"]
    assert {each.state for each in ended.values()} == {StepState.DONE}


async def test_steps_that_do_not_need_each_other_run_side_by_side() -> None:
    recorder = Recorder()
    first, second = asyncio.Event(), asyncio.Event()
    ended = await recorder.run(
        recorder.step("nomad", sets=first, waits_for=second),
        recorder.step("consul", sets=second, waits_for=first),
    )
    assert {each.state for each in ended.values()} == {StepState.DONE}


async def test_a_failure_leaves_out_only_what_needs_it() -> None:
    recorder = Recorder()
    refusal = PrismError("nobody has it", hint="look elsewhere")
    ended = await recorder.run(
        recorder.step("nomad", error=refusal),
        recorder.step("consul"),
        recorder.step("trial", "nomad", "consul"),
        recorder.step("after", "trial"),
        recorder.step("catalog"),
    )
    assert {name: each.state for name, each in ended.items()} == {
        "nomad": StepState.FAILED,
        "consul": StepState.DONE,
        "trial": StepState.LEFT_OUT,
        "after": StepState.LEFT_OUT,
        "catalog": StepState.DONE,
    }
    assert ended["nomad"].error is refusal
    assert (ended["nomad"].detail, ended["nomad"].fix) == ("nobody has it", "look elsewhere")
    assert ended["trial"].detail == "needs NOMAD"
    assert "trial begins" not in recorder.events


async def test_everything_that_is_missing_is_named() -> None:
    recorder = Recorder()
    refusal = PrismError("nobody has it")
    ended = await recorder.run(
        recorder.step("nomad", error=refusal),
        recorder.step("consul", error=refusal),
        recorder.step("catalog"),
        recorder.step("trial", "nomad", "consul", "catalog"),
    )
    assert ended["trial"].detail == "needs NOMAD, CONSUL"


async def test_what_comes_after_others_waits_for_them_however_they_end() -> None:
    recorder = Recorder()
    failing = recorder.step("podman", error=PrismError("nobody has it"))
    trial = replace(recorder.step("trial", "nomad"), after=("podman",))
    ended = await recorder.run(recorder.step("nomad"), failing, trial)
    assert recorder.events[-2:] == ["trial begins", "trial ends"]
    assert recorder.states("trial")[0] is StepState.WAITING
    assert ended["trial"].state is StepState.DONE


async def test_what_was_left_out_leaves_out_what_needs_it() -> None:
    recorder = Recorder()
    ended = await recorder.run(
        recorder.step("podman", outcome=Outcome(detail="not wanted", is_left_out=True)),
        recorder.step("images", "podman"),
    )
    assert [each.state for each in ended.values()] == [StepState.LEFT_OUT, StepState.LEFT_OUT]


async def test_everything_that_changes_is_told() -> None:
    recorder = Recorder()
    await recorder.run(recorder.step("tool", outcome=Outcome(detail="there", is_changed=True)))
    assert recorder.states("tool") == [StepState.WAITING, StepState.RUNNING, StepState.DONE]
    assert [each.detail for each in recorder.told] == ["", "", *["tool is at it"] * 2, "there"]
    assert recorder.told[3].progress == Progress(done=1, total=2, unit=Unit.BYTES)
    assert recorder.told[-1].progress is None
    assert recorder.told[-1].is_changed
    assert recorder.told[-1].seconds is not None


async def test_cancelled_every_running_step_is_cancelled_and_none_begins() -> None:
    recorder = Recorder()
    begun, never = asyncio.Event(), asyncio.Event()
    work = asyncio.ensure_future(
        recorder.run(
            recorder.step("nomad", waits_for=never),
            recorder.step("consul", sets=begun, waits_for=never),
            recorder.step("trial", "nomad"),
        )
    )
    await begun.wait()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert sorted(recorder.events[2:]) == ["consul is cancelled", "nomad is cancelled"]


async def test_a_bug_in_a_step_cancels_the_others_and_is_not_hidden() -> None:
    recorder = Recorder()
    never = asyncio.Event()

    async def act(_report: Callable[[Progress | str], None]) -> Outcome:
        raise ZeroDivisionError

    with pytest.raises(ExceptionGroup) as caught:
        await recorder.run(
            recorder.step("other", waits_for=never), Step(name="bug", title="bug", act=act)
        )
    assert caught.group_contains(ZeroDivisionError)
    assert "other is cancelled" in recorder.events


async def test_no_steps_end_at_once() -> None:
    assert await Recorder().run() == {}

"""A trial run: one trivial service is started and stopped on the engine, so that `init` ends with something that works."""

from __future__ import annotations

import asyncio
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from prismctl.cli.stopping import tell_stop, verify_stopped
from prismctl.cli.ticking import tick
from prismctl.client import StackClient, StackCondition, find_condition, start_daemon
from prismctl.domain.plan import EngineName, ServicePlan, StackPlan, plan_to_json
from prismctl.domain.service import Runtime, ServiceName, ServiceType, StackName
from prismctl.errors import DeadlineError, PrismError
from prismctl.install.cleaning.by_name import find_short_place
from prismctl.install.proof import recall_proof, remember_proof
from prismctl.install.steps import Outcome, Step
from prismctl.install.threads import run_in_thread
from prismctl.install.tools import TOOLS
from prismctl.machine import find_tool
from prismctl.present.units import render_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from prismctl.cli.invocation import Invocation
    from prismctl.files.paths import StackPaths
    from prismctl.install.provider import Progress

_STACK: Final = "init-trial"
_NAME: Final = "trial"
_CHECK_SECONDS: Final = 0.1
_PATIENCE_SECONDS: Final = 60.0


def trial_step(call: Invocation, steps: Sequence[Step]) -> Step:
    """The trial run, unless it worked with these very programs before.

    Args:
        call: says in which home.
        steps: that come before it; those that are required have to be done.
    """

    async def act(report: Callable[[Progress | str], None]) -> Outcome:
        programs = [
            Path(found.path)
            for tool in TOOLS.values()
            if tool.is_required and (found := find_tool(tool.name, call.home.tools)) is not None
        ]
        if recall_proof(call.home, _NAME, programs) is not None:
            return Outcome(detail="worked with these programs before")
        loop = asyncio.get_running_loop()

        def tell(words: str) -> None:
            loop.call_soon_threadsafe(report, words)

        report("starts one service on Nomad")
        took = await run_in_thread(lambda course: _run_trial(call, tell, course.check))
        remember_proof(call.home, _NAME, programs, render_duration(took))
        words = f"one service was up on Nomad after {render_duration(took)}, and is gone again"
        return Outcome(detail=words, is_changed=True)

    return Step(
        name=_NAME,
        title="Trial run",
        act=act,
        needs=tuple(step.name for step in steps if step.is_required),
        # A machine that is busy with packages and containers would be a worse judge.
        after=tuple(step.name for step in steps if not step.is_required),
    )


def _run_trial(call: Invocation, tell: Callable[[str], None], check: Callable[[], None]) -> float:
    """Start and stop one service on the Nomad engine, in a stack of its own; how long the start took, in seconds.

    Nothing of it is left, but for the logs of one that failed, which the next one removes.

    Args:
        call: says in which home.
        tell: told what it is at.
        check: raises when it shall stop.

    Raises:
        PrismError: it did not work; the message has what the engine said.
    """
    paths = call.home.stack(_STACK)
    client = StackClient(paths)
    # An earlier trial run may have been killed at any moment.
    _end(call, paths)
    began_at = time.time()
    keeps_files = False
    try:
        start_daemon(paths, EngineName.NOMAD.value).wait()
        check()
        _follow(client.apply(plan_to_json(_plan()), began_at, "stop"), tell, check)
        took = time.time() - began_at
    except PrismError:
        # What it says names the logs.
        keeps_files = True
        raise
    finally:
        tell("stops again")
        _end(call, paths, keeps_files=keeps_files)
    return took


def _end(call: Invocation, paths: StackPaths, *, keeps_files: bool = False) -> None:
    """Take the stack down in whatever condition it is, with its files unless somebody may want to read them."""
    condition = find_condition(paths)
    if condition in {StackCondition.RUNNING, StackCondition.UNATTENDED}:
        tell_stop(call, StackClient(paths).stop())
    verify_stopped(paths)
    if keeps_files:
        return
    place = find_short_place(paths)
    for directory in (paths.directory, *((place,) if place else ())):
        shutil.rmtree(directory, ignore_errors=True)


def _plan() -> StackPlan:
    service = ServicePlan(
        name=ServiceName("trial"),
        type=ServiceType.APPLICATION,
        source="init",
        runtime=Runtime.NATIVE,
        runtime_reason="",
        command=("/bin/sh", "-c", "echo it works; exec sleep 600"),
    )
    return StackPlan(
        stack=StackName(_STACK),
        engine=EngineName.NOMAD,
        engine_reason="",
        origin="init",
        services=(service,),
        base_env={"PATH": "/usr/local/bin:/usr/bin:/bin"},
    )


def _follow(
    messages: Iterable[dict[str, Any]], tell: Callable[[str], None], check: Callable[[], None]
) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    last = ""
    for message in tick(iter(messages), seconds=_CHECK_SECONDS, deadline=deadline):
        check()
        if message is None:
            continue
        if "event" in message:
            words = str(message["event"].get("message") or "")
            if words:
                last = words
                tell(words)
        elif "result" in message:
            if message["result"]["outcome"] != "ready":
                raise PrismError(
                    f"the trial run did not come up: {last}",
                    hint="`prismctl dev doctor` looks at everything it depends on",
                )
            return
    raise DeadlineError(
        f"the trial run did not come up within {_PATIENCE_SECONDS:g} s: {last}",
        hint="`prismctl dev doctor` looks at everything it depends on",
    )

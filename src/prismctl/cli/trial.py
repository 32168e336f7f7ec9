"""A trial run: one trivial service is started and stopped on the engine, so that `init` ends with something that works."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING, Any, Final

from prismctl.cli.interrupts import held_interrupts
from prismctl.cli.stopping import tell_stop, verify_stopped
from prismctl.cli.ticking import tick
from prismctl.client import StackClient, StackCondition, find_condition, start_daemon
from prismctl.domain.plan import EngineName, ServicePlan, StackPlan, plan_to_json
from prismctl.domain.service import Runtime, ServiceName, ServiceType, StackName
from prismctl.errors import DeadlineError, PrismError
from prismctl.install.cleaning import find_short_place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from prismctl.cli.invocation import Invocation
    from prismctl.files.paths import StackPaths

STACK: Final = "init-trial"
_REDRAW_SECONDS: Final = 0.1
_PATIENCE_SECONDS: Final = 60.0


def run_trial(call: Invocation, tell: Callable[[str], None]) -> float:
    """Start and stop one service on the Nomad engine, in a stack of its own; how long the start took, in seconds.

    Nothing of it is left, but for the logs of one that failed, which the next one removes.

    Raises:
        PrismError: it did not work; the message has what the engine said.
    """
    paths = call.home.stack(STACK)
    client = StackClient(paths)
    # An earlier trial run may have been killed at any moment.
    _end(call, paths)
    began_at = time.time()
    keeps_files = False
    try:
        with held_interrupts() as check:
            start_daemon(paths, EngineName.NOMAD.value).wait()
            check()
            messages = client.apply(plan_to_json(_plan()), began_at, "stop")
            _follow(messages, tell, check)
            took = time.time() - began_at
    except PrismError:
        # What it says names the logs.
        keeps_files = True
        raise
    finally:
        with held_interrupts() as check:
            tell("stops again")
            _end(call, paths, keeps_files=keeps_files)
        check()
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
        stack=StackName(STACK),
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
    for message in tick(iter(messages), seconds=_REDRAW_SECONDS, deadline=deadline):
        check()
        if message is None:
            tell(last)
        elif "event" in message:
            last = str(message["event"].get("message") or "") or last
            tell(last)
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

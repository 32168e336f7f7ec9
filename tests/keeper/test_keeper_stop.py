from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from typing import TYPE_CHECKING

import pytest

from prismctl.errors import RejectedError, UnavailableError
from prismctl.keeper.protocol import KeeperEvent, ProcessState, RestartPolicy, StopStep

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.keeper.conftest import RunningKeeper

# Forks, leaves the session, forks again, clears its environment, ignores what it can, and says who it is.
ESCAPE = """
import os, signal, time
if os.fork():
    time.sleep(1000)
os.setsid()
if os.fork():
    os._exit(0)
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
script = "import time, os; open('escaped.tmp', 'w').write(f'{os.getpid()}\\\\n'); os.rename('escaped.tmp', 'escaped'); time.sleep(1000)"
os.execve(%(python)r, [%(python)r, "-I", "-S", "-c", script], %(env)s)
"""


def escape(env: str) -> str:
    return ESCAPE % {"python": sys.executable, "env": env}


async def test_stopping_ends_the_process_and_says_so(keeper: RunningKeeper) -> None:
    await keeper.client.spawn(keeper.spec("a", "sleep", "1000"))
    status = await keeper.client.stop("a")
    assert (status.state, status.pid, status.exit_signal) == (ProcessState.STOPPED, None, 15)
    assert (await keeper.event(KeeperEvent.STOPPING, "a")).pid is not None
    await keeper.event(KeeperEvent.STOPPED, "a")


async def test_a_process_that_ignores_sigterm_is_killed_after_its_graces(
    keeper: RunningKeeper,
) -> None:
    steps = (StopStep(signal=2, grace_seconds=0.1), StopStep(signal=15, grace_seconds=0.1))
    script = "trap 'echo int' INT; trap 'echo term' TERM; echo ready; while :; do sleep 0.02; done"
    await keeper.client.spawn(keeper.shell("stubborn", script, stop=steps))
    await keeper.until(lambda: b"ready" in keeper.log_bytes("stubborn"))
    status = await keeper.client.stop("stubborn")
    assert status.exit_signal == signal.SIGKILL
    texts = [line.split(b" ", 3)[3] for line in keeper.log_bytes("stubborn").splitlines()]
    assert [text for text in texts if text in (b"int", b"term")] == [b"int", b"term"]


async def test_a_second_stop_with_kill_skips_the_graces(keeper: RunningKeeper) -> None:
    steps = (StopStep(signal=15, grace_seconds=600.0),)
    script = "trap '' TERM; echo ready; while :; do sleep 0.02; done"
    await keeper.client.spawn(keeper.shell("stubborn", script, stop=steps))
    await keeper.until(lambda: b"ready" in keeper.log_bytes("stubborn"))
    first = asyncio.create_task(keeper.client.stop("stubborn"))
    await keeper.event(KeeperEvent.STOPPING, "stubborn")
    second = await keeper.client.stop("stubborn", kill=True)
    assert (await first) == second
    assert second.exit_signal == signal.SIGKILL


async def test_stopping_what_has_ended_answers_at_once(keeper: RunningKeeper) -> None:
    await keeper.client.spawn(keeper.spec("a", "sleep", "1000"))
    first = await keeper.client.stop("a")
    assert await keeper.client.stop("a") == first
    with pytest.raises(RejectedError, match="b is not kept here"):
        await keeper.client.stop("b")


async def test_stopping_in_backoff_cancels_the_next_attempt(keeper: RunningKeeper) -> None:
    policy = RestartPolicy(initial_delay_seconds=600.0, max_delay_seconds=600.0)
    await keeper.client.spawn(keeper.shell("a", "exit 3", restart=policy))
    status = await keeper.event(KeeperEvent.BACKOFF, "a")
    assert status.next_start_at is not None
    assert status.next_start_at > time.time() + 500
    status = await keeper.client.stop("a")
    assert (status.state, status.next_start_at, status.exit_code) == (
        ProcessState.STOPPED,
        None,
        3,
    )


async def test_children_in_the_same_group_end_with_their_parent(
    keeper: RunningKeeper, alive: Callable[[int], bool]
) -> None:
    await keeper.client.spawn(
        keeper.shell("a", "sleep 1000 & echo $! > tmp; mv tmp child; sleep 1000")
    )
    child = await keeper.pid_in("child")
    await keeper.client.stop("a")
    assert not alive(child)


async def test_a_shell_that_leaves_a_background_job_behind_is_stopped_with_it(
    keeper: RunningKeeper, alive: Callable[[int], bool]
) -> None:
    # A background job of a shell ignores SIGINT; the shell itself does not.
    steps = (StopStep(signal=2, grace_seconds=600.0), StopStep(signal=15, grace_seconds=600.0))
    await keeper.client.spawn(
        keeper.shell("a", "sleep 1000 & echo $! > tmp; mv tmp child; wait", stop=steps)
    )
    child = await keeper.pid_in("child")
    await keeper.client.stop("a")
    assert not alive(child)


@pytest.mark.parametrize("env", ["dict(os.environ)", "{}"], ids=["marked", "env-cleared"])
async def test_a_descendant_that_escaped_by_setsid_and_double_fork_is_ended_too(
    keeper: RunningKeeper, alive: Callable[[int], bool], env: str
) -> None:
    await keeper.client.spawn(keeper.python("a", escape(env)))
    await keeper.client.spawn(keeper.spec("bystander", "sleep", "1000"))
    escaped = await keeper.pid_in("escaped")
    assert os.getsid(escaped) != os.getpid()
    status = await keeper.client.stop("a")
    assert status.state is ProcessState.STOPPED
    assert not alive(escaped)
    assert [s.state for s in await keeper.client.list()] == [
        ProcessState.STOPPED,
        ProcessState.RUNNING,
    ]


async def test_what_a_crashed_process_left_is_ended_before_it_runs_again(
    keeper: RunningKeeper, alive: Callable[[int], bool]
) -> None:
    first = await keeper.client.spawn(keeper.python("a", escape("{}")))
    escaped = await keeper.pid_in("escaped")
    (keeper.directory / "escaped").unlink()
    assert first.pid is not None
    os.kill(first.pid, signal.SIGKILL)
    exited = await keeper.event(KeeperEvent.EXITED, "a")
    assert (exited.state, exited.pid) == (ProcessState.BACKOFF, None)
    again = await keeper.event(KeeperEvent.STARTED, "a")
    assert not alive(escaped)
    assert (again.restarts, again.exit_signal) == (1, signal.SIGKILL)


async def test_a_tree_that_keeps_forking_is_gone_after_stop(keeper: RunningKeeper) -> None:
    script = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
end = time.monotonic() + 20
while time.monotonic() < end:
    if not os.fork():
        os.setsid()
    time.sleep(0.01)
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        pass
    if sum(name.isdigit() for name in os.listdir("/proc")) > 400:
        time.sleep(0.5)
"""
    steps = (StopStep(signal=15, grace_seconds=0.1),)
    await keeper.client.spawn(keeper.python("bomb", script, stop=steps))
    await keeper.until(lambda: b"ready" in keeper.log_bytes("bomb"))
    status = await keeper.client.stop("bomb")
    assert status.state is ProcessState.STOPPED
    assert keeper.marked() == []


async def test_restart_runs_it_again_without_counting_as_a_crash(keeper: RunningKeeper) -> None:
    before = await keeper.client.spawn(keeper.spec("a", "sleep", "1000"))
    after = await keeper.client.restart("a")
    assert (after.state, after.restarts) == (ProcessState.RUNNING, 0)
    assert after.pid != before.pid
    await keeper.client.stop("a")
    assert (await keeper.client.restart("a")).state is ProcessState.RUNNING


async def test_a_stop_during_a_restart_wins_and_both_are_answered(keeper: RunningKeeper) -> None:
    steps = (StopStep(signal=15, grace_seconds=600.0),)
    script = "trap '' TERM; echo ready; while :; do sleep 0.02; done"
    await keeper.client.spawn(keeper.shell("a", script, stop=steps))
    await keeper.until(lambda: b"ready" in keeper.log_bytes("a"))
    restarting = asyncio.create_task(keeper.client.restart("a"))
    await keeper.event(KeeperEvent.STOPPING, "a")
    stopped = await keeper.client.stop("a", kill=True)
    assert stopped.state is ProcessState.STOPPED
    assert (await restarting).state is ProcessState.STOPPED


async def test_a_signal_reaches_the_main_process_only(keeper: RunningKeeper) -> None:
    script = "trap 'echo hup' HUP; echo ready; while :; do sleep 0.02; done"
    await keeper.client.spawn(keeper.shell("a", script))
    await keeper.until(lambda: b"ready" in keeper.log_bytes("a"))
    await keeper.client.signal("a", signal.SIGHUP)
    await keeper.until(lambda: b"F hup\n" in keeper.log_bytes("a"))
    await keeper.client.stop("a")
    with pytest.raises(RejectedError, match="a is not running"):
        await keeper.client.signal("a", signal.SIGHUP)


async def test_shutdown_leaves_no_descendant_and_no_socket(
    keeper: RunningKeeper, alive: Callable[[int], bool]
) -> None:
    await keeper.client.spawn(keeper.python("a", escape("{}")))
    await keeper.client.spawn(keeper.spec("b", "sleep", "1000"))
    escaped = await keeper.pid_in("escaped")
    await keeper.client.shutdown()
    assert keeper.wait() == 0
    assert not alive(escaped)
    assert keeper.marked() == []
    assert not keeper.place.socket_path.exists()
    assert "ended, nothing is left" in keeper.own_log()


async def test_shutdown_finds_what_nothing_ties_to_a_process_any_more(
    keeper: RunningKeeper, alive: Callable[[int], bool]
) -> None:
    lost_mark = "import resource; resource.setrlimit(10, (7, 7))\n"
    await keeper.client.spawn(keeper.python("a", lost_mark + escape("{}")))
    escaped = await keeper.pid_in("escaped")
    await keeper.client.shutdown()
    assert not alive(escaped)


async def test_sigterm_to_the_keeper_ends_everything_in_good_order(keeper: RunningKeeper) -> None:
    script = "trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.02; done"
    await keeper.client.spawn(keeper.shell("a", script))
    await keeper.until(lambda: b"ready" in keeper.log_bytes("a"))
    os.kill(keeper.pid, signal.SIGTERM)
    assert await keeper.client.wait_closed() == f"the keeper at {keeper.place.socket_path} is gone"
    assert keeper.wait() == 0
    assert b"F bye\n" in keeper.log_bytes("a")
    with pytest.raises(UnavailableError, match="is gone"):
        await keeper.client.list()


async def test_a_killed_keeper_takes_its_children_along(
    keeper: RunningKeeper, alive: Callable[[int], bool]
) -> None:
    statuses = [
        await keeper.client.spawn(keeper.spec(f"p{number}", "sleep", "1000")) for number in range(5)
    ]
    os.kill(keeper.pid, signal.SIGKILL)
    await keeper.until(lambda: not any(alive(status.pid or 0) for status in statuses))


async def test_the_terminal_does_not_reach_the_keeper(keeper: RunningKeeper) -> None:
    await keeper.client.spawn(keeper.spec("a", "sleep", "1000"))
    os.kill(keeper.pid, signal.SIGHUP)
    os.kill(keeper.pid, signal.SIGINT)
    assert [status.state for status in await keeper.client.list()] == [ProcessState.RUNNING]

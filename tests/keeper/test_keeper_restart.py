from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import pytest

from prismctl.errors import RejectedError
from prismctl.keeper.protocol import KeeperEvent, ProcessState, RestartPolicy

if TYPE_CHECKING:
    from tests.keeper.conftest import RunningKeeper

HASTY = RestartPolicy(initial_delay_seconds=0.01, max_delay_seconds=0.02)


async def test_a_process_that_exits_at_once_five_times_more_is_failed(
    keeper: RunningKeeper,
) -> None:
    await keeper.client.spawn(keeper.shell("a", "echo run; exit 3", restart=HASTY))
    status = await keeper.event(KeeperEvent.FAILED, "a")
    assert (status.state, status.exit_code, status.exit_signal) == (ProcessState.FAILED, 3, None)
    assert status.restarts == 5
    kinds = [event for event, told in keeper.told if told.key == "a"]
    assert kinds.count(KeeperEvent.STARTED) == kinds.count(KeeperEvent.EXITED) == 6
    assert kinds.count(KeeperEvent.BACKOFF) == 4
    # What it said last is on disk before its end is told.
    assert keeper.log_bytes("a").count(b"F run\n") == 6


async def test_a_killed_service_runs_again_at_once(keeper: RunningKeeper) -> None:
    before = await keeper.client.spawn(keeper.spec("a", "sleep", "1000"))
    assert before.pid is not None
    os.kill(before.pid, signal.SIGKILL)
    exited = await keeper.event(KeeperEvent.EXITED, "a")
    assert (exited.state, exited.pid, exited.exit_signal) == (ProcessState.BACKOFF, None, 9)
    after = await keeper.event(KeeperEvent.STARTED, "a")
    assert after.restarts == 1
    assert (after.pid, after.start_ticks) != (before.pid, before.start_ticks)
    assert KeeperEvent.BACKOFF not in [event for event, _ in keeper.told]


async def test_an_exit_code_that_is_final_is_not_tried_again(keeper: RunningKeeper) -> None:
    policy = RestartPolicy(final_exit_code=78)
    await keeper.client.spawn(keeper.shell("a", "echo run; exit 78", restart=policy))
    status = await keeper.event(KeeperEvent.FAILED, "a")
    assert (status.exit_code, status.restarts) == (78, 0)
    assert keeper.log_bytes("a").count(b"F run\n") == 1


async def test_a_service_with_a_final_exit_code_is_started_again_after_any_other_end(
    keeper: RunningKeeper,
) -> None:
    policy = RestartPolicy(final_exit_code=78)
    before = await keeper.client.spawn(keeper.spec("a", "sleep", "1000", restart=policy))
    assert before.pid is not None
    os.kill(before.pid, signal.SIGKILL)
    await keeper.event(KeeperEvent.EXITED, "a")
    assert (await keeper.event(KeeperEvent.STARTED, "a")).restarts == 1


async def test_a_service_that_ends_with_success_is_started_again(keeper: RunningKeeper) -> None:
    await keeper.client.spawn(keeper.shell("a", "test -e once && exec sleep 1000; touch once"))
    exited = await keeper.event(KeeperEvent.EXITED, "a")
    assert exited.exit_code == 0
    assert (await keeper.event(KeeperEvent.STARTED, "a")).restarts == 1


async def test_a_one_shot_that_succeeds_is_completed(keeper: RunningKeeper) -> None:
    await keeper.client.spawn(keeper.shell("once", "echo done", one_shot=True))
    status = await keeper.event(KeeperEvent.COMPLETED, "once")
    assert (status.state, status.exit_code, status.restarts) == (ProcessState.COMPLETED, 0, 0)
    assert keeper.log_bytes("once").endswith(b"F done\n")


async def test_a_one_shot_that_fails_is_tried_again_as_often_as_its_policy_says(
    keeper: RunningKeeper,
) -> None:
    policy = RestartPolicy(max_restarts=0)
    await keeper.client.spawn(keeper.shell("once", "exit 1", one_shot=True, restart=policy))
    status = await keeper.event(KeeperEvent.FAILED, "once")
    assert (status.exit_code, status.restarts) == (1, 0)


async def test_a_grandchild_that_holds_the_pipe_does_not_delay_the_exit(
    keeper: RunningKeeper,
) -> None:
    # It is in another session and unmarked, so only the pipe connects it with the one that ended.
    script = """
import os, resource, time
if not os.fork():
    os.setsid()
    if os.fork():
        os._exit(0)
    resource.setrlimit(10, (7, 7))
    os.execve("/bin/sleep", ["sleep", "1000"], {})
time.sleep(0.05)
"""
    await keeper.client.spawn(keeper.python("a", script, one_shot=True))
    await keeper.event(KeeperEvent.COMPLETED, "a")


@pytest.mark.parametrize(
    ("argv", "error"),
    [
        (("no-such-program",), "no-such-program is not on the PATH"),
        (("/no/such/program",), "/no/such/program: no such file"),
        (("/etc/passwd",), "/etc/passwd is not executable (permission denied)"),
        (("./garbage",), "./garbage is not in an executable format"),
        (("./script",), "the interpreter or loader that ./script names does not exist"),
    ],
)
async def test_a_program_that_cannot_be_executed_fails_at_once_and_says_why(
    keeper: RunningKeeper, argv: tuple[str, ...], error: str
) -> None:
    for name, text in (("garbage", "\1\2\3"), ("script", "#!/no/such/interpreter\n")):
        (keeper.directory / name).write_text(text)
        (keeper.directory / name).chmod(0o755)
    status = await keeper.client.spawn(keeper.spec("a", *argv))
    assert status.state is ProcessState.FAILED
    assert status.error.startswith(error)
    assert (status.exit_code, status.pid, status.restarts) == (None, None, 0)
    assert [event for event, _ in keeper.told if event is KeeperEvent.STARTED] == []


async def test_a_missing_working_directory_is_named(keeper: RunningKeeper) -> None:
    status = await keeper.client.spawn(keeper.spec("a", "true", cwd="/no/such/place"))
    assert status.error == "working directory /no/such/place: no such file or directory"


async def test_an_ended_process_can_be_replaced_and_a_running_one_cannot(
    keeper: RunningKeeper,
) -> None:
    await keeper.client.spawn(keeper.spec("a", "no-such-program"))
    await keeper.client.spawn(keeper.spec("a", "sleep", "1000", digest="new"))
    assert [status.digest for status in await keeper.client.list()] == ["new"]
    with pytest.raises(RejectedError, match="a is already running"):
        await keeper.client.spawn(keeper.spec("a", "sleep", "1000"))
    with pytest.raises(RejectedError, match="a is running"):
        await keeper.client.forget("a")
    await keeper.client.stop("a")
    await keeper.client.forget("a")
    assert await keeper.client.list() == ()


async def test_a_process_starts_with_a_clean_slate(keeper: RunningKeeper) -> None:
    # Python itself ignores SIGPIPE and SIGXFSZ; signals 32 and 33 are the C library's own, which lets nobody set them.
    script = r"""
import os, signal
print(sorted(os.environ))
print(sorted(os.listdir("/proc/self/fd")) == ["0", "1", "2", "3"])
print(os.readlink("/proc/self/fd/0"), oct(os.umask(0)), os.getsid(0) == os.getpgid(0) == os.getpid())
status = dict(line.split(":\t") for line in open("/proc/self/status"))
print(int(status["SigBlk"], 16), int(status["SigIgn"], 16) & ~(1 << 12 | 1 << 24 | 1 << 31 | 1 << 32))
print(os.getcwd() == os.environ["HERE"])
"""
    await keeper.client.spawn(keeper.python("a", script, one_shot=True))
    status = await keeper.event(KeeperEvent.COMPLETED, "a")
    assert status.exit_code == 0
    texts = [line.split(b" ", 3)[3].decode() for line in keeper.log_bytes("a").splitlines()]
    names = texts[0]
    assert "PRISM_KEEPER" in names
    assert "PRISM_PROCESS" in names
    assert "HOME" not in names
    assert texts[1:] == ["True", "/dev/null 0o22 True", "0 0", "True"]


async def test_a_hundred_processes_start_and_stop_together(keeper: RunningKeeper) -> None:
    specs = [keeper.spec(f"p{number}", "sleep", "1000") for number in range(100)]
    statuses = await asyncio.gather(*(keeper.client.spawn(spec) for spec in specs))
    assert {status.state for status in statuses} == {ProcessState.RUNNING}
    assert len({status.pid for status in statuses}) == 100
    stopped = await asyncio.gather(*(keeper.client.stop(spec.key) for spec in specs))
    assert {status.state for status in stopped} == {ProcessState.STOPPED}

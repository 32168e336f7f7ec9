from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
import pytest

from prism_proto.prism.launcher import launcher_pb2 as lp
from prism_proto.prism.launcher.launcher_pb2_grpc import PatternLauncherStub
from prism_services.launcher.flags import parse
from prism_services.launcher.isolation import Isolation, process_id
from prism_services.launcher.patterns import find_patterns
from prism_services.launcher.serve import pattern_launcher
from prism_services.launcher.supervisor import (
    LaunchOrder,
    ProcessReport,
    ProcessState,
    WithoutProcesses,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from prism_services.launcher.supervisor import PatternSupervisor


class Recording:
    """A supervisor whose processes are what it was asked to launch."""

    def __init__(self) -> None:
        self.orders: dict[str, LaunchOrder] = {}

    def reports(self) -> Sequence[ProcessReport]:
        return [self._report(order) for order in self.orders.values()]

    async def launch(self, order: LaunchOrder) -> ProcessReport:
        self.orders[order.process_id] = order
        return self._report(order)

    async def terminate(self, process_id: str, *, grace_seconds: float, force: bool) -> bool:
        assert grace_seconds > 0
        return self.orders.pop(process_id, None) is not None or force

    @staticmethod
    def _report(order: LaunchOrder) -> ProcessReport:
        return ProcessReport(
            process_id=order.process_id,
            pattern_name=order.pattern.manifest.name,
            isolation=order.isolation,
            namespace=order.namespace,
            session_id=order.session_id,
            state=ProcessState.RUNNING,
            address="127.0.0.1:1",
            healthy=True,
            pid=1,
            uptime_seconds=2,
            restart_count=3,
            error_count=4,
            last_error="",
            memory_mb=5,
            cpu_percent=6.0,
        )


Launcher = Any


@pytest.fixture
def launcher_with(
    hosted: Callable[..., Awaitable[Any]],
) -> Callable[[PatternSupervisor], Awaitable[Launcher]]:
    async def make(supervisor: PatternSupervisor) -> Launcher:
        service = pattern_launcher(find_patterns(None), supervisor, parse([]))
        return PatternLauncherStub((await hosted([service])).channel)

    return make


@pytest.fixture
async def launcher(launcher_with: Callable[[PatternSupervisor], Awaitable[Launcher]]) -> Launcher:
    return await launcher_with(WithoutProcesses())


async def refusal(call: Awaitable[object]) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    return refused.value


async def test_without_processes_the_launcher_is_healthy_and_says_there_are_none(
    launcher: Launcher,
) -> None:
    health = await launcher.Health(lp.HealthRequest(include_processes=True))
    assert health.healthy
    assert (health.total_processes, list(health.processes)) == (0, [])
    assert not health.isolation_distribution
    listed = await launcher.ListPatterns(lp.ListPatternsRequest())
    assert (listed.total_count, list(listed.patterns)) == (0, [])
    status = await launcher.GetProcessStatus(lp.GetProcessStatusRequest(process_id="x"))
    assert status.not_found


async def test_terminating_an_unknown_process_fails_in_band(launcher: Launcher) -> None:
    answer = await launcher.TerminatePattern(lp.TerminateRequest(process_id="shared:x"))
    assert not answer.success
    assert "shared:x" in answer.error


async def test_a_known_pattern_is_refused_as_long_as_nothing_runs_processes(
    launcher: Launcher,
) -> None:
    error = await refusal(launcher.LaunchPattern(lp.LaunchRequest(pattern_name="keyvalue")))
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED
    assert "cannot start processes" in (error.details() or "")


async def test_an_unknown_pattern_is_not_found_and_the_known_ones_are_named(
    launcher: Launcher,
) -> None:
    error = await refusal(launcher.LaunchPattern(lp.LaunchRequest(pattern_name="keyvaleu")))
    assert error.code() is grpc.StatusCode.NOT_FOUND
    assert "keyvalue" in (error.details() or "")


WRONG = {
    "no name": lp.LaunchRequest(),
    "no namespace": lp.LaunchRequest(pattern_name="keyvalue", isolation=lp.ISOLATION_NAMESPACE),
    "no session": lp.LaunchRequest(
        pattern_name="keyvalue", namespace="n", isolation=lp.ISOLATION_SESSION
    ),
    "odd isolation": lp.LaunchRequest(pattern_name="keyvalue", isolation=9),  # type: ignore[arg-type]  # what a newer client may send
    "odd config": lp.LaunchRequest(pattern_name="keyvalue", config={"A=B": "c"}),
    "another's code": lp.LaunchRequest(pattern_name="keyvalue", config={"LD_PRELOAD": "/tmp/x.so"}),
    "another interpreter's code": lp.LaunchRequest(
        pattern_name="keyvalue", config={"pythonpath": "/"}
    ),
    "nul": lp.LaunchRequest(pattern_name="keyvalue", config={"A": "\0"}),
    "negative grace": lp.LaunchRequest(pattern_name="keyvalue", grace_period_secs=-1),
    "long": lp.LaunchRequest(pattern_name="keyvalue", namespace="n" * 1000),
    "unprintable": lp.LaunchRequest(pattern_name="keyvalue", namespace="a\nb"),
}


@pytest.mark.parametrize("what", sorted(WRONG))
async def test_a_launch_that_is_wrong_in_itself_is_an_invalid_argument(
    launcher: Launcher, what: str
) -> None:
    error = await refusal(launcher.LaunchPattern(WRONG[what]))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.details()


async def test_a_supervisor_gets_complete_orders_and_its_reports_are_answered(
    launcher_with: Callable[[PatternSupervisor], Awaitable[Launcher]],
) -> None:
    supervisor = Recording()
    launcher = await launcher_with(supervisor)
    answer = await launcher.LaunchPattern(
        lp.LaunchRequest(
            pattern_name="keyvalue",
            isolation=lp.ISOLATION_NAMESPACE,
            namespace="orders",
            config={"BACKEND": "redis"},
        )
    )
    assert answer == lp.LaunchResponse(
        process_id="ns:orders:keyvalue",
        state=lp.STATE_RUNNING,
        address="127.0.0.1:1",
        healthy=True,
    )
    order = supervisor.orders["ns:orders:keyvalue"]
    assert (order.environment, order.grace_seconds) == ({"BACKEND": "redis"}, 10.0)
    await launcher.LaunchPattern(lp.LaunchRequest(pattern_name="keyvalue"))
    listed = await launcher.ListPatterns(lp.ListPatternsRequest(namespace="orders"))
    assert [info.process_id for info in listed.patterns] == ["ns:orders:keyvalue"]
    failed = await launcher.ListPatterns(lp.ListPatternsRequest(state=lp.STATE_FAILED))
    assert failed.total_count == 0
    health = await launcher.Health(lp.HealthRequest())
    assert (health.total_processes, health.running_processes) == (2, 2)
    assert health.isolation_distribution == {"namespace": 1, "none": 1}
    status = await launcher.GetProcessStatus(
        lp.GetProcessStatusRequest(process_id="shared:keyvalue")
    )
    assert (status.process.pid, status.process.restart_count) == (1, 3)
    ended = await launcher.TerminatePattern(lp.TerminateRequest(process_id="shared:keyvalue"))
    assert ended == lp.TerminateResponse(success=True)


@pytest.mark.parametrize(
    ("isolation", "identity"),
    [
        (Isolation.NONE, "shared:kv"),
        (Isolation.NAMESPACE, "ns:n:kv"),
        (Isolation.SESSION, "session:s:kv"),
    ],
)
def test_a_process_id_says_who_shares_the_process(isolation: Isolation, identity: str) -> None:
    assert process_id(isolation, pattern="kv", namespace="n", session="s") == identity

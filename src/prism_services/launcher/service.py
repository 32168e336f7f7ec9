# ruff: noqa: N802, D102 - methods are named and described by the protocol
"""The service ``prism.launcher.PatternLauncher``: requests are checked here and carried out by a supervisor."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from prism_proto.prism.launcher import launcher_pb2 as messages
from prism_proto.prism.launcher import launcher_pb2_grpc as services
from prism_services.launcher.isolation import Isolation, process_id
from prism_services.launcher.manifest import IDENTIFIER
from prism_services.launcher.supervisor import LaunchOrder, PatternSupervisor, ProcessState
from prism_services.launcher.variables import chooses_code
from prism_services.serving.refusal import Refusal, RefusalCode, invalid

if TYPE_CHECKING:
    import grpc

    from prism_services.launcher.patterns import Catalogue
    from prism_services.launcher.supervisor import ProcessReport

    Context = grpc.aio.ServicerContext[Any, Any]

USUAL_GRACE_SECONDS: Final = 10.0
LONGEST_GRACE_SECONDS: Final = 3600
LONGEST_NAME: Final = 512
"""Characters of a name in a request."""
ISOLATIONS: Final[dict[int, Isolation]] = {
    messages.ISOLATION_NONE: Isolation.NONE,
    messages.ISOLATION_NAMESPACE: Isolation.NAMESPACE,
    messages.ISOLATION_SESSION: Isolation.SESSION,
}


class PatternLauncher(services.PatternLauncherServicer):
    """What asks for pattern processes talks to."""

    def __init__(
        self, catalogue: Catalogue, supervisor: PatternSupervisor, usual_isolation: Isolation
    ) -> None:
        self._catalogue = catalogue
        self._supervisor = supervisor
        self._usual_isolation = usual_isolation
        self._started = time.monotonic()

    async def LaunchPattern(
        self, request: messages.LaunchRequest, _: Context
    ) -> messages.LaunchResponse:
        report = await self._supervisor.launch(self._order(request))
        return messages.LaunchResponse(
            process_id=report.process_id,
            state=_wire_state(report.state),
            address=report.address,
            healthy=report.healthy,
            error=report.last_error,
        )

    async def ListPatterns(
        self, request: messages.ListPatternsRequest, _: Context
    ) -> messages.ListPatternsResponse:
        found = [
            info
            for info in self._infos()
            if request.pattern_name in {"", info.pattern_name}
            and request.namespace in {"", info.namespace}
            and request.state in {messages.STATE_UNSPECIFIED, info.state}
        ]
        return messages.ListPatternsResponse(patterns=found, total_count=len(found))

    async def TerminatePattern(
        self, request: messages.TerminateRequest, _: Context
    ) -> messages.TerminateResponse:
        if not request.process_id:
            raise invalid("process_id is empty")
        known = await self._supervisor.terminate(
            request.process_id,
            grace_seconds=_grace_seconds(request.grace_period_secs),
            force=request.force,
        )
        if known:
            return messages.TerminateResponse(success=True)
        return messages.TerminateResponse(
            error=f"no process has the id {request.process_id[:LONGEST_NAME]!r}"
        )

    async def Health(self, request: messages.HealthRequest, _: Context) -> messages.HealthResponse:
        reports = self._supervisor.reports()
        states = Counter(report.state for report in reports)
        return messages.HealthResponse(
            healthy=True,
            total_processes=len(reports),
            running_processes=states[ProcessState.RUNNING],
            terminating_processes=states[ProcessState.TERMINATING],
            failed_processes=states[ProcessState.FAILED],
            isolation_distribution=Counter(str(report.isolation) for report in reports),
            processes=self._infos() if request.include_processes else (),
            uptime_seconds=int(time.monotonic() - self._started),
        )

    async def GetProcessStatus(
        self, request: messages.GetProcessStatusRequest, _: Context
    ) -> messages.GetProcessStatusResponse:
        for info in self._infos():
            if info.process_id == request.process_id:
                return messages.GetProcessStatusResponse(process=info)
        return messages.GetProcessStatusResponse(not_found=True)

    def _order(self, request: messages.LaunchRequest) -> LaunchOrder:
        name = request.pattern_name
        if not name:
            raise invalid("pattern_name is empty")
        for field in ("pattern_name", "namespace", "session_id"):
            value: str = getattr(request, field)
            if len(value) > LONGEST_NAME:
                raise invalid(f"{field} has {len(value)} characters: the limit is {LONGEST_NAME}")
            if not value.isprintable():
                raise invalid(f"{field} {value!r} holds characters that cannot be printed")
        pattern = self._catalogue.patterns.get(name)
        isolation = self._isolation_of(request.isolation)
        identity = process_id(
            isolation, pattern=name, namespace=request.namespace, session=request.session_id
        )
        if pattern is None:
            known = ", ".join(sorted(self._catalogue.patterns))
            raise Refusal(
                RefusalCode.NOT_FOUND, f"pattern {name!r} is not known; these are: {known}"
            )
        for key, value in request.config.items():
            if not IDENTIFIER.fullmatch(key):
                raise invalid(
                    f"config key {key[:200]!r} is not the name of an environment variable"
                )
            if chooses_code(key):
                raise invalid(
                    f"config key {key[:200]!r} would have the process run other code than its own"
                )
            if "\0" in value:
                raise invalid(f"config value of {key[:200]!r} holds a NUL character")
        return LaunchOrder(
            process_id=identity,
            pattern=pattern,
            isolation=isolation,
            namespace=request.namespace,
            session_id=request.session_id,
            environment=dict(request.config),
            grace_seconds=_grace_seconds(request.grace_period_secs),
        )

    def _isolation_of(self, wanted: int) -> Isolation:
        if wanted == messages.ISOLATION_LEVEL_UNSPECIFIED:
            return self._usual_isolation
        isolation = ISOLATIONS.get(wanted)
        if isolation is None:
            raise invalid(f"isolation {wanted} is not an isolation level")
        return isolation

    def _infos(self) -> list[messages.PatternInfo]:
        return [_info(report) for report in self._supervisor.reports()]


def _info(report: ProcessReport) -> messages.PatternInfo:
    return messages.PatternInfo(
        pattern_name=report.pattern_name,
        process_id=report.process_id,
        state=_wire_state(report.state),
        address=report.address,
        healthy=report.healthy,
        uptime_seconds=report.uptime_seconds,
        namespace=report.namespace,
        session_id=report.session_id,
        last_error=report.last_error,
        error_count=report.error_count,
        restart_count=report.restart_count,
        pid=report.pid,
    )


def _wire_state(state: ProcessState) -> messages.ProcessState.ValueType:
    return messages.ProcessState.Value(f"STATE_{state}")


def _grace_seconds(wanted: int) -> float:
    if wanted < 0 or wanted > LONGEST_GRACE_SECONDS:
        raise invalid(f"grace_period_secs {wanted} is not from 0 to {LONGEST_GRACE_SECONDS}")
    return float(wanted) or USUAL_GRACE_SECONDS

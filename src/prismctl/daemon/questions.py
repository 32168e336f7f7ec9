"""What an instance is to be asked, given the plan and what its engine says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prismctl.domain.endpoints import PROTOCOLS, find_database
from prismctl.domain.observation import Phase
from prismctl.domain.plan import LOOPBACK
from prismctl.domain.replicas import plan_replica
from prismctl.domain.service import CheckType, Runtime
from prismctl.keeper.protocol import KEEPER_ID_VARIABLE
from prismctl.probes.question import Question
from prismctl.runtime.command import render_environment
from prismctl.runtime.container import container_name
from prismctl.runtime.container_records import process_file

if TYPE_CHECKING:
    from prismctl.domain.observation import InstanceObservation
    from prismctl.domain.plan import ServicePlan, StackPlan
    from prismctl.domain.service import HealthCheck
    from prismctl.files.paths import StackPaths


CONTAINER_SECONDS: Final = 2.0
"""How long a look at a container's process may take beyond the time that it has to live."""


def find_question(
    seen: InstanceObservation, service: ServicePlan, plan: StackPlan, paths: StackPaths
) -> Question | None:
    """The question for the present run; ``None`` when there is no run, or only its end will tell."""
    if service.one_shot or seen.phase is not Phase.RUNNING or not seen.run:
        return None
    data = paths.data_of(service.name, seen.key.replica)
    own = service
    if seen.ports and seen.ports != service.ports:
        own = plan_replica(service, ports=seen.ports, data=str(data))
    check = own.check
    is_container = own.runtime is Runtime.CONTAINER
    name = container_name(own, seen.key.replica, paths)
    pid_file = process_file(paths, name) if is_container else None
    if check is None:
        return Question(
            key=seen.key,
            run=seen.run,
            type=None,
            started_at=seen.started_at or 0.0,
            min_uptime_seconds=own.min_uptime_seconds,
            pid=seen.pid,
            start_ticks=seen.start_ticks,
            udp_ports=_find_udp_ports(own),
            pid_file=pid_file,
            timeout_seconds=own.min_uptime_seconds + CONTAINER_SECONDS,
        )
    is_exec = check.type is CheckType.EXEC
    command = check.command
    if is_exec and is_container and plan.containers is not None:
        command = (plan.containers.program, "exec", name, *command)
    return Question(
        key=seen.key,
        run=seen.run,
        type=check.type,
        host=_host_of(own, check.port),
        port=check.port if isinstance(check.port, int) else 0,
        path=check.path,
        command=command,
        # Nobody has written the client that carries the question into a container.
        program=check.command[0] if is_exec and check.command else "",
        env=render_environment(own, seen.key.replica, plan) if is_exec else {},
        directory=str(data) if is_container else own.working_directory or str(data),
        user=_find_user(own, check),
        password=check.password,
        is_elsewhere=own.runtime is Runtime.EXTERNAL,
        database=_find_database(own, check),
        jetstream=check.jetstream,
        pattern=check.pattern,
        log=paths.log(str(seen.key)) if check.type is CheckType.LOG else None,
        secrets=_secrets_of(own, check),
        started_at=seen.started_at or 0.0,
        min_uptime_seconds=own.min_uptime_seconds,
        pid=seen.pid,
        start_ticks=seen.start_ticks,
        pid_file=pid_file,
        mark=f"{KEEPER_ID_VARIABLE}={paths.keeper_id}",
        interval_seconds=check.interval_seconds,
        timeout_seconds=check.timeout_seconds,
        start_period_seconds=check.start_period_seconds,
    )


def _find_udp_ports(service: ServicePlan) -> tuple[int, ...]:
    """Those whose sockets are its own on this machine: for a container with a network of its own, a proxy may have them."""
    is_apart = service.runtime is Runtime.CONTAINER and not service.has_host_network
    if is_apart or service.runtime is Runtime.EXTERNAL:
        return ()
    return tuple(port.number for port in service.ports if not port.is_tcp)


def _secrets_of(service: ServicePlan, check: HealthCheck) -> frozenset[str]:
    values = {service.env[name] for name in service.secrets & service.env.keys()}
    return frozenset(values | {check.password} if check.password else values)


def _find_user(service: ServicePlan, check: HealthCheck) -> str:
    """Who asks: with a password and no name, whom PostgreSQL was told to let in."""
    if check.type is CheckType.POSTGRES and check.password and not check.user:
        return service.env.get(PROTOCOLS[check.type].user_key, "")
    return check.user


def _find_database(service: ServicePlan, check: HealthCheck) -> str:
    """Where `DATABASE_URL` leads."""
    if check.type is not CheckType.POSTGRES:
        return ""
    return find_database(service, PROTOCOLS[check.type])


def _host_of(service: ServicePlan, number: int | str | None) -> str:
    """Where the port listens, as far as one connects from here."""
    host = next((port.host for port in service.ports if port.number == number), LOOPBACK)
    return LOOPBACK if host in {"", "0.0.0.0", "::", "localhost"} else host  # noqa: S104 - compared, not listened on

"""The two files through which engine and shim talk: what an instance is to be, and what it is doing."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prismctl.domain.needs import PLAIN_NEED
from prismctl.domain.plan import LOOPBACK
from prismctl.domain.service import Runtime
from prismctl.engine.nomad.job import can_consul_ask, consul_name, first_tcp_port
from prismctl.engine.nomad.processes import ProcessId, is_alive
from prismctl.errors import PrismError
from prismctl.files.atomic import write_atomically
from prismctl.runtime.refusal import find_refusal, has_guard

if TYPE_CHECKING:
    from pathlib import Path

    from prismctl.domain.needs import Need
    from prismctl.domain.plan import ServicePlan, StackPlan
    from prismctl.runtime.command import ProcessCommand


def ready_key(plan: StackPlan, service: ServicePlan, need: Need = PLAIN_NEED) -> str:
    """Where Consul's key-value store says that what is needed of a service is so, where Consul cannot see it itself."""
    return f"prism/{plan.stack}/{need.word}/{service.name}"


def is_checked_by_consul(service: ServicePlan) -> bool:
    """Whether Consul can tell by itself that a service is good."""
    if service.one_shot or service.runtime is Runtime.EXTERNAL:
        return False
    return bool(service.ports) and can_consul_ask(service)


def render_wait(plan: StackPlan, dependency: ServicePlan, need: Need = PLAIN_NEED) -> str:
    """What the shim of a dependent has to wait for: ``KIND NAME HOST PORT PATH``."""
    name = consul_name(dependency.name)
    if not need.is_told_by_health or dependency.runtime is Runtime.EXTERNAL:
        return f"key {name} - 0 {ready_key(plan, dependency, need)}"
    check = dependency.check
    first = first_tcp_port(dependency.ports)
    is_asked_at_port = check.type.is_asked_at_port if check is not None else first is not None
    if dependency.one_shot or not dependency.ports or not is_asked_at_port:
        return f"key {name} - 0 {ready_key(plan, dependency)}"
    main = first or dependency.ports[0]
    if check is None:
        return f"tcp {name} {main.host} {main.number} /"
    number = check.port if isinstance(check.port, int) else main.number
    for port in dependency.ports:
        if check.port == port.name:
            number = port.number
    if not can_consul_ask(dependency):
        # The key stays when the service falls over; that its port accepts is seen each time.
        return f"key {name} {LOOPBACK} {number} {ready_key(plan, dependency)}"
    return f"{check.type.value} {name} {LOOPBACK} {number} {check.path}"


def render_environment_file(
    plan: StackPlan, service: ServicePlan, command: ProcessCommand, consul_port: int
) -> bytes:
    """The shim's instructions; see there for the form.

    Raises:
        PrismError: something in it contains a zero byte, which no process can be given.
    """
    entries = [f"C{LOOPBACK}:{consul_port}", f"D{command.cwd}"]
    entries += [f"A{argument}" for argument in command.argv]
    entries += [f"E{name}={value}" for name, value in command.env.items()]
    entries += [
        f"W{render_wait(plan, plan.service(name), service.need_of(name))}"
        for name in service.depends_on
        if plan.service(name).replicas or plan.service(name).runtime is Runtime.EXTERNAL
    ]
    if has_guard(service):
        entries.append(f"R{find_refusal(command.data_directory)}")
    if any("\0" in entry for entry in entries):
        raise PrismError(f"{service.name}: its command or environment contains a zero byte")
    return b"".join(entry.encode(errors="surrogateescape") + b"\0" for entry in entries)


def save_environment_file(path: Path, content: bytes) -> None:
    """Write the shim's instructions (0600), unless they are there already."""
    with contextlib.suppress(OSError):
        if path.read_bytes() == content:
            return
    write_atomically(path, content)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What the shim said of the present run of an instance."""

    process: ProcessId
    doing: str
    """``waiting``, ``running`` or ``failed``."""
    allocation: str
    at: float
    """When it said so, in seconds since the epoch."""
    detail: str = ""
    """What it waits for, or why it could not start."""

    @property
    def is_alive(self) -> bool:
        """Whether the process still runs."""
        return is_alive(self.process)


def decode_run(text: str) -> Run | None:
    """The run a file speaks of; ``None`` when it is not one."""
    fields = dict(line.split("=", 1) for line in text.split("\n") if "=" in line)
    try:
        ticks = fields["ticks"]
        return Run(
            process=ProcessId(int(fields["pid"]), int(ticks) if ticks else None),
            doing=fields["doing"],
            allocation=fields["allocation"],
            at=float(fields["at"]),
            detail=fields.get("detail", ""),
        )
    except (KeyError, ValueError):
        return None


def load_run(path: Path) -> Run | None:
    """The last run of an instance; ``None`` when there has been none."""
    try:
        return decode_run(path.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return None

"""Ports that a plan moved: what they were asked to be, and services that may not notice.

A move is harmless where the service is told its number, by ``${self.port}`` or ``PORT``. Where its command has the
number written out, it goes on to listen on that one, and nobody finds it where the plan says it is.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from prismctl.domain.host_port import HostPort

if TYPE_CHECKING:
    from prismctl.domain.plan import Port, ServicePlan


def describe_move(port: Port) -> str:
    """Where a port went and why: ``21899 instead of 18711 (PID 16366, python3)``; empty for one that was not moved."""
    if port.wanted is None or port.wanted == port.number:
        return ""
    why = f" ({port.taken_by})" if port.taken_by else ""
    return f"{port.host_port} instead of {HostPort(port.wanted, port.protocol)}{why}"


def warn_of_fixed_ports(service: ServicePlan) -> list[str]:
    """What to tell about moved ports whose wanted number is written in the service's command, a line each."""
    words = (*service.command, *service.args)
    texts = (*words, *service.env.values(), *service.files.values())
    if any(re.search(r"\bPORT(?:_[A-Z0-9_]+)?\b", text) for text in texts):
        return []
    warnings = []
    for port in service.ports:
        # A container's server keeps the number that it was built with: only the way to it was moved.
        if not describe_move(port) or port.inner_number != port.number:
            continue
        is_written = any(_has_number(text, port.wanted) for text in words)
        if is_written and not any(_has_number(text, port.number) for text in texts):
            reference = "port" if port is service.ports[0] else f"ports.{port.name}"
            warnings.append(
                f"{service.name} listens on a fixed port: its command says {port.wanted}, and it is looked for on "
                f"{port.number}; write `${{self.{reference}}}` in place of {port.wanted}"
            )
    return warnings


def _has_number(text: str, number: int | None) -> bool:
    return re.search(rf"(?<![0-9.]){number}(?![0-9])", text) is not None

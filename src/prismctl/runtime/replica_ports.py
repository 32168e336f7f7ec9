"""Ports of replicas beyond the first: free ones, in place of the numbers that the plan gave the first."""

from __future__ import annotations

import re
import socket
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prismctl.domain.plan import Port, ServicePlan


def choose_replica_ports(service: ServicePlan, replica: int) -> tuple[Port, ...]:
    """Where one replica listens: the plan's ports for the first, free ones for the others."""
    if replica == 0:
        return service.ports
    listeners = [socket.socket() for _ in service.ports]
    try:
        for listener, port in zip(listeners, service.ports, strict=True):
            listener.bind((port.host, 0))
        return tuple(
            replace(port, number=listener.getsockname()[1], is_dynamic=True)
            for listener, port in zip(listeners, service.ports, strict=True)
        )
    finally:
        for listener in listeners:
            listener.close()


def compare_ports(planned: Sequence[Port], actual: Sequence[Port]) -> dict[int, int]:
    """Which planned number stands for which actual one, where they differ."""
    return {
        before.number: after.number
        for before, after in zip(planned, actual, strict=True)
        if before.number != after.number
    }


def replace_port_numbers(text: str, numbers: Mapping[int, int]) -> str:
    """The text with port numbers exchanged where they stand alone: ``7070``, ``--port=7070``, ``:7070/``."""
    if not numbers:
        return text
    alternatives = "|".join(str(number) for number in numbers)
    return re.sub(
        rf"(?<![\w.])(?:{alternatives})(?![\w.])",
        lambda match: str(numbers[int(match[0])]),
        text,
    )

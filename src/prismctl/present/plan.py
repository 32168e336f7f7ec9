"""A plan before it is applied: what will start, why each part is in it, where it listens."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from prismctl.domain.counting import count_of
from prismctl.domain.moved_ports import describe_move, warn_of_fixed_ports
from prismctl.present.catalog import HIDDEN
from prismctl.present.events import action_line, fields
from prismctl.present.text import (
    Line,
    Span,
    Tone,
    clean,
    clip_line,
    fold,
    line,
    pad,
    spread,
    width_of,
)
from prismctl.present.wording import engine_title

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prismctl.domain.plan import ServicePlan, StackPlan
    from prismctl.domain.service import ServiceName

SCHEMA_VERSION: Final = 1
"""Of the plan document; fields are only ever added."""

_GAP: Final = "   "
_USUAL_ENGINE: Final = "nomad"
"""Needs no reason to be given; another one does, unless somebody typed it."""
_ASKED_FOR: Final = "asked for"
_NOT_HERE: Final = " is not here, and "
"""Between an image and what keeps it from being pulled."""
_NOT_HERE_EITHER: Final = " is not here either"
_INDENT: Final = 4
"""Of what is said below a row."""
_MINIMUM_REASON_WIDTH: Final = 16


def render_plan(plan: StackPlan) -> dict[str, Any]:
    """The plan document: what `--dry-run -o json` prints. It carries no environment, so no secret."""
    return {
        "schema": SCHEMA_VERSION,
        "stack": plan.stack,
        "engine": plan.engine.value,
        "engine_reason": plan.engine_reason,
        "origin": plan.origin,
        "project": plan.project,
        "watch": plan.terms.watch,
        "services": [
            {
                "name": service.name,
                "type": service.type.value,
                "source": service.source,
                "runtime": service.runtime.value,
                "runtime_reason": service.runtime_reason,
                "program": service.program or (service.command[0] if service.command else ""),
                "arguments": _arguments(service),
                "depends_on": list(service.depends_on),
                "ports": [
                    {
                        "name": port.name,
                        "host": port.host,
                        "port": port.number,
                        "protocol": port.protocol.value,
                        "dynamic": port.is_dynamic,
                        "wanted": port.wanted,
                        "taken_by": port.taken_by,
                    }
                    for port in service.ports
                ],
                "replicas": service.replicas,
                "persist": service.persist,
                "watch": list(service.watch),
            }
            for service in plan.services
        ],
        "warnings": [text for service in plan.services for text in warn_of_fixed_ports(service)],
    }


def _arguments(service: ServicePlan) -> list[str]:
    """What follows the program or the image, without what is secret."""
    words = service.command[1:] if service.command else service.args
    secrets = [value for name in service.secrets if (value := service.env.get(name))]
    return [HIDDEN if any(secret in word for secret in secrets) else word for word in words]


def plan_lines(plan: StackPlan, *, width: int) -> list[Line]:
    """The plan for people: a title, then a row a service."""
    engine = engine_title(plan.engine.value)
    article = "the " if plan.engine.value != _USUAL_ENGINE else ""
    title = line(
        Span(clean(plan.origin), Tone.STRONG),
        f" · {count_of(len(plan.services), 'service')} on {article}{engine}",
    )
    lines: list[Line] = [spread(title, line(Span(f"stack {clean(plan.stack)}", Tone.MUTED)), width)]
    if plan.engine_reason not in {"", _ASKED_FOR} and plan.engine.value != _USUAL_ENGINE:
        lines.extend(
            line(Span(f"  {words}", Tone.MUTED))
            for words in fold(clean(plan.engine_reason), width - 2)
        )
    if plan.project:
        words = fold(f"project file {clean(plan.project)}", width - 2)
        lines.extend(line(Span(f"  {each}", Tone.MUTED)) for each in words)
    lines.append(())
    columns = _columns(plan, width)
    widths = _widths(columns)
    reasons = _reasons(plan)
    for service, (name, source, runtime, ports) in zip(plan.services, columns, strict=True):
        row = line(
            "  ",
            Span(pad(name, widths[0]), Tone.STRONG),
            _GAP,
            pad(source, widths[1]),
            _GAP,
            pad(runtime, widths[2]),
            _GAP,
            Span(pad(ports, widths[3]), Tone.ACCENT),
        )
        lines.extend(_with_reason(row, reasons[service.name], width))
        for move in _moves(service):
            lines.extend(_below(move, width, Tone.MUTED))
        for warning in warn_of_fixed_ports(service):
            lines.extend(_below(f"! {clean(warning)}", width, Tone.BUSY))
    return lines


def _moves(service: ServicePlan) -> list[str]:
    """Where the ports of a service went that could not be had, in one line: ``port 21899 instead of 18711 (PID 7, python3)``."""
    moved = [port for port in service.ports if describe_move(port)]
    if len(moved) <= 1:
        has_one = len(service.ports) == 1
        return [
            clean(f"{'port' if has_one else f'port {port.name}'} {describe_move(port)}")
            for port in moved
        ]
    holders = {port.taken_by for port in moved}
    if len(holders) > 1:
        words = ", ".join(f"{port.name} {describe_move(port)}" for port in moved)
        return [clean(f"ports {words}")]
    words = ", ".join(f"{port.name} {describe_move(replace(port, taken_by=''))}" for port in moved)
    (holder,) = holders
    return [clean(f"ports {words}{f' ({holder})' if holder else ''}")]


def _reasons(plan: StackPlan) -> dict[ServiceName, str]:
    """Why each service runs as it does; what is in the way of the images of several is said once."""
    told: set[str] = set()
    reasons = {}
    for service in plan.services:
        reason = clean(service.runtime_reason)
        head, and_, obstacle = reason.partition(_NOT_HERE)
        if and_ and obstacle in told:
            reason = f"{head}{_NOT_HERE_EITHER}"
        told.add(obstacle)
        reasons[service.name] = reason
    return reasons


def _below(words: str, width: int, tone: Tone) -> list[Line]:
    """A remark on the row above it."""
    return [
        line(" " * _INDENT, Span(each, tone))
        for each in fold(words, max(width - _INDENT, _MINIMUM_REASON_WIDTH))
    ]


def _with_reason(row: Line, reason: str, width: int) -> list[Line]:
    """The row with its reason behind it, or below it where there is no room; clipped to the width."""
    if not reason:
        return [clip_line(row, width)]
    whole = (*row, Span(_GAP), Span(reason, Tone.MUTED))
    if sum(width_of(span.text) for span in whole) <= width:
        return [whole]
    if width < _INDENT + _MINIMUM_REASON_WIDTH:
        return [clip_line(row, width)]
    return [clip_line(row, width), *_below(reason, width, Tone.MUTED)]


def _columns(plan: StackPlan, width: int) -> list[tuple[str, ...]]:
    """Name, source, runtime and ports of each service; with all ports where there is room for them."""
    described = [
        (clean(service.name), clean(service.source), service.runtime.value)
        for service in plan.services
    ]
    columns = [
        (*words, _all_ports(service))
        for words, service in zip(described, plan.services, strict=True)
    ]
    if sum(_widths(columns)) + 2 + 3 * len(_GAP) <= width:
        return list(columns)
    return [
        (*words, _first_port(service))
        for words, service in zip(described, plan.services, strict=True)
    ]


def _widths(columns: Sequence[tuple[str, ...]]) -> list[int]:
    return [max((width_of(row[index]) for row in columns), default=0) for index in range(4)]


def _all_ports(service: ServicePlan) -> str:
    """Where a planned service listens: ``:8981 :5353/udp``."""
    return " ".join(f":{port.host_port}" for port in service.ports)


def _first_port(service: ServicePlan) -> str:
    """The same for a narrow terminal: ``:8981 and 3 more``."""
    whole = _all_ports(service)
    more = len(service.ports) - 1
    if more <= 0:
        return whole
    return min(whole, f":{service.ports[0].host_port} and {more} more", key=len)


def plain_plan_lines(plan: StackPlan) -> list[Line]:
    """The plan for a pipe: a line for the whole, then one a service saying why it is there."""
    lines = [
        action_line(
            "start",
            fields(
                stack=plan.stack,
                engine=plan.engine.value,
                origin=plan.origin,
                services=len(plan.services),
                project=plan.project,
            ),
        )
    ]
    if plan.engine_reason not in {"", _ASKED_FOR} and plan.engine.value != _USUAL_ENGINE:
        why = f"engine={plan.engine.value} {clean(plan.engine_reason)}"
        lines.append(action_line("note", why, Tone.MUTED))
    reasons = _reasons(plan)
    lines += [
        action_line(
            "plan",
            f"{clean(service.name)} "
            + fields(
                source=service.source,
                runtime=service.runtime.value,
                port=service.ports[0].host_port if service.ports else "",
                why=reasons[service.name],
            ),
            Tone.MUTED,
        )
        for service in plan.services
    ]
    for service in plan.services:
        name = clean(service.name)
        lines += [action_line("note", f"{name} {move}") for move in _moves(service)]
        lines += [
            action_line("warning", clean(warning), Tone.BUSY)
            for warning in warn_of_fixed_ports(service)
        ]
    return lines

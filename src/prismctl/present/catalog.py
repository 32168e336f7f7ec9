"""The catalog as rows, as the details of one service, and as a document."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from prismctl.domain.host_port import protocol_suffix
from prismctl.domain.needs import PLAIN_NEED
from prismctl.domain.written_ports import render_port
from prismctl.present.listing import table_lines
from prismctl.present.text import Line, Span, Tone, clean, fold, line, pad
from prismctl.present.units import UNKNOWN, render_duration

if TYPE_CHECKING:
    from prismctl.domain.offering import Catalog
    from prismctl.domain.service import ServiceDefinition, ServiceName

SCHEMA_VERSION: Final = 1
HIDDEN: Final = "(secret)"
_LABEL_WIDTH: Final = 14


def render_service(definition: ServiceDefinition) -> dict[str, Any]:
    """A service of the catalog as a document; values of secrets and passwords are hidden."""
    document = asdict(definition)
    document["secrets"] = sorted(definition.secrets)
    document["env"] = {
        name: HIDDEN if name in definition.secrets else value
        for name, value in definition.env.items()
    }
    if definition.health_check and definition.health_check.password:
        document["health_check"]["password"] = HIDDEN
    return document


def render_catalog_list(catalog: Catalog) -> dict[str, Any]:
    """All services as a document."""
    return {
        "schema": SCHEMA_VERSION,
        "file": catalog.file,
        "sources": list(catalog.sources or (catalog.file,)),
        "services": [render_service(each) for each in catalog.services.values()],
    }


def catalog_lines(catalog: Catalog, *, width: int) -> list[Line]:
    """A row a service."""
    rows = [
        (
            each.name,
            each.type.value,
            _ports(each),
            "yes" if each.required else "default" if each.default else "",
            each.description,
        )
        for each in catalog.services.values()
    ]
    lines = table_lines(("SERVICE", "TYPE", "PORT", "ALWAYS", "WHAT IT IS"), rows, width=width)
    if catalog.sources:
        # An overlay is easily forgotten, and nothing else of a list says where it comes from.
        lines += [(), line(Span(f"from {clean(catalog.file)}", Tone.MUTED))]
    return lines


def service_lines(definition: ServiceDefinition, *, width: int) -> list[Line]:
    """Everything the catalog says about one service; what it doesn't say is left out."""
    check = definition.health_check
    facts = {
        "what it is": definition.description,
        "type": definition.type.value,
        "tags": ", ".join(definition.tags),
        "runtime": definition.runtime.value if definition.runtime else "auto",
        "runs at": definition.host,
        "command": shlex.join(definition.command),
        "container": definition.container,
        "arguments": shlex.join(definition.args),
        "ports": ", ".join(
            f"{port.name} {port.wanted or f'(a free one{protocol_suffix(port.protocol)})'}"
            + (f" to {port.target} inside" if port.target is not None else "")
            for port in definition.ports
        ),
        "memory": f"at most {definition.resources.memory_limit_mb} MB as a container"
        if definition.resources.memory_limit_mb is not None
        else "",
        "depends on": ", ".join(_dependency(definition, name) for name in definition.depends_on),
        "health check": ""
        if check is None
        else " ".join(
            [
                check.type.value,
                f"on {check.port}" if check.port is not None else "",
                check.path if check.type.value == "http" else "",
                "with JetStream" if check.jetstream else "",
                f"every {render_duration(check.interval_seconds)}",
            ]
        ),
        "environment": ", ".join(
            f"{name}={HIDDEN if name in definition.secrets else value}"
            for name, value in definition.env.items()
        ),
        "volumes": ", ".join(definition.volumes),
        "made from": ", ".join(definition.watch),
        "keeps data": "yes" if definition.persist else "",
        "replicas": str(definition.replicas) if definition.replicas != 1 else "",
    }
    lines: list[Line] = [line(Span(clean(definition.name), Tone.STRONG)), ()]
    for label, value in facts.items():
        room = max(10, width - _LABEL_WIDTH - 2)
        for index, words in enumerate(fold(clean(value), room)):
            shown = label if index == 0 else ""
            lines.append(line(Span(f"  {pad(shown, _LABEL_WIDTH)}", Tone.MUTED), words))
    return lines


def _dependency(definition: ServiceDefinition, name: ServiceName) -> str:
    need = definition.needs.get(name, PLAIN_NEED)
    words = [
        "" if need.condition is PLAIN_NEED.condition else need.condition.value,
        "" if need.is_required else "where it is in the stack",
    ]
    said = ", ".join(word for word in words if word)
    return f"{name} ({said})" if said else name


def _ports(definition: ServiceDefinition) -> str:
    return ", ".join(render_port(port) for port in definition.ports) or UNKNOWN

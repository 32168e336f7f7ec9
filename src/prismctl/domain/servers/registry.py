"""All servers that are known, and what is asked about any of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from prismctl.domain.servers.kafka import KAFKA
from prismctl.domain.servers.nats import NATS
from prismctl.domain.servers.postgres import POSTGRES, waits_for_disk
from prismctl.domain.servers.redis import REDIS
from prismctl.domain.shape import INVALID

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prismctl.domain.document import Path, Report
    from prismctl.domain.plan import ServicePlan
    from prismctl.domain.servers.server import Server, Setting

SERVERS: Final[Mapping[str, Server]] = {
    server.driver: server for server in (REDIS, POSTGRES, NATS, KAFKA)
}
"""By the catalog's ``driver``."""


def find_server(driver: str, program: str = "") -> Server | None:
    """The server of a driver; of a program on this machine, only if it is that server's own."""
    server = SERVERS.get(driver)
    return None if server is None or (program and not server.is_program(program)) else server


def all_settings() -> dict[str, Setting]:
    """Every key that any server knows; a meaning says for which ones it has one."""
    found: dict[str, Setting] = {}
    for server in SERVERS.values():
        for key, setting in server.settings.items():
            meaning = f"for {server.driver}: {setting.meaning} ({setting.default})"
            if key in found:
                meaning = f"{found[key].meaning}; {meaning}"
            found[key] = replace(found.get(key, setting), meaning=meaning)
    return found


def read_config(
    given: Mapping[str, Any], driver: str, path: Path, report: Report
) -> dict[str, Any]:
    """What is given for a server; keys that it does not know and values it cannot have are reported.

    Args:
        given: as it is written.
        driver: of the service.
        path: of the mapping in the document.
        report: takes the mistakes.
    """
    server = SERVERS.get(driver)
    if server is None:
        report.key(path, f"config is for services with a driver of {', '.join(SERVERS)}")
        return {}
    read = {}
    for key, value in given.items():
        setting = server.settings.get(key)
        if setting is None:
            report.unknown_key((*path, key), server.settings)
        elif (result := setting.shape.read(value, (*path, key), report)) is not INVALID:
            read[key] = result
    return read


def describe_durability(services: Sequence[ServicePlan]) -> tuple[str, ...]:
    """What whoever looks at a stack should know of data that a loss of power could take."""
    return tuple(
        f"{each.name}: fsync is off, because its data ends with the stack; `--persist` keeps it and turns fsync on"
        for each in services
        if each.driver == POSTGRES.driver and not waits_for_disk((*each.command, *each.args))
    )

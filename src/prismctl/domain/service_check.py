"""The health check of a service: what an entry says, or what stays of a packaged one, checked for sense."""

from __future__ import annotations

import dataclasses
import re
import warnings
from typing import TYPE_CHECKING, Any, Final

from prismctl.domain.host_port import PortProtocol
from prismctl.domain.service import CheckType, HealthCheck
from prismctl.domain.written_ports import render_port

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prismctl.domain.document import Path, Report
    from prismctl.domain.service import PortDefinition

_LOGIN_CHECKS: Final = (CheckType.REDIS, CheckType.POSTGRES, CheckType.NATS)

_KEYS_OF_CHECKS: Final = {
    "path": (CheckType.HTTP,),
    "command": (CheckType.EXEC,),
    "pattern": (CheckType.LOG,),
    "jetstream": (CheckType.NATS,),
    "user": _LOGIN_CHECKS,
    "password": _LOGIN_CHECKS,
}
"""The types of check that a key has a meaning for; one alone is what the key suggests."""

_NO_ANSWER_ELSEWHERE: Final = (
    "nothing can be asked at a UDP port elsewhere: beside one of TCP, that is asked; alone, and without a check, "
    "it is taken for healthy"
)


def read_check(
    given: Mapping[str, Any], ports: Sequence[PortDefinition], path: Path, report: Report
) -> HealthCheck:
    """The check that an entry describes; where it says no type, its other keys suggest one."""
    where = (*path, "health_check")
    suggested = [
        kinds[0] for key, kinds in _KEYS_OF_CHECKS.items() if key in given and len(kinds) == 1
    ]
    kind = CheckType(given.get("type") or (suggested[0] if suggested else "tcp"))
    # With a key that is wrong, what follows from the others would only be noise.
    if all(key in given for key in report.document.mapping_at(where)):
        _check_keys(kind, given, where, report)
        _check_asked_port(kind, given, ports, where, report)
    default = HealthCheck(type=kind)
    return HealthCheck(
        type=kind,
        port=given.get("port"),
        path=given.get("path", default.path),
        command=given.get("command", ()),
        pattern=given.get("pattern", ""),
        user=given.get("user", ""),
        password=given.get("password", ""),
        jetstream=given.get("jetstream", False),
        interval_seconds=given.get("interval", default.interval_seconds),
        timeout_seconds=given.get("timeout", default.timeout_seconds),
        start_period_seconds=given.get("start_period", default.start_period_seconds),
    )


def keep_check(check: HealthCheck | None, ports: Sequence[PortDefinition]) -> HealthCheck | None:
    """A packaged check, as long as the port it asks is still there under its name."""
    if check is None or not isinstance(check.port, str):
        return check
    names = [port.name for port in ports]
    return check if check.port in names else dataclasses.replace(check, port=None)


def without_jetstream(check: HealthCheck | None) -> HealthCheck | None:
    """A packaged check for arguments that are not the packaged ones, which alone turn JetStream on for sure."""
    return dataclasses.replace(check, jetstream=False) if check else None


def check_protocol(
    check: HealthCheck | None,
    ports: Sequence[PortDefinition],
    given: Mapping[str, Any],
    path: Path,
    report: Report,
) -> None:
    """A check that asks at a port makes a connection; where the port is UDP, none can be made."""
    if check is None or not check.type.is_asked_at_port:
        return
    if check.port is None:
        asked = list(ports)
    else:
        asked = [each for each in ports if check.port in {each.name, each.number, each.target}]
    if not asked or any(each.protocol is PortProtocol.TCP for each in asked):
        return
    first = asked[0]
    message = (
        f"a check of type {check.type} asks at a TCP port, and {first.name} is {render_port(first)}"
    )
    if "health_check" in given:
        key = next((key for key in ("port", "type") if key in given["health_check"]), "")
        report.value((*path, "health_check", *([key] if key else [])), message)
    else:
        where = (*path, "external") if "external" in given else path
        said = given.get("external", given)
        report.value((*where, "port" if "port" in said else "ports"), message)
    report.problems.add_hint(
        _NO_ANSWER_ELSEWHERE
        if "external" in given
        else "for a UDP port, `type: exec` asks by a command and `type: log` by a line that is printed; "
        "without a check, a service that has no other ports is healthy while it lives"
    )


def _check_keys(kind: CheckType, given: Mapping[str, Any], where: Path, report: Report) -> None:
    for key, kinds in _KEYS_OF_CHECKS.items():
        if key in given and kind not in kinds:
            report.key((*where, key), f"{key} has no meaning for a check of type {kind}")
    for key, needed in (("command", "exec"), ("pattern", "log")):
        if kind == needed and not given.get(key):
            report.key(where, f"a check of type {kind} needs `{key}`")
    if "pattern" in given:
        try:
            # What the library would merely warn about is no mistake, and no business of the terminal's.
            with warnings.catch_warnings(action="ignore"):
                re.compile(given["pattern"])
        except (re.error, OverflowError, RecursionError) as error:
            report.value((*where, "pattern"), f"pattern is no regular expression: {error}")


def _check_asked_port(
    kind: CheckType,
    given: Mapping[str, Any],
    ports: Sequence[PortDefinition],
    where: Path,
    report: Report,
) -> None:
    if kind.is_asked_at_port:
        names = [port.name for port in ports]
        port = given.get("port")
        if isinstance(port, str) and port not in names:
            report.unknown_value((*where, "port"), "port", port, names)
        elif port is None and not ports:
            report.key(where, f"a check of type {kind} needs a port, and the service has none")
    elif "port" in given:
        report.key((*where, "port"), f"port has no meaning for a check of type {kind}")

"""Which settings a service has, and which layer each of their values comes from.

What ships, each file of the catalog, the profile and flags are put over one another elsewhere; here each of them is
asked what it has written, and the definition that it left behind is asked for the value.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from prismctl.domain.host_port import PortProtocol
from prismctl.domain.precedence import DEFAULT, Given, Setting, resolve_setting
from prismctl.domain.servers.registry import SERVERS
from prismctl.domain.written_ports import render_port

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from prismctl.domain.document import Document, Path
    from prismctl.domain.problems import Place
    from prismctl.domain.servers.server import Setting as ServerSetting
    from prismctl.domain.service import PortDefinition, ServiceDefinition, ServiceName

HIDDEN: Final = "(secret)"
"""Stands for a value that is shown nowhere."""

_RESERVED: Final = "resources.memory"
_LIMIT: Final = "memory_limit_mb"


class ServiceLayer(NamedTuple):
    """One file that has a say in a service, and what the service is with all up to it."""

    source: str
    """As a person would name it: ``services.yaml``, ``profile team``."""
    document: Document
    path: Path
    """Of what the file says about the service."""
    definition: ServiceDefinition
    is_profile: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Key:
    """One setting of a service."""

    read: Callable[[ServiceDefinition], Any]
    entry: tuple[Path, ...] = ()
    """Where an entry of a catalog says it; of two that are written, the first counts."""
    profile: tuple[Path, ...] = ()
    """Where a profile does."""
    see: tuple[str, ...] = ()
    """Other keys that go by the same name somewhere."""


def known_keys(definition: ServiceDefinition) -> list[str]:
    """The keys that a service has, the name of the service left out; those of its server first."""
    return list(_keys_of(definition))


def related_keys(definition: ServiceDefinition, key: str) -> tuple[str, ...]:
    """What else a key of that name may have been meant to be."""
    return _keys_of(definition)[key].see


def explain_service(
    name: ServiceName,
    key: str,
    *,
    packaged: ServiceDefinition,
    layers: Sequence[ServiceLayer],
    overrules: Sequence[Given] = (),
    preferences: Sequence[Given] = (),
) -> Setting:
    """One setting of a service, and every layer that has a value for it.

    Args:
        name: of the service.
        key: one of its `known_keys`.
        packaged: what it is where no file says anything.
        layers: from the lowest up.
        overrules: what counts more than any file that describes the service, from the highest down.
        preferences: what counts where no file says anything, in place of the packaged value.
    """
    asked = _keys_of(layers[-1].definition if layers else packaged)[key]
    said = [
        Given(_shown(asked, each.definition, key), each.source, place)
        for each in reversed(layers)
        if (place := _place_of(asked, each)) is not None
    ]
    if key == "runtime":
        # `runtime: auto` leaves it to the preference.
        said = [each for each in said if each.value != "auto"]
    lowest = [] if preferences else [Given(_shown(asked, packaged, key), DEFAULT)]
    return resolve_setting(f"{name}.{key}", [*overrules, *said, *preferences, *lowest])


def _place_of(asked: _Key, layer: ServiceLayer) -> Place | None:
    """Where a layer says it; ``None`` where it does not."""
    for path in asked.profile if layer.is_profile else asked.entry:
        whole = (*layer.path, *path)
        if whole in layer.document.keys:
            return layer.document.place_of_key(whole)
    return None


def _shown(asked: _Key, definition: ServiceDefinition, key: str) -> Any:
    """The value, without what is secret."""
    if key.removeprefix("env.") in definition.secrets:
        return HIDDEN
    return asked.read(definition)


def _keys_of(definition: ServiceDefinition) -> dict[str, _Key]:
    keys = {**_server_keys(definition), **_OWN_KEYS}
    if "memory_mb" not in keys:
        keys["memory_mb"] = _OWN_KEYS[_RESERVED]
    if "persist" in _server_settings(definition):
        keys["persist"] = _PERSIST_OF_SERVERS
    for index, port in enumerate(definition.ports):
        keys[f"ports.{port.name}"] = _port_key(port.name, is_first=index == 0)
    for variable in definition.env:
        keys[f"env.{variable}"] = _variable_key(variable)
    return keys


def _server_settings(definition: ServiceDefinition) -> Mapping[str, ServerSetting]:
    server = SERVERS.get(definition.driver)
    return server.settings if server is not None else {}


def _variable_key(name: str) -> _Key:
    path = ("env", name)
    return _Key(read=lambda each: each.env.get(name), entry=(path,), profile=(path,))


def _server_keys(definition: ServiceDefinition) -> dict[str, _Key]:
    return {
        name: _server_key(name, setting.default)
        for name, setting in _server_settings(definition).items()
    }


def _server_key(name: str, default: str) -> _Key:
    """What its server is told; a profile says it without ``config``."""
    return _Key(
        read=lambda each: each.config.get(name, default),
        entry=(("config", name),),
        profile=((name,),),
        see=(_RESERVED, _LIMIT) if name == "memory_mb" else (),
    )


def _port_key(name: str, *, is_first: bool) -> _Key:
    """One port: in a mapping by its name; in a list, the list is all there is to point to; `port` is the first."""
    paths: tuple[Path, ...] = (("ports", name), ("ports",))
    if is_first:
        paths += (("port",),)
    return _Key(
        read=lambda each: next((_number(port) for port in each.ports if port.name == name), "none"),
        entry=paths,
        profile=paths,
    )


def _number(port: PortDefinition) -> int | str:
    """As people write it, which for TCP is a plain number."""
    if port.number is not None and port.protocol is PortProtocol.TCP:
        return port.number
    return render_port(port)


def _both(
    key: str, read: Callable[[ServiceDefinition], Any], *, is_changeable: bool = False
) -> _Key:
    """A key that an entry has at its top, and a profile as well if it may change it."""
    return _Key(read=read, entry=((key,),), profile=((key,),) if is_changeable else ())


def _render_check(definition: ServiceDefinition) -> Any:
    check = definition.health_check
    if check is None:
        return "none"
    shown = {
        key: value for key, value in asdict(check).items() if value not in {"", (), None, False}
    }
    return {**shown, "type": check.type.value} | ({"password": HIDDEN} if check.password else {})


_OWN_KEYS: Final[Mapping[str, _Key]] = {
    "port": _Key(
        read=lambda each: _number(each.ports[0]) if each.ports else "none",
        entry=(("port",), ("ports",)),
        profile=(("port",), ("ports",)),
    ),
    "ports": _Key(
        read=lambda each: {port.name: _number(port) for port in each.ports},
        entry=(("ports",), ("port",)),
        profile=(("ports",), ("port",)),
    ),
    "runtime": _both(
        "runtime", lambda each: each.runtime.value if each.runtime else "auto", is_changeable=True
    ),
    "persist": _both("persist", lambda each: each.persist, is_changeable=True),
    "replicas": _both("replicas", lambda each: each.replicas, is_changeable=True),
    _RESERVED: _Key(
        read=lambda each: each.resources.memory_mb,
        entry=(("resources", "memory"), ("memory_mb",)),
        profile=(("memory_mb",), ("resources", "memory")),
    ),
    _LIMIT: _Key(
        read=lambda each: (
            "none" if each.resources.memory_limit_mb is None else each.resources.memory_limit_mb
        ),
        entry=(("memory_mb",),),
    ),
    "resources.cpu": _Key(
        read=lambda each: each.resources.cpu_mhz,
        entry=(("resources", "cpu"), ("cpu",)),
        profile=(("cpu_mhz",), ("resources", "cpu")),
    ),
    "container": _both("container", lambda each: each.container),
    "command": _both("command", lambda each: list(each.command)),
    "args": _both("args", lambda each: list(each.args), is_changeable=True),
    "env": _Key(
        read=lambda each: {
            name: HIDDEN if name in each.secrets else value for name, value in each.env.items()
        },
        entry=(("env",),),
        profile=(("env",),),
    ),
    "health_check": _both("health_check", _render_check, is_changeable=True),
    "depends_on": _both("depends_on", lambda each: list(each.depends_on)),
    "volumes": _both("volumes", lambda each: list(each.volumes), is_changeable=True),
    "working_directory": _both("working_directory", lambda each: each.working_directory),
    "one_shot": _both("one_shot", lambda each: each.one_shot, is_changeable=True),
    "stop_grace": _both("stop_grace", lambda each: each.stop_grace_seconds, is_changeable=True),
    "min_uptime": _both("min_uptime", lambda each: each.min_uptime_seconds),
    "watch": _both("watch", lambda each: list(each.watch)),
    "type": _both("type", lambda each: each.type.value),
    "driver": _both("driver", lambda each: each.driver),
    "description": _both("description", lambda each: each.description),
    "tags": _both("tags", lambda each: list(each.tags)),
    "required": _both("required", lambda each: each.required),
    "default": _both("default", lambda each: each.default),
}
"""What every service has."""

_PERSIST_OF_SERVERS: Final = _Key(
    read=lambda each: each.persist,
    entry=(("config", "persist"), ("persist",)),
    profile=(("persist",),),
)

DESCRIPTIVE_KEYS: Final = frozenset(
    {"type", "driver", "description", "tags", "required", "default", "depends_on", "ports"}
)
"""What a service is rather than how it is run, and what is said of each port once more."""

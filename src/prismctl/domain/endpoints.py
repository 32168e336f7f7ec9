"""Where a service is reached, as a client wants to be told: addresses, URLs with credentials, variables; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import quote

from prismctl.domain.plan import LOOPBACK
from prismctl.domain.service import CheckType

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prismctl.domain.plan import Port, ServicePlan


class Protocol(NamedTuple):
    """What clients of a kind of server expect."""

    name: str
    """As the catalog's ``driver`` has it."""
    scheme: str
    """Of the URL; empty: clients take ``HOST:PORT``."""
    variable: str
    """Where programs look for the server, whatever the service is called."""
    suffix: str
    """The same for one service by its name: ``CACHE_URL``."""
    user_key: str = ""
    """In the server's ``env``, who may log in."""
    password_key: str = ""
    database_key: str = ""
    default_user: str = ""
    """Who may, where nothing is said."""


PROTOCOLS: Final = {
    protocol.name: protocol
    for protocol in (
        Protocol("redis", "redis", "REDIS_URL", "URL", password_key="REDIS_PASSWORD"),  # noqa: S106 - a key's name
        Protocol(
            "postgres",
            "postgresql",
            "DATABASE_URL",
            "URL",
            user_key="POSTGRES_USER",
            password_key="POSTGRES_PASSWORD",  # noqa: S106 - a key's name
            database_key="POSTGRES_DB",
            default_user="postgres",
        ),
        Protocol(
            "nats",
            "nats",
            "NATS_URL",
            "URL",
            user_key="NATS_USER",
            password_key="NATS_PASSWORD",  # noqa: S106 - a key's name
        ),
        Protocol("kafka", "", "KAFKA_BROKERS", "BROKERS"),
    )
}
"""By name; nothing is said about how any other server is talked to."""

_ADMIN: Final = "prism-admin"
_ADMIN_VARIABLE: Final = "PRISM_ADMIN"
_EVERYWHERE: Final = frozenset({"", "0.0.0.0", "::", "localhost"})  # noqa: S104 - compared, not listened on


def find_protocol(service: ServicePlan) -> Protocol | None:
    """What a service speaks: by its driver, by the check that it passes, by its name; ``None`` when nobody knows."""
    check = service.check.type.value if service.check else ""
    words = (service.driver, check, service.name)
    return next((PROTOCOLS[word] for word in words if word in PROTOCOLS), None)


def render_endpoints(service: ServicePlan) -> dict[str, str]:
    """The addresses of a service by the names of its ports, credentials included where it takes some."""
    check = service.check
    found = {port.name: _render_endpoint(port) for port in service.ports}
    for port in service.ports:
        if not port.is_tcp or check is None:
            continue
        if check.type is CheckType.HTTP and check.port == port.number:
            found[port.name] = f"http://{render_address(port)}/"
    protocol = find_protocol(service)
    if protocol is not None and service.ports:
        found[service.ports[0].name] = _render_client_address(service, protocol)
    return found


def render_variables(services: Iterable[ServicePlan]) -> dict[str, str]:
    """What programs look for in their environment to reach the services; credentials are in it.

    ``NAME_HOST``, ``NAME_PORT`` and ``NAME_PORT_OTHER`` for each service with ports, its secrets as ``NAME_KEY``,
    ``NAME_URL`` where the protocol is known, and the names that programs have agreed upon.
    """
    variables: dict[str, str] = {}
    agreed: dict[str, tuple[bool, str]] = {}
    for service in services:
        variables |= _render_own_variables(service)
        protocol = find_protocol(service)
        if protocol is None or not service.ports:
            continue
        address = _render_client_address(service, protocol)
        variables[f"{variable_name(service.name)}_{protocol.suffix}"] = address
        is_namesake = service.name == protocol.name
        if protocol.variable not in agreed or (is_namesake and not agreed[protocol.variable][0]):
            agreed[protocol.variable] = (is_namesake, address)
    return {**{name: address for name, (_, address) in agreed.items()}, **variables}


def _render_endpoint(port: Port) -> str:
    address = render_address(port)
    return address if port.is_tcp else f"{port.protocol.value}://{address}"


def render_address(port: Port) -> str:
    """``HOST:PORT``, as far as one connects from this machine."""
    host = connectable_host(port)
    return f"[{host}]:{port.number}" if ":" in host else f"{host}:{port.number}"


def connectable_host(port: Port) -> str:
    """The host to connect to for a port that may be listened on everywhere."""
    return LOOPBACK if port.host in _EVERYWHERE else port.host


def variable_name(name: str) -> str:
    """A name as the beginning of a variable's: letters, digits and underscores, not beginning with a digit."""
    letters = "".join(
        letter if letter.isascii() and letter.isalnum() else "_" for letter in name
    ).upper()
    return f"_{letters}" if letters[:1].isdigit() else letters


def _render_own_variables(service: ServicePlan) -> dict[str, str]:
    prefix = variable_name(service.name)
    variables = {}
    if service.ports:
        first = service.ports[0]
        variables[f"{prefix}_HOST"] = connectable_host(first)
        variables[f"{prefix}_PORT"] = str(first.number)
        if service.name == _ADMIN:
            variables[_ADMIN_VARIABLE] = render_address(first)
    for port in service.ports[1:]:
        variables[f"{prefix}_PORT_{_tail(port.name)}"] = str(port.number)
    for name in sorted(service.secrets & service.env.keys()):
        key = variable_name(name)
        own = key if key.startswith(f"{prefix}_") else f"{prefix}_{_tail(name)}"
        variables[own] = service.env[name]
    return variables


def _tail(name: str) -> str:
    return variable_name(f"x{name}")[1:]


def _render_client_address(service: ServicePlan, protocol: Protocol) -> str:
    address = render_address(service.ports[0])
    if not protocol.scheme:
        return address
    user, password = _find_login(service, protocol)
    login = quote(user, safe="") + (f":{quote(password, safe='')}" if password else "")
    if protocol.name == "nats" and password and not user:
        # A token stands where the user does.
        login = quote(password, safe="")
    database = ""
    if protocol.database_key:
        database = "/" + quote(find_database(service, protocol) or protocol.default_user, safe="")
    return f"{protocol.scheme}://{login}{'@' if login else ''}{address}{database}"


def find_database(service: ServicePlan, protocol: Protocol) -> str:
    """The database that a server was told to have, where clients and the check look in; empty: the one that all have.

    Who asks does not matter: that a check has a user of its own makes no database of that name.
    """
    return service.env.get(protocol.database_key) or service.env.get(protocol.user_key, "")


def _find_login(service: ServicePlan, protocol: Protocol) -> tuple[str, str]:
    """Who may log in and with what: as the server was told, else as its check does."""
    check = service.check
    user = service.env.get(protocol.user_key, "") or (check.user if check else "")
    password = service.env.get(protocol.password_key, "") or (check.password if check else "")
    return user or protocol.default_user, password

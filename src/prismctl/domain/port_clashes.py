"""Two services of one plan that were given the same port: told alike by whoever finds it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prismctl.domain.addressing import Clash, assign_ports
from prismctl.domain.host_port import protocol_suffix
from prismctl.domain.problems import Problems
from prismctl.domain.selection import select_services

if TYPE_CHECKING:
    from prismctl.domain.offering import Catalog
    from prismctl.domain.problems import Place

_WAY_OUT: Final = (
    "give one of them another number, or `auto{suffix}` for a free one; --auto-ports chooses for neither, "
    "because somebody wrote both"
)


def add_clash(clash: Clash, catalog: Catalog, problems: Problems) -> None:
    """Take note of a clash, at the port of the later service."""
    problems.add(
        f"port {clash.port} is asked for by both {clash.first} and {clash.second}",
        _place_of_port(clash, catalog),
        hint=_WAY_OUT.format(suffix=protocol_suffix(clash.port.protocol)),
    )


def check_default_ports(catalog: Catalog) -> None:
    """Make sure that what starts together when nothing is chosen has a port each.

    What clashes only in some selections is a matter of those: a catalog may offer two servers for one port.

    Raises:
        ConfigError: two services have the same; all of them.
    """
    selection = select_services(catalog, [], problems=Problems())
    services = [catalog.services[name] for name in selection.sources]
    problems = Problems()
    for clash in assign_ports(services, stack="", is_free=lambda _: True).clashes:
        add_clash(clash, catalog, problems)
    problems.raise_if_any()


def _place_of_port(clash: Clash, catalog: Catalog) -> Place:
    """Where the number stands; a list of ports has it somewhere inside."""
    whole = catalog.place(clash.second)
    port = catalog.place(clash.second, "port")
    return port if port != whole else catalog.place(clash.second, "ports")

"""Dependencies that can be done without and that no service has the name of: allowed, and easily a slip of the pen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prismctl.domain.problems import nearest_name
from prismctl.errors import Problem

if TYPE_CHECKING:
    from prismctl.domain.offering import Catalog
    from prismctl.domain.problems import Place
    from prismctl.domain.service import ServiceName


def find_absent_dependencies(catalog: Catalog) -> tuple[Problem, ...]:
    """What is waited for nowhere, because nothing is called so; each with its place and the nearest name.

    None of them is a mistake: another file laid over the catalog may have the service.
    """
    found = []
    for service in catalog.services.values():
        for name in service.depends_on:
            if name in catalog.services:
                continue
            place = _place_of(catalog, service.name, name)
            others = [each for each in catalog.known_words if each != service.name]
            found.append(
                Problem(
                    message=f"{service.name}: does not wait for `{name}`, which is not in the file",
                    file=place.file,
                    line=place.line,
                    column=place.column,
                    suggestion=nearest_name(name, others),
                )
            )
    return tuple(found)


def _place_of(catalog: Catalog, service: ServiceName, name: ServiceName) -> Place:
    """Where the name stands, in whichever of the files laid over each other says it."""
    for version in reversed(catalog.versions.get(service, ())):
        path = ("services", version.position, "depends_on", name)
        if path in version.document.keys:
            return version.document.place_of_key(path)
    return catalog.place(service)

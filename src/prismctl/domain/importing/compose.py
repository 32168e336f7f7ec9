"""A compose file as entries of the catalog: the file as a whole, and how its services know each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from prismctl.domain.dependencies import close_over, find_cycle, render_cycle
from prismctl.domain.host_port import PortProtocol
from prismctl.domain.importing.compose_service import ComposeService
from prismctl.domain.importing.imported import Imported, ImportedService, SourceKind
from prismctl.domain.importing.names import choose_names
from prismctl.domain.importing.neighbours import connect
from prismctl.domain.importing.reading import Around, Reading
from prismctl.domain.importing.secret_names import (
    describe_secret,
    describe_withheld,
    find_secrets,
    is_given_away,
)
from prismctl.domain.importing.unsupported import TOP_LEVEL
from prismctl.domain.interpolation import find_services
from prismctl.domain.packaged import PACKAGED
from prismctl.domain.problems import nearest_name
from prismctl.domain.shape import describe

if TYPE_CHECKING:
    from prismctl.domain.document import Document
    from prismctl.domain.importing.draft import Draft
    from prismctl.domain.service import ServiceName

_HINT: Final = "`docker compose config` says what compose itself makes of the file"
_NAMED: Final = 5
_SILENT: Final = frozenset(
    {"version", "name", "services", "volumes", "networks", "secrets", "configs"}
)
"""Told, where they matter, with the services that use them."""


def translate_compose(document: Document, around: Around) -> Imported:
    """The services of a compose file as entries of a catalog.

    Args:
        document: the file.
        around: what it depends on besides itself.

    Raises:
        ConfigError: compose itself would refuse it; everything, each with its place.
    """
    reading = Reading(document, around)
    services = _find_services(reading)
    names = choose_names(str(name) for name in services)
    drafts = _read_services(reading, services, names)
    _check_dependencies(reading, drafts, set(services))
    for draft in drafts.values():
        for target in draft.awaited_ends:
            if target in drafts:
                drafts[target].one_shot = True
    reading.report.problems.found.sort(key=lambda each: (each.line, each.column))
    reading.report.problems.raise_if_any(hint=_HINT)
    _tell_shared_volumes(reading, drafts)
    _tell_missing_checks(reading, drafts)
    connect(reading, drafts)
    for draft in drafts.values():
        _settle_mapping(reading, draft)
    held_back = _hold_back(services, drafts)
    return Imported(
        kind=SourceKind.COMPOSE,
        file=document.file,
        services=tuple(
            ImportedService(
                name=draft.name,
                source_name=name,
                place=draft.place,
                entry=draft.entry(names),
                held_back=held_back.get(name, ""),
            )
            for name, draft in drafts.items()
        ),
        remarks=reading.remarks,
    )


def _find_services(reading: Reading) -> dict[Any, Any]:
    """The services by name, once the rest of the file is looked at; nothing where there are none, which is reported."""
    tree = reading.document.tree
    if not isinstance(tree, dict):
        reading.problem((), f"the file is {describe(tree)}, not a mapping with `services`")
        return {}
    for key in tree:
        if key not in _SILENT and not str(key).startswith("x-"):
            why = TOP_LEVEL.get(str(key), "the catalog has no such key")
            reading.left_out((key,), str(key), why)
    project = tree.get("name")
    if isinstance(project, str) and project:
        reading.around = reading.around._replace(project=project)
    services = tree.get("services")
    if isinstance(services, dict) and services:
        return services
    what = describe(services or None) if "services" in tree else "missing"
    reading.problem(("services",), f"services is {what}; write a mapping of names")
    return {}


def _read_services(
    reading: Reading, services: dict[Any, Any], names: dict[str, ServiceName]
) -> dict[str, Draft]:
    drafts: dict[str, Draft] = {}
    for name, form in services.items():
        path = ("services", name)
        reading.service = str(name)
        if not isinstance(form, dict):
            reading.problem(path, f"is {describe(form)}, not a mapping")
            continue
        drafts[name] = ComposeService(reading, path, form, names[name]).translate()
        _settle_secrets(reading, drafts[name])
        if names[name] != name:
            reading.changed(path, "name", f"is `{names[name]}` in the catalog")
        if names[name] in PACKAGED:
            words = f"completes the `{names[name]}` that ships: what is not said here stays as it is there"
            reading.changed(path, "name", words)
    reading.service = ""
    return drafts


def _settle_secrets(reading: Reading, draft: Draft) -> None:
    draft.secrets = find_secrets(draft.env)
    for key in draft.secrets:
        file = draft.env_files.get(key, "")
        if file and reading.around.is_shared and is_given_away(key, draft.env[key]):
            draft.env[key] = f"${{{key}}}"
            words = describe_withheld(key, file)
        else:
            words = describe_secret(key, draft.env[key])
        if words:
            reading.changed_at(
                draft.env_places[key], draft.source_name, f"environment {key}", words
            )


def _hold_back(services: dict[Any, Any], drafts: dict[str, Draft]) -> dict[str, str]:
    """Services that compose would not start either, or that lack an image here, each with the reason."""
    unbuilt = [name for name in drafts if services[name].get("build") not in (None, "")]
    found = dict.fromkeys(unbuilt, "its image has to be built first")
    needs = {
        name: tuple(each for each in draft.depends_on if each not in draft.optional)
        for name, draft in drafts.items()
    }
    for name in drafts:
        missing = [needed for needed in close_over([name], needs) if needed in unbuilt]
        if missing:
            found.setdefault(name, f"needs {', '.join(drafts[each].name for each in missing)}")
    for name in drafts:
        if services[name].get("profiles"):
            found.setdefault(name, "only on request, its `profiles` say")
    return found


def _settle_mapping(reading: Reading, draft: Draft) -> None:
    """Decide whether ports can have other numbers outside, and tell where they cannot."""
    texts = [*draft.env.values(), *(draft.args or ()), *draft.health_check.get("command", ())]
    packaged = PACKAGED.get(draft.name)
    why = ""
    if any(name != "self" for text in texts for name in find_services(text)):
        why = "it refers to others, and shares the machine's network for that"
    elif packaged is not None and any(port.is_advertised for port in packaged.ports):
        why = "its server tells its clients the number"
    draft.maps_ports = not why
    for port in draft.mapped_ports if why else ():
        words = f"is at {port.number}, not at {port.outside}: {why}"
        reading.changed_at(port.place, draft.source_name, "ports", words)


def _tell_shared_volumes(reading: Reading, drafts: dict[str, Draft]) -> None:
    users: dict[str, list[str]] = {}
    for name, draft in drafts.items():
        for volume in draft.named_volumes:
            users.setdefault(volume, []).append(name)
    for name, draft in drafts.items():
        for volume, place in draft.named_volumes.items():
            # Of many, the first few say what is meant.
            others = [each for each in users[volume][: _NAMED + 1] if each != name][:_NAMED]
            if others:
                words = f"`{volume}` is shared with {', '.join(others)}; here each has a directory of its own"
                reading.left_out_at(place, name, "volumes", words)


def _tell_missing_checks(reading: Reading, drafts: dict[str, Draft]) -> None:
    """Tell where somebody waits for the health of a service of which the file does not say how to ask for it."""
    for name, draft in drafts.items():
        for target, place in draft.awaited_health.items():
            awaited = drafts.get(target)
            if awaited is None or awaited.health_check or awaited.one_shot:
                continue
            packaged = PACKAGED.get(awaited.name)
            if packaged is not None and packaged.health_check is not None:
                continue
            is_asked = any(port.protocol is PortProtocol.TCP for port in awaited.ports)
            until = "its port accepts" if is_asked else "it has lived a moment"
            words = f"{target} has no healthcheck: it is healthy once {until}; what its image says is not asked"
            reading.changed_at(place, name, "depends_on", words)


def _check_dependencies(reading: Reading, drafts: dict[str, Draft], known: set[str]) -> None:
    """Report what depends on nothing, and circles."""
    for name, draft in drafts.items():
        for target, place in list(draft.depends_on.items()):
            if target in known:
                continue
            del draft.depends_on[target]
            if target in draft.optional:
                words = (
                    f"`{target}` is not in the file, and can be done without: nothing waits for it"
                )
                reading.changed_at(place, name, "depends_on", words)
            else:
                reading.report.problems.add(
                    f"{name}: depends on `{target}`, which is not in the file",
                    place,
                    suggestion=nearest_name(target, known),
                )
    cycle = find_cycle({name: list(draft.depends_on) for name, draft in drafts.items()})
    if cycle:
        first = drafts[cycle[0]]
        place = first.depends_on.get(cycle[1], first.place) if len(cycle) > 1 else first.place
        reading.report.problems.add(f"{cycle[0]}: {render_cycle(cycle)}", place)

"""Which services are wanted, and why each of them.

Layers are asked from the highest down; the first that names any services replaces all below it. Then what
is required is put in, ``--with`` adds, ``--without`` takes away, and dependencies come along.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from prismctl.domain.dependencies import close_over
from prismctl.domain.packaged import PACKAGED
from prismctl.domain.precedence import DEFAULT, Given, resolve_setting
from prismctl.domain.presets import PRESET_NAMES, PRESETS, Preset
from prismctl.domain.problems import NOWHERE, Place, Problems, nearest_name
from prismctl.domain.service import SHORT_NAMES, ServiceName

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from prismctl.domain.offering import Catalog
    from prismctl.domain.precedence import Setting

REQUIRED: Final = "required"
"""Why a service is there that the catalog does not let anybody leave out."""
_NEEDED_BY: Final = "needed by "


class Layer(NamedTuple):
    """One place that names services."""

    origin: str
    """As a person would say it: ``preset redis``, ``profile my-setup``, ``picker``, ``prism.yaml``."""
    services: Sequence[str]
    """Full or short names."""
    places: Sequence[Place] = ()
    """Where each name is written, for those that come from a file."""
    source: str = ""
    """Who chose it: ``--preset``, ``prism.yaml``; empty where the origin says so itself."""
    place: Place = NOWHERE
    """Where the choice is written."""
    base: Layer | None = None
    """The profile whose settings count as well, where the layer is not one itself."""


class Addition(NamedTuple):
    """A service added to, or taken away from, what a layer names."""

    word: str
    source: str
    """``--with``, ``--without``, or the file that says it."""
    place: Place = NOWHERE


class Selection(NamedTuple):
    """What shall run."""

    origin: str
    """What was chosen, in words."""
    sources: Mapping[ServiceName, str]
    """Every service that shall run, in the catalog's order, with the reason why."""
    chosen_by: Setting | None = None
    """The layer that named services, and those it beat; the values are `Layer`."""
    removed: Mapping[ServiceName, Addition] = MappingProxyType({})
    """What was taken away, with who did so; the last of several."""


def needed_by(name: str) -> str:
    """Why a service is there that only came along: the name of the one that needs it, in words."""
    return f"{_NEEDED_BY}{name}"


def find_needing(source: str) -> str:
    """The name of the service that another came along with, from why that is there; empty for any other reason."""
    return source.removeprefix(_NEEDED_BY) if source.startswith(_NEEDED_BY) else ""


def is_chosen(source: str) -> bool:
    """Whether a service is there because somebody wants it, from why it is there; what nobody chose nobody can leave out."""
    return source != REQUIRED and not find_needing(source)


def preset_layer(preset: Preset) -> Layer:
    """What a preset names."""
    return Layer(f"preset {preset.name}", preset.services)


def find_preset(word: str, problems: Problems, place: Place = NOWHERE) -> Preset | None:
    """The preset of that name; an unknown one is a problem with the nearest name. ``random`` is none of these."""
    preset = PRESETS.get(word)
    if preset is None:
        problems.add_unknown("preset", word, PRESET_NAMES, place)
    return preset


def default_layer(catalog: Catalog) -> Layer:
    """What a catalog starts when nothing is chosen."""
    chosen = [each.name for each in catalog.services.values() if each.required or each.default]
    is_minimal = set(chosen) == set(PRESETS["minimal"].services)
    return Layer("minimal" if is_minimal else catalog.file, chosen)


def select_services(
    catalog: Catalog,
    layers: Sequence[Layer | None],
    *,
    additions: Sequence[Addition] = (),
    removals: Sequence[Addition] = (),
    problems: Problems,
) -> Selection:
    """What shall run, from the highest layer that names anything.

    Args:
        catalog: what there is.
        layers: from the highest down; ``None`` and empty ones name nothing.
        additions: ``--with``.
        removals: ``--without``.
        problems: gets what is impossible; the selection is then only good for finding more of it.
    """
    default = default_layer(catalog)
    naming = [each for each in layers if each is not None and each.services]
    chosen_by = resolve_setting(
        "services",
        [
            *(Given(each, each.source or each.origin, each.place) for each in naming),
            Given(default, DEFAULT, Place(catalog.file)),
        ],
    )
    layer: Layer = chosen_by.value
    source = DEFAULT if chosen_by.is_default else layer.origin
    chosen: dict[ServiceName, str] = {
        each.name: REQUIRED for each in catalog.services.values() if each.required
    }
    for index, word in enumerate(layer.services):
        place = layer.places[index] if index < len(layer.places) else NOWHERE
        name = find_named(catalog, word, place, layer.origin, problems)
        if name is not None:
            chosen.setdefault(name, source)
    words = [*layer.services, *(each.word for each in additions)]
    problems.add_hint(hint_at_packaged(words, catalog))
    added: dict[ServiceName, str] = {}
    for addition in additions:
        name = find_named(catalog, addition.word, addition.place, addition.source, problems)
        if name is not None:
            added[name] = addition.word
            chosen.setdefault(name, addition.source)
    removed: dict[ServiceName, Addition] = {}
    for removal in removals:
        name = find_named(catalog, removal.word, removal.place, removal.source, problems)
        if name is None:
            continue
        if name in added:
            problems.add(f"{name} is both added and left out", removal.place)
        elif catalog.services[name].required:
            problems.add(
                f"{name} is required and cannot be left out ({removal.source})",
                removal.place,
                hint=f"an entry `- {{name: {name}, required: false}}` in {catalog.file} makes it a choice",
            )
        else:
            removed[name] = removal
            chosen.pop(name, None)
    return Selection(
        _describe(layer, catalog, added),
        _complete(catalog, chosen, removed, problems),
        chosen_by,
        removed,
    )


def _complete(
    catalog: Catalog,
    chosen: Mapping[ServiceName, str],
    removed: Mapping[ServiceName, Addition],
    problems: Problems,
) -> dict[ServiceName, str]:
    """What is chosen with all it needs, in the catalog's order."""
    depends_on = {name: each.requires for name, each in catalog.services.items()}
    in_order = [name for name in catalog.services if name in chosen]
    needing_of = close_over(in_order, depends_on)
    for name, needing in needing_of.items():
        if name in removed and needing is not None:
            problems.add(
                f"{name} is {needed_by(needing)} and cannot be left out ({removed[name].source})",
                removed[name].place,
                hint=_leave_out_as_well(name, needing_of, depends_on, catalog),
            )
    why = {
        **chosen,
        **{name: needed_by(needing) for name, needing in needing_of.items() if needing is not None},
    }
    return {name: why[name] for name in catalog.services if name in needing_of}


def _leave_out_as_well(
    name: ServiceName,
    wanted: Collection[ServiceName],
    depends_on: Mapping[ServiceName, Sequence[ServiceName]],
    catalog: Catalog,
) -> str:
    """What else has to go so that a service can."""
    dependents = [
        each for each in wanted if each != name and name in close_over([each], depends_on)
    ]
    kept = [each for each in dependents if catalog.services[each].required]
    if kept:
        return f"keep {name}: {' and '.join(kept)} cannot be left out"
    flags = " ".join(f"--without {each}" for each in dependents)
    return f"`{flags}` leaves out what needs {name}, too"


def find_named(
    catalog: Catalog, word: str, place: Place, source: str, problems: Problems
) -> ServiceName | None:
    """The service that a word stands for; an unknown one is a problem with the nearest name, and ``None``."""
    definition = catalog.find(word)
    if definition is None:
        subject = "" if place.file else source
        problems.add_unknown("service", word, catalog.known_words, place, subject=subject)
        if not nearest_name(word, catalog.known_words) and not _find_packaged([word], catalog):
            problems.add_hint(
                f"a service of your own is an entry with `name` and `command` or `container` in {catalog.file}"
            )
        return None
    return definition.name


def hint_at_packaged(words: Iterable[str], catalog: Catalog) -> str:
    """How the catalog gets those of the services named that ship and that it has left out; empty when it lacks none."""
    return _bring_packaged(_find_packaged(words, catalog), catalog)


def _find_packaged(words: Iterable[str], catalog: Catalog) -> list[ServiceName]:
    """Those of the words that stand for services that ship, and that the catalog has left out."""
    names = (SHORT_NAMES.get(word, ServiceName(word)) for word in words)
    return [name for name in dict.fromkeys(names) if name in PACKAGED and not catalog.find(name)]


def _bring_packaged(names: Sequence[ServiceName], catalog: Catalog) -> str:
    """How a catalog gets services that ship; empty when it lacks none."""
    if not names:
        return ""
    entries = [f"`- name: {name}`" for name in names]
    some = " and ".join(filter(None, [", ".join(entries[:-1]), entries[-1]]))
    brings, one = ("brings", "one") if len(names) == 1 else ("bring", "ones")
    return f"{some} among the services of {catalog.file} {brings} the packaged {one}"


def _describe(layer: Layer, catalog: Catalog, added: Mapping[ServiceName, str]) -> str:
    origin = layer.origin.removeprefix("preset ")
    if not added or origin == catalog.file:
        return origin
    return " + ".join([origin, *dict.fromkeys(added.values())])

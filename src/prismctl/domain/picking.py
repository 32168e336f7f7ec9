"""Choosing services one by one: what is chosen, what comes along, what goes along, and the command that says the same."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from prismctl.domain.dependencies import close_over
from prismctl.domain.presets import PRESETS
from prismctl.domain.problems import Problems
from prismctl.domain.selection import (
    REQUIRED,
    Addition,
    default_layer,
    needed_by,
    preset_layer,
    select_services,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from prismctl.domain.offering import Catalog
    from prismctl.domain.selection import Layer
    from prismctl.domain.service import ServiceName

CHOSEN = "chosen"
PROFILE = "profile "
"""What the origin of a profile's layer begins with."""
ASK_NOTHING = "--no-input"
"""Starts what the catalog starts by itself, where a start without any flag would have somebody choose."""


@dataclass(frozen=True, slots=True)
class Picking:
    """A selection in the making; every change gives another one.

    Whatever is done to it, it is closed under dependencies, and what is required is in it.
    """

    catalog: Catalog
    chosen: frozenset[ServiceName]
    """What somebody wants for its own sake."""

    @property
    def selected(self) -> dict[ServiceName, str]:
        """All that would run, in the catalog's order, with why: `REQUIRED`, `CHOSEN` or ``needed by NAME``."""
        required = {name for name, each in self.catalog.services.items() if each.required}
        wanted = [name for name in self.catalog.services if name in required | self.chosen]
        closure = close_over(wanted, self._requires())
        return {
            name: REQUIRED
            if name in required
            else CHOSEN
            if name in self.chosen
            else needed_by(closure[name] or "")
            for name in self.catalog.services
            if name in closure
        }

    def toggle(self, name: ServiceName) -> Picking:
        """Take a service in, or out with all that cannot be without it; what is required stays.

        Args:
            name: a full name of the catalog.
        """
        selected = self.selected
        if name not in selected:
            return replace(self, chosen=self.chosen | {name})
        if selected[name] == REQUIRED or any(
            selected[each] == REQUIRED for each in self.going_with(name)
        ):
            return self
        return replace(self, chosen=self.chosen - {name, *self.going_with(name)})

    def going_with(self, name: ServiceName) -> tuple[ServiceName, ...]:
        """What else goes when a service is taken out: all that needs it, in the catalog's order."""
        needing = self._needing(name, self.selected)
        return tuple(each for each in self.catalog.services if each in needing)

    def coming_with(self, name: ServiceName) -> tuple[ServiceName, ...]:
        """What else comes when a service is taken in, in the catalog's order."""
        selected = self.selected
        closure = close_over([name], self._requires())
        return tuple(
            each
            for each in self.catalog.services
            if each in closure and each != name and each not in selected
        )

    def toggle_all(self, names: Collection[ServiceName]) -> Picking:
        """Take all of them in, or out when they are all in."""
        if set(names) <= self.selected.keys():
            picking = self
            for name in names:
                picking = picking.toggle(name) if name in picking.selected else picking
            return picking
        return replace(self, chosen=self.chosen | set(names))

    def _requires(self) -> Mapping[ServiceName, Sequence[ServiceName]]:
        return {name: each.requires for name, each in self.catalog.services.items()}

    def _needing(self, name: ServiceName, selected: Collection[ServiceName]) -> set[ServiceName]:
        requires = self._requires()
        dependents: dict[ServiceName, list[ServiceName]] = {}
        for each in selected:
            for target in requires[each]:
                dependents.setdefault(target, []).append(each)
        found: set[ServiceName] = set()
        waiting = [name]
        while waiting:
            for each in dependents.get(waiting.pop(), ()):
                if each not in found:
                    found.add(each)
                    waiting.append(each)
        return found - {name}


def pick_layer(catalog: Catalog, layer: Layer | None = None) -> Picking:
    """What a preset, a profile or the catalog itself would start, to be changed from there.

    Args:
        catalog: what there is; names it does not know are left out.
        layer: whose services; without one, the catalog's own.
    """
    names = (layer or default_layer(catalog)).services
    found = (catalog.find(word) for word in names)
    return Picking(catalog, frozenset(each.name for each in found if each is not None))


def command_words(
    picking: Picking, *, profile: Layer | None = None, others: Sequence[str] = ()
) -> tuple[str, ...]:
    """The shortest ``prismctl dev start`` that selects the same without anybody choosing.

    Args:
        picking: what is chosen.
        profile: what it started from, where that is a saved one, ``profile NAME``: its settings count as well.
        others: flags that say something else, and stand behind.
    """
    if profile is not None:
        name = profile.origin.removeprefix(PROFILE)
        candidates = [(f"--profile={name}", profile)]
    else:
        candidates = [
            (f"--preset={preset.name}", preset_layer(preset))
            for preset in PRESETS.values()
            if all(picking.catalog.find(word) is not None for word in preset.services)
        ] or [("", default_layer(picking.catalog))]
    # From whatever knows all names, there is always a way.
    found = [
        words
        for flag, layer in candidates
        if (words := _words_from(picking, flag, layer)) is not None
    ]
    return ("prismctl", "dev", "start", *min(found, key=len), *others)


def _words_from(picking: Picking, flag: str, layer: Layer) -> tuple[str, ...] | None:
    """What has to be typed to get from a layer to what is picked; ``None`` where no words lead there."""
    catalog, wanted = picking.catalog, picking.selected
    removals = [name for name in _select(catalog, layer, (), ()) if name not in wanted]
    # What came along with something that is left out does not come any more.
    kept = _select(catalog, layer, (), removals)
    additions = _leading([name for name in wanted if name not in kept], catalog)
    if _select(catalog, layer, additions, removals) != tuple(wanted):
        return None
    words = [flag] if flag else []
    words += [f"--with-{name}" for name in additions]
    words += [f"--without={name}" for name in removals]
    return tuple(words or [ASK_NOTHING])


def _leading(names: Sequence[ServiceName], catalog: Catalog) -> list[ServiceName]:
    """Those of some services that none of the others brings along."""
    requires = {name: each.requires for name, each in catalog.services.items()}
    brought = {
        target for name in names for target in close_over([name], requires) if target != name
    }
    return [name for name in names if name not in brought]


def _select(
    catalog: Catalog,
    layer: Layer,
    additions: Iterable[ServiceName],
    removals: Iterable[ServiceName],
) -> tuple[ServiceName, ...]:
    selection = select_services(
        catalog,
        [layer],
        additions=[Addition(name, "--with") for name in additions],
        removals=[Addition(name, "--without") for name in removals],
        problems=Problems(),
    )
    return tuple(selection.sources)

"""What the picker knows, and what each key makes of it; pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from prismctl.domain.picking import PROFILE, Picking, pick_layer
from prismctl.domain.selection import REQUIRED
from prismctl.domain.service import ServiceType
from prismctl.tui.picker.rows import Row, list_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prismctl.domain.offering import Catalog
    from prismctl.domain.selection import Layer
    from prismctl.domain.service import ServiceName


@dataclass(frozen=True, slots=True, kw_only=True)
class PickerState:
    """What is chosen, what is listed, and where the cursor is."""

    picking: Picking
    rows: tuple[Row, ...]
    cursor: int
    """Among the rows; on a service, or 0 where there is none."""
    words: str = ""
    """What is looked for."""
    points: tuple[Layer, ...] = ()
    """Selections to start from: the last one, profiles, presets."""
    point: int = 0
    """Which of them was taken last."""
    base: Picking | None = None
    """What it chose."""
    unloadable: Mapping[str, str] = field(default_factory=dict)
    """Why some of the points cannot be taken, by their origin."""
    message: str = ""
    """What the last key did, where that cannot be seen."""

    @property
    def service(self) -> ServiceName | None:
        """Where the cursor is."""
        return self.rows[self.cursor].service if self.rows else None

    @property
    def origin(self) -> str:
        """What the selection started from, and the file that says so."""
        if not self.points:
            return ""
        layer = self.points[self.point]
        name = f"{layer.origin} ({layer.place.file})" if layer.place.file else layer.origin
        if layer.origin in self.unloadable:
            return f"{name}, which cannot be loaded"
        return f"{name}, changed" if self.is_changed else name

    @property
    def is_changed(self) -> bool:
        """Whether something else is chosen than what it started from."""
        if self.base is None or self.picking.chosen == self.base.chosen:
            return False
        return self.picking.selected.keys() != self.base.selected.keys()

    @property
    def profile(self) -> Layer | None:
        """The profile that it started from, be it by way of what was chosen last."""
        layer = self.points[self.point] if self.points else None
        layer = layer and (layer.base or layer)
        is_one = layer is not None and layer.origin.startswith(PROFILE)
        return (
            layer if layer is not None and is_one and layer.origin not in self.unloadable else None
        )


def begin(catalog: Catalog, points: Sequence[Layer]) -> PickerState:
    """The picker as it opens: the first of the points is chosen, the cursor on the first service beside the core."""
    picking = pick_layer(catalog, points[0] if points else None)
    rows = list_rows(catalog)
    state = PickerState(picking=picking, rows=rows, cursor=0, points=tuple(points), base=picking)
    for index, row in enumerate(rows):
        if row.service is not None and row.group is not ServiceType.CORE:
            return replace(state, cursor=index)
    return move(state, 1)


def move(state: PickerState, by: int) -> PickerState:
    """The cursor some services further down, or up; it stops at the ends."""
    places = [index for index, row in enumerate(state.rows) if row.service is not None]
    if not places:
        return replace(state, cursor=0, message="")
    here = sum(place < state.cursor for place in places)
    is_on_one = state.cursor in places
    there = here + by if is_on_one or by < 0 else here + by - 1
    return replace(state, cursor=places[max(0, min(len(places) - 1, there))], message="")


def toggle(state: PickerState) -> PickerState:
    """The service under the cursor in or out."""
    name = state.service
    if name is None:
        return state
    before = state.picking
    after = before.toggle(name)
    if after == before:
        return replace(state, message=_say_locked(before, name))
    if name in before.selected:
        going = before.going_with(name)
        message = f"{name} goes, and what needs it: {', '.join(going)}" if going else ""
    else:
        coming = before.coming_with(name)
        message = f"{name} brings along: {', '.join(coming)}" if coming else ""
    return replace(state, picking=after, message=message)


def _say_locked(picking: Picking, name: ServiceName) -> str:
    if picking.selected.get(name) == REQUIRED:
        return f"{name} is required"
    needing = [each for each in picking.going_with(name) if picking.selected[each] == REQUIRED]
    return f"{name} is needed by {', '.join(needing)}, which is required"


def toggle_group(state: PickerState) -> PickerState:
    """All listed services of the cursor's group in, or out when they are all in."""
    if not state.rows:
        return state
    group = state.rows[state.cursor].group
    names = [row.service for row in state.rows if row.group is group and row.service is not None]
    return replace(state, picking=state.picking.toggle_all(names), message="")


def look_for(state: PickerState, words: str) -> PickerState:
    """List what fits some words; the cursor stays on its service, or goes to the first."""
    rows = list_rows(state.picking.catalog, words)
    kept = next(
        (
            index
            for index, row in enumerate(rows)
            if row.service is not None and row.service == state.service and not words
        ),
        None,
    )
    found = replace(state, rows=rows, words=words, cursor=kept or 0, message="")
    return found if kept is not None else move(found, 1)


def take_next_point(state: PickerState) -> PickerState:
    """Choose what the next preset or profile names."""
    if not state.points:
        return state
    point = (state.point + 1) % len(state.points)
    layer = state.points[point]
    if layer.origin in state.unloadable:
        reason = state.unloadable[layer.origin]
        return replace(state, point=point, message=f"{layer.origin} cannot be loaded: {reason}")
    picking = pick_layer(state.picking.catalog, layer)
    return replace(state, picking=picking, base=picking, point=point, message=layer.origin)


def click(state: PickerState, index: int) -> PickerState:
    """A service that is clicked at is taken in or out; a heading is nothing to click at."""
    if not 0 <= index < len(state.rows) or state.rows[index].service is None:
        return state
    return toggle(replace(state, cursor=index))

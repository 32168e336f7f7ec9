"""Where the arrows and the wheel lead: among the services, and in the pane below them; pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from prismctl.domain.trouble import find_to_blame, is_ill
from prismctl.present.failure import find_missing, has_run
from prismctl.tui.dashboard.state import Scroll, select

if TYPE_CHECKING:
    from prismctl.tui.dashboard.state import DashboardState


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What moving needs to know of the screen."""

    page: int = 10
    """How far a page is."""
    height: int = 10
    """How many lines of the pane are seen."""
    first: int = 0
    """The number of the pane's first line."""
    end: int = 0
    """That of the line after its last."""


def move(state: DashboardState, by: int) -> DashboardState:
    """The cursor some services further down, or up; it stops at the ends."""
    names = [str(service["name"]) for service in state.shown]
    if not names:
        return state
    if state.selected not in names:
        return select(state, names[0])
    there = max(0, min(len(names) - 1, names.index(state.selected) + by))
    return select(state, names[there])


def scroll(state: DashboardState, by: int, reach: Reach) -> DashboardState:
    """The cursor in the pane some lines further; past the last line of a log, it follows again."""
    if reach.end <= reach.first:
        return replace(state, scroll=Scroll())
    here, top = _place(state, reach)
    there = max(reach.first, here + by)
    if there >= reach.end - 1 and by > 0 and state.shows_logs:
        return replace(state, scroll=Scroll())
    there = min(there, reach.end - 1)
    top = max(reach.first, min(max(top, there - reach.height + 1), there, _lowest_top(reach)))
    return replace(state, scroll=Scroll(line=there, top=top))


def roll(state: DashboardState, by: int, reach: Reach) -> DashboardState:
    """What is in view of the pane some lines further, as the wheel asks for; at the end of a log, it follows again."""
    here, top = _place(state, reach)
    lowest = _lowest_top(reach)
    top = max(reach.first, min(top + by, lowest))
    if top == lowest and state.shows_logs and (by > 0 or lowest == reach.first):
        return replace(state, scroll=Scroll())
    line = max(top, min(here, top + reach.height - 1))
    return replace(state, scroll=Scroll(line=line, top=top))


def next_ill(state: DashboardState) -> str:
    """The next service that is not well by itself, after the selected one; empty where all are well.

    From one that only lacks another, it is that other.
    """
    names = [str(service["name"]) for service in state.services]
    to_blame = find_to_blame(state.services)
    ill = [name for name in names if name in to_blame]
    ill = ill or [str(each["name"]) for each in state.services if is_ill(each)]
    if not ill:
        return ""
    if state.service is not None and not has_run(state.service):
        lacked = [name for name, _ in find_missing(state.services, state.selected) if name in ill]
        if lacked:
            return lacked[0]
    here = names.index(state.selected) if state.selected in names else -1
    return next((name for name in ill if names.index(name) > here), ill[0])


def _lowest_top(reach: Reach) -> int:
    return max(reach.first, reach.end - reach.height)


def _place(state: DashboardState, reach: Reach) -> tuple[int, int]:
    """The line under the cursor, and the first in view."""
    if state.scroll.line is not None:
        return state.scroll.line, max(reach.first, state.scroll.top)
    if state.shows_logs:
        return reach.end - 1, _lowest_top(reach)
    return reach.first, reach.first

"""What a document of the daemon, or losing it, makes of what the dashboard shows; pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from prismctl.domain.trouble import is_ill
from prismctl.present.text import Tone
from prismctl.tui.dashboard.state import Focus, Link, Pane, find_service, say, select

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from prismctl.tui.dashboard.feeds import Loss
    from prismctl.tui.dashboard.state import DashboardState

HISTORY_POINTS: Final = 40
"""How many measurements a sparkline has at most."""
HISTORY_SECONDS: Final = 0.9
"""Measurements that follow each other faster are one."""
CALM_SECONDS: Final = 3.0
"""After a key, the cursor stays where somebody put it for so long, whatever fails."""
_FIGURES: Final = (
    "memory_bytes", "cpu_percent", "requests_per_second", "errors_per_second", "latency_p95_seconds",
)  # fmt: skip


def take_status(state: DashboardState, document: Mapping[str, Any], now: float) -> DashboardState:
    """A newer document; the cursor goes to what has just failed, if nobody is busy elsewhere."""
    before = {service["name"]: is_ill(service) for service in state.services}
    is_first = state.status is None
    was_away = state.link in {Link.STALE, Link.STOPPED}
    was_reading = state.shows_card and state.focus is Focus.PANE
    state = replace(state, status=document, status_at=now, link=Link.LIVE, loss=None)
    if was_reading and not state.shows_card:
        # That a service is well again takes nothing away from under somebody's eyes.
        state = replace(state, shows_card_of_well=True)
    state = _take_figures(state, now)
    state = _forget_what_came_true(state, before, now)
    if was_away:
        state = say(state, "connected again", now, Tone.GOOD)
    names = [str(service["name"]) for service in state.services]
    fallen = [
        str(service["name"])
        for service in state.services
        if is_ill(service) and not before.get(str(service["name"]), False)
    ]
    # What failed by itself comes before what waits for it.
    fallen.sort(key=lambda name: (find_service(state, name) or {}).get("state") != "failed")
    selected = state.selected
    if selected not in names:
        selected = fallen[0] if fallen else names[0] if names else ""
    elif fallen and (is_first or _is_idle(state, now)) and not before.get(selected, False):
        selected = fallen[0]
    return select(state, selected) if selected != state.selected else state


def take_history(state: DashboardState, document: Mapping[str, Any]) -> DashboardState:
    """What was measured before the dashboard was opened."""
    measured = document.get("services") or {}
    history = dict(state.history)
    for name, series in measured.items():
        rates = tuple(series.get("requests_per_second") or ())
        history[name] = (*rates, *state.history.get(name, ()))[-HISTORY_POINTS:]
    return replace(state, history=history)


def lose(state: DashboardState, loss: Loss, now: float) -> DashboardState:
    """Nobody answers; what is shown stays, and says how old it is."""
    link = Link.STALE
    if loss.is_stopped:
        link = Link.STOPPED
        state = replace(state, status=_as_stopped(state.status))
    if state.link is Link.OPENING and not loss.is_stopped:
        return replace(state, loss=loss, status_at=state.status_at or now)
    return replace(state, link=link, loss=loss)


def _forget_what_came_true(
    state: DashboardState, before: Container[str], now: float
) -> DashboardState:
    """What was said or asked about a service that was not there goes once somebody else has added it."""
    come = {name for each in state.services if (name := str(each["name"])) not in before}
    if state.message is not None and state.message.about in come:
        state = replace(state, message=None)
    if state.prompt is not None and state.prompt.answers and state.prompt.service in come:
        name = state.prompt.service
        state = say(replace(state, prompt=None), f"{name} was added from elsewhere", now)
    return state


def _is_idle(state: DashboardState, now: float) -> bool:
    return (
        now - state.key_at > CALM_SECONDS
        and state.prompt is None
        and state.focus is Focus.SERVICES
        and state.pane in {Pane.LOGS, Pane.NONE}
    )


def _take_figures(state: DashboardState, now: float) -> DashboardState:
    if now - state.history_at < HISTORY_SECONDS:
        return state
    history = {
        str(service["name"]): (
            *state.history.get(str(service["name"]), ())[-HISTORY_POINTS + 1 :],
            service.get("requests_per_second"),
        )
        for service in state.services
    }
    return replace(state, history=history, history_at=now)


def _as_stopped(status: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """The last document once nothing of it runs any more."""
    if status is None:
        return None
    services = [
        {
            **service,
            "state": "stopped",
            "reason": "",
            "last_error": None,
            "pid": None,
            **dict.fromkeys(_FIGURES),
        }
        for service in status.get("services") or ()
    ]
    return {**status, "services": services, "waiting": None, "memory_bytes": None}

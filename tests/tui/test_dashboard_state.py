"""How long a message stays."""

from __future__ import annotations

from prismctl.present.text import Tone
from prismctl.tui.dashboard import state as states
from prismctl.tui.dashboard.state import DashboardState

LATER = 100.0


def test_good_news_goes_by_itself_and_bad_news_stays() -> None:
    good = states.say(DashboardState(), "done", 0.0)
    bad = states.say(DashboardState(), "no", 0.0, Tone.BAD)
    assert states.forget_message(good, 1.0).message is not None
    assert states.forget_message(good, LATER).message is None
    assert states.forget_message(bad, LATER).message is not None

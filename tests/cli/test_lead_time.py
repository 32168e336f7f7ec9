"""A start was not ready in time, and said of every service only that it waits: the time had gone elsewhere."""

from __future__ import annotations

import time

from prismctl.cli.lead_time import LeadTime, describe_steps


def test_what_took_the_time_before_anything_was_started_is_told() -> None:
    lead = LeadTime(time.monotonic() - 71.0)
    lead.hear("trying how containers run here, which takes some seconds")
    lead.mark("the plan")
    lead.mark("bringing up the daemon")
    told = lead.describe(60.0)
    assert told == (
        "before anything was started went 71.0 s into the plan (trying how containers run here)"
    )


def test_every_long_step_is_told() -> None:
    steps = [(20.0, "the plan"), (0.4, "a look"), (15.5, "bringing up the daemon")]
    assert describe_steps(steps, 60.0) == (
        "before anything was started went 20.0 s into the plan and 15.5 s into bringing up the daemon"
    )


def test_a_short_lead_is_not_why_something_was_not_ready() -> None:
    assert describe_steps([(5.0, "the plan"), (0.2, "bringing up the daemon")], 60.0) == ""
    assert describe_steps([(0.3, "the plan")], 0.05) == ""

"""From what somebody typed to a plan: loads the files, looks at the machine, and lets the domain decide.

The one place where files and machine meet. Front ends ask `make_plan` for the plan itself, `foresee_plan` for a look at
it, `plan_addition` for more beside what runs, `ask_again` for what a running stack was asked for, `decide` for why it would
be so, `choose_services` for the services alone, `settle_settings` for how the stack is run; none of them changes anything but a home that has no catalog yet.
"""

from __future__ import annotations

from prismctl.planning.adding import (
    Addable,
    Addition,
    list_addable,
    plan_addition,
    survey_addable,
)
from prismctl.planning.deciding import (
    Chosen,
    Decision,
    choose_services,
    decide,
    settle_settings,
)
from prismctl.planning.making import Foreseen, foresee_plan, make_plan
from prismctl.planning.request import PlanRequest, ask_again
from prismctl.planning.taken_ports import PortTakenError, render_conflict

__all__ = [
    "Addable",
    "Addition",
    "Chosen",
    "Decision",
    "Foreseen",
    "PlanRequest",
    "PortTakenError",
    "ask_again",
    "choose_services",
    "decide",
    "foresee_plan",
    "list_addable",
    "make_plan",
    "plan_addition",
    "render_conflict",
    "settle_settings",
    "survey_addable",
]

"""What the picker has others find out and do: what a selection would be on this machine, and to save it."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from prismctl.cli.estimating import estimate_plan, services_with_data
from prismctl.cli.start_options import plan_request
from prismctl.errors import ConfigError, PrismError
from prismctl.explaining import Explanation
from prismctl.machine import read_available_memory
from prismctl.planning import decide, foresee_plan, render_conflict
from prismctl.present.estimate import startup_words
from prismctl.present.settings import difference_words
from prismctl.present.wording import engine_title
from prismctl.tui.picker.preview import Preview, ServicePreview

if TYPE_CHECKING:
    from prismctl.cli.invocation import Invocation
    from prismctl.cli.start_options import StartOptions
    from prismctl.domain.plan import StackPlan
    from prismctl.domain.service import ServiceName
    from prismctl.tui.picker.doing import Picked


def look_at(
    call: Invocation,
    options: StartOptions,
    picked: Picked,
    *,
    is_warm: bool = False,
) -> Preview:
    """What a selection would be on this machine now; writes nothing.

    Args:
        call: whose home it is.
        options: what else was typed.
        picked: what is selected.
        is_warm: the engine's agents are up, or about to be.
    """
    options = replace(options, picked=picked.services, profile=picked.profile)
    asked = plan_request(call, options, is_trial=True)
    where = Path.cwd()
    try:
        plan, conflicts = foresee_plan(
            asked, home=call.home, environment=os.environ, working_directory=where
        )
        explanation = Explanation(
            decision=decide(
                asked,
                home=call.home,
                environment=os.environ,
                working_directory=where,
                locates=False,
            ),
        )
    except ConfigError as error:
        return Preview(services={}, problems=[each.message for each in error.problems])
    except PrismError as error:
        return Preview(services={}, problems=[error.message])
    free, _ = read_available_memory()
    estimate = estimate_plan(
        call.home,
        plan,
        with_data=services_with_data(call.paths, plan),
        is_cold=False if is_warm else None,
    )
    return Preview(
        engine=engine_title(plan.engine.value),
        services=_services_of(plan),
        conflicts=[render_conflict(each) for each in conflicts],
        images=plan.missing_images,
        startup=startup_words(estimate, missing_images=len(plan.missing_images)),
        explain=cache(lambda name: difference_words([*explanation.explain_differences(name)])),
        memory_bytes=estimate.memory_bytes,
        free_bytes=free,
    )


def _services_of(plan: StackPlan) -> dict[ServiceName, ServicePreview]:
    return {
        service.name: ServicePreview(
            runtime=service.runtime.value,
            reason=service.runtime_reason,
            ports=tuple(port.host_port for port in service.ports),
        )
        for service in plan.services
    }


def save_picked(
    call: Invocation, name: str, names: tuple[ServiceName, ...], *, profile: str = ""
) -> str:
    """Save what is chosen under a name; what came of it, in words.

    Args:
        call: whose home it is.
        name: of the new profile.
        names: what is chosen.
        profile: the saved one that it started from: its settings, description and comments are kept.
    """
    from prismctl.files.profile_writing import copy_profile, new_file, save_profile
    from prismctl.files.profiles import load_profile
    from prismctl.files.text import name_for_people

    try:
        if new_file(call.home, name).exists():
            return (
                f"there is a profile {name} already; `prismctl dev profile save {name}` replaces it"
            )
        if profile:
            origin = load_profile(call.home, profile)
            file = copy_profile(call.home, name, origin=origin, services=names)
        else:
            file = save_profile(call.home, name, services=names)
    except ConfigError as error:
        return error.problems[0].message
    except PrismError as error:
        return error.message
    return f"saved as {name_for_people(file)}; `prismctl dev start --profile={name}` starts it"

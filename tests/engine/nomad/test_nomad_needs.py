from __future__ import annotations

import pytest

from prismctl.domain.needs import Condition, Need
from prismctl.domain.plan import EngineName, Port, ServicePlan, StackPlan
from prismctl.domain.service import DEFAULT_STACK, Runtime, ServiceName, ServiceType
from prismctl.engine.nomad.environment_files import render_wait


def make_service(name: str, *, one_shot: bool = False) -> ServicePlan:
    return ServicePlan(
        name=ServiceName(name),
        type=ServiceType.CORE,
        source="required",
        runtime=Runtime.NATIVE,
        runtime_reason="",
        command=("/usr/bin/true",),
        ports=() if one_shot else (Port(name="p", number=7),),
        one_shot=one_shot,
    )


ADMIN = make_service("prism-admin")
MIGRATE = make_service("migrate", one_shot=True)
PLAN = StackPlan(
    stack=DEFAULT_STACK,
    engine=EngineName.NOMAD,
    engine_reason="",
    origin="minimal",
    services=(ADMIN, MIGRATE),
)


@pytest.mark.parametrize(
    ("need", "folder"),
    [
        (Need(Condition.STARTED), "started"),
        (Need(Condition.STARTED, is_required=False), "started-or-failed"),
        (Need(Condition.HEALTHY, is_required=False), "good-or-failed"),
    ],
)
def test_a_dependent_that_needs_less_than_health_waits_for_our_word(
    need: Need, folder: str
) -> None:
    expected = f"key prism-admin - 0 prism/default/{folder}/prism-admin"
    assert render_wait(PLAN, ADMIN, need) == expected


def test_a_dependent_that_needs_a_completion_waits_like_any_other() -> None:
    need = Need(Condition.COMPLETED)
    assert render_wait(PLAN, MIGRATE, need) == render_wait(PLAN, MIGRATE)

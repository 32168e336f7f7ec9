from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from prismctl.daemon.questions import find_question
from prismctl.domain.observation import InstanceKey, InstanceObservation, Phase
from prismctl.domain.plan import EngineName, ServicePlan, StackPlan
from prismctl.domain.service import (
    CheckType,
    HealthCheck,
    Runtime,
    ServiceName,
    ServiceType,
    StackName,
)
from prismctl.files.paths import StackPaths

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("type_", [CheckType.EXEC, CheckType.HTTP, CheckType.LOG, CheckType.REDIS])
@pytest.mark.parametrize("password", ["", "unsaid"])
def test_a_question_knows_what_its_answer_must_not_contain(
    tmp_path: Path, type_: CheckType, password: str
) -> None:
    service = ServicePlan(
        name=ServiceName("web"),
        type=ServiceType.APPLICATION,
        source="--with",
        runtime=Runtime.NATIVE,
        runtime_reason="",
        command=("sleep", "1"),
        env={"KEY": "hidden", "LEVEL": "shown"},
        secrets=frozenset({"KEY"}),
        check=HealthCheck(type=type_, command=("true",), pattern="x", password=password),
    )
    plan = StackPlan(
        stack=StackName("default"),
        engine=EngineName.LOCAL,
        engine_reason="",
        origin="minimal",
        services=(service,),
    )
    seen = InstanceObservation(key=InstanceKey(service.name, 0), phase=Phase.RUNNING, run="1")

    question = find_question(seen, service, plan, StackPaths(tmp_path, "default"))

    assert question is not None
    assert question.secrets == {"hidden", password} - {""}
    assert question.password == password

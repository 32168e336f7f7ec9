from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from prismctl.daemon.questions import find_question
from prismctl.domain.containers import PODMAN, ContainerTool
from prismctl.domain.endpoints import render_endpoints
from prismctl.domain.observation import InstanceKey, InstanceObservation, Phase
from prismctl.domain.plan import EngineName, Port, ServicePlan, StackPlan
from prismctl.domain.service import (
    CheckType,
    HealthCheck,
    Runtime,
    ServiceName,
    ServiceType,
    StackName,
)
from prismctl.files.paths import StackPaths
from prismctl.probes.exec import probe_exec
from prismctl.probes.postgres import DATABASE
from prismctl.probes.question import NotReadyError

if TYPE_CHECKING:
    from pathlib import Path

    from prismctl.probes.question import Question


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
    question = ask_of(tmp_path, service)

    assert question.secrets == {"hidden", password} - {""}
    assert question.password == password


async def test_a_check_in_a_container_fails_in_the_name_of_podman(tmp_path: Path) -> None:
    client = tmp_path / "podman"
    client.write_text("#!/bin/sh\necho 'pg_isready: not found' >&2\nexit 127\n")
    client.chmod(0o755)
    service = ServicePlan(
        name=ServiceName("db"),
        type=ServiceType.BACKEND,
        source="--with",
        runtime=Runtime.CONTAINER,
        runtime_reason="",
        program="postgres:16",
        check=HealthCheck(type=CheckType.EXEC, command=("pg_isready", "-U", "app")),
    )
    tool = ContainerTool(kind=PODMAN, program=str(client))
    question = ask_of(tmp_path, service, tool)
    assert question.command[:2] == (str(client), "exec")
    with pytest.raises(NotReadyError) as caught:
        await probe_exec(replace(question, directory=str(tmp_path)))
    assert str(caught.value) == "`pg_isready` exited with code 127: pg_isready: not found"


@pytest.mark.parametrize(
    ("check", "user"),
    [
        (HealthCheck(type=CheckType.POSTGRES, password="unsaid"), "app"),
        (HealthCheck(type=CheckType.POSTGRES, password="unsaid", user="me"), "me"),
        (HealthCheck(type=CheckType.POSTGRES), ""),
        (HealthCheck(type=CheckType.NATS, password="token"), ""),
    ],
)
def test_postgres_is_asked_with_a_password_as_whom_it_lets_in(
    tmp_path: Path, check: HealthCheck, user: str
) -> None:
    service = ServicePlan(
        name=ServiceName("db"),
        type=ServiceType.BACKEND,
        source="--with",
        runtime=Runtime.NATIVE,
        runtime_reason="",
        command=("sleep", "1"),
        env={"POSTGRES_USER": "app", "NATS_USER": "app"},
        check=check,
    )
    assert ask_of(tmp_path, service).user == user


@pytest.mark.parametrize(
    ("env", "database"),
    [
        ({}, "postgres"),
        ({"POSTGRES_DB": "shop"}, "shop"),
        ({"POSTGRES_USER": "me"}, "me"),
        ({"POSTGRES_USER": "me", "POSTGRES_DB": "shop"}, "shop"),
    ],
)
def test_the_check_of_postgres_looks_into_the_database_that_its_url_names(
    tmp_path: Path, env: dict[str, str], database: str
) -> None:
    service = ServicePlan(
        name=ServiceName("db"),
        type=ServiceType.BACKEND,
        source="--with",
        runtime=Runtime.NATIVE,
        runtime_reason="",
        command=("sleep", "1"),
        driver="postgres",
        ports=(Port(name="main", number=5432),),
        env=env,
        check=HealthCheck(type=CheckType.POSTGRES, user="app"),
    )

    assert render_endpoints(service)["main"].endswith(f":5432/{database}")
    assert (ask_of(tmp_path, service).database or DATABASE) == database


def ask_of(tmp_path: Path, service: ServicePlan, tool: ContainerTool | None = None) -> Question:
    """What the only instance of a service is to be asked."""
    plan = StackPlan(
        stack=StackName("default"),
        engine=EngineName.LOCAL,
        engine_reason="",
        origin="minimal",
        services=(service,),
        containers=tool,
    )
    seen = InstanceObservation(key=InstanceKey(service.name, 0), phase=Phase.RUNNING, run="1")
    question = find_question(seen, service, plan, StackPaths(tmp_path, "default"))
    assert question is not None
    return question

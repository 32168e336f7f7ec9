from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from prismctl.domain.observation import InstanceKey
from prismctl.domain.plan import EngineName, ServicePlan, StackPlan
from prismctl.domain.service import DEFAULT_STACK, Runtime, ServiceName, ServiceType
from prismctl.engine.nomad.applied import AppliedPlan
from prismctl.engine.nomad.job import group_of, instance_keys, is_job_of
from prismctl.engine.nomad.roster import Roster
from prismctl.errors import PrismError

if TYPE_CHECKING:
    from prismctl.engine.nomad.decode import GroupId

WEB = InstanceKey(ServiceName("web"), 0)
REDIS = InstanceKey(ServiceName("redis"), 0)


def make_service(key: InstanceKey, *, one_shot: bool = False) -> ServicePlan:
    return ServicePlan(
        name=key.service,
        type=ServiceType.APPLICATION,
        source="--with",
        runtime=Runtime.NATIVE,
        runtime_reason="",
        command=("/bin/true",),
        one_shot=one_shot,
    )


def apply(*services: ServicePlan) -> AppliedPlan:
    plan = StackPlan(
        stack=DEFAULT_STACK,
        engine=EngineName.NOMAD,
        engine_reason="",
        origin="minimal",
        services=services,
    )
    keys = instance_keys(plan)
    groups = {group_of(plan, plan.service(key.service), key.replica): key for key in keys}
    return AppliedPlan(plan=plan, ports=dict.fromkeys(keys, ()), groups=groups)


def group_in(applied: AppliedPlan, key: InstanceKey) -> GroupId:
    return next(group for group, found in applied.groups.items() if found == key)


def test_before_the_first_plan_there_is_nothing_to_change() -> None:
    with pytest.raises(PrismError, match="nothing has been started"):
        Roster().require()
    assert Roster().instances() == []


def test_what_is_not_in_the_next_plan_is_leaving_until_it_is_gone() -> None:
    roster = Roster()
    before = apply(make_service(REDIS), make_service(WEB))
    group = group_in(before, WEB)
    roster.replace(before)
    assert roster.leaving() == []
    roster.replace(apply(make_service(REDIS)))
    assert [(key, service.name) for _, key, service in roster.leaving()] == [(WEB, "web")]
    assert roster.find(group) == WEB
    assert roster.instances() == [REDIS, WEB]
    roster.drop(group)
    assert roster.find(group) is None
    assert roster.instances() == [REDIS]


def test_what_comes_back_while_it_leaves_stays() -> None:
    roster = Roster()
    both = apply(make_service(REDIS), make_service(WEB))
    roster.replace(both)
    roster.replace(apply(make_service(REDIS)))
    roster.replace(both)
    assert roster.leaving() == []
    assert roster.find(group_in(both, WEB)) == WEB


def test_what_is_being_written_for_is_expected_until_it_is_written() -> None:
    roster = Roster()
    roster.replace(apply(make_service(WEB)))
    with roster.expecting([REDIS]):
        assert [roster.is_expected(key) for key in (WEB, REDIS)] == [False, True]
    assert not roster.is_expected(REDIS)
    assert [roster.is_present(key) for key in (WEB, REDIS)] == [True, False]


def test_a_service_that_becomes_a_one_shot_leaves_its_old_group() -> None:
    roster = Roster()
    roster.replace(apply(make_service(WEB)))
    roster.replace(apply(make_service(WEB, one_shot=True)))
    assert [key for _, key, _ in roster.leaving()] == [WEB]
    assert roster.is_present(WEB)


def test_jobs_of_one_shots_belong_to_their_stack_and_to_no_other() -> None:
    plan = apply(make_service(WEB)).plan
    assert is_job_of(plan, plan.job_id)
    assert is_job_of(plan, f"{plan.job_id}-once-web")
    assert not is_job_of(plan, f"{plan.job_id}-2")

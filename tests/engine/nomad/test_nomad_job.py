from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from prismctl.domain.host_port import PortProtocol
from prismctl.domain.observation import InstanceKey
from prismctl.domain.plan import EngineName, Port, ServicePlan, StackPlan
from prismctl.domain.service import (
    DEFAULT_STACK,
    CheckType,
    HealthCheck,
    Runtime,
    ServiceName,
    ServiceType,
)
from prismctl.engine.nomad.environment_files import render_environment_file, render_wait
from prismctl.engine.nomad.job import (
    ShimPlace,
    consul_name,
    instance_keys,
    kill_signal,
    render_jobs,
)
from prismctl.engine.nomad.stop_order import resolve_stop_waves
from prismctl.errors import PrismError
from prismctl.files.paths import StackPaths
from prismctl.runtime.command import render_command

GOLDEN = Path(__file__).parent / "golden" / "minimal.json"
SHIM = ShimPlace(
    python="/usr/bin/python3",
    script=Path("/opt/prismctl/shim.py"),
    environments=Path("/home/u/.prism/run/default/environments"),
)


def make_service(name: str, **changes: Any) -> ServicePlan:
    fields: dict[str, Any] = {
        "name": ServiceName(name),
        "type": ServiceType.CORE,
        "source": "required",
        "runtime": Runtime.NATIVE,
        "runtime_reason": "",
        "command": ("/usr/bin/true",),
    }
    return ServicePlan(**{**fields, **changes})


def make_plan(*services: ServicePlan) -> StackPlan:
    return StackPlan(
        stack=DEFAULT_STACK,
        engine=EngineName.NOMAD,
        engine_reason="",
        origin="minimal",
        services=services,
    )


ADMIN = make_service(
    "prism-admin",
    ports=(Port(name="grpc", number=8981), Port(name="metrics-http", number=9190)),
    check=HealthCheck(type=CheckType.GRPC, port=8981),
    env={"PASSWORD": "hush"},
)
LAUNCHER = make_service(
    "pattern-launcher",
    ports=(Port(name="grpc", number=7070),),
    check=HealthCheck(type=CheckType.HTTP, port=9093, path="/ready"),
    depends_on=(ServiceName("prism-admin"),),
    stop_grace_seconds=90.0,
)
MIGRATE = make_service("migrate", one_shot=True)
UDP = Port(name="dns", number=5353, protocol=PortProtocol.UDP)
DNS = make_service("dns", ports=(UDP,))
SPOKEN_HERE = [CheckType.REDIS, CheckType.POSTGRES, CheckType.NATS, CheckType.KAFKA]
"""What our probes speak and Consul does not."""


def render(plan: StackPlan, **options: Any) -> dict[str, dict[str, Any]]:
    ports = {key: plan.service(key.service).ports for key in instance_keys(plan)}
    return render_jobs(plan, ports, SHIM, **options)


def test_the_job_is_the_golden_one() -> None:
    text = json.dumps(render(make_plan(ADMIN, LAUNCHER, MIGRATE)))
    # What a digest is does not matter here; it changes with every field that plans get.
    for service in (ADMIN, LAUNCHER, MIGRATE):
        text = text.replace(service.digest, f"digest of {service.name}")
    assert json.loads(text) == json.loads(GOLDEN.read_text(encoding="utf-8"))


def test_a_one_shot_that_failed_is_not_tried_again_by_nomad_either() -> None:
    jobs = render(make_plan(ADMIN, MIGRATE))
    attempts = {
        name: [group["RestartPolicy"]["Attempts"] for group in job["TaskGroups"]]
        for name, job in jobs.items()
    }
    assert attempts == {"prism-stack": [5], "prism-stack-once-migrate": [0]}


def test_no_environment_is_in_a_job() -> None:
    assert "hush" not in json.dumps(render(make_plan(ADMIN)))


def test_a_stopped_instance_keeps_its_group_with_nothing_in_it() -> None:
    stopped = render(make_plan(ADMIN, LAUNCHER), stopped=[InstanceKey(LAUNCHER.name, 0)])
    groups = stopped["prism-stack"]["TaskGroups"]
    assert [(group["Name"], group["Count"]) for group in groups] == [("admin", 1), ("launcher", 0)]


@pytest.mark.parametrize("kind", SPOKEN_HERE)
def test_of_a_protocol_that_consul_does_not_speak_it_sees_that_the_port_accepts(
    kind: CheckType,
) -> None:
    check = HealthCheck(type=kind, port=5432, user="app", password="hush", timeout_seconds=3.0)
    db = make_service("db", ports=(Port(name="db", number=5432),), check=check)

    job = render(make_plan(db))["prism-stack"]

    assert job["TaskGroups"][0]["Services"][0]["Checks"] == [
        {
            "Name": "db answers",
            "Type": "tcp",
            "PortLabel": "db",
            "Interval": 2_000_000_000,
            "Timeout": 3_000_000_000,
        }
    ]
    assert "hush" not in json.dumps(job)


@pytest.mark.parametrize("kind", [each for each in CheckType if not each.is_asked_at_port])
def test_what_is_asked_at_no_port_is_no_check_of_consuls(kind: CheckType) -> None:
    ports = (Port(name="db", number=5432),)
    db = make_service("db", ports=ports, check=HealthCheck(type=kind, command=("x",), pattern="x"))

    (service,) = render(make_plan(db))["prism-stack"]["TaskGroups"][0]["Services"]

    assert "Checks" not in service


def test_a_udp_port_is_told_to_consul_and_not_reserved_from_nomad_which_knows_no_protocols() -> (
    None
):
    rendered = render(make_plan(DNS))["prism-stack"]["TaskGroups"][0]
    assert "Networks" not in rendered
    (told,) = rendered["Services"]
    assert (told["Address"], told["PortLabel"]) == ("127.0.0.1", "5353")
    assert "Checks" not in told


def test_one_number_of_both_protocols_is_reserved_once_and_asked_for_tcp() -> None:
    both = make_service(
        "dns",
        ports=(UDP, Port(name="dns-tcp", number=5353)),
        check=HealthCheck(type=CheckType.TCP, port=5353),
    )
    rendered = render(make_plan(both))["prism-stack"]["TaskGroups"][0]
    assert rendered["Networks"][0]["ReservedPorts"] == [{"Label": "dns_tcp", "Value": 5353}]
    assert rendered["Services"][0]["Checks"][0]["PortLabel"] == "dns_tcp"


def test_another_registration_changes_services_and_no_task() -> None:
    before, after = (render(make_plan(ADMIN), registration=n)["prism-stack"] for n in (0, 1))
    assert before["TaskGroups"][0]["Services"] != after["TaskGroups"][0]["Services"]
    for job in (before, after):
        del job["TaskGroups"][0]["Services"]
    assert before == after


def test_why_a_service_is_in_the_plan_does_not_disturb_it() -> None:
    other = make_service(
        "prism-admin", ports=ADMIN.ports, check=ADMIN.check, env=ADMIN.env, source="--with"
    )
    assert render(make_plan(ADMIN)) == render(make_plan(other))


def test_every_replica_has_a_group_of_its_own() -> None:
    plan = make_plan(make_service("redis", ports=(Port(name="db", number=6379),), replicas=2))
    ports = {
        InstanceKey(ServiceName("redis"), 0): (Port(name="db", number=6379),),
        InstanceKey(ServiceName("redis"), 1): (Port(name="db", number=40123),),
    }
    groups = render_jobs(plan, ports, SHIM)["prism-stack"]["TaskGroups"]
    assert [group["Name"] for group in groups] == ["redis", "redis-replica-1"]
    assert groups[1]["Networks"][0]["ReservedPorts"] == [{"Label": "db", "Value": 40123}]
    assert {group["Services"][0]["Name"] for group in groups} == {"redis"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [("my_db", "my-db"), ("a.b", "a-b"), ("redis", "redis"), ("__", "service")],
)
def test_names_in_consul_are_names_in_dns(name: str, expected: str) -> None:
    assert consul_name(ServiceName(name)) == expected


def test_postgres_is_interrupted_and_everything_else_terminated() -> None:
    postgres = make_service("db", command=("/usr/lib/postgresql/15/bin/postgres", "-D", "x"))
    assert kill_signal(postgres) == "SIGINT"
    assert kill_signal(ADMIN) == "SIGTERM"


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        (ADMIN, "grpc prism-admin 127.0.0.1 8981 /"),
        (LAUNCHER, "http pattern-launcher 127.0.0.1 9093 /ready"),
        (make_service("plain", ports=(Port(name="p", number=7),)), "tcp plain 127.0.0.1 7 /"),
        (MIGRATE, "key migrate - 0 prism/default/good/migrate"),
        (
            make_service(
                "scripted",
                ports=(Port(name="p", number=7),),
                check=HealthCheck(type=CheckType.EXEC, command=("true",)),
            ),
            "key scripted - 0 prism/default/good/scripted",
        ),
        (DNS, "key dns - 0 prism/default/good/dns"),
        (
            make_service("mixed", ports=(UDP, Port(name="web", number=80))),
            "tcp mixed 127.0.0.1 80 /",
        ),
        (
            make_service("aside", ports=(UDP,), check=HealthCheck(type=CheckType.TCP, port=99)),
            "tcp aside 127.0.0.1 99 /",
        ),
        *(
            (
                make_service(
                    "db",
                    ports=(Port(name="p", number=7), Port(name="q", number=8)),
                    check=HealthCheck(type=kind, port=8, password="hush"),
                ),
                "key db 127.0.0.1 8 prism/default/good/db",
            )
            for kind in SPOKEN_HERE
        ),
    ],
)
def test_a_dependent_makes_the_check_that_consul_makes_or_waits_for_our_word(
    service: ServicePlan, expected: str
) -> None:
    assert render_wait(make_plan(service), service) == expected


def test_the_environment_file_has_everything_the_shim_needs(tmp_path: Path) -> None:
    plan = make_plan(ADMIN, LAUNCHER)
    command = render_command(LAUNCHER, 0, plan, StackPaths(tmp_path, "default"))
    entries = render_environment_file(plan, LAUNCHER, command, 8500).decode().split("\0")
    assert entries[0] == "C127.0.0.1:8500"
    assert "A/usr/bin/true" in entries
    assert "EPORT=7070" in entries
    assert "Wgrpc prism-admin 127.0.0.1 8981 /" in entries
    assert entries[-1] == ""


def test_a_zero_byte_is_refused_by_name(tmp_path: Path) -> None:
    service = make_service("odd", env={"A": "x\0y"})
    plan = make_plan(service)
    command = render_command(service, 0, plan, StackPaths(tmp_path, "default"))
    with pytest.raises(PrismError, match="odd"):
        render_environment_file(plan, service, command, 8500)


def test_dependents_end_before_what_they_need() -> None:
    a = make_service("a")
    b = make_service("b", depends_on=("a",))
    c = make_service("c", depends_on=("a", "b"))
    alone = make_service("alone")
    assert resolve_stop_waves([a, b, c, alone]) == [["c", "alone"], ["b"], ["a"]]
    assert resolve_stop_waves([]) == []

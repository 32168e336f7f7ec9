from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prismctl.domain.choice import MachineFacts
from prismctl.domain.containers import PODMAN, ContainerFacts, ContainerTool, ImageFacts
from prismctl.domain.environment import choose_base_environment
from prismctl.domain.host_port import HostPort, PortProtocol
from prismctl.domain.needs import Condition, Need
from prismctl.domain.offering import Catalog
from prismctl.domain.packaged import PACKAGED
from prismctl.domain.plan import (
    EngineName,
    Port,
    ServicePlan,
    StackPlan,
    compare_plans,
    plan_from_json,
    plan_to_json,
    port_from_json,
)
from prismctl.domain.plan_options import PlanOptions
from prismctl.domain.presets import PRESETS
from prismctl.domain.problems import Problems
from prismctl.domain.replicas import find_replica_ports, plan_replica
from prismctl.domain.resolve import Resolution, resolve_plan
from prismctl.domain.selection import Addition, preset_layer, select_services
from prismctl.domain.service import (
    CheckType,
    HealthCheck,
    PortDefinition,
    Runtime,
    ServiceDefinition,
    ServiceName,
    StackName,
)
from prismctl.errors import ConfigError, MissingToolError

if TYPE_CHECKING:
    from collections.abc import Mapping

FACTS = MachineFacts(
    find_program=lambda name: f"/usr/bin/{name}" if name.endswith("-server") else "",
    find_binary=lambda _name: "",
    tools={},
)
ENVIRONMENT = {"PATH": "/usr/bin", "HOME": "/home/ana", "AWS_SECRET_ACCESS_KEY": "s3cret"}


def resolve(
    *words: str,
    own: tuple[ServiceDefinition, ...] = (),
    preset: str = "minimal",
    facts: MachineFacts = FACTS,
    taken: frozenset[int | HostPort] = frozenset(),
    **options: Any,
) -> Resolution:
    catalog = Catalog(
        services={**PACKAGED, **{each.name: each for each in own}},
        file="services.yaml",
        directory="/project",
    )
    problems = Problems()
    selection = select_services(
        catalog,
        [preset_layer(PRESETS[preset])],
        additions=[Addition(word, "--with") for word in words],
        problems=problems,
    )
    given_options = {"data_directory": "/data", "environment": ENVIRONMENT, **options}
    return resolve_plan(
        selection,
        catalog,
        facts,
        PlanOptions(**given_options),
        is_free=lambda port: port not in taken and port.number not in taken,
        problems=problems,
    )


def own(name: str, **fields: Any) -> ServiceDefinition:
    return ServiceDefinition(name=ServiceName(name), **{"command": ("my-server",), **fields})


DNS = PortDefinition(name="dns", number=5353, is_explicit=True, protocol=PortProtocol.UDP)
TCP_5353 = frozenset({HostPort(5353)})


def ports(*numbers: int | None) -> tuple[PortDefinition, ...]:
    return tuple(
        PortDefinition(name=f"p{index}", number=number, is_explicit=True)
        for index, number in enumerate(numbers)
    )


def test_the_minimal_plan_is_complete() -> None:
    plan = resolve().plan
    assert plan.names == ("prism-admin", "pattern-launcher", "memstore")
    assert plan.origin == "minimal"
    launcher = plan.service("pattern-launcher")
    assert launcher.args[:2] == ("--admin-endpoint", "127.0.0.1:8981")
    assert launcher.check == HealthCheck(type=CheckType.HTTP, port=9093, path="/ready")
    assert "${" not in " ".join(
        word for service in plan.services for word in (*service.command, *service.args)
    )


def test_every_dependency_is_before_what_needs_it() -> None:
    plan = resolve("b", own=(own("b", depends_on=(ServiceName("zz"),)), own("zz"))).plan
    assert plan.names.index(ServiceName("zz")) < plan.names.index(ServiceName("b"))
    assert plan.service("zz").source == "needed by b"


WORKING = ContainerFacts(
    ContainerTool(kind=PODMAN, program="/usr/bin/podman"),
    "",
    lambda image: ImageFacts(is_here="redis" in image, can_be_had=True),
)


@given(st.sampled_from(sorted(PRESETS)), st.sampled_from(["default", "other"]))
def test_resolving_twice_gives_the_same_plan_and_nothing_to_change(preset: str, stack: str) -> None:
    machine = replace(
        FACTS, find_program=lambda name: f"/usr/bin/{name}", look_for_containers=lambda: WORKING
    )
    first = resolve(preset=preset, facts=machine, stack=StackName(stack)).plan
    second = resolve(preset=preset, facts=machine, stack=StackName(stack)).plan
    assert first == second
    assert not compare_plans(first, second)
    assert plan_from_json(json.loads(json.dumps(plan_to_json(first)))) == first


TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)


@given(
    args=st.lists(TEXTS.map(lambda text: text.replace("${", "")), max_size=4),
    env=st.dictionaries(st.sampled_from(["A", "B", "C"]), TEXTS.map(lambda t: t.replace("${", ""))),
    numbers=st.lists(st.one_of(st.none(), st.integers(1, 65535)), max_size=3, unique=True),
    replicas=st.integers(0, 5),
    persist=st.booleans(),
)
def test_any_plan_survives_json(
    args: list[str],
    env: dict[str, str],
    numbers: list[int | None],
    replicas: int,
    persist: bool,  # noqa: FBT001 - drawn by Hypothesis
) -> None:
    service = own(
        "web",
        command=("my-server", *args),
        env=env,
        secrets=frozenset(env),
        ports=ports(*numbers),
        replicas=replicas,
        persist=persist,
        health_check=HealthCheck(type=CheckType.EXEC, command=tuple(args)),
    )
    plan = resolve("web", own=(service,), replaces_taken_ports=True).plan
    assert plan_from_json(json.loads(json.dumps(plan_to_json(plan)))) == plan
    assert plan.service("web").command == ("/usr/bin/my-server", *args)


def test_a_volume_of_somebodys_home_is_given_to_the_container_as_a_path() -> None:
    facts = replace(FACTS, look_for_containers=lambda: WORKING)
    web = own("web", container="web:1", command=(), volumes=("~/site:/srv:ro",))
    plan = resolve("web", own=(web,), facts=facts).plan
    assert plan.service("web").volumes == ("/home/ana/site:/srv:ro",)


def test_a_service_with_a_port_and_no_check_gets_a_tcp_check_on_its_first_port() -> None:
    plan = resolve("web", own=(own("web", ports=ports(8080, 8081)),)).plan
    assert plan.service("web").check == HealthCheck(type=CheckType.TCP, port=8080)


def test_a_service_without_a_port_is_only_asked_whether_it_lives() -> None:
    assert resolve("web", own=(own("web"),)).plan.service("web").check is None


def test_a_check_follows_its_port_to_where_it_was_moved() -> None:
    web = own("web", ports=ports(8080), health_check=HealthCheck(type=CheckType.HTTP, port=8080))
    plan = resolve("web", own=(web,), taken=frozenset({8080}), replaces_taken_ports=True).plan
    service = plan.service("web")
    assert service.ports[0].number != 8080
    assert service.check is not None
    assert service.check.port == service.ports[0].number


def test_who_asks_may_come_from_elsewhere() -> None:
    check = HealthCheck(type=CheckType.POSTGRES, user="${WHO:-app}", password="${PASSWORD}")
    web = own("web", ports=ports(5432), health_check=check)
    variables = {**ENVIRONMENT, "PASSWORD": "hush"}
    plan = resolve("web", own=(web,), environment=variables).plan
    settled = plan.service("web").check
    assert settled == replace(check, port=5432, user="app", password="hush")
    assert plan_from_json(json.loads(json.dumps(plan_to_json(plan)))) == plan
    assert "hush" not in repr(plan)


def test_a_check_may_ask_a_port_that_is_not_declared() -> None:
    web = own("web", ports=ports(9000), health_check=HealthCheck(type=CheckType.HTTP, port=8123))
    check = resolve("web", own=(web,)).plan.service("web").check
    assert check is not None
    assert check.port == 8123


@pytest.mark.parametrize(
    ("name", "check"),
    [
        ("prism-admin", HealthCheck(type=CheckType.TCP, port=8981)),
        ("keyvalue-runner", None),
    ],
)
def test_a_program_built_elsewhere_is_asked_what_it_can_answer(
    name: str, check: HealthCheck | None
) -> None:
    machine = replace(FACTS, find_binary=lambda word: f"/b/{word}" if word == name else "")
    service = resolve(name, facts=machine).plan.service(name)
    assert (service.runtime, service.program) == (Runtime.BINARY, f"/b/{name}")
    assert service.check == check


def test_all_mistakes_of_a_plan_are_told_at_once() -> None:
    broken = own(
        "web",
        command=("my-server", "${NO_SUCH}", "${rdeis.port}"),
        env={"A": "${self.port}"},
        working_directory="${ALSO_NOT}",
    )
    clash = (own("x", ports=ports(7777)), own("y", ports=ports(7777)))
    with pytest.raises(ConfigError) as raised:
        resolve("web", "x", "y", "nonsense", own=(broken, *clash), engine="cluster")
    messages = " | ".join(str(problem) for problem in raised.value.problems)
    assert "unknown service `nonsense`" in messages
    assert "port 7777 is asked for by both x and y" in messages
    assert "web: variable `NO_SUCH` is not set" in messages
    assert "web: unknown service `rdeis`" in messages
    assert "web: `${self.port}`: the service has no port" in messages
    assert "web: variable `ALSO_NOT` is not set" in messages
    assert "unknown engine `cluster`" in messages


def test_all_missing_programs_are_told_at_once() -> None:
    machine = replace(FACTS, find_program=lambda _name: "")
    with pytest.raises(MissingToolError) as raised:
        resolve(preset="full", facts=machine)
    for program in ("redis-server", "postgres", "nats-server", "kafka-server-start.sh"):
        assert any(
            f"needs `{program}`, which is not installed" in each.message
            for each in raised.value.problems
        )
    assert len(raised.value.problems) == 4
    assert raised.value.message == "4 things that are needed are not there"
    assert "`apt-get install redis-server`" in raised.value.hint


def test_nomad_that_is_asked_for_and_missing_is_a_missing_tool() -> None:
    with pytest.raises(MissingToolError, match="Nomad and Consul are not installed") as raised:
        resolve(engine="nomad")
    assert "prismctl dev init" in raised.value.hint


def test_an_unknown_engine_has_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match="unknown engine `nomda`; did you mean `nomad`"):
        resolve(engine="nomda")


def test_taken_ports_are_conflicts_with_the_service_that_wants_them() -> None:
    resolution = resolve(taken=frozenset({8981, 9093}))
    assert [(each.number, each.service) for each in resolution.conflicts] == [
        (8981, "prism-admin"),
        (9093, "pattern-launcher"),
    ]


def test_a_moved_port_reaches_everybody_who_refers_to_it() -> None:
    plan = resolve(taken=frozenset({8981}), replaces_taken_ports=True).plan
    admin = plan.service("prism-admin").ports[0]
    assert admin.is_dynamic
    assert plan.service("pattern-launcher").args[1] == f"127.0.0.1:{admin.number}"


def test_services_inherit_only_what_is_on_the_list() -> None:
    environment = {
        **ENVIRONMENT,
        "LC_ALL": "C",
        "https_proxy": "http://p",
        "SSL_CERT_FILE": "/c",
        "PRISM_HOME": "/x",
        "SSH_AUTH_SOCK": "/s",
    }
    assert sorted(choose_base_environment(environment)) == [
        "HOME",
        "LC_ALL",
        "PATH",
        "SSL_CERT_FILE",
        "https_proxy",
    ]


def test_nothing_secret_of_the_shell_is_in_a_plan() -> None:
    assert "s3cret" not in json.dumps(plan_to_json(resolve().plan))


def test_relative_paths_start_at_the_catalog() -> None:
    web = own("web", working_directory="${HOME}/x")
    assert resolve("web", own=(web,)).plan.service("web").working_directory == "/home/ana/x"
    web = own("web", working_directory="~/x")
    assert resolve("web", own=(web,)).plan.service("web").working_directory == "/home/ana/x"


def test_patterns_are_looked_for_in_the_project_and_else_in_the_launchers_data() -> None:
    def patterns_of(plan: StackPlan) -> str:
        args = plan.service("pattern-launcher").args
        return args[args.index("--patterns-dir") + 1]

    assert patterns_of(resolve().plan) == "/data/pattern-launcher"
    assert patterns_of(resolve(patterns_directory="/p/patterns").plan) == "/p/patterns"


def test_persist_for_all_and_replicas_for_one() -> None:
    plan = resolve(persist=True, replicas={"memstore": 3}).plan
    assert all(service.persist for service in plan.services)
    assert plan.service("memstore").replicas == 3


def instance(service: ServicePlan, numbers: Mapping[str, int], data: str) -> ServicePlan:
    moved = tuple(Port(name=name, number=number) for name, number in numbers.items())
    return plan_replica(service, ports=moved, data=data)


def test_a_further_instance_has_its_own_ports_and_data() -> None:
    web = own(
        "web",
        command=("my-server", "--port", "${self.port}", "--admin", "${admin.port}"),
        env={"DATA": "${self.data}", "LITERAL": "$${self.port}"},
        ports=ports(8080, None),
    )
    service = resolve("web", own=(web,)).plan.service("web")
    assert service.env == {"DATA": "/data/web", "LITERAL": "${self.port}"}
    second = instance(service, {"p0": 5001, "p1": 5002}, "/data/web#1")
    assert second.command == ("/usr/bin/my-server", "--port", "5001", "--admin", "8981")
    assert second.env == {"DATA": "/data/web#1", "LITERAL": "${self.port}"}
    assert second.check is not None
    assert second.check.port == 5001


def test_a_service_with_udp_ports_alone_is_asked_nothing() -> None:
    plan = resolve("dns", own=(own("dns", ports=(DNS,)),)).plan
    service = plan.service("dns")
    assert (service.check, service.ports[0].host_port) == (None, HostPort(5353, PortProtocol.UDP))
    assert plan_from_json(json.loads(json.dumps(plan_to_json(plan)))) == plan


def test_what_runs_elsewhere_with_udp_ports_alone_says_that_nobody_can_ask() -> None:
    both = (DNS, PortDefinition(name="tcp", number=5353, is_explicit=True))
    away: dict[str, Any] = {"host": "dns.example.org", "runtime": Runtime.EXTERNAL}
    services = (own("dns", ports=(DNS,), **away), own("both", ports=both, **away))
    plan = resolve("dns", "both", own=services, taken=TCP_5353).plan
    dns = plan.service("dns")
    assert dns.check is None
    assert dns.runtime_reason == (
        "it runs elsewhere, at dns.example.org; whether it answers over UDP cannot be known"
    )
    assert plan.service("both").check == HealthCheck(type=CheckType.TCP, port=5353)
    assert plan.service("both").runtime_reason == "it runs elsewhere, at dns.example.org"


@pytest.mark.parametrize("port", [None, "tcp", 5353])
def test_a_service_with_ports_of_both_protocols_is_asked_over_tcp(port: int | str | None) -> None:
    ports = (DNS, PortDefinition(name="tcp", number=5353, is_explicit=True))
    check = HealthCheck(type=CheckType.TCP, port=port)
    for definition in (own("dns", ports=ports, health_check=check), own("dns", ports=ports)):
        service = resolve("dns", own=(definition,), taken=TCP_5353, replaces_taken_ports=True).plan
        udp, tcp = service.service("dns").ports
        assert (udp.number, tcp.wanted) == (5353, 5353)
        assert tcp.number != 5353
        assert service.service("dns").check == HealthCheck(type=CheckType.TCP, port=tcp.number)


def test_a_further_instance_is_asked_at_its_own_tcp_port_whatever_number_udp_has() -> None:
    ports = (PortDefinition(name="tcp", number=5353), DNS)
    service = resolve("dns", own=(own("dns", ports=ports),)).plan.service("dns")
    found = find_replica_ports(service, 1, stack="default", is_free=lambda _port: True)
    assert [port.protocol for port in found] == [PortProtocol.TCP, PortProtocol.UDP]
    second = plan_replica(service, ports=found, data="/data/dns#1")
    assert second.check == HealthCheck(type=CheckType.TCP, port=found[0].number)


def test_the_protocol_of_a_port_is_part_of_what_runs_and_tcp_is_what_it_always_was() -> None:
    service = resolve("dns", own=(own("dns", ports=(DNS,)),)).plan.service("dns")
    over_tcp = replace(service, ports=(replace(service.ports[0], protocol=PortProtocol.TCP),))
    assert service.digest != over_tcp.digest
    written = asdict(over_tcp.ports[0])
    del written["protocol"]
    assert port_from_json(written) == over_tcp.ports[0]


def test_the_first_instance_is_what_its_template_makes_of_it() -> None:
    for service in resolve().plan.services:
        same = plan_replica(service, ports=service.ports, data=f"/data/{service.name}")
        assert same == service


def test_a_service_is_watched_where_its_catalog_says_and_in_what_is_built_for_it() -> None:
    built = "/project/build/binaries/web"
    facts = replace(FACTS, find_binary=lambda word: built if word == "web" else "")
    web = own("web", command=(), watch=("~/src", "/project/conf"))
    plan = resolve("web", own=(web,), facts=facts).plan
    assert plan.service("web").watch == ("/home/ana/src", "/project/conf", built)
    assert plan_from_json(json.loads(json.dumps(plan_to_json(plan)))) == plan
    # It says nothing about what runs.
    unwatched = replace(plan.service("web"), watch=())
    assert unwatched.digest == plan.service("web").digest


def test_ports_of_a_further_instance_are_free_stable_and_its_own() -> None:
    service = resolve().plan.service("memstore")
    first = find_replica_ports(service, 1, stack="default", is_free=lambda _number: True)
    again = find_replica_ports(service, 1, stack="default", is_free=lambda _number: True)
    other = find_replica_ports(service, 2, stack="default", is_free=lambda _number: True)
    assert first == again
    assert {port.number for port in first}.isdisjoint(port.number for port in other)


def test_only_what_would_run_differently_is_a_change() -> None:
    before = resolve().plan
    after = resolve(own=(replace(PACKAGED[ServiceName("memstore")], env={"A": "1"}),)).plan
    changes = compare_plans(before, after)
    assert changes.changed == ("memstore",)
    assert not changes.added
    assert not changes.removed
    assert compare_plans(before, resolve(replicas={"memstore": 2}).plan).scaled == ("memstore",)


def test_the_engine_and_its_reason_are_in_the_plan() -> None:
    plan = resolve().plan
    assert plan.engine is EngineName.LOCAL
    assert "Nomad and Consul are not installed" in plan.engine_reason


def test_a_password_reaches_its_server_and_whoever_is_told_of_it() -> None:
    asked: list[str] = []

    def password_of(name: str) -> str:
        asked.append(name)
        return f"pass-{name}"

    server = own("server", env={"SECRET": "${self.password}", "PLAIN": "x"}, ports=ports(1))
    client = own("client", env={"URL": "db://:${server.password}@${server.host}"})

    plan = resolve("server", "client", own=(server, client), password_of=password_of).plan

    assert plan.service("server").env["SECRET"] == "pass-server"
    assert plan.service("client").env["URL"] == "db://:pass-server@127.0.0.1"
    assert plan.service("server").secrets == {"SECRET"}
    assert plan.service("client").secrets == {"URL"}
    assert set(asked) == {"server"}


def test_nobody_is_asked_for_the_password_of_a_server_that_takes_none() -> None:
    def password_of(name: str) -> str:
        raise AssertionError(name)

    assert resolve("redis", own=(own("server"),), password_of=password_of).plan.services
    client = own("client", env={"URL": "db://:${server.password}@x"})
    with pytest.raises(ConfigError, match="server takes no password"):
        resolve("server", "client", own=(own("server"), client), password_of=password_of)


@pytest.mark.parametrize(
    "fields",
    [
        {"command": ("my-server", "--password", "${self.password}")},
        {"command": ("my-server",), "init": ("my-server", "${self.password}")},
        {"working_directory": "/${self.password}"},
        {"health_check": HealthCheck(type=CheckType.EXEC, command=("ask", "${self.password}"))},
    ],
)
def test_a_password_where_others_could_read_it_is_refused(fields: dict[str, Any]) -> None:
    server = own("server", env={"SECRET": "${self.password}"}, **fields)
    with pytest.raises(ConfigError, match="could be read by others"):
        resolve("server", own=(server,), password_of=lambda _: "p")


def test_every_instance_has_the_password_of_its_service() -> None:
    env = {"SECRET": "${self.password}", "AT": "${self.port}"}
    server = own("server", env=env, ports=ports(1), replicas=2)
    plan = resolve("server", own=(server,), password_of=lambda _: "pass").plan.service("server")

    other = plan_replica(plan, ports=(Port(name="p0", number=2),), data="/data/server#1")

    assert other.env["SECRET"] == "pass"
    assert other.env["AT"] == "2"
    assert "SECRET" in other.secrets


def mapped(**fields: Any) -> ServiceDefinition:
    web = PortDefinition(name="http", number=8080, is_explicit=True, target=80)
    return own("web", **{"command": (), "container": "web:1", "ports": (web,), **fields})


def test_a_written_number_inside_a_container_is_what_its_server_is_told() -> None:
    check = HealthCheck(type=CheckType.TCP, port=80)
    web = mapped(env={"LISTEN": "${self.port}"}, health_check=check)
    client = own("client", env={"URL": "http://${web.host}:${web.port}"})
    facts = replace(FACTS, look_for_containers=lambda: WORKING)

    plan = resolve("web", "client", own=(web, client), facts=facts).plan

    assert plan.service("web").ports == (Port(name="http", number=8080, target=80),)
    assert plan.service("web").env["LISTEN"] == "80"
    assert plan.service("web").check == replace(check, port=8080)
    assert plan.service("client").env["URL"] == "http://127.0.0.1:8080"


def test_a_mapped_port_that_is_taken_moves_outside_alone() -> None:
    facts = replace(FACTS, look_for_containers=lambda: WORKING)
    taken = frozenset({8080})
    plan = resolve("web", own=(mapped(),), facts=facts, taken=taken, replaces_taken_ports=True).plan
    (port,) = plan.service("web").ports
    assert port.number != 8080
    assert port.target == 80


def test_a_container_on_the_machines_network_cannot_have_its_ports_mapped() -> None:
    web = mapped(env={"DB": "${redis.port}"})
    facts = replace(FACTS, look_for_containers=lambda: WORKING)
    with pytest.raises(ConfigError, match="web: port http cannot be 80 inside: the service refers"):
        resolve("web", "redis", own=(web,), facts=facts)


def test_what_can_be_done_without_is_not_brought_along_and_not_missed() -> None:
    redis = ServiceName("redis")
    optional = {redis: Need(Condition.STARTED, is_required=False)}
    web = own("web", depends_on=(redis,), needs=optional)

    alone = resolve("web", own=(web,)).plan
    assert "redis" not in alone.names
    assert alone.service("web").depends_on == ()
    assert alone.service("web").needs == {}

    both = resolve("web", "redis", own=(web,)).plan
    assert both.service("web").depends_on == ("redis",)
    assert both.service("web").needs == optional
    assert both.names.index(redis) < both.names.index(ServiceName("web"))
    assert plan_from_json(json.loads(json.dumps(plan_to_json(both)))) == both
    # It comes and goes beside the service, which runs on.
    assert compare_plans(alone, both).changed == ()


def test_what_runs_elsewhere_is_planned_where_it_is_and_takes_no_port_here() -> None:
    there = own(
        "there",
        command=(),
        runtime=Runtime.EXTERNAL,
        host="db.example.org",
        ports=ports(6379),
    )
    client = own("client", env={"AT": "${there.host}:${there.port}"}, ports=ports(6379))
    plan = resolve("there", "client", own=(there, client), replicas={"there": 3}).plan
    assert plan.service("there").ports == (Port(name="p0", number=6379, host="db.example.org"),)
    assert plan.service("there").replicas == 1
    assert plan.service("client").env["AT"] == "db.example.org:6379"
    assert plan.service("client").ports == (Port(name="p0", number=6379),)
    assert resolve("there", own=(there,), taken=frozenset({6379})).conflicts == ()

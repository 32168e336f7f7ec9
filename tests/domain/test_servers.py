from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from prismctl.domain.choice import MachineFacts
from prismctl.domain.containers import PODMAN, ContainerFacts, ContainerTool, ImageFacts
from prismctl.domain.offering import Catalog
from prismctl.domain.packaged import PACKAGED
from prismctl.domain.plan_options import PlanOptions
from prismctl.domain.presets import PRESETS
from prismctl.domain.problems import Problems
from prismctl.domain.replicas import plan_replica
from prismctl.domain.resolve import resolve_plan
from prismctl.domain.selection import Addition, preset_layer, select_services
from prismctl.domain.servers.registry import SERVERS, describe_durability
from prismctl.domain.service import PortDefinition, Runtime, ServiceDefinition, ServiceName
from prismctl.domain.version_range import find_version, is_within
from prismctl.errors import ConfigError

if TYPE_CHECKING:
    from prismctl.domain.plan import ServicePlan

TOOL = ContainerTool(kind=PODMAN, program="/usr/bin/podman")
FACTS = MachineFacts(
    find_program=lambda name: f"/usr/bin/{name}",
    find_binary=lambda _: "",
    tools={},
    look_for_containers=lambda: ContainerFacts(TOOL, "", lambda _: ImageFacts(True, True)),
)


def plan(
    name: str,
    runtime: Runtime,
    *,
    taken: frozenset[int] = frozenset(),
    persist: bool = False,
    **fields: Any,
) -> ServicePlan:
    definition = replace(PACKAGED[ServiceName(name)], **fields)
    catalog = Catalog(services={**PACKAGED, definition.name: definition}, file="services.yaml")
    problems = Problems()
    selection = select_services(
        catalog,
        [preset_layer(PRESETS["minimal"])],
        additions=[Addition(name, "--with")],
        problems=problems,
    )
    options = PlanOptions(
        data_directory="/data",
        environment={},
        runtime=runtime,
        replaces_taken_ports=True,
        persist=persist,
        password_of="made for {}".format,
    )
    found = resolve_plan(
        selection,
        catalog,
        FACTS,
        options,
        is_free=lambda port: port.number not in taken,
        problems=problems,
    )
    return found.plan.service(name)


def said_last(words: tuple[str, ...], name: str) -> str:
    return [word for word in words if word.startswith(f"{name}=")][-1].partition("=")[2]


@pytest.mark.parametrize("runtime", [Runtime.NATIVE, Runtime.CONTAINER])
def test_redis_gets_its_settings_as_options(runtime: Runtime) -> None:
    redis = plan("redis", runtime, config={"memory_mb": 64, "persist": True})
    words = redis.command if runtime is Runtime.NATIVE else redis.args
    assert words[-6:] == (
        *("--maxmemory", "64mb"),
        *("--save", "3600 1 300 100 60 10000", "--appendonly", "yes"),
    )


@pytest.mark.parametrize("runtime", [Runtime.NATIVE, Runtime.CONTAINER])
def test_postgres_waits_for_the_disk_only_where_data_persists(runtime: Runtime) -> None:
    passing, lasting = plan("postgres", runtime), plan("postgres", runtime, persist=True)
    assert said_last((*passing.command, *passing.args), "fsync") == "off"
    assert said_last((*lasting.command, *lasting.args), "fsync") == "on"
    assert len(describe_durability([passing])) == 1
    assert describe_durability([lasting]) == ()


def test_nothing_is_said_of_a_postgres_that_waits_for_the_disk_by_itself() -> None:
    own = plan("postgres", Runtime.NATIVE, command=("postgres", "-D", "${self.data}"))
    assert describe_durability([own]) == ()


@pytest.mark.parametrize("runtime", [Runtime.NATIVE, Runtime.CONTAINER])
def test_postgres_asks_for_the_password_of_its_stack(runtime: Runtime) -> None:
    postgres = plan("postgres", runtime)
    assert postgres.env == {"POSTGRES_PASSWORD": "made for postgres"}
    assert postgres.secrets == {"POSTGRES_PASSWORD"}
    assert postgres.check is not None
    assert postgres.check.password == "made for postgres"


@pytest.mark.parametrize("env", [{}, {"POSTGRES_PASSWORD": "${WORD:-own}"}])
def test_a_postgres_without_a_password_of_the_stack_is_asked_without_one(
    env: dict[str, str],
) -> None:
    check = plan("postgres", Runtime.NATIVE, env=env).check
    assert check is not None
    assert check.password == ""


def test_a_postgres_for_few_clients_keeps_none_of_them_for_superusers() -> None:
    words = plan("postgres", Runtime.NATIVE, config={"max_connections": 2}).command
    assert said_last(words, "max_connections") == "2"
    assert said_last(words, "superuser_reserved_connections") == "0"


def test_nats_without_jetstream_is_not_asked_for_it() -> None:
    nats = plan("nats", Runtime.NATIVE, config={"jetstream": False})
    assert "-js" not in nats.command
    assert nats.check is not None
    assert not nats.check.jetstream


def test_nats_reads_from_a_file_what_has_no_option() -> None:
    nats = plan("nats", Runtime.NATIVE, config={"memory_mb": 48, "max_payload_mb": 3})
    assert nats.files == {"/data/nats.conf": "max_payload: 3MB\njetstream { max_mem: 48MB }\n"}
    assert nats.command[-2:] == ("-c", "/data/nats.conf")


def test_another_instance_of_nats_reads_a_file_of_its_own() -> None:
    nats = plan("nats", Runtime.NATIVE, config={"max_payload_mb": 3})
    other = plan_replica(nats, ports=nats.ports, data="/data/nats#1")
    assert other.files == {"/data/nats#1.conf": "max_payload: 3MB\n"}
    assert other.command[-2:] == ("-c", "/data/nats#1.conf")


@pytest.mark.parametrize("runtime", [Runtime.NATIVE, Runtime.CONTAINER])
def test_nats_opens_the_port_that_tells_what_it_counts(runtime: Runtime) -> None:
    nats = plan("nats", runtime)
    monitor = next(port for port in nats.ports if port.name == "monitor")
    assert (*nats.command, *nats.args)[-2:] == ("-m", str(monitor.inner_number))


@pytest.mark.parametrize("runtime", [Runtime.NATIVE, Runtime.CONTAINER])
def test_nats_whose_entry_names_its_ports_opens_no_other(runtime: Runtime) -> None:
    nats = plan("nats", runtime, ports=(PortDefinition(name="client", number=4222),))
    assert "-m" not in (*nats.command, *nats.args)


def test_nats_in_a_container_makes_the_file_for_itself() -> None:
    nats = plan("nats", Runtime.CONTAINER, config={"max_payload_mb": 3})
    assert nats.args[:2] == ("sh", "-c")
    assert nats.args[3:-1] == ("nats-server", "-js", "-sd", "/data", "-m")
    assert nats.env["PRISM_NATS_SETTINGS"] == "max_payload: 3MB\n"
    assert nats.files == {}


def test_kafka_is_told_the_same_as_options_and_as_variables() -> None:
    config = {"partitions": 3, "retention_hours": 5, "memory_mb": 512}
    native = plan("kafka", Runtime.NATIVE, config=config)
    boxed = plan("kafka", Runtime.CONTAINER, config=config)
    assert said_last(native.command, "num.partitions") == "3"
    assert said_last(native.command, "log.retention.hours") == "5"
    assert boxed.env["KAFKA_NUM_PARTITIONS"] == "3"
    assert boxed.env["KAFKA_LOG_RETENTION_HOURS"] == "5"
    for each in (native, boxed):
        assert each.env["KAFKA_HEAP_OPTS"] == "-Xms64m -Xmx512m"


def test_kafka_in_a_container_tells_its_clients_the_port_outside() -> None:
    kafka = plan("kafka", Runtime.CONTAINER, taken=frozenset({9092}))
    port = kafka.ports[0]
    assert port.number != 9092
    assert port.inner_number == port.number
    assert kafka.env["KAFKA_ADVERTISED_LISTENERS"] == f"BROKER://127.0.0.1:{port.number}"
    assert kafka.env["KAFKA_LISTENERS"].startswith(f"BROKER://0.0.0.0:{port.number},")


def test_the_port_of_a_kafka_that_somebody_moved_is_still_told() -> None:
    ports = tuple(
        replace(port, number=19092) if port.name == "broker" else port
        for port in PACKAGED[ServiceName("kafka")].ports
    )
    kafka = plan("kafka", Runtime.CONTAINER, ports=ports)
    assert kafka.env["KAFKA_ADVERTISED_LISTENERS"] == "BROKER://127.0.0.1:19092"


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("redis", "/data"),
        ("postgres", "/var/lib/postgresql/data"),
        ("nats", "/data"),
        ("kafka", "/var/lib/kafka/data"),
    ],
)
def test_the_data_of_a_container_is_outside_and_outlives_it(name: str, place: str) -> None:
    assert plan(name, Runtime.CONTAINER).volumes == (f"/data/{name}:{place}",)
    assert plan(name, Runtime.NATIVE).volumes == ()


def test_only_who_is_a_server_is_told_its_settings() -> None:
    with pytest.raises(ConfigError, match="config has no meaning for `/usr/bin/my-redis`"):
        plan("redis", Runtime.NATIVE, command=("my-redis",), config={"memory_mb": 1})


def test_a_program_that_is_no_server_is_none_whatever_its_driver() -> None:
    assert plan("redis", Runtime.NATIVE, command=("my-redis",)).driver == ""
    assert plan("redis", Runtime.NATIVE).driver == "redis"


def test_every_setting_says_what_it_means_and_what_holds_without_it() -> None:
    for server in SERVERS.values():
        for setting in server.settings.values():
            assert all((setting.meaning, setting.default, setting.becomes))


def test_a_definition_without_settings_is_as_it_was() -> None:
    for name, server in SERVERS.items():
        # Ports are no setting, and one of NATS's is told.
        packaged = replace(PACKAGED[ServiceName(name)], ports=())
        for runtime in (Runtime.NATIVE, Runtime.CONTAINER):
            told: ServiceDefinition = server.configure(packaged, runtime, persists=False)
            assert (told.command, told.args) == (packaged.command, packaged.args)


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64", "7.0.15"),
        ("nats-server: v2.9.10", "2.9.10"),
        ("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", "15.18"),
        ("postgres (PostgreSQL) 17beta1", "17"),
        ("usage: my-server [--help]", ""),
    ],
)
def test_a_version_is_found_in_what_programs_say(said: str, version: str) -> None:
    assert find_version(said) == version


@pytest.mark.parametrize(
    ("version", "wanted", "is_so"),
    [
        ("15.18", ">=15 <18", True),
        ("18", ">=15 <18", False),
        ("18.1", "<=18", True),
        ("2.9.10", ">2.9.9, <2.10", True),
        ("2.10", ">=2.9.10", True),
        ("7.0.15", "7.0", True),
        ("7.1", "==7.0", False),
        ("7.1", "!=7.1", False),
        ("1", "", True),
    ],
)
def test_a_range_says_which_versions_will_do(version: str, wanted: str, is_so: bool) -> None:  # noqa: FBT001
    assert is_within(version, wanted) is is_so

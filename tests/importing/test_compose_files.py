"""Realistic compose files, each imported into a catalog that has to be valid afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from prismctl.domain.host_port import HostPort, PortProtocol
from prismctl.domain.importing.imported import Imported, RemarkKind
from prismctl.domain.service import ServiceName
from prismctl.files.catalog import parse_catalog
from prismctl.files.catalog_change import change_text, check_change, open_target
from prismctl.files.foreign import load_foreign
from prismctl.files.paths import Home

if TYPE_CHECKING:
    from prismctl.domain.offering import Catalog

HERE = Path(__file__).parent
FILES = sorted((HERE / "compose").iterdir())


def load(name: str, directory: Path = HERE) -> Imported:
    return load_foreign(HERE / "compose" / name, catalog_directory=directory)


def entries(name: str) -> dict[str, dict[str, Any]]:
    return {each.name: each.entry for each in load(name).services}


def remarks(name: str, kind: RemarkKind) -> list[str]:
    return [
        f"{each.service} {each.subject}: {each.message}"
        for each in load(name).remarks
        if each.kind is kind
    ]


def catalog_of(name: str, tmp_path: Path) -> Catalog:
    home = Home(tmp_path / "home")
    target = open_target(home, tmp_path / "services.yaml")
    imported = load(name, tmp_path)
    text = change_text(target, [each.entry for each in imported.services], origin=name)
    check_change(home, target, text)
    return parse_catalog(text, target.path)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_what_is_imported_is_a_valid_catalog(file: Path, tmp_path: Path) -> None:
    catalog = catalog_of(file.name, tmp_path)
    imported = load(file.name)
    assert {each.name for each in imported.services} <= set(catalog.names)
    for remark in imported.remarks:
        assert remark.place.line > 0, remark
        assert remark.place.column > 0, remark


def test_wordpress_finds_its_database_by_reference() -> None:
    found = entries("wordpress-mysql.yaml")
    assert found["wordpress"]["env"]["WORDPRESS_DB_HOST"] == "${db.host}"
    assert found["wordpress"]["depends_on"] == ["db"]
    assert found["wordpress"]["secrets"] == ["WORDPRESS_DB_PASSWORD"]
    # Nobody publishes it, and it is reached even so.
    assert found["db"]["port"] == 3306
    assert found["db"]["args"] == ["--default-authentication-plugin=mysql_native_password"]
    assert found["db"]["volumes"] == ["${self.data}:/var/lib/mysql"]


def test_a_port_that_cannot_have_another_number_outside_is_told() -> None:
    (told,) = [
        each for each in remarks("wordpress-mysql.yaml", RemarkKind.CHANGED) if "ports" in each
    ]
    assert told.startswith("wordpress ports: ")
    assert "8080" in told


def test_a_port_has_another_number_outside_where_the_container_has_a_network_of_its_own() -> None:
    found = entries("postgres-health.yaml")
    assert found["database"]["port"] == "5433:5432"
    assert found["api"]["port"] == 8000


def test_urls_are_written_with_references_also_where_they_name_no_port() -> None:
    env = entries("redis-worker.yaml")["worker"]["env"]
    assert env["CELERY_BROKER_URL"] == "redis://${redis.host}:${redis.port}/0"
    assert env["CELERY_RESULT_BACKEND"] == "redis://${redis.host}:${redis.port}/1"
    assert env["LOG_LEVEL"] == "${LOG_LEVEL:-info}"
    assert entries("redis-worker.yaml")["worker"]["replicas"] == 3


def test_checks_conditions_and_volumes_of_the_long_form(tmp_path: Path) -> None:
    found = {str(each.name): each.entry for each in load("postgres-health.yaml", tmp_path).services}
    assert found["database"]["health_check"] == {
        "type": "exec",
        "command": ["/bin/sh", "-c", "pg_isready -U $${POSTGRES_USER} -d shop"],
        "interval": "90s",
        "timeout": "500ms",
        "start_period": "1500ms",
    }
    assert found["database"]["container"] == "postgres:${POSTGRES_VERSION:-16}"
    assert found["database"]["env"]["POSTGRES_PASSWORD"] == "${DB_PASSWORD}"
    assert found["database"]["volumes"] == [
        "${self.data}:/var/lib/postgresql/data",
        f"{HERE}/compose/initdb:/docker-entrypoint-initdb.d:ro",
    ]
    assert found["migrate"]["one_shot"] is True
    # By the name of its container, and by two variables.
    assert "@${database.host}:${database.port}/shop" in found["migrate"]["env"]["DATABASE_URL"]
    assert found["api"]["env"] == {"DB_HOST": "${database.host}", "DB_PORT": "${database.port}"}
    assert found["api"]["working_directory"] == "/srv"
    left_out = remarks("postgres-health.yaml", RemarkKind.LEFT_OUT)
    assert any("required: false" in each for each in left_out)


def test_a_broker_advertises_itself_where_it_is_mapped_to() -> None:
    found = entries("kafka.yaml")
    assert found["kafka"]["ports"] == {"main": 9092, "p29092": 29092}
    env = found["kafka"]["env"]
    assert env["KAFKA_ADVERTISED_LISTENERS"].startswith("PLAINTEXT://localhost:29092,")
    assert env["KAFKA_LISTENERS"].startswith("PLAINTEXT://0.0.0.0:29092,")
    servers = found["kafka-ui"]["env"]["KAFKA_CLUSTERS_0_BOOTSTRAPSERVERS"]
    assert servers == "${kafka.host}:${kafka.ports.p29092}"


def test_limits_are_told_and_paths_are_those_of_the_file() -> None:
    found = entries("clickhouse.yaml")["clickhouse"]
    assert found["volumes"] == [
        "./compose/clickhouse/config.xml:/etc/clickhouse-server/config.d/local.xml:ro",
        "${self.data}/clickhouse-data:/var/lib/clickhouse",
        "${self.data}/clickhouse-logs:/var/log/clickhouse-server",
    ]
    assert found["memory_mb"] == 2048
    assert found["resources"] == {"cpu": 1500}
    elastic = entries("elastic.yaml")["elasticsearch"]
    assert elastic["memory_mb"] == 1024
    assert elastic["resources"] == {"cpu": 500, "memory": 512}
    left_out = remarks("clickhouse.yaml", RemarkKind.LEFT_OUT)
    assert any(each.startswith("clickhouse ulimits: ") for each in left_out)


def test_anchors_are_followed_and_scalars_are_taken_as_they_were_written() -> None:
    found = entries("anchors.yaml")
    assert found["web"]["env"] == {
        "TZ": "UTC",
        "DEBUG": "false",
        "RATIO": "1.10",
        "OCTAL": "0644",
    }
    assert found["jobs"]["env"]["DEBUG"] == "true"
    assert found["jobs"]["env"]["WEB_URL"] == "http://${web.host}:${web.port}/"
    assert found["jobs"]["args"] == ["jobs", "--concurrency", "4"]


def test_what_cannot_be_taken_over_is_told_by_service_key_and_place() -> None:
    imported = load("build-and-secrets.yaml")
    told = {(each.service, each.subject) for each in imported.left_out}
    assert told == {
        *(
            ("Front_End", key)
            for key in ("build", "entrypoint", "tty", "stdin_open", "env_file", "secrets")
        ),
        ("Front_End", "configs"),
        ("Front_End", "develop"),
        *(("nomad", key) for key in ("user", "privileged", "network_mode", "tmpfs", "labels")),
        ("admin", "build"),
    }
    build = next(each for each in imported.left_out if each.subject == "build")
    assert (build.place.line, build.place.column) == (3, 5)
    assert "podman build -t localhost/compose-front-end:latest ./frontend" in build.message


def test_names_that_the_catalog_does_not_allow_are_mapped_and_told() -> None:
    assert list(entries("build-and-secrets.yaml")) == ["front-end", "my-nomad", "my-admin"]
    told = remarks("build-and-secrets.yaml", RemarkKind.CHANGED)
    assert "Front_End name: is `front-end` in the catalog" in told


def test_ranges_are_told_and_long_ones_left_out() -> None:
    ports = entries("ranges.yaml")["ftp"]["ports"]
    assert {21, 30000, 30009, 8021, 8022, "8000:8080", 9999} <= set(ports.values())
    assert (ports["p5353"], ports["p5353-udp"], ports["p53-udp"]) == (
        5353,
        "5353/udp",
        "8053:53/udp",
    )
    left_out = remarks("ranges.yaml", RemarkKind.LEFT_OUT)
    assert left_out == [
        "ftp ports: a range of 101 ports; at most 20 are taken over",
        "ftp ports: 2905/sctp: ports are TCP or UDP here",
    ]


def test_udp_ports_stay_what_they_are(tmp_path: Path) -> None:
    found = entries("coredns.yaml")
    assert found["dns"]["ports"] == {
        "main": "1053:53/udp",
        "p53": "1053:53",
        "p9153-udp": "9153/udp",
    }
    assert found["statsd"]["port"] == "8125/udp"
    assert found["app"]["env"]["STATSD"] == "${statsd.host}:${statsd.port}"
    catalog = catalog_of("coredns.yaml", tmp_path)
    statsd = catalog.services[ServiceName("statsd")]
    assert [each.wanted for each in statsd.ports] == [HostPort(8125, PortProtocol.UDP)]
    assert statsd.health_check is None
    (told,) = [each for each in remarks("coredns.yaml", RemarkKind.CHANGED) if "health" in each]
    assert told.endswith(
        "it is healthy once it has lived a moment; what its image says is not asked"
    )


def test_dollars_stay_dollars() -> None:
    found = entries("rabbit-mongo.yml")
    assert found["mongo"]["env"]["MONGO_INITDB_ROOT_PASSWORD"] == "pa$word"
    assert found["orders"]["env"]["PRICE"] == "$5 or $${HOME}"
    assert found["orders"]["env"]["AMQP_URL"].endswith("@${rabbitmq.host}:${rabbitmq.port}/%2f")


def test_variables_that_cannot_be_variables_are_left_out() -> None:
    env = entries("elastic.yaml")["elasticsearch"]["env"]
    assert set(env) == {"ES_JAVA_OPTS", "PASSTHROUGH"}
    assert env["PASSTHROUGH"] == "${PASSTHROUGH:-}"
    left_out = remarks("elastic.yaml", RemarkKind.LEFT_OUT)
    assert sum("cannot be a variable" in each for each in left_out) == 2


def test_of_two_that_need_each_other_one_begins() -> None:
    found = entries("each-needs-the-other.yaml")
    waiting = {name: entry.get("depends_on", []) for name, entry in found.items()}
    assert waiting == {"left": ["right"], "right": []}
    assert found["right"]["env"]["PEER"] == "${left.host}:${left.port}"


def test_json_is_a_compose_file_too() -> None:
    found = entries("localstack-json.json")
    assert (
        found["app-v2"]["env"]["AWS_ENDPOINT_URL"] == "http://${localstack.host}:${localstack.port}"
    )
    assert found["localstack"]["env"]["PERSISTENCE"] == "true"

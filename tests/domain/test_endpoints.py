from __future__ import annotations

from typing import Any

import pytest

from prismctl.domain.endpoints import render_endpoints, render_variables
from prismctl.domain.host_port import PortProtocol
from prismctl.domain.plan import Port, ServicePlan
from prismctl.domain.service import (
    CheckType,
    HealthCheck,
    Runtime,
    ServiceName,
    ServiceType,
)


def service(name: str, port: int = 1234, **fields: Any) -> ServicePlan:
    fields.setdefault("ports", (Port(name="main", number=port),))
    return ServicePlan(
        name=ServiceName(name),
        type=ServiceType.BACKEND,
        source="--with",
        runtime=Runtime.NATIVE,
        runtime_reason="",
        **fields,
    )


def test_a_udp_port_is_no_http_address_even_with_the_number_of_one() -> None:
    one = service(
        "dns",
        ports=(
            Port(name="web", number=8053),
            Port(name="dns", number=8053, protocol=PortProtocol.UDP),
        ),
        check=HealthCheck(type=CheckType.HTTP, port=8053),
    )
    assert render_endpoints(one) == {
        "web": "http://127.0.0.1:8053/",
        "dns": "udp://127.0.0.1:8053",
    }
    assert render_variables([one]) == {
        "DNS_HOST": "127.0.0.1",
        "DNS_PORT": "8053",
        "DNS_PORT_DNS": "8053",
    }


@pytest.mark.parametrize(
    ("name", "fields", "url"),
    [
        ("redis", {}, "redis://127.0.0.1:1234"),
        ("redis", {"env": {"REDIS_PASSWORD": "a/b@c"}}, "redis://:a%2Fb%40c@127.0.0.1:1234"),
        ("postgres", {}, "postgresql://postgres@127.0.0.1:1234/postgres"),
        (
            "postgres",
            {"env": {"POSTGRES_USER": "me", "POSTGRES_PASSWORD": "p w", "POSTGRES_DB": "my db"}},
            "postgresql://me:p%20w@127.0.0.1:1234/my%20db",
        ),
        ("postgres", {"env": {"POSTGRES_USER": "me"}}, "postgresql://me@127.0.0.1:1234/me"),
        (
            "db",
            {
                "driver": "postgres",
                "check": HealthCheck(type=CheckType.POSTGRES, port=1234, user="app"),
            },
            "postgresql://app@127.0.0.1:1234/postgres",
        ),
        (
            "db",
            {
                "driver": "postgres",
                "env": {"POSTGRES_DB": "shop"},
                "check": HealthCheck(type=CheckType.POSTGRES, port=1234, user="app"),
            },
            "postgresql://app@127.0.0.1:1234/shop",
        ),
        ("nats", {}, "nats://127.0.0.1:1234"),
        ("nats", {"env": {"NATS_USER": "u", "NATS_PASSWORD": "p"}}, "nats://u:p@127.0.0.1:1234"),
        (
            "nats",
            {"check": HealthCheck(type=CheckType.NATS, port=1234, password="token")},
            "nats://token@127.0.0.1:1234",
        ),
        ("kafka", {}, "127.0.0.1:1234"),
        ("cache", {"driver": "redis"}, "redis://127.0.0.1:1234"),
        (
            "cache",
            {"check": HealthCheck(type=CheckType.REDIS, port=1234, user="u", password="p")},
            "redis://u:p@127.0.0.1:1234",
        ),
        (
            "web",
            {"check": HealthCheck(type=CheckType.HTTP, port=1234)},
            "http://127.0.0.1:1234/",
        ),
        ("other", {}, "127.0.0.1:1234"),
        ("other", {"ports": (Port(name="main", number=1, host="::1"),)}, "[::1]:1"),
        ("redis", {"ports": (Port(name="main", number=1, host="0.0.0.0"),)}, "redis://127.0.0.1:1"),
    ],
)
def test_an_endpoint_is_what_a_client_is_given(name: str, fields: dict[str, Any], url: str) -> None:
    assert render_endpoints(service(name, **fields)) == {"main": url}


def test_every_port_has_an_address() -> None:
    ports = (Port(name="grpc", number=1), Port(name="metrics", number=2))
    assert render_endpoints(service("prism-admin", ports=ports)) == {
        "grpc": "127.0.0.1:1",
        "metrics": "127.0.0.1:2",
    }
    assert render_endpoints(service("worker", ports=())) == {}


def test_programs_find_what_they_look_for() -> None:
    variables = render_variables(
        [
            service("prism-admin", 8981),
            service("redis", 6379),
            service("postgres", 5432),
            service("nats", 4222),
            service("kafka", 9092),
        ]
    )
    assert variables["PRISM_ADMIN"] == "127.0.0.1:8981"
    assert variables["PRISM_ADMIN_PORT"] == "8981"
    assert variables["REDIS_URL"] == "redis://127.0.0.1:6379"
    assert variables["DATABASE_URL"] == "postgresql://postgres@127.0.0.1:5432/postgres"
    assert variables["POSTGRES_URL"] == variables["DATABASE_URL"]
    assert variables["NATS_URL"] == "nats://127.0.0.1:4222"
    assert variables["KAFKA_BROKERS"] == "127.0.0.1:9092"


def test_of_two_servers_the_one_named_so_is_looked_for() -> None:
    cache = service("cache", 1, driver="redis")
    redis = service("redis", 2)
    for services in ((cache, redis), (redis, cache)):
        variables = render_variables(services)
        assert variables["REDIS_URL"] == "redis://127.0.0.1:2"
        assert variables["CACHE_URL"] == "redis://127.0.0.1:1"
    assert render_variables([cache])["REDIS_URL"] == "redis://127.0.0.1:1"


def test_secrets_are_given_out_under_the_services_name() -> None:
    one = service("my-db", env={"MY_DB_KEY": "a", "token": "b", "PLAIN": "c"})
    found = render_variables(
        [ServicePlan(**{**_fields(one), "secrets": frozenset({"MY_DB_KEY", "token"})})]
    )
    assert (found["MY_DB_KEY"], found["MY_DB_TOKEN"]) == ("a", "b")
    assert "MY_DB_PLAIN" not in found


def test_a_name_that_begins_with_a_digit_makes_a_variable_that_a_shell_takes() -> None:
    assert render_variables([service("9p")]) == {"_9P_HOST": "127.0.0.1", "_9P_PORT": "1234"}


def _fields(of: ServicePlan) -> dict[str, Any]:
    return {name: getattr(of, name) for name in ServicePlan.__dataclass_fields__}

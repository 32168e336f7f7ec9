from __future__ import annotations

import json

from prismctl.domain.service import CheckType, HealthCheck, ServiceDefinition, ServiceName
from prismctl.present.catalog import render_service, service_lines


def define(**fields: str | bool) -> ServiceDefinition:
    kind = CheckType.NATS if fields.get("jetstream") else CheckType.REDIS
    check = HealthCheck(type=kind, port="db", **fields)  # type: ignore[arg-type] # one mapping for both kinds
    return ServiceDefinition(name=ServiceName("store"), health_check=check)


def words(definition: ServiceDefinition) -> str:
    return "\n".join(
        "".join(span.text for span in line) for line in service_lines(definition, width=200)
    )


def test_the_password_of_a_check_is_shown_nowhere() -> None:
    definition = define(user="app", password="hush")

    document = render_service(definition)

    assert document["health_check"]["password"] == "(secret)"
    assert document["health_check"]["user"] == "app"
    for shown in (json.dumps(document, default=list), words(definition), repr(definition)):
        assert "hush" not in shown


def test_a_check_without_a_password_does_not_look_as_if_it_had_one() -> None:
    assert render_service(define())["health_check"]["password"] == ""


def test_a_check_of_jetstream_says_so() -> None:
    assert "nats on db with JetStream every 10 s" in words(define(jetstream=True))

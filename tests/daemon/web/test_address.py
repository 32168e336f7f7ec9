from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from prismctl.daemon.web.address import (
    Listening,
    listen_near,
    numbers_from,
    ports_had_by,
    ports_wanted_by,
)
from prismctl.domain.host_port import PortProtocol
from prismctl.domain.plan import EngineName, Port, ServicePlan, StackPlan
from prismctl.domain.service import Runtime, ServiceName, ServiceType, StackName
from prismctl.machine import release_ports
from tests.free_ports import take_port

if TYPE_CHECKING:
    from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def nothing_reserved() -> Iterator[None]:
    yield
    release_ports()


def service(name: str, *ports: Port, runtime: Runtime = Runtime.NATIVE) -> ServicePlan:
    return ServicePlan(
        name=ServiceName(name),
        type=ServiceType.APPLICATION,
        source="--with",
        runtime=runtime,
        runtime_reason="",
        ports=ports,
    )


def plan(*services: ServicePlan) -> StackPlan:
    return StackPlan(
        stack=StackName("default"),
        engine=EngineName.LOCAL,
        engine_reason="",
        origin="test",
        services=services,
    )


def close(listening: Listening | None) -> None:
    assert listening is not None
    for each in listening.sockets:
        each.close()


def test_a_port_that_a_service_would_like_is_left_to_it() -> None:
    moved = Port(name="http", number=24567, wanted=3000, taken_by="somebody")
    stack = plan(service("grafana", moved), service("web", Port(name="http", number=8000)))

    assert ports_wanted_by(stack) == {3000: "grafana", 24567: "grafana", 8000: "web"}
    assert ports_had_by(stack) == {24567: "grafana", 8000: "web"}


def test_what_is_elsewhere_or_of_the_other_protocol_is_in_nobodys_way() -> None:
    external = service(
        "db", Port(name="db", number=3000, host="db.example"), runtime=Runtime.EXTERNAL
    )
    udp = service("dns", Port(name="dns", number=3000, protocol=PortProtocol.UDP))

    assert ports_wanted_by(plan(external, udp)) == {}


def test_the_wanted_number_is_taken_where_it_can_be_had() -> None:
    number = take_port()

    listening = listen_near([number], wanted_by={}, owner="me")

    assert listening is not None
    assert (listening.port, listening.obstacle) == (number, "")
    with socket.create_connection(("127.0.0.1", number), timeout=5):
        pass
    close(listening)


def test_why_it_is_another_one_is_said() -> None:
    first, second, third = take_port(), take_port(), take_port()
    with socket.socket() as other:
        other.bind(("0.0.0.0", first))
        other.listen()
        listening = listen_near([first, second, third], wanted_by={second: "grafana"}, owner="me")

    assert listening is not None
    assert (listening.port, listening.obstacle) == (third, f"port {first} is taken")
    close(listening)


def test_who_listens_on_the_other_loopback_address_only_has_the_port_as_well() -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    first, second = take_port(), take_port()
    with socket.socket(socket.AF_INET6) as other:
        other.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            other.bind(("::1", first))
        except OSError:
            pytest.skip("no ::1 here")
        other.listen()
        listening = listen_near([first, second], wanted_by={}, owner="me")

    assert listening is not None
    assert listening.port == second
    close(listening)


def test_without_any_port_there_is_none() -> None:
    assert listen_near([3000], wanted_by={3000: "grafana"}, owner="me") is None


def test_the_place_of_the_daemon_before_is_tried_first() -> None:
    assert numbers_from(3000, first=3002)[:4] == [3002, 3000, 3001, 3003]
    assert numbers_from(3000)[:2] == [3000, 3001]
    assert numbers_from(65530)[-1] == 65535

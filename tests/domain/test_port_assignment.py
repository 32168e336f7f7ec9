from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from prismctl.domain.addressing import (
    DYNAMIC_PORTS,
    FIRST_DYNAMIC_PORT,
    Assignment,
    assign_ports,
)
from prismctl.domain.host_port import HostPort, PortProtocol
from prismctl.domain.packaged import PACKAGED
from prismctl.domain.service import PortDefinition, ServiceDefinition, ServiceName

EPHEMERAL_PORTS_BEGIN = 32768


UDP = PortProtocol.UDP


def service(
    name: str, *ports: int | HostPort | None, is_explicit: bool = True
) -> ServiceDefinition:
    """A service whose ports are TCP where nothing else is said."""
    return ServiceDefinition(
        name=ServiceName(name),
        ports=tuple(
            PortDefinition(
                name=f"p{index}",
                number=port.number if isinstance(port, HostPort) else port,
                is_explicit=is_explicit,
                protocol=port.protocol if isinstance(port, HostPort) else PortProtocol.TCP,
            )
            for index, port in enumerate(ports)
        ),
    )


def assign(
    *services: ServiceDefinition,
    taken: frozenset[int | HostPort] = frozenset(),
    stack: str = "default",
    replaces_taken: bool = False,
    replaceable: frozenset[tuple[str, str]] = frozenset(),
    current: dict[tuple[str, str], HostPort] | None = None,
) -> Assignment:
    return assign_ports(
        services,
        stack=stack,
        is_free=lambda port: port not in taken and port.number not in taken,
        replaces_taken=replaces_taken,
        replaceable=replaceable,
        current=current,
    )


def numbers(assignment: Assignment, name: str) -> list[int]:
    return [port.number for port in assignment.ports[ServiceName(name)]]


HOST_PORTS = st.builds(
    HostPort,
    st.one_of(st.integers(1, 65535), st.integers(5300, 5303)),
    st.sampled_from(PortProtocol),
)


@given(
    st.lists(st.lists(st.one_of(st.none(), HOST_PORTS), max_size=4), min_size=1, max_size=8),
    st.frozensets(
        st.builds(
            HostPort,
            st.integers(FIRST_DYNAMIC_PORT, FIRST_DYNAMIC_PORT + 50),
            st.sampled_from(PortProtocol),
        )
    ),
    st.booleans(),
)
def test_no_two_ports_of_a_plan_are_the_same_unless_that_was_asked_for(
    asked: list[list[HostPort | None]],
    taken: frozenset[HostPort],
    replaces_taken: bool,  # noqa: FBT001 - drawn by Hypothesis
) -> None:
    services = [service(f"s{index}", *ports) for index, ports in enumerate(asked)]
    assignment = assign(*services, taken=taken, replaces_taken=replaces_taken)
    given_out = [port.host_port for ports in assignment.ports.values() for port in ports]
    assert len(set(given_out)) == len(given_out)
    for each in services:
        protocols = [port.protocol for port in each.ports]
        assert [port.protocol for port in assignment.ports[each.name]] == protocols
    for ports in assignment.ports.values():
        for port in ports:
            if port.is_dynamic:
                assert port.host_port not in taken
                assert FIRST_DYNAMIC_PORT <= port.number < FIRST_DYNAMIC_PORT + DYNAMIC_PORTS


def test_free_ports_lie_below_those_of_outgoing_connections() -> None:
    assert FIRST_DYNAMIC_PORT + DYNAMIC_PORTS <= EPHEMERAL_PORTS_BEGIN


def test_a_number_that_was_asked_for_is_kept() -> None:
    (port,) = assign(service("redis", 6379)).ports[ServiceName("redis")]
    assert (port.number, port.is_dynamic) == (6379, False)


def test_a_free_port_is_the_same_each_time_and_another_in_another_stack() -> None:
    first = assign(service("memstore", None))
    assert assign(service("memstore", None)) == first
    assert assign(service("memstore", None), stack="other").ports != first.ports


def test_the_next_free_port_is_taken_when_the_preferred_one_is_not_free() -> None:
    (preferred,) = numbers(assign(service("memstore", None)), "memstore")
    (next_one,) = numbers(
        assign(service("memstore", None), taken=frozenset({preferred})), "memstore"
    )
    assert next_one == preferred + 1


def test_a_running_service_keeps_the_port_it_has() -> None:
    assignment = assign(service("memstore", None), current={("memstore", "p0"): HostPort(31234)})
    assert numbers(assignment, "memstore") == [31234]


def test_a_taken_port_is_a_conflict() -> None:
    (conflict,) = assign(service("redis", 6379), taken=frozenset({6379})).conflicts
    assert (conflict.number, conflict.service, conflict.port_name) == (6379, "redis", "p0")


def test_a_taken_port_is_replaced_when_that_is_wanted() -> None:
    assignment = assign(service("redis", 6379), taken=frozenset({6379}), replaces_taken=True)
    (port,) = assignment.ports[ServiceName("redis")]
    assert port.number != 6379
    assert port.is_dynamic
    assert assignment.conflicts == ()


def test_two_services_that_were_given_one_port_clash() -> None:
    (clash,) = assign(service("a", 7000), service("b", 7000)).clashes
    assert clash == (HostPort(7000), "a", "b")


def test_the_same_number_of_both_protocols_is_no_clash() -> None:
    assignment = assign(service("mdns", HostPort(5353, UDP)), service("web", 5353))
    assert (assignment.clashes, assignment.conflicts) == ((), ())
    assert (numbers(assignment, "mdns"), numbers(assignment, "web")) == ([5353], [5353])


def test_two_services_that_were_given_one_udp_port_clash() -> None:
    assignment = assign(service("a", HostPort(5353, UDP)), service("b", HostPort(5353, UDP)))
    assert assignment.clashes == ((HostPort(5353, UDP), "a", "b"),)


def test_a_udp_port_that_is_taken_is_replaced_by_one_that_is_free_for_udp() -> None:
    dns = service("dns", HostPort(5353, UDP), 5353)
    (preferred, _) = numbers(assign(service("dns", None, None)), "dns")
    taken = frozenset({HostPort(5353, UDP), HostPort(preferred, UDP)})
    (conflict,) = assign(dns, taken=taken).conflicts
    assert (conflict.port, conflict.port_name) == (HostPort(5353, UDP), "p0")
    moved, kept = assign(dns, taken=taken, replaces_taken=True).ports[ServiceName("dns")]
    assert moved.host_port == HostPort(preferred + 1, UDP)
    assert (moved.is_dynamic, moved.wanted) == (True, 5353)
    assert (kept.host_port, kept.is_dynamic) == (HostPort(5353), False)


def test_what_ships_yields_to_what_somebody_wrote() -> None:
    packaged = service("launcher", 9093, is_explicit=False)
    assignment = assign(packaged, service("kafka", 9093))
    assert numbers(assignment, "kafka") == [9093]
    assert numbers(assignment, "launcher") != [9093]
    assert assignment.clashes == ()


def test_the_launcher_keeps_9093_and_kafkas_controller_finds_another() -> None:
    assignment = assign(*PACKAGED.values())
    launcher = {
        port.name: port.number for port in assignment.ports[ServiceName("pattern-launcher")]
    }
    kafka = {port.name: port.number for port in assignment.ports[ServiceName("kafka")]}
    assert launcher["health"] == 9093
    assert kafka["broker"] == 9092
    assert kafka["controller"] != 9093
    assert assignment.clashes == ()
    assert assignment.conflicts == ()


def test_only_the_ports_that_may_be_replaced_are() -> None:
    assignment = assign(
        service("web", 8080, 8081),
        service("other", 9090),
        taken=frozenset({8080, 9090}),
        replaceable=frozenset({("web", "p0"), ("web", "p1")}),
    )
    assert [(each.number, each.service) for each in assignment.conflicts] == [(9090, "other")]
    moved, kept = assignment.ports[ServiceName("web")]
    assert moved.is_dynamic
    assert moved.number != 8080
    assert (kept.number, kept.is_dynamic) == (8081, False)

from __future__ import annotations

from prismctl.domain.host_port import HostPort, PortProtocol
from prismctl.domain.plan import (
    EngineName,
    Port,
    ServicePlan,
    StackPlan,
    plan_from_json,
    plan_to_json,
)
from prismctl.domain.service import Runtime, ServiceName, ServiceType, StackName
from prismctl.present.plan import plain_plan_lines, plan_lines, render_plan


def shown(width: int, **ports: tuple[int | HostPort, ...]) -> list[str]:
    """The rows of a plan of services with these ports, TCP where nothing else is said."""
    services = tuple(
        ServicePlan(
            name=ServiceName(name),
            type=ServiceType.APPLICATION,
            source="--with",
            runtime=Runtime.NATIVE,
            runtime_reason="",
            command=("x",),
            ports=tuple(
                Port(name=f"p{port.number}", number=port.number, protocol=port.protocol)
                for port in (
                    each if isinstance(each, HostPort) else HostPort(each) for each in asked
                )
            ),
        )
        for name, asked in ports.items()
    )
    plan = StackPlan(
        stack=StackName("default"),
        engine=EngineName.LOCAL,
        engine_reason="",
        origin="test",
        services=services,
    )
    lines = ["".join(span.text for span in line).rstrip() for line in plan_lines(plan, width=width)]
    return lines[-len(services) :]


def test_all_ports_are_shown_where_there_is_room() -> None:
    assert shown(80, admin=(8981, 9190), quiet=()) == [
        "  admin   --with   native   :8981 :9190",
        "  quiet   --with   native",
    ]


def test_a_udp_port_is_shown_as_one() -> None:
    dns = HostPort(5353, PortProtocol.UDP)
    assert shown(80, dns=(dns, 5353)) == ["  dns   --with   native   :5353/udp :5353"]
    assert shown(46, dns=(dns, 1000, 2000, 3000)) == [
        "  dns   --with   native   :5353/udp and 3 more"
    ]


def test_a_narrow_plan_counts_further_ports_in_words() -> None:
    assert shown(48, admin=(8981, 9190, 9191, 9192), web=(80, 81)) == [
        "  admin   --with   native   :8981 and 3 more",
        "  web     --with   native   :80 :81",
    ]


def test_a_plan_names_the_project_file_that_had_a_say_in_it() -> None:
    plan = StackPlan(
        stack=StackName("shop"),
        engine=EngineName.LOCAL,
        engine_reason="",
        origin="redis",
        services=(),
        project="/src/shop/prism.yaml",
    )
    people = ["".join(span.text for span in line) for line in plan_lines(plan, width=80)]
    assert "  project file /src/shop/prism.yaml" in people
    narrow = plan_lines(plan, width=20)
    assert all(sum(len(span.text) for span in line) <= 20 for line in narrow[1:])
    (start,) = ("".join(span.text for span in line) for line in plain_plan_lines(plan))
    assert start.endswith(" services=0 project=/src/shop/prism.yaml")
    assert render_plan(plan)["project"] == "/src/shop/prism.yaml"
    assert plan_from_json(plan_to_json(plan)) == plan


def test_a_plan_that_was_written_before_it_could_name_a_project_can_be_read() -> None:
    plan = StackPlan(
        stack=StackName("shop"),
        engine=EngineName.LOCAL,
        engine_reason="",
        origin="redis",
        services=(),
    )
    old = plan_to_json(plan)
    del old["project"]
    assert plan_from_json(old) == plan
    (start,) = ("".join(span.text for span in line) for line in plain_plan_lines(plan))
    assert "project" not in start


def test_the_document_shows_arguments_without_secrets() -> None:
    service = ServicePlan(
        name=ServiceName("web"),
        type=ServiceType.APPLICATION,
        source="--with",
        runtime=Runtime.NATIVE,
        runtime_reason="",
        command=("/usr/bin/web", "--fast", "--key=s3cret"),
        env={"KEY": "s3cret"},
        secrets=frozenset({"KEY"}),
    )
    plan = StackPlan(
        stack=StackName("default"),
        engine=EngineName.LOCAL,
        engine_reason="",
        origin="test",
        services=(service,),
    )
    assert render_plan(plan)["services"][0]["arguments"] == ["--fast", "(secret)"]

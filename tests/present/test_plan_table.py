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


def rows_of(*services: ServicePlan) -> tuple[list[str], list[str]]:
    """What a terminal and a pipe are shown of these services."""
    plan = StackPlan(
        stack=StackName("default"),
        engine=EngineName.NOMAD,
        engine_reason="",
        origin="test",
        services=services,
    )
    lines = (plan_lines(plan, width=200), plain_plan_lines(plan))
    people, pipe = (
        ["".join(span.text for span in line).rstrip() for line in each] for each in lines
    )
    return people, pipe


def planned(name: str, reason: str = "", *ports: Port) -> ServicePlan:
    return ServicePlan(
        name=ServiceName(name),
        type=ServiceType.BACKEND,
        source="--with",
        runtime=Runtime.NATIVE,
        runtime_reason=reason,
        command=("x",),
        ports=ports,
    )


def moved(name: str, number: int, wanted: int, taken_by: str = "PID 7, python3") -> Port:
    return Port(name=name, number=number, wanted=wanted, taken_by=taken_by)


def test_a_service_with_many_moved_ports_had_a_line_for_each() -> None:
    ports = (moved("http", 2001, 1001), moved("grpc", 2002, 1002), Port(name="x", number=5))
    people, pipe = rows_of(planned("web", "", *ports))
    words = "ports http 2001 instead of 1001, grpc 2002 instead of 1002 (PID 7, python3)"
    assert [each.strip() for each in people if "instead" in each] == [words]
    assert [each.split(None, 2)[2] for each in pipe if "instead" in each] == [words]


def test_moved_ports_of_several_holders_name_each_holder() -> None:
    ports = (moved("http", 2001, 1001, "nginx"), moved("grpc", 2002, 1002, ""))
    people, _ = rows_of(planned("web", "", *ports))
    words = "ports http 2001 instead of 1001 (nginx), grpc 2002 instead of 1002"
    assert [each.strip() for each in people if "instead" in each] == [words]


def test_why_no_image_can_be_pulled_was_told_for_every_service() -> None:
    obstacle = "docker.io cannot be reached"
    shown = rows_of(
        planned("redis", f"the image redis:7 is not here, and {obstacle}"),
        planned("nats", f"the image nats:2 is not here, and {obstacle}"),
        planned("own", "the image own:1 is not here, and registry.test refuses"),
    )
    for lines in shown:
        text = "\n".join(lines)
        assert text.count(obstacle) == 1
        assert "the image nats:2 is not here either" in text
        assert "registry.test refuses" in text

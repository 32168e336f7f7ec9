from __future__ import annotations

from prismctl.domain.plan import EngineName, Port, ServicePlan, StackPlan
from prismctl.domain.service import Runtime, ServiceName, ServiceType, StackName
from prismctl.present.plan import plan_lines


def shown(width: int, **ports: tuple[int, ...]) -> list[str]:
    """The rows of a plan of services with these ports."""
    services = tuple(
        ServicePlan(
            name=ServiceName(name),
            type=ServiceType.APPLICATION,
            source="--with",
            runtime=Runtime.NATIVE,
            runtime_reason="",
            command=("x",),
            ports=tuple(Port(name=f"p{number}", number=number) for number in numbers),
        )
        for name, numbers in ports.items()
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


def test_a_narrow_plan_counts_further_ports_in_words() -> None:
    assert shown(48, admin=(8981, 9190, 9191, 9192), web=(80, 81)) == [
        "  admin   --with   native   :8981 and 3 more",
        "  web     --with   native   :80 :81",
    ]

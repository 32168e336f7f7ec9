from __future__ import annotations

from prismctl.domain.capacity import (
    LOG_BYTES,
    Need,
    Room,
    find_shortages,
    needs_of_plan,
    render_capacity,
)
from prismctl.domain.plan import EngineName, ServicePlan, StackPlan
from prismctl.domain.service import DEFAULT_STACK, Resources, Runtime, ServiceName, ServiceType

MB = 1 << 20
GB = 1 << 30


def service(
    name: str,
    memory_mb: int,
    *,
    source: str = "--with",
    needs: tuple[str, ...] = (),
    replicas: int = 1,
) -> ServicePlan:
    return ServicePlan(
        name=ServiceName(name),
        type=ServiceType.BACKEND,
        source=source,
        runtime=Runtime.NATIVE,
        runtime_reason="",
        command=("true",),
        depends_on=tuple(ServiceName(each) for each in needs),
        resources=Resources(memory_mb=memory_mb),
        replicas=replicas,
    )


def plan(*services: ServicePlan) -> StackPlan:
    return StackPlan(
        stack=DEFAULT_STACK,
        engine=EngineName.LOCAL,
        engine_reason="",
        origin="test",
        services=services,
    )


def test_what_fits_is_no_shortage_and_neither_is_what_nobody_can_say() -> None:
    needs = [Need("redis", 4 * GB, GB)]
    assert find_shortages(needs, Room(4 * GB, GB)) == ()
    assert find_shortages(needs, Room(None, None)) == ()
    assert find_shortages([], Room(0, 0)) == ()


def test_a_shortage_says_what_is_free_and_who_needs_how_much_the_largest_first() -> None:
    needs = [
        Need(name, size * GB)
        for name, size in (("a", 1), ("kafka", 4), ("b", 1), ("db", 2), ("c", 1))
    ]
    (found,) = find_shortages(needs, Room(2 * GB, memory_limit="the limit of this control group"))
    assert str(found) == (
        "2.1 GB free (the limit of this control group), 9.7 GB may be needed: "
        "kafka 4.3 GB, db 2.1 GB, a 1.1 GB, 2 others 2.1 GB"
    )
    assert found.way_out.startswith("`--without kafka` leaves out the largest that can be")


def test_the_way_out_names_nothing_that_is_required_or_needed_by_others() -> None:
    needs = needs_of_plan(
        plan(
            service("admin", 9000, source="required"),
            service("kafka", 8000),
            service("db", 7000, source="needed by reader"),
            service("reader", 100, needs=("kafka", "db")),
        )
    )
    (memory, _) = find_shortages(needs, Room(1, 1))
    assert memory.way_out.startswith("`--without reader` ")
    (alone,) = find_shortages(needs[:1], Room(1))
    assert alone.way_out == "end what is not needed, or give the machine more memory"


def test_replicas_count_and_what_runs_already_does_not() -> None:
    whole = plan(service("one", 100, replicas=3), service("two", 50))
    assert needs_of_plan(whole) == (
        Need("one", 300 * MB, 3 * LOG_BYTES),
        Need("two", 50 * MB, LOG_BYTES),
    )
    assert needs_of_plan(whole, running=["one"]) == (Need("two", 50 * MB, LOG_BYTES),)


def test_a_disk_that_logs_could_fill_is_told_with_its_directory() -> None:
    (found,) = find_shortages([Need("a", 0, 64 * MB)], Room(None, 20 * MB, directory="/srv"))
    assert str(found) == "21 MB free at /srv, 67 MB may be needed: a 67 MB"
    assert "df -h /srv" in found.way_out


def test_the_document_has_sums_and_warnings() -> None:
    document = render_capacity([Need("a", 2 * GB, MB)], Room(GB, GB))
    assert document["memory_needed_bytes"] == 2 * GB
    assert document["memory_free_bytes"] == GB
    assert [each["resource"] for each in document["warnings"]] == ["memory"]

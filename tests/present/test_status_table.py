from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prismctl.domain.snapshot import ServiceState, StackState
from prismctl.present.status import status_lines
from prismctl.present.text import UNBOUNDED, line_width, plain

SCREENS = Path(__file__).parent / "screens"


def service(name: str, state: str = "healthy", **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "type": "backend",
        "runtime": "builtin",
        "state": state,
        "reason": "",
        "replicas": {"wanted": 1, "healthy": 1},
        "instances": [],
        "ports": [{"name": "main", "host": "127.0.0.1", "port": 6379}],
        "pid": 4711,
        "restarts": 0,
        "memory_bytes": 38_000_000,
        "cpu_percent": 1.2,
        "requests_per_second": None,
        "depends_on": [],
        "last_error": None,
        **more,
    }


def document(*services: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "schema": 1,
        "stack": "default",
        "engine": "nomad",
        "state": "running",
        "origin": "profile my-redis-setup",
        "uptime_seconds": 332.0,
        "memory_bytes": 412_000_000,
        "memory_limit_bytes": 24_000_000_000,
        "endpoints": {},
        "components": {"consul": "ready", "nomad": "ready"},
        "notes": [],
        "services": list(services),
        **more,
    }


MIXED = document(
    service("prism-admin", ports=[{"name": "grpc", "host": "127.0.0.1", "port": 8981}]),
    service("pattern-launcher", cpu_percent=0.2),
    service("redis", runtime="native", restarts=1, reason=""),
    service("nats", "starting", reason="connection refused, 0.3 s", memory_bytes=9_000_000),
    service(
        "postgres",
        "failed",
        pid=None,
        restarts=5,
        reason="exited with code 1 after 0.2 s, 5 times in 9 s; not tried again",
    ),
    service("worker", ports=[], replicas={"wanted": 3, "healthy": 2}),
    state="degraded",
    notes=["swept 2 processes of an earlier run"],
)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_table_looks_as_it_was_drawn(width: int) -> None:
    drawn = (SCREENS / f"status-{width}.txt").read_text(encoding="utf-8")
    assert (
        "\n".join(plain(row).rstrip() for row in status_lines(MIXED, width=width)) + "\n" == drawn
    )


def test_a_stopped_stack_says_how_to_start_it() -> None:
    words = [plain(row) for row in status_lines(document(state="stopped"), width=80)]
    assert words[0].startswith("default · stopped")
    assert "prismctl dev start" in "\n".join(words)
    assert "Nomad" not in words[0]


def test_figures_nobody_measures_take_no_column() -> None:
    header = plain(status_lines(document(service("redis")), width=80)[2])
    assert "REQ/S" not in header
    measured = document(service("redis", requests_per_second=120.0, latency_p95_seconds=0.0001))
    assert "REQ/S" in plain(status_lines(measured, width=100)[2])


def test_what_is_not_known_is_a_dash_and_nought_is_nought() -> None:
    known = service(
        "redis", requests_per_second=0.0, latency_p95_seconds=None, cpu_percent=None, memory_bytes=0
    )
    unknown = service("web", requests_per_second=None, memory_bytes=None)
    rows = [plain(row).split() for row in status_lines(document(known, unknown), width=100)]
    header, first, second = rows[2:5]
    assert header == ["SERVICE", "STATE", "RUNTIME", "PORT", "REQ/S", "MEM", "CPU", "RESTARTS"]
    assert first[5:] == ["0", "0", "B", "–", "0"]  # noqa: RUF001 - the dash of tables
    assert second[5:] == ["–", "–", "1", "%", "0"]  # noqa: RUF001 - the same


def test_a_failed_service_comes_with_what_to_type() -> None:
    text = "\n".join(plain(row) for row in status_lines(MIXED, width=80))
    assert "prismctl dev logs postgres" in text
    assert "prismctl dev restart postgres" in text


def test_a_lost_agent_is_named() -> None:
    text = "\n".join(
        plain(row)
        for row in status_lines(document(service("a"), components={"nomad": "lost"}), width=80)
    )
    assert "Nomad is lost" in text


SERVICES = st.builds(
    service,
    st.text(min_size=1, max_size=60),
    st.sampled_from([state.value for state in ServiceState]),
    reason=st.text(max_size=200),
    restarts=st.integers(0, 10**6),
    memory_bytes=st.integers(0, 10**12),
    cpu_percent=st.floats(0, 6400),
    requests_per_second=st.none() | st.floats(0, 1e6),
)


@given(
    st.lists(SERVICES, max_size=4),
    st.sampled_from([state.value for state in StackState]),
    st.integers(20, 200),
    st.text(max_size=50),
)
def test_no_row_is_wider_than_the_terminal(
    services: list[dict[str, Any]], state: str, width: int, origin: str
) -> None:
    rows = status_lines(document(*services, state=state, origin=origin), width=width)
    assert all(line_width(row) <= width for row in rows)
    assert all(
        character.isprintable() or character == " " for row in rows for character in plain(row)
    )


def test_the_table_says_why_services_run_as_they_do_once_a_reason() -> None:
    reason = "Podman works and has the image"
    rows = status_lines(
        document(
            service("redis", runtime="container", runtime_reason=reason),
            service("nats", runtime="container", runtime_reason=reason),
            service("admin", runtime_reason=""),
        ),
        width=80,
    )
    told = [plain(row) for row in rows if reason in plain(row)]
    assert told == [f"    redis, nats: container; {reason}"]


def test_hints_of_another_stack_name_it() -> None:
    failed = document(service("job", "failed"), stack="v")
    words = "\n".join(plain(row) for row in status_lines(failed, width=80))
    assert "prismctl dev logs job --stack v " in words
    assert "prismctl dev restart job --stack v " in words
    usual = "\n".join(
        plain(row) for row in status_lines(document(service("job", "failed")), width=80)
    )
    assert "--stack" not in usual


def test_nothing_is_cut_where_nobody_looks() -> None:
    reason = "word " * 60 + "x" * 200
    told = document(
        service("redis", "failed", reason=reason.strip()), notes=["note " * 80], origin="o" * 90
    )
    words = "\n".join(plain(row) for row in status_lines(told, width=UNBOUNDED))
    assert "…" not in words
    assert reason.strip() in words
    assert all(len(row) < 700 for row in words.splitlines())

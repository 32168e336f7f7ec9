from __future__ import annotations

import contextlib
import math
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prismctl.domain.exposition import Sample, parse_samples, render_family
from prismctl.domain.rates import Traffic, Unit
from prismctl.domain.service import ServiceName, StackName
from prismctl.domain.snapshot import (
    InstanceSnapshot,
    ServiceSnapshot,
    ServiceState,
    StackSnapshot,
    StackState,
)
from prismctl.domain.stack_metrics import render_stack_metrics

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*"'
SAMPLE = re.compile(rf"({NAME})(?:\{{((?:{LABEL}(?:,{LABEL})*)?)\}})? (NaN|[+-]Inf|[-+0-9.e]+)")
HELP = re.compile(rf"# HELP ({NAME}) (?:[^\\\n]|\\[\\n])*")
TYPE = re.compile(rf"# TYPE ({NAME}) (counter|gauge|histogram|summary|untyped)")


def read_strictly(page: str) -> dict[str, list[tuple[str, str]]]:
    """Labels and values by name, of a page that is what the format says: one group of lines a name, head first, no
    sample twice, a line end at the end.
    """
    assert page.endswith("\n")
    found: dict[str, list[tuple[str, str]]] = {}
    helped = ""
    for line in page.removesuffix("\n").split("\n"):
        if match := HELP.fullmatch(line):
            helped = match[1]
            assert helped not in found, f"{helped} has two groups"
            found[helped] = []
        elif match := TYPE.fullmatch(line):
            assert match[1] == helped
            assert not found[helped], "its type comes after a sample"
            assert (match[2] == "counter") == helped.endswith("_total")
        else:
            match = SAMPLE.fullmatch(line)
            assert match, line
            assert match[1] == helped
            float(match[3])
            assert match[2] not in [labels for labels, _ in found[helped]], line
            found[helped].append((match[2], match[3]))
    return found


def snapshot(*services: ServiceSnapshot, **fields: Any) -> StackSnapshot:
    return StackSnapshot(
        stack=StackName("default"),
        engine="local",
        state=StackState.RUNNING,
        services=services,
        **fields,
    )


def service(name: str, **fields: Any) -> ServiceSnapshot:
    return ServiceSnapshot(
        name=ServiceName(name),
        type="backend",
        runtime="native",
        state=ServiceState.HEALTHY,
        **fields,
    )


def test_a_stack_is_a_page_in_the_format() -> None:
    running = InstanceSnapshot(
        index=0, state=ServiceState.HEALTHY, started_at=90.0, memory_bytes=1 << 20, cpu_percent=12.5
    )
    traffic = Traffic(
        unit=Unit.OPERATIONS,
        requests_total=1000,
        errors_total=3,
        requests_per_second=45.5,
        errors_per_second=0.0,
        latency_p95_seconds=0.00012,
    )
    page = read_strictly(
        render_stack_metrics(
            snapshot(
                service("redis", instances=(running,), restarts=2, traffic=traffic),
                service("web", instances=(running,)),
                started_at=40.0,
            ),
            now=100.0,
        )
    )
    redis = 'stack="default",service="redis"'
    assert (redis, "1000") in page["prism_service_requests_total"]
    assert (redis, "3") in page["prism_service_errors_total"]
    assert (redis, "45.5") in page["prism_service_requests_per_second"]
    assert (redis, "0") in page["prism_service_errors_per_second"]
    assert (redis, "0.00012") in page["prism_service_latency_p95_seconds"]
    assert (redis, "1048576") in page["prism_service_memory_bytes"]
    assert (redis, "0.125") in page["prism_service_cpu_ratio"]
    assert (redis, "2") in page["prism_service_restarts_total"]
    assert (f'{redis},state="healthy"', "1") in page["prism_service_state"]
    assert (f'{redis},state="failed"', "0") in page["prism_service_state"]
    assert ('stack="default"', "60") in page["prism_stack_uptime_seconds"]
    assert ('stack="default"', "2097152") in page["prism_stack_memory_bytes"]


def test_what_is_not_known_is_left_out_and_is_not_nought() -> None:
    page = read_strictly(render_stack_metrics(snapshot(service("web")), now=0.0))
    assert "prism_service_requests_total" not in page
    assert "prism_service_memory_bytes" not in page
    assert "prism_stack_memory_bytes" not in page


def test_a_stopped_stack_has_a_page() -> None:
    stopped = StackSnapshot(stack=StackName("x"), engine="", state=StackState.STOPPED)
    page = read_strictly(render_stack_metrics(stopped, now=0.0))
    assert ('stack="x",state="stopped"', "1") in page["prism_stack_state"]


def test_the_page_of_the_api_names_every_figure_and_its_type() -> None:
    text = (Path(__file__).parents[2] / "docs/reference/daemon-api.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`prism_.*?) \| (\w+) \|", text, re.MULTILINE)
    told = {name: kind for names, kind in rows for name in re.findall(r"`(\w+)(?:{\w+})?`", names)}
    running = InstanceSnapshot(
        index=0, state=ServiceState.HEALTHY, started_at=1.0, memory_bytes=1, cpu_percent=1.0
    )
    everything = Traffic(
        requests_total=1,
        errors_total=1,
        requests_per_second=1,
        errors_per_second=1,
        latency_p95_seconds=1,
    )
    page = render_stack_metrics(
        snapshot(service("a", instances=(running,), traffic=everything), started_at=0.0), now=1.0
    )
    assert dict(re.findall(r"^# TYPE (\w+) (\w+)$", page, re.MULTILINE)) == told


LABELS = st.dictionaries(
    st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,8}", fullmatch=True), st.text(max_size=20), max_size=3
)
VALUES = st.floats(allow_nan=False) | st.integers(-(2**53), 2**53).map(float)


@given(st.lists(st.tuples(LABELS, VALUES), min_size=1, max_size=5), st.text(max_size=30))
def test_what_is_written_is_read_back(
    samples: list[tuple[dict[str, str], float]], description: str
) -> None:
    page = "".join(render_family("some_name", "gauge", description, samples))
    assert list(parse_samples(page, {"some_name"})) == [
        Sample("some_name", labels, value) for labels, value in samples
    ]


@given(st.text(), st.lists(st.tuples(LABELS, VALUES), max_size=3))
def test_every_page_that_is_written_is_in_the_format(
    description: str, samples: list[tuple[dict[str, str], float]]
) -> None:
    unique = {tuple(sorted(labels.items())): (labels, value) for labels, value in samples}
    page = "".join(render_family("some_name", "gauge", description, unique.values()))
    if samples:
        read_strictly(page)
    else:
        assert page == ""


@given(st.text())
def test_any_text_is_read_or_refused(page: str) -> None:
    with contextlib.suppress(ValueError):
        list(parse_samples(page, {"a", "b"}))


def test_names_that_begin_alike_are_told_apart() -> None:
    page = "calls_total 1\ncalls_total_ever 2\ncalls 3\n"
    assert list(parse_samples(page, {"calls_total"})) == [Sample("calls_total", {}, 1.0)]


def test_values_and_times_as_prometheus_allows_them() -> None:
    page = 'a{x="1",} +Inf 1395066363000\na{} -Inf\na NaN\na\t2\n'
    values = [sample.value for sample in parse_samples(page, {"a"})]
    assert values[:2] == [math.inf, -math.inf]
    assert math.isnan(values[2])
    assert values[3] == 2


@pytest.mark.parametrize("line", ["a", "a x", "a{x=1} 1", 'a{x="1} 1', 'a{x="1"'])
def test_a_line_that_is_not_in_the_format_is_refused(line: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whichever part of it is wrong
        list(parse_samples(line, {"a"}))

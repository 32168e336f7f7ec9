"""Figures of a real stack: from counters of its programs to whoever asks the daemon."""

from __future__ import annotations

import itertools
import os
import signal
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from prism_proto.prism.interfaces.keyvalue import keyvalue_basic_pb2 as kv
from prism_proto.prism.interfaces.keyvalue import keyvalue_basic_pb2_grpc as kv_grpc
from prismctl.domain.plan import Port
from prismctl.domain.service import CheckType, HealthCheck, Runtime
from tests.domain.test_exposition import read_strictly
from tests.free_ports import take_port

if TYPE_CHECKING:
    from collections.abc import Callable

    from prismctl.domain.plan import ServicePlan
    from tests.conftest import StackLab

FIGURES = (
    "requests_per_second",
    "errors_per_second",
    "latency_p95_seconds",
    "memory_bytes",
    "cpu_percent",
)


def memstore(lab: StackLab, name: str = "memstore") -> ServicePlan:
    port, metrics = take_port(), take_port()
    return replace(
        lab.service(name),
        runtime=Runtime.BUILTIN,
        program="memstore",
        command=(),
        args=("--grpc-port", str(port), "--metrics-port", str(metrics)),
        ports=(Port(name="grpc", number=port), Port(name="metrics", number=metrics)),
        check=HealthCheck(type=CheckType.GRPC, port=port),
    )


def get(service: ServicePlan, times: int, key: str = "k") -> None:
    with grpc.insecure_channel(f"127.0.0.1:{service.ports[0].number}") as channel:
        stub = kv_grpc.KeyValueBasicInterfaceStub(channel)
        for _ in range(times):
            stub.Get(kv.GetRequest(key=key), timeout=20)


def without_clocks(document: dict[str, Any]) -> str:
    """All of a status document but what changes by itself."""
    services = [
        {
            name: value
            for name, value in service.items()
            if name not in {"uptime_seconds", "instances"}
        }
        for service in document["services"]
    ]
    instances = [
        {name: value for name, value in instance.items() if name != "uptime_seconds"}
        for service in document["services"]
        for instance in service["instances"]
    ]
    rest = {
        name: value
        for name, value in document.items()
        if name not in {"uptime_seconds", "services"}
    }
    return repr((rest, services, instances))


def test_a_thousand_gets_are_a_thousand_requests(lab: StackLab) -> None:
    store = memstore(lab)
    lab.start_with(store)
    before = lab.wait_for_service("memstore", lambda seen: seen["requests_total"] is not None)
    assert (before["requests_total"], before["requests_unit"]) == (0, "req/s")

    get(store, 1000)

    after = lab.wait_for_service("memstore", lambda seen: seen["requests_total"] != 0)
    if after["requests_total"] < 1000:
        # It was read while they came.
        after = lab.wait_for_service("memstore", lambda seen: seen["requests_total"] >= 1000)
    assert after["requests_total"] == 1000
    assert after["requests_per_second"] > 0
    assert after["errors_per_second"] == 0.0
    assert 0 < after["latency_p95_seconds"] < 10


def test_what_was_not_measured_yet_is_null_and_not_nought(lab: StackLab) -> None:
    status = lab.start_with(lab.service("quiet"))
    service = status["services"][0]
    assert {name: service[name] for name in FIGURES[:3]} == dict.fromkeys(FIGURES[:3])
    assert service["requests_total"] is None
    assert service["requests_unit"] is None
    assert service["cpu_percent"] != 0.0
    measured = lab.wait_for_service("quiet", lambda seen: seen["cpu_percent"] is not None)
    assert measured["memory_bytes"] > 0
    assert measured["requests_total"] is None


def test_a_program_that_is_started_again_begins_at_nought_without_a_leap(lab: StackLab) -> None:
    store = memstore(lab)
    lab.start_with(store)
    get(store, 300)
    before = lab.wait_for_service("memstore", lambda seen: seen["requests_total"] == 300)
    watching = lab.client.watch_status()
    os.kill(before["pid"], signal.SIGKILL)

    rates, totals = [], []
    for document in watching:
        seen = document["services"][0]
        rates.append(seen["requests_per_second"])
        totals.append(seen["requests_total"])
        if seen["pid"] not in {None, before["pid"]} and seen["requests_per_second"] is not None:
            break

    assert totals[-1] == 0
    assert set(totals) <= {300, None, 0}
    assert all(rate is None or 0 <= rate <= 300 for rate in rates)
    assert rates[-1] == 0.0


def test_a_service_that_hangs_has_no_figures_and_delays_nobody(lab: StackLab) -> None:
    stuck, good = memstore(lab, "stuck"), memstore(lab, "good")
    lab.start_with(stuck, good)
    pid = lab.wait_for_service("stuck", lambda seen: seen["requests_total"] == 0)["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        lab.wait_for_service("stuck", lambda seen: seen["requests_total"] is None)
        get(good, 10)
        lab.wait_for_service("good", lambda seen: seen["requests_total"] == 10)
    finally:
        os.kill(pid, signal.SIGCONT)
    lab.wait_for_service("stuck", lambda seen: seen["requests_total"] == 0)


def test_a_watcher_is_told_figures_as_they_change_and_nothing_twice(lab: StackLab) -> None:
    store = memstore(lab)
    lab.start_with(store)
    watching = lab.client.watch_status()
    documents = list(itertools.islice(watching, 1))
    for sent in range(1, 4):
        get(store, 100)
        for document in watching:
            documents.append(document)
            if document["services"][0]["requests_total"] == 100 * sent:
                break
    said = [without_clocks(document) for document in documents]
    assert all(one != other for one, other in itertools.pairwise(said))


def test_the_whole_stack_is_one_page_for_prometheus(lab: StackLab) -> None:
    store = memstore(lab)
    lab.start_with(store, lab.service("quiet"))
    get(store, 25)
    lab.wait_for_service("memstore", lambda seen: seen["requests_total"] == 25)

    page = read_strictly(lab.client.metrics_page())

    labels = 'stack="default",service="memstore"'
    assert page["prism_service_requests_total"] == [(labels, "25")]
    assert page["prism_service_errors_total"] == [(labels, "0")]
    assert len(page["prism_service_memory_bytes"]) == 2
    assert (f'{labels},state="healthy"', "1") in page["prism_service_state"]
    assert (labels, "0") in page["prism_service_restarts_total"]


def test_the_daemon_remembers_figures(lab: StackLab, wait_until: Callable[..., None]) -> None:
    store = memstore(lab)
    lab.start_with(store, lab.service("quiet"))
    get(store, 25)
    watching = lab.client.watch_status()
    next(watching)

    def has_points() -> bool:
        # Each request changes a figure, and so there is another document.
        get(store, 1)
        next(watching)
        found = lab.client.figure_history(["memstore"])["memstore"]
        return len(found["at"]) >= 2 and any(found["requests_per_second"])

    wait_until(has_points)
    found = lab.client.figure_history()
    assert set(found) == {"memstore", "quiet"}
    assert set(found["memstore"]) == {"at", *FIGURES}
    assert found["memstore"]["at"] == sorted(found["memstore"]["at"])
    assert found["memstore"]["at"][-1] == pytest.approx(time.time(), abs=30)
    assert set(found["quiet"]["requests_per_second"]) == {None}
    assert lab.client.figure_history(["nobody"]) == {}
    assert lab.client.figure_history(seconds=0.0) == {}

from __future__ import annotations

import math
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prismctl.domain.plan import Port, ServicePlan
from prismctl.domain.rates import Unit, find_quantile
from prismctl.domain.service import CheckType, HealthCheck, Runtime, ServiceName, ServiceType
from prismctl.meters.meter import MeterKind
from prismctl.meters.nats import decode_varz
from prismctl.meters.page import parse_head
from prismctl.meters.postgres import decode_row
from prismctl.meters.prism import decode_page
from prismctl.meters.redis import decode_commands, decode_histograms
from prismctl.meters.registry import UNITS, choose_meter, count_requests_per_check
from prismctl.probes.question import NotReadyError
from tests.probes.conversations import question

HANDLED = "# TYPE grpc_server_handled_total counter\n"


def handled(method: str, code: str, count: int, service: str = "prism.KeyValue") -> str:
    labels = f'grpc_service="{service}",grpc_method="{method}",grpc_code="{code}"'
    return f"grpc_server_handled_total{{{labels}}} {count}\n"


def bucket(method: str, bound: str, count: int) -> str:
    labels = f'grpc_service="prism.KeyValue",grpc_method="{method}",le="{bound}"'
    return f"grpc_server_handling_seconds_bucket{{{labels}}} {count}\n"


def test_calls_are_counted_by_how_they_ended() -> None:
    page = HANDLED + handled("Get", "OK", 10) + handled("Get", "NOT_FOUND", 2)
    page += handled("Watch", "CANCELLED", 3) + handled("Set", "Canceled", 1)
    counts = decode_page(page)
    assert (counts.requests, counts.errors) == (16, 2)


def test_what_checks_and_tools_ask_is_not_counted() -> None:
    page = HANDLED + handled("Get", "OK", 10)
    page += handled("Check", "OK", 500, service="grpc.health.v1.Health")
    page += handled("ServerReflectionInfo", "OK", 5, service="grpc.reflection.v1.ServerReflection")
    assert decode_page(page).requests == 10


def test_histograms_of_all_methods_are_one() -> None:
    page = HANDLED
    page += bucket("Get", "0.001", 4) + bucket("Get", "0.01", 6) + bucket("Get", "+Inf", 7)
    page += bucket("Set", "0.001", 1) + bucket("Set", "0.01", 1) + bucket("Set", "+Inf", 2)
    assert decode_page(page).latency == ((0.001, 5), (0.01, 2), (math.inf, 2))


def test_a_service_that_was_never_called_has_nought_and_another_page_nothing() -> None:
    assert decode_page(HANDLED).requests == 0
    with pytest.raises(NotReadyError, match="has no grpc_server_handled_total"):
        decode_page("# TYPE go_goroutines gauge\ngo_goroutines 7\n")


@pytest.mark.parametrize("value", ["x", "", "NaN", "+Inf"])
def test_a_page_with_impossible_numbers_is_refused(value: str) -> None:
    with pytest.raises(NotReadyError, match="format of Prometheus"):
        decode_page(f'{HANDLED}grpc_server_handled_total{{grpc_code="OK"}} {value}\n')


def test_redis_before_62_counts_no_errors() -> None:
    old = decode_commands("cmdstat_get:calls=5,usec=6,usec_per_call=1.20\r\n")
    assert (old.requests, old.errors) == (5, None)
    new = "cmdstat_get:calls=5,usec=6,usec_per_call=1.20,rejected_calls=2,failed_calls=1\r\n"
    assert decode_commands(new)[:3] == (7, 0, 3)


def test_redis_that_was_asked_nothing_has_counted_nothing() -> None:
    assert decode_commands("# Commandstats\r\n").requests == 0


def test_commands_of_checks_and_of_clients_that_come_are_no_work() -> None:
    names = ("ping", "info", "auth", "hello", "client|setname", "command|docs", "LATENCY|histogram")
    info = "".join(f"cmdstat_{name}:calls=9,usec=1\r\n" for name in names)
    assert decode_commands(info + "cmdstat_config|get:calls=1,usec=1\r\n").requests == 1


def test_empty_buckets_that_redis_leaves_out_make_others_no_wider() -> None:
    # What Redis 7 says: bounds in microseconds with the calls so far.
    answer = ["get", ["calls", 100, "histogram_usec", [1, 90, 1024, 100]], "ping", ["calls", 3]]
    p95 = find_quantile(0.95, decode_histograms(answer))
    assert p95 is not None
    assert 0.000512 < p95 <= 0.001024


@pytest.mark.parametrize(
    "answer", [None, NotReadyError("unknown command"), [], ["get"], ["get", 1], [[], [[]]], 7]
)
def test_a_redis_without_histograms_has_no_latency(answer: object) -> None:
    assert decode_histograms(answer) == ()


@pytest.mark.parametrize(
    "page", ["", "[]", "{}", "7", '{"in_msgs": "x"}', '{"in_msgs": -1}', "[" * 100_000]
)
def test_a_page_that_says_nothing_of_messages_is_refused(page: str) -> None:
    with pytest.raises(NotReadyError):
        decode_varz(page)


def test_transactions_that_were_rolled_back_are_errors() -> None:
    assert decode_row(("120", "20", ""), own=3) == (120, 3, 20, ())


@pytest.mark.parametrize("row", [None, (), ("1",), ("x", "y"), (None, "1")])
def test_a_row_without_numbers_is_refused(row: tuple[str | None, ...] | None) -> None:
    with pytest.raises(NotReadyError):
        decode_row(row, 0)


@given(st.text())
def test_any_text_is_read_or_refused(said: str) -> None:
    for decode in (decode_page, decode_commands, decode_varz):
        with suppress(NotReadyError):
            decode(said)


@given(st.binary())
def test_any_bytes_are_a_head_or_refused(said: bytes) -> None:
    with suppress(NotReadyError):
        parse_head(said, 1)


def plan(**fields: object) -> ServicePlan:
    known = {
        "name": ServiceName("x"),
        "type": ServiceType.BACKEND,
        "source": "",
        "runtime": Runtime.NATIVE,
        "runtime_reason": "",
        "ports": (Port(name="main", number=1),),
    }
    return ServicePlan(**{**known, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"driver": "redis"}, MeterKind.REDIS),
        ({"driver": "postgres", "runtime": Runtime.CONTAINER}, MeterKind.POSTGRES),
        ({"driver": "nats"}, MeterKind.NATS),
        ({"driver": "kafka"}, MeterKind.KAFKA),
        ({"runtime": Runtime.BUILTIN}, MeterKind.PRISM),
        ({"runtime": Runtime.BINARY}, MeterKind.PRISM),
        ({"check": HealthCheck(type=CheckType.REDIS, port=1)}, MeterKind.REDIS),
        ({"check": HealthCheck(type=CheckType.HTTP, port=1)}, None),
        ({}, None),
        ({"driver": "redis", "runtime": Runtime.EXTERNAL}, None),
        ({"runtime": Runtime.BUILTIN, "one_shot": True}, None),
    ],
)
def test_the_plan_says_which_meter(fields: dict[str, object], kind: MeterKind | None) -> None:
    assert choose_meter(plan(**fields)) is kind


def test_every_kind_has_a_unit() -> None:
    assert set(UNITS) == set(MeterKind)
    assert set(UNITS.values()) == set(Unit)


def test_checks_cost_what_their_servers_count() -> None:
    assert count_requests_per_check(question(CheckType.POSTGRES)) == 2
    assert count_requests_per_check(question(CheckType.NATS, jetstream=True)) == 1
    assert count_requests_per_check(question(CheckType.NATS)) == 0
    assert count_requests_per_check(question(CheckType.REDIS)) == 0
    assert count_requests_per_check(question(None)) == 0

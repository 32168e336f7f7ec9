from __future__ import annotations

import pytest
from grpc_health.v1 import health_pb2
from hypothesis import example, given
from hypothesis import strategies as st

from prism_services.serving.health import Status, list_entry, requested_service, response
from prism_services.serving.refusal import Refusal


@pytest.mark.parametrize("status", list(Status))
def test_a_response_is_what_the_generated_code_writes(status: Status) -> None:
    value = health_pb2.HealthCheckResponse.ServingStatus.Value(status.name)
    assert response(status) == health_pb2.HealthCheckResponse(status=value).SerializeToString()


@given(st.text(max_size=100))
def test_a_request_of_the_generated_code_is_understood(service: str) -> None:
    request = health_pb2.HealthCheckRequest(service=service).SerializeToString()
    assert requested_service(request) == service


@given(st.binary(max_size=40))
@example(b"\x0a")
@example(b"\xff" * 11)
@example(b"\x0a\x02\xc3\x28")
@example(b"\x10\x01\x0a\x01a")
def test_bytes_are_understood_or_refused_and_never_more(data: bytes) -> None:
    try:
        service = requested_service(data)
    except Refusal:
        return
    assert isinstance(service, str)


@given(st.binary(max_size=40))
def test_what_the_generated_code_understands_is_understood_the_same(data: bytes) -> None:
    try:
        expected = health_pb2.HealthCheckRequest.FromString(data).service
        mine = requested_service(data)
    except Exception:  # noqa: BLE001 - either may refuse; groups and packed oddities are not compared
        return
    assert mine == expected


def test_a_list_is_what_the_generated_code_reads() -> None:
    data = list_entry("", Status.SERVING) + list_entry("prism.ControlPlane", Status.NOT_SERVING)
    statuses = health_pb2.HealthListResponse.FromString(data).statuses
    assert {name: item.status for name, item in statuses.items()} == {
        "": health_pb2.HealthCheckResponse.SERVING,
        "prism.ControlPlane": health_pb2.HealthCheckResponse.NOT_SERVING,
    }


@pytest.mark.parametrize(
    "data", [b"\x0a", b"\x0a\x05a", b"\x0d\x00", b"\x0a\x01\xff", b"\x0b", b"\xff" * 11]
)
def test_bytes_that_are_cut_short_or_no_message_are_refused(data: bytes) -> None:
    with pytest.raises(Refusal):
        requested_service(data)

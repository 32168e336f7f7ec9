"""A page adds services by name: what there is, what comes along, what is in the way, and what it may not ask."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import wait_until
from tests.daemon.web.test_site import Visitor
from tests.free_ports import take_port

if TYPE_CHECKING:
    from collections.abc import Iterator

ADD = "/v1/add-by-name"


@pytest.fixture
def held_port() -> Iterator[int]:
    """A port that somebody else listens on."""
    with socket.socket() as holder:
        port = take_port()
        holder.bind(("127.0.0.1", port))
        holder.listen()
        yield port


@pytest.fixture
def visitor(lab: Any, held_port: int) -> Visitor:
    """Somebody who looks at a stack whose catalog has more than runs."""
    lab.start_with(lab.shell("web", "exec sleep 1000"))
    (lab.home / "services.yaml").write_text(
        "core: false\n"
        "services:\n"
        "  - {name: cache, command: [sleep, '1000'], description: keeps things}\n"
        "  - {name: reports, command: [sleep, '1000'], depends_on: [cache]}\n"
        "  - name: listener\n"
        f"    port: {held_port}\n"
        "    command: [python3, -m, http.server, --bind, 127.0.0.1, '${listener.port}']\n"
    )
    return Visitor(lab.client.dashboard_link()).enter()


def add(visitor: Visitor, **body: Any) -> tuple[int, list[dict[str, Any]]]:
    answer = visitor.ask(ADD, method="POST", body=body)
    return answer.status, [json.loads(line) for line in answer.body.splitlines()]


def test_the_page_only_printed_a_command_to_copy(lab: Any, visitor: Visitor) -> None:
    before = lab.pids()

    offered = {each["name"]: each for each in visitor.ask(ADD).document["services"]}
    assert offered["cache"]["description"] == "keeps things"
    assert offered["reports"]["brings"] == ["cache"]
    assert "web" not in offered

    status, said = add(visitor, services=["reports"])

    assert status == 200
    (result,) = [each["result"] for each in said if "result" in each]
    assert result["changes"]["added"] == ["cache", "reports"]
    assert any("event" in each for each in said), "what happens is told while it does"
    after = lab.pids()
    assert set(after) == {"web", "cache", "reports"}
    assert after["web"] == before["web"]


def test_a_held_port_is_named_and_another_one_can_be_had(
    lab: Any, visitor: Visitor, held_port: int
) -> None:
    _, said = add(visitor, services=["listener"])

    error = said[-1]["error"]
    assert error["code"] == "port-taken"
    assert f"port {held_port} (listener) is in use by" in error["problems"][0]["message"]
    assert set(lab.pids()) == {"web"}

    _, said = add(visitor, services=["listener"], auto_ports=True)

    assert any("result" in each for each in said)
    (port,) = lab.service_status("listener")["ports"]
    assert port["port"] != held_port


def test_what_cannot_be_added_is_refused_in_words(visitor: Visitor) -> None:
    _, said = add(visitor, services=["cahce"])

    error = said[-1]["error"]
    assert "cahce" in json.dumps(error)
    assert "cache" in error["problems"][0]["suggestion"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"services": []},
        {"services": "cache"},
        {"services": ["--services=/etc/passwd"]},
        {"services": ["cache", 7]},
        {"plan": {"services": []}},
        {"services": ["x"] * 51},
    ],
)
def test_a_page_can_name_services_and_say_nothing_else_to_the_command(
    lab: Any, visitor: Visitor, body: dict[str, Any]
) -> None:
    status, said = add(visitor, **body)

    assert status == 400
    assert said[0]["error"]["message"].startswith("`services`")
    assert set(lab.pids()) == {"web"}


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://localhost:5000"},
        {"Sec_Fetch_Site": "same-site"},
        {"Content_Type": "text/plain"},
        {"Cookie": "none=1"},
    ],
)
def test_nothing_is_added_for_another_page_or_a_stranger(
    lab: Any, visitor: Visitor, headers: dict[str, str]
) -> None:
    answer = visitor.ask(ADD, method="POST", body={"services": ["cache"]}, **headers)

    assert answer.status in {401, 403, 415}
    assert set(lab.pids()) == {"web"}


def test_a_catalog_with_mistakes_is_told_with_all_of_them(lab: Any, visitor: Visitor) -> None:
    (lab.home / "services.yaml").write_text("services:\n  - {name: a, comand: x}\n  - {nam: b}\n")

    answer = visitor.ask(ADD)

    assert answer.status == 409
    assert "comand" in answer.document["error"]["message"]
    assert "nam" in answer.document["error"]["message"]


def test_what_is_added_comes_up_though_the_page_went_away(lab: Any, visitor: Visitor) -> None:
    body = b'{"services": ["cache"]}'
    with socket.create_connection(("127.0.0.1", visitor.port), timeout=30) as page:
        page.sendall(
            f"POST {ADD} HTTP/1.1\r\nHost: localhost:{visitor.port}\r\nCookie: {visitor.cookie}\r\n"
            f"Content-Type: application/json\r\nX-Prismctl: 1\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        assert page.recv(12) == b"HTTP/1.1 200"

    wait_until(lambda: "cache" in lab.pids(), lambda: str(lab.client.status()))

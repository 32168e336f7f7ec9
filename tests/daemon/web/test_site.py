"""The page as the daemon serves it, asked over real sockets."""

from __future__ import annotations

import http.client
import json
import os
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from prismctl.client.http import NotFoundError
from prismctl.domain.plan import Port
from prismctl.errors import UnavailableError
from tests.free_ports import take_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PROMPT_SECONDS = 3.0
"""How long an answer may take that something else must not hold up; on a quiet machine it is milliseconds."""
FLOOD = 300_000
"""Lines: several times as many as a page is told before the rest is left out."""
CHANGE = {"Content-Type": "application/json", "X-Prismctl": "1"}


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)


class Visitor:
    """Somebody who was given the link."""

    def __init__(self, link: str) -> None:
        parts = urlsplit(link)
        assert parts.port is not None
        self.port = parts.port
        self.token = parts.query.removeprefix("t=")
        self.cookie = ""

    def ask(
        self,
        path: str,
        *,
        method: str = "GET",
        body: Any = None,
        host: Any = "127.0.0.1",
        **headers: Any,
    ) -> Answer:
        """One request, with the cookie if there is one; header names have ``_`` for ``-``."""
        connection = http.client.HTTPConnection(host, self.port, timeout=30)
        sent = {"Host": f"localhost:{self.port}"}
        if self.cookie:
            sent["Cookie"] = self.cookie
        if method == "POST":
            sent |= CHANGE
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None, sent)
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def enter(self) -> Visitor:
        """Follow the link."""
        answer = self.ask(f"/?t={self.token}")
        assert answer.status == 303
        self.cookie = answer.headers["Set-Cookie"].partition(";")[0]
        return self

    def follow(self, query: str = "") -> Iterator[tuple[str, Any]]:
        """The messages of the stream, by kind."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            connection.sendall(
                f"GET /v1/live?{query} HTTP/1.1\r\nHost: localhost:{self.port}\r\n"
                f"Cookie: {self.cookie}\r\n\r\n".encode()
            )
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            assert answer.status == 200
            while line := answer.readline():
                kind = line.decode().removeprefix("event: ").strip()
                yield kind, json.loads(answer.readline().decode().removeprefix("data: "))
                answer.readline()


@pytest.fixture
def visitor(lab: Any) -> Visitor:
    """Somebody who looks at a stack of two services."""
    lab.start_with(lab.http("web"), lab.shell("talker", "echo hello; exec sleep 1000"))
    return Visitor(lab.client.dashboard_link()).enter()


def raw(port: int, request: bytes) -> bytes:
    """Everything that is said to what somebody sends who does not keep to rules."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(request)
        said = b""
        while piece := connection.recv(65536):
            said += piece
        return said


def test_the_link_becomes_a_cookie_that_scripts_cannot_read(lab: Any) -> None:
    lab.start_with(lab.http("web"))
    stranger = Visitor(lab.client.dashboard_link())

    assert stranger.ask("/").status == 401
    answer = stranger.ask(f"/?t={stranger.token}")

    assert (answer.status, answer.headers["Location"]) == (303, "/")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.endswith("; Path=/; HttpOnly; SameSite=Strict")
    assert stranger.ask("/", Cookie=cookie.partition(";")[0]).status == 200
    assert stranger.ask(f"/?t={stranger.token}").status == 303, "another browser follows it, too"


def test_a_link_for_once_is_good_once(lab: Any) -> None:
    lab.start_with(lab.http("web"))
    browser = Visitor(lab.client.dashboard_link(is_good_once=True))

    browser.enter()

    assert browser.ask("/v1/status").status == 200
    assert browser.ask(f"/?t={browser.token}", Cookie="").status == 401
    assert (
        browser.ask("/v1/status", Authorization=f"Bearer {browser.token}", Cookie="").status == 401
    )


def test_who_has_no_token_is_told_what_prints_the_link(lab: Any) -> None:
    lab.start_with(lab.http("web"))
    stranger = Visitor(lab.client.dashboard_link())

    page = stranger.ask("/")
    refusal = stranger.ask("/v1/status")

    assert b"prismctl dev dashboard --web" in page.body
    assert page.headers["Content-Type"].startswith("text/html")
    assert refusal.status == 401
    assert "prismctl dev dashboard --web" in refusal.document["error"]["hint"]


def test_who_comes_from_another_site_is_let_in_by_the_second_try(visitor: Visitor) -> None:
    visit = {"Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}

    held_back = visitor.ask("/", Cookie="", Sec_Fetch_Site="cross-site", **visit)
    again = visitor.ask("/", Cookie="", Sec_Fetch_Site="same-origin", **visit)

    assert held_back.headers["Refresh"] == "0"
    assert "Refresh" not in again.headers


def test_the_token_is_for_its_owner_and_gone_with_the_stack(lab: Any) -> None:
    lab.start_with(lab.http("web"))
    token = lab.paths.dashboard_token

    assert token.stat().st_mode & 0o777 == 0o600
    first = token.read_text()
    list(lab.client.stop())
    assert not token.exists()

    lab.start_with(lab.http("web"))
    assert token.read_text() != first


def test_the_cookie_of_the_last_run_is_good_no_more(lab: Any, visitor: Visitor) -> None:
    list(lab.client.stop())
    lab.start()
    lab.apply(lab.plan(lab.http("web")), dashboard_port=visitor.port)

    now = Visitor(lab.client.dashboard_link())
    now.cookie = visitor.cookie

    assert now.ask("/v1/status").status == 401


def test_the_address_for_everybody_has_no_token_in_it(lab: Any, visitor: Visitor) -> None:
    status = lab.client.status()

    assert status["endpoints"]["dashboard"] == f"http://localhost:{visitor.port}/"
    events = json.dumps(list(lab.client.events()))
    assert visitor.token not in json.dumps(status)
    assert visitor.token not in events
    assert visitor.token.encode() not in visitor.ask("/v1/status").body


FORBIDDEN = [
    ("GET", "/v1/plan"),
    ("GET", "/v1/environment"),
    ("GET", "/v1/dashboard"),
    ("GET", "/v1/ping"),
    ("POST", "/v1/apply"),
    ("POST", "/v1/add"),
    ("POST", "/v1/warm"),
    ("POST", "/v1/data/reset"),
    ("POST", "/v1/status"),
    ("GET", "/v1/restart"),
    ("GET", "/../../plan.json"),
    ("GET", "/..%2f..%2fplan.json"),
    ("GET", "/%2e%2e/%2e%2e/etc/passwd"),
    ("GET", "/app.js/../../daemon/main.py"),
    ("GET", "/..\\..\\plan.json"),
    ("GET", "/index.html%00.js"),
    ("GET", "/locked.html"),
    ("GET", "/dashboard-token"),
]


def test_what_a_page_may_not_ask_is_not_there(visitor: Visitor) -> None:
    for method, path in FORBIDDEN:
        answer = visitor.ask(path, method=method, body={} if method == "POST" else None)
        assert answer.status == 404, f"{method} {path}: {answer.body!r}"


def test_what_a_page_may_ask_has_no_secrets_to_ask_for(visitor: Visitor) -> None:
    for request in ("status?secrets=1", "events?secrets=1", "live?secrets=1", "live?tail=x"):
        assert visitor.ask(f"/v1/{request}").status == 400, request


UNRULY = [
    (b"GET / HTTP/1.1\r\nHost: localhost:PORT\r\nHost: evil\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\n\r\n", 421),
    (b"GET / HTTP/1.1\r\nHost : localhost:PORT\r\n\r\n", 421),
    (b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n", 431),
    (b"GET / HTTP/1.1\r\nCookie: " + b"x" * 100_000 + b"\r\n\r\n", 431),
    (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n", 431),
    (b"POST /v1/stop HTTP/1.1\r\nContent-Length: 70000\r\n\r\n", 413),
    (b"POST /v1/stop HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", 413),
    (b"POST /v1/stop HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
    (b"GET http://[::1 HTTP/1.1\r\nHost: localhost:PORT\r\n\r\n", 400),
    (b"PUT / HTTP/1.1\r\nHost: localhost:PORT\r\n\r\n", 405),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
]


def test_requests_that_keep_to_no_rules_are_refused(visitor: Visitor) -> None:
    for request, status in UNRULY:
        said = raw(visitor.port, request.replace(b"PORT", str(visitor.port).encode()))
        assert said.startswith(f"HTTP/1.1 {status} ".encode()), request[:60]
        assert b"Content-Security-Policy: default-src 'none'" in said


def test_every_answer_tells_the_browser_what_it_may_not_do(visitor: Visitor) -> None:
    for path in ("/", "/app.js", "/style.css", "/v1/status", "/v1/plan", "/nothing"):
        headers = visitor.ask(path).headers

        policy = headers["Content-Security-Policy"]
        for rule in (
            "default-src 'none'",
            "script-src 'self'",
            "frame-ancestors 'none'",
            "form-action 'none'",
        ):
            assert rule in policy
        assert "unsafe" not in policy
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "Access-Control-Allow-Origin" not in headers


def test_only_this_machine_can_connect(visitor: Visitor) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        # Sends nothing: it only tells which address would be ours on the way out.
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("no address but loopback")
        outside = probe.getsockname()[0]

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((outside, visitor.port), timeout=5)


def test_localhost_is_served_by_whichever_address_it_means(visitor: Visitor) -> None:
    meant = socket.getaddrinfo("localhost", visitor.port, type=socket.SOCK_STREAM)

    # The first is what a browser tries first.
    assert visitor.ask("/v1/status", host=str(meant[0][4][0])).status == 200
    assert visitor.ask("/v1/status", host="127.0.0.1").status == 200


def test_a_change_is_carried_out(lab: Any, visitor: Visitor) -> None:
    before = lab.pids()["web"]

    answer = visitor.ask("/v1/restart", method="POST", body={"services": ["web"]})

    result = json.loads(answer.body.splitlines()[-1])["result"]
    assert result["outcome"] == "ready"
    assert lab.pids()["web"] != before


def test_a_change_that_another_page_wants_is_not(lab: Any, visitor: Visitor) -> None:
    before = lab.pids()
    for headers in (
        {"Origin": "http://localhost:5000"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "same-site"},
        {"Content_Type": "application/x-www-form-urlencoded"},
    ):
        answer = visitor.ask("/v1/restart", method="POST", body={"services": []}, **headers)
        assert answer.status in {403, 415}

    assert lab.pids() == before


def test_the_stream_tells_states_events_and_log_lines(lab: Any, visitor: Visitor) -> None:
    seen: dict[str, list[Any]] = {}
    states = []
    for kind, data in visitor.follow("tail=10"):
        seen.setdefault(kind, []).append(data)
        if kind == "status":
            states += [each["state"] for each in data["services"] if each["name"] == "web"]
        if len(seen.get("logs", [])) and len(states) == 1 and "events" in seen:
            os.kill(lab.pids()["web"], 9)
            states.append("killed")
        if "killed" in states and states[-1] == "healthy":
            break

    assert seen["status"][0]["names"] == ["web", "talker"]
    assert {"time", "talker", "hello"} - {"time"} <= set(seen["logs"][0]["lines"][0])
    assert seen["events"][0][0]["kind"] == "plan.accepted"
    assert states[:2] == ["healthy", "killed"]


def test_the_stream_says_when_the_stack_has_ended(lab: Any, visitor: Visitor) -> None:
    kinds: list[str] = []
    for kind, _ in visitor.follow():
        if not kinds:
            answer = visitor.ask("/v1/stop", method="POST", body={})
            assert json.loads(answer.body.splitlines()[-1])["result"]["outcome"] == "stopped"
        kinds.append(kind)

    assert kinds[-1] == "end"
    with pytest.raises(UnavailableError):
        lab.client.ping()


def test_a_thousand_silent_connections_keep_nobody_else_waiting(lab: Any, visitor: Visitor) -> None:
    crowd = []
    try:
        for _ in range(1000):
            connection = socket.socket()
            connection.setblocking(False)
            connection.connect_ex(("127.0.0.1", visitor.port))
            crowd.append(connection)
        began = time.monotonic()
        lab.client.ping()
        assert time.monotonic() - began < PROMPT_SECONDS

        for connection in crowd[-50:]:
            connection.setblocking(True)
            connection.sendall(b"GET / HT")
        began = time.monotonic()
        lab.client.status()
        assert visitor.ask("/v1/status").status == 200, "the page is served, too"
        assert time.monotonic() - began < PROMPT_SECONDS
    finally:
        for connection in crowd:
            connection.close()


def test_pages_that_read_nothing_keep_nobody_else_waiting(lab: Any) -> None:
    lab.start_with(lab.shell("flood", "exec yes 'a line of the flood that nobody reads'"))
    visitor = Visitor(lab.client.dashboard_link()).enter()
    lazy = []
    try:
        for _ in range(8):
            connection = socket.create_connection(("127.0.0.1", visitor.port))
            connection.sendall(
                f"GET /v1/live?tail=500 HTTP/1.1\r\nHost: localhost:{visitor.port}\r\n"
                f"Cookie: {visitor.cookie}\r\n\r\n".encode()
            )
            lazy.append(connection)
        for _ in range(20):
            began = time.monotonic()
            lab.client.ping()
            assert time.monotonic() - began < PROMPT_SECONDS
        bundles = (data for kind, data in visitor.follow("tail=1") if kind == "logs")
        assert next(bundle["skipped"] for bundle in bundles if bundle["skipped"]) > 0
    finally:
        for connection in lazy:
            connection.close()


def test_a_page_that_is_too_slow_for_a_flood_is_told_how_many_lines_are_missing(
    lab: Any, tmp_path: Path
) -> None:
    may_begin = tmp_path / "may begin"
    flood = f'while [ ! -e "{may_begin}" ]; do sleep 0.02; done; seq -f "line %.0f" {FLOOD}'
    lab.start_with(lab.shell("flooding", f"echo line 0; {flood}; exec sleep 1000"))
    visitor = Visitor(lab.client.dashboard_link()).enter()

    expected, notes = 0, 0
    for kind, bundle in visitor.follow("tail=1"):
        if kind != "logs":
            continue
        assert not bundle["has_gap"]
        expected += bundle["skipped"]
        for _, _, _, stream, text, _ in bundle["lines"]:
            if stream == "skipped":
                expected += int(text.split()[1])
                assert text.endswith("came faster than they can be shown")
                notes += 1
            else:
                assert text == f"line {expected}"
                expected += 1
        may_begin.touch()
        if expected > FLOOD:
            break

    assert expected == FLOOD + 1
    assert notes


def test_a_port_that_is_taken_is_left_to_who_has_it(lab: Any) -> None:
    wanted = take_port()
    with socket.socket() as other:
        other.bind(("127.0.0.1", wanted))
        other.listen()
        lab.start()
        lab.apply(lab.plan(lab.http("web")), dashboard_port=wanted)

    (event,) = [each for each in lab.client.events() if each["kind"] == "dashboard.ready"]
    port = Visitor(lab.client.dashboard_link()).port
    assert port > wanted
    assert event["message"] == f"http://localhost:{port}/: port {wanted} is taken"


def test_a_service_that_wants_the_port_has_it_and_the_page_goes_elsewhere(lab: Any) -> None:
    service = lab.http("grafana")
    wanted = service.ports[0].number
    lab.start()
    lab.apply(lab.plan(service), dashboard_port=wanted)

    assert lab.service_status("grafana")["state"] == "healthy"
    assert Visitor(lab.client.dashboard_link()).enter().port != wanted
    (event,) = [each for each in lab.client.events() if each["kind"] == "dashboard.ready"]
    assert event["message"].endswith(f": port {wanted} is grafana's")


def test_the_page_gives_way_to_a_service_that_comes_later(lab: Any, visitor: Visitor) -> None:
    grafana = lab.http("grafana")
    code = grafana.command[-1]
    ports = (Port(name="http", number=visitor.port),)
    late = lab.python("grafana", code, ports=ports)
    told: list[tuple[str, Any]] = []
    for kind, data in visitor.follow("logs=0"):
        if not told:
            _, result = lab.apply(lab.plan(lab.http("web"), late))
            assert result["outcome"] == "ready"
        told.append((kind, data))

    kind, data = told[-1]
    moved = Visitor(lab.client.dashboard_link())
    moved.cookie = visitor.cookie
    assert (kind, data["url"]) == ("moved", f"http://localhost:{moved.port}/")
    assert moved.port != visitor.port
    assert moved.ask("/v1/status").status == 200, "the cookie is good there, too"


def test_a_killed_daemon_comes_back_where_it_was(lab: Any, wait_until: Callable[..., None]) -> None:
    lab.start()
    # Where no other daemon looks for a port meanwhile.
    lab.apply(lab.plan(lab.http("web")), dashboard_port=take_port())
    visitor = Visitor(lab.client.dashboard_link()).enter()
    os.kill(lab.daemon_pid(), 9)

    def answers() -> bool:
        try:
            return visitor.ask("/v1/status").status == 200
        except OSError:
            return False

    wait_until(answers)
    assert lab.client.dashboard_link() == f"http://localhost:{visitor.port}/?t={visitor.token}"


def test_secrets_that_a_service_prints_are_hidden(lab: Any) -> None:
    secret = "correct-horse-battery"
    script = "echo the password is $PASSWORD; exit 1"
    service = lab.shell("leaky", script, env={"PASSWORD": secret}, secrets=frozenset({"PASSWORD"}))
    lab.start_with(service)
    visitor = Visitor(lab.client.dashboard_link()).enter()

    told = next(data for kind, data in visitor.follow("tail=5") if kind == "logs")
    card = visitor.ask("/v1/failure?service=leaky").body.decode()

    for text in (json.dumps(told), card, visitor.ask("/v1/logs").body.decode()):
        assert "the password is" in text
        assert secret not in text


def test_metrics_are_for_who_has_the_token(visitor: Visitor) -> None:
    scraper = {"Authorization": f"Bearer {visitor.token}", "Cookie": ""}

    text = visitor.ask("/metrics", **scraper)

    assert text.status == 200
    assert text.headers["Content-Type"].startswith("text/plain")
    assert b"# TYPE" in text.body
    assert visitor.ask("/metrics", Cookie="").status == 401
    assert visitor.ask("/metrics", Cookie="", Authorization="Bearer x").status == 401
    history = visitor.ask("/v1/metrics/history?seconds=600&service=web").document
    assert list(history["services"]) == ["web"]


def test_without_a_plan_there_is_no_page(lab: Any) -> None:
    lab.start()

    with pytest.raises(NotFoundError) as refused:
        lab.client.dashboard_link()

    assert "no web dashboard is served" in str(refused.value)


def test_a_failure_is_told_in_the_words_of_the_terminal(lab: Any) -> None:
    script = "echo 'FATAL: no such luck'; exit 3"
    lab.start_with(lab.shell("broken", script), lab.http("web", needs=("broken",)))
    visitor = Visitor(lab.client.dashboard_link()).enter()

    lines = visitor.ask("/v1/failure?service=broken").document["lines"]

    text = "\n".join("".join(span["text"] for span in line) for line in lines)
    assert "✗ broken failed" in text
    assert "FATAL: no such luck" in text
    assert "what needs it   ✗ web" in text
    assert "prismctl dev restart broken" in text
    assert visitor.ask("/v1/failure?service=nobody").status == 404

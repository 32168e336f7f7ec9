from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from prismctl.daemon.http import Request
from prismctl.daemon.web.guard import Gate, Passage, Refusal, judge

TOKEN = "token-of-this-stack"
GATE = Gate(port=3000, token=TOKEN, cookie="prismctl-one")
COOKIE = {"cookie": f"theme=dark; prismctl-one={TOKEN}; other=x"}
CHANGE = {**COOKIE, "content-type": "application/json", "x-prismctl": "1"}
NAVIGATION = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}


def request(target: str = "/", method: str = "GET", **headers: str) -> Request:
    parts = urlsplit(target)
    return Request(
        method=method,
        path=unquote(parts.path),
        query=parse_qs(parts.query),
        body=b"",
        target=target,
        headers={"host": "localhost:3000", **headers},
    )


def verdict(target: str = "/", method: str = "GET", headers: dict[str, str] | None = None) -> Any:
    said = judge(request(target, method, **(headers or {})), GATE)
    return said.status if isinstance(said, Refusal) else said


@pytest.mark.parametrize(
    ("target", "method", "headers", "expected"),
    [
        # Who has the link, the cookie or the token.
        (f"/?t={TOKEN}", "GET", {}, Passage.EXCHANGE),
        ("/", "GET", COOKIE, Passage.OPEN),
        ("/v1/status", "GET", COOKIE, Passage.OPEN),
        ("/metrics", "GET", {"authorization": f"Bearer {TOKEN}"}, Passage.OPEN),
        ("/metrics", "GET", {"authorization": f"bearer {TOKEN}"}, Passage.OPEN),
        (f"/metrics?t={TOKEN}", "GET", {}, Passage.OPEN),
        ("/v1/restart", "POST", CHANGE, Passage.OPEN),
        ("/style.css", "GET", {}, Passage.OPEN),
        # No token, or another one.
        ("/", "GET", {}, 401),
        ("/?t=", "GET", {}, 401),
        ("/?t=wrong", "GET", {}, 401),
        (f"/?t={TOKEN}x", "GET", {}, 401),
        (f"/?t={TOKEN[:-1]}", "GET", {}, 401),
        ("/?t=%C3%A9%FF", "GET", {}, 401),
        ("/app.js", "GET", {}, 401),
        ("/v1/status", "GET", {}, 401),
        ("/v1/status", "GET", {"cookie": "prismctl-one="}, 401),
        ("/v1/status", "GET", {"cookie": "prismctl-one=wrong"}, 401),
        ("/metrics", "GET", {"authorization": "Bearer wrong"}, 401),
        ("/metrics", "GET", {"authorization": f"Basic {TOKEN}"}, 401),
        # The cookie of another stack, which browsers send to every port of the host.
        ("/v1/status", "GET", {"cookie": f"prismctl-two={TOKEN}"}, 401),
        ("/v1/status", "GET", {"cookie": "prismctl-two=its; prismctl-one=wrong"}, 401),
        # A name that was made to resolve here.
        ("/", "GET", {**COOKIE, "host": "evil.example:3000"}, 421),
        ("/", "GET", {**COOKIE, "host": "localhost.evil.example:3000"}, 421),
        ("/", "GET", {**COOKIE, "host": "localhost:3001"}, 421),
        ("/", "GET", {**COOKIE, "host": "localhost"}, 421),
        ("/", "GET", {**COOKIE, "host": ""}, 421),
        (f"/?t={TOKEN}", "GET", {"host": "evil.example:3000"}, 421),
        ("/style.css", "GET", {"host": "evil.example:3000"}, 421),
        # Another page asks, and the browser adds the cookie.
        ("/v1/status", "GET", {**COOKIE, "origin": "https://evil.example"}, 403),
        ("/v1/status", "GET", {**COOKIE, "origin": "http://localhost:5000"}, 403),
        ("/v1/status", "GET", {**COOKIE, "origin": "null"}, 403),
        ("/v1/status", "GET", {**COOKIE, "sec-fetch-site": "cross-site"}, 403),
        ("/v1/status", "GET", {**COOKIE, "sec-fetch-site": "same-site"}, 403),
        ("/v1/status", "GET", {**COOKIE, **NAVIGATION, "sec-fetch-site": "cross-site"}, 403),
        ("/app.js", "GET", {**COOKIE, "sec-fetch-site": "cross-site"}, 403),
        ("/style.css", "GET", {"sec-fetch-site": "same-site"}, 403),
        ("/v1/stop", "POST", {**CHANGE, "origin": "http://localhost:5000"}, 403),
        ("/v1/stop", "POST", {**CHANGE, "sec-fetch-site": "same-site"}, 403),
        ("/v1/stop", "POST", {**CHANGE, **NAVIGATION, "sec-fetch-site": "cross-site"}, 403),
        # A frame, not a visit.
        (
            "/",
            "GET",
            {
                **COOKIE,
                "sec-fetch-site": "cross-site",
                "sec-fetch-mode": "navigate",
                "sec-fetch-dest": "iframe",
            },
            403,
        ),
        # What forms can send, and what they cannot.
        ("/v1/stop", "POST", {**CHANGE, "content-type": "application/x-www-form-urlencoded"}, 415),
        ("/v1/stop", "POST", {**CHANGE, "content-type": "text/plain"}, 415),
        ("/v1/stop", "POST", {**COOKIE, "x-prismctl": "1"}, 415),
        ("/v1/stop", "POST", {**COOKIE, "content-type": "application/json"}, 403),
        ("/v1/stop", "POST", {"content-type": "application/json", "x-prismctl": "1"}, 401),
        # Addresses and methods of other kinds.
        ("http://evil.example/", "GET", COOKIE, 400),
        ("//evil.example/", "GET", COOKIE, 400),
        ("*", "OPTIONS", COOKIE, 400),
        ("/", "OPTIONS", COOKIE, 405),
        ("/v1/status", "PUT", COOKIE, 405),
        ("/v1/status", "DELETE", COOKIE, 405),
        ("/v1/status", "get", COOKIE, 405),
    ],
)
def test_who_may_pass(target: str, method: str, headers: dict[str, str], expected: object) -> None:
    assert verdict(target, method, headers) == expected


@pytest.mark.parametrize(
    "host", ["localhost:3000", "127.0.0.1:3000", "[::1]:3000", "LOCALHOST:3000"]
)
def test_every_name_of_loopback_is_served(host: str) -> None:
    headers = {
        **CHANGE,
        "host": host,
        "origin": f"http://{host.lower()}",
        "sec-fetch-site": "same-origin",
    }
    assert verdict("/v1/restart", "POST", headers) is Passage.OPEN


def test_a_link_on_another_page_may_be_followed() -> None:
    headers = {**COOKIE, **NAVIGATION, "sec-fetch-site": "cross-site"}
    assert verdict("/", "GET", headers) is Passage.OPEN
    assert (
        verdict(f"/?t={TOKEN}", "GET", {**NAVIGATION, "sec-fetch-site": "cross-site"})
        is Passage.EXCHANGE
    )


def test_a_token_is_exchanged_on_the_page_only() -> None:
    assert verdict(f"/v1/status?t={TOKEN}") is Passage.OPEN

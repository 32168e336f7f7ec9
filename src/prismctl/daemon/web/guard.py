"""Who may pass: decides from a request alone whether it comes from somebody who was given the link.

Whatever listens on loopback can be reached by every page a person opens and by everybody on the machine. So a
request needs the token, or the cookie that it was exchanged for; a name that resolves here and is not ours is not
served (a rebound name); and what another page had the browser send is refused, whatever cookie came with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from hmac import compare_digest
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from prismctl.daemon.http import Request

PAGE: Final = "/"
PUBLIC: Final = frozenset({"/style.css"})
"""What the page needs that tells how to get in."""
CHANGE_HEADER: Final = "x-prismctl"
"""Goes with everything that changes something: a form cannot send it, nor can another page without being asked."""
HOST_NAMES: Final = ("localhost", "127.0.0.1", "[::1]")

_METHODS: Final = frozenset({"GET", "POST"})
_JSON: Final = "application/json"
_BEARER: Final = "bearer "


class Passage(Enum):
    """How somebody may go on."""

    OPEN = auto()
    EXCHANGE = auto()
    """The link was followed: the token becomes a cookie and leaves the address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why somebody may not."""

    status: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What is compared with."""

    port: int
    token: str
    cookie: str
    """Its name: cookies are the same for all ports of a host, so that each stack needs one of its own."""
    codes: frozenset[str] = frozenset()
    """Good once, in place of the token in a link: whoever uses one is let in, and it is gone."""


def judge(request: Request, gate: Gate) -> Passage | Refusal:
    """Whether a request may be answered."""
    return (
        _judge_address(request, gate)
        or _judge_origin(request, gate)
        or _judge_token(request, gate)
        or _judge_change(request)
        or Passage.OPEN
    )


def _judge_address(request: Request, gate: Gate) -> Refusal | None:
    # Only what a browser that is here writes: no `http://other/`, no `//other/`, no `*`.
    if not request.target.startswith("/") or request.target.startswith("//"):
        return Refusal(status=400, reason="the address is not a path")
    if request.headers.get("host", "").lower() not in _hosts(gate.port):
        return Refusal(status=421, reason=f"this is served as localhost:{gate.port} only")
    if request.method not in _METHODS:
        return Refusal(status=405, reason="this takes GET or POST")
    return None


def _judge_origin(request: Request, gate: Gate) -> Refusal | None:
    """Whether another page is behind it; a program that is none sends neither of the two headers."""
    origin = request.headers.get("origin")
    if origin is not None and origin.lower() not in {
        f"http://{host}" for host in _hosts(gate.port)
    }:
        return Refusal(status=403, reason="another page asked for this")
    site = request.headers.get("sec-fetch-site", "none").lower()
    # Anybody may link to the page; what it shows then, only the one who followed the link can see.
    is_visit = request.path == PAGE and request.method == "GET" and _is_navigation(request)
    if site not in {"none", "same-origin"} and not is_visit:
        return Refusal(status=403, reason="another page asked for this")
    return None


def _is_navigation(request: Request) -> bool:
    return (
        request.headers.get("sec-fetch-mode") == "navigate"
        and request.headers.get("sec-fetch-dest") == "document"
    )


def _judge_token(request: Request, gate: Gate) -> Passage | Refusal | None:
    if request.path in PUBLIC and request.method == "GET":
        return None
    given = request.query.get("t", [])
    # A link that is followed again exchanges its token again: it may be an older cookie that is there.
    if (
        request.path == PAGE
        and request.method == "GET"
        and _matches(given, gate.token, *gate.codes)
    ):
        return Passage.EXCHANGE
    authorization = request.headers.get("authorization", "")
    if authorization.lower().startswith(_BEARER):
        given = [*given, authorization[len(_BEARER) :].strip()]
    if _matches([*given, *_cookies(request, gate.cookie)], gate.token):
        return None
    return Refusal(status=401, reason="this needs the token of the link")


def _judge_change(request: Request) -> Refusal | None:
    if request.method != "POST":
        return None
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _JSON:
        return Refusal(status=415, reason=f"a body is {_JSON} here")
    if CHANGE_HEADER not in request.headers:
        return Refusal(status=403, reason=f"a change needs the header `{CHANGE_HEADER}`")
    return None


def _matches(given: list[str], *wanted: str) -> bool:
    """Whether one is another, compared in a time that says nothing about how much of it was right."""
    return any(
        compare_digest(one.encode(errors="replace"), other.encode())
        for one in given
        for other in wanted
    )


def _cookies(request: Request, name: str) -> list[str]:
    pairs = (pair.strip().partition("=") for pair in request.headers.get("cookie", "").split(";"))
    return [value for key, _, value in pairs if key == name]


def _hosts(port: int) -> tuple[str, ...]:
    return tuple(f"{name}:{port}" for name in HOST_NAMES)

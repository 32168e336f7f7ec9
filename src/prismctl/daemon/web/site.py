"""What a browser can ask: the page's own files, its stream, and of the API only what is listed here."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from prismctl.daemon.http import Answer, Content, Headers, Request, RequestError, Stream
from prismctl.daemon.web.assets import locked_page, read_asset
from prismctl.daemon.web.guard import PAGE, Passage, judge
from prismctl.daemon.web.live import Live, render_sse
from prismctl.daemon.web.wishes import PARAMETERS, read_wishes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from prismctl.daemon.http import Reply
    from prismctl.daemon.stack import Stack
    from prismctl.daemon.web.adding import Adding
    from prismctl.daemon.web.guard import Gate, Refusal
    from prismctl.daemon.web.token import Codes

SECURITY_HEADERS: Final[Headers] = (
    (
        "Content-Security-Policy",
        (
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
            "img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
        ),
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)
"""With every answer: the page loads and asks nothing from anywhere else, and nobody can put it into a frame."""
ALLOWED: Final[dict[tuple[str, str], frozenset[str]]] = {
    ("GET", "/v1/status"): frozenset(),
    ("GET", "/v1/start"): frozenset(),
    ("GET", "/v1/events"): frozenset({"after", "follow"}),
    ("GET", "/v1/logs"): frozenset({"service", "tail", "since", "follow", "after"}),
    ("GET", "/v1/failure"): frozenset({"service"}),
    ("GET", "/v1/metrics"): frozenset(),
    ("GET", "/v1/metrics/history"): frozenset({"service", "seconds"}),
    ("POST", "/v1/restart"): frozenset(),
    ("POST", "/v1/scale"): frozenset(),
    ("POST", "/v1/remove"): frozenset(),
    ("POST", "/v1/stop"): frozenset(),
    ("POST", "/v1/login"): frozenset(),
}
"""Requests of the API that a page may make, with the parameters they may have: none of them tells a secret."""
_LIVE: Final = "/v1/live"
_ADD_BY_NAME: Final = "/v1/add-by-name"
"""With `GET`, what could be added; with `POST`, add it. Not `/v1/add`, which takes any plan: a page may only name."""
_METRICS: Final = "/metrics"
_TOKEN_PARAMETER: Final = "t"  # noqa: S105 - its name, no token
MAX_STREAMS: Final = 32
"""How many pages are told at once what changes."""


class Site:
    """Answers what browsers ask of one stack."""

    def __init__(
        self,
        stack: Stack,
        handle: Callable[[Request], Awaitable[Answer | Content | Stream]],
        gate: Gate,
        codes: Codes,
    ) -> None:
        """Serve a stack's page.

        Args:
            stack: whose page it is.
            handle: answers the requests of the API.
            gate: who may ask.
            codes: links that are good once.
        """
        self._stack = stack
        self._handle = handle
        self._gate = gate
        self._codes = codes
        self._streams = 0
        self._adding: Adding | None = None

    async def answer(self, request: Request) -> Reply:
        """The answer to one request, or the refusal.

        Raises:
            PrismError: the API refused it.
        """
        verdict = judge(request, replace(self._gate, codes=self._codes.valid))
        if verdict is Passage.EXCHANGE:
            self._codes.use_up(request.query[_TOKEN_PARAMETER])
            return self._exchange()
        if verdict is not Passage.OPEN:
            return self._refuse(request, verdict)
        query = {name: values for name, values in request.query.items() if name != _TOKEN_PARAMETER}
        if request.method == "GET":
            asset = read_asset(request.path)
            if asset is not None:
                return asset
            if request.path == _LIVE:
                return self._live(replace(request, query=query))
        if request.path == _ADD_BY_NAME:
            _refuse_parameters(query, frozenset())
            return await self._add(request)
        path = "/v1/metrics" if request.path == _METRICS else request.path
        known = ALLOWED.get((request.method, path))
        if known is None:
            raise RequestError(404, f"there is no {request.method} {request.path} here")
        _refuse_parameters(query, known)
        return await self._handle(replace(request, path=path, query=query))

    def _exchange(self) -> Content:
        cookie = f"{self._gate.cookie}={self._gate.token}; Path=/; HttpOnly; SameSite=Strict"
        return Content(
            body=b"",
            kind="text/plain",
            status=303,
            headers=(("Location", PAGE), ("Set-Cookie", cookie)),
        )

    def _refuse(self, request: Request, refusal: Refusal) -> Reply:
        if refusal.status == 401 and request.path == PAGE:  # noqa: PLR2004 - HTTP's number
            # A cookie of this strictness is held back from who follows a link on another site, and comes with the next visit.
            retries = request.headers.get("sec-fetch-site") == "cross-site"
            return locked_page(self._stack.dashboard.command, retries=retries)
        hint = f"`{self._stack.dashboard.command}` prints the link" if refusal.status == 401 else ""  # noqa: PLR2004 - the same
        raise RequestError(refusal.status, refusal.reason, hint=hint)

    async def _add(self, request: Request) -> Reply:
        if self._adding is None:
            # Few pages ask for it.
            from prismctl.daemon.web.adding import Adding

            self._adding = Adding(self._stack)
        if request.method == "GET":
            return await self._adding.list_addable()
        return self._adding.add(request)

    def _live(self, request: Request) -> Stream:
        _refuse_parameters(request.query, PARAMETERS)
        if self._streams >= MAX_STREAMS:
            raise RequestError(503, f"{MAX_STREAMS} pages are open already")
        return Stream(
            documents=self._counted(Live(self._stack, read_wishes(request), lambda: self._streams)),
            kind="text/event-stream",
            render=render_sse,
        )

    async def _counted(self, live: Live) -> Any:
        self._streams += 1
        try:
            async for told in live.tell():
                yield told
        finally:
            self._streams -= 1


def _refuse_parameters(query: dict[str, list[str]], known: frozenset[str]) -> None:
    unknown = sorted(query.keys() - known)
    if unknown:
        raise RequestError(400, f"`{unknown[0]}` cannot be asked for here")

"""The life of a stack's page: where it listens from the first plan on, when it gives way, and when it ends."""

from __future__ import annotations

import asyncio
import hashlib
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from prismctl.domain.events import EventKind
from prismctl.errors import PrismError
from prismctl.files.dashboard_place import DashboardPlace, load_place, save_place

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from prismctl.daemon.http import Answer, Content, Request, Stream
    from prismctl.daemon.http_server import HttpServer
    from prismctl.daemon.stack import Stack
    from prismctl.daemon.web.address import Listening
    from prismctl.daemon.web.token import Codes
    from prismctl.domain.plan import StackPlan

FAREWELL_SECONDS: Final = 1.0
"""How long pages have to hear that they are served elsewhere."""
FIRST_RETRY_SECONDS: Final = 1.0
LAST_RETRY_SECONDS: Final = 30.0
"""How long after it could not be written down where the page is that is tried again: twice as long each time."""


class Dashboard:
    """The page of one stack."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._handle: Callable[[Request], Awaitable[Answer | Content | Stream]] | None = None
        self._server: HttpServer | None = None
        self._leaving: set[asyncio.Task[None]] = set()
        self._retry: asyncio.TimerHandle | None = None
        self.obstacle = ""
        """Why the page is not where it was wanted; empty where it is."""
        self._token = ""
        self._codes: Codes | None = None
        self._moved = asyncio.Event()
        self.place = DashboardPlace()

    def answer_with(
        self, handle: Callable[[Request], Awaitable[Answer | Content | Stream]]
    ) -> None:
        """What the API answers; without it, there is no page."""
        self._handle = handle

    @property
    def url(self) -> str:
        """Where the page is, for everybody to read; empty when it is nowhere."""
        return "" if self._server is None else f"http://localhost:{self.place.port}/"

    @property
    def link(self) -> str:
        """The same with the token in it: whoever has it can do what the page can."""
        return f"{self.url}?t={self._token}" if self.url else ""

    def make_link_for_once(self) -> str:
        """A link that lets one browser in, soon."""
        return f"{self.url}?t={self._codes.make()}" if self.url and self._codes else ""

    @property
    def command(self) -> str:
        """What prints the link."""
        name = self._stack.paths.name
        option = "" if name == "default" else f" --stack {name}"
        return f"prismctl dev dashboard --web{option}"

    def recall(self) -> None:
        """Begin where the daemon before this one served the page."""
        self.place = load_place(self._stack.paths)

    def want(self, port: int) -> None:
        """Where the page shall be, the next time that a place for it is looked for."""
        self.place = replace(self.place, wanted=port)

    async def serve(self, plan: StackPlan) -> None:
        """Serve the page while this plan, which is about to be handed to its engine, runs.

        Where one of its services has the page's port, the page goes somewhere else, and says so to whoever looks at it.
        """
        from prismctl.daemon.web.address import (
            listen_near,
            numbers_from,
            ports_had_by,
            ports_wanted_by,
        )

        if self._handle is None:
            return
        if self._server is not None and self.place.port not in ports_had_by(plan):
            return
        place = self.place
        listening = listen_near(
            numbers_from(place.wanted, first=place.port),
            wanted_by=ports_wanted_by(plan),
            owner=str(self._stack.paths.directory),
        )
        left, moved = self._server, self._moved
        self.stop_listening()
        self._server, self._moved = None, asyncio.Event()
        if listening is None:
            self._stop_showing(place, f"no port from {place.wanted} on is free")
        else:
            await self._begin(listening, place)
        moved.set()
        if left is not None:
            self._say_farewell(left)

    async def _begin(self, listening: Listening, place: DashboardPlace) -> None:
        from prismctl.daemon.http_server import HttpServer, Limits
        from prismctl.daemon.web.guard import Gate
        from prismctl.daemon.web.site import SECURITY_HEADERS, Site
        from prismctl.daemon.web.token import Codes, ensure_token

        # Whoever was quicker than us at the port of a daemon that died is asked by the pages that were open there, with their token.
        is_lost = place.pid not in {None, os.getpid()} and place.port != listening.port
        try:
            self._token = ensure_token(self._stack.paths, is_known_to_others=is_lost)
        except PrismError as error:
            for each in listening.sockets:
                each.close()
            self._stop_showing(place, error.message)
            return
        gate = Gate(port=listening.port, token=self._token, cookie=self._cookie)
        # Its own bounds: whatever browsers do, the commands are answered.
        limits = Limits(
            connections=64,
            request_seconds=10.0,
            body_bytes=64 * 1024,
            unread_bytes=64 * 1024,
            stall_seconds=60.0,
            keeps_connections=False,
        )
        if self._handle is None:
            raise AssertionError("there is an API by now")
        self._codes = self._codes or Codes()
        site = Site(self._stack, self._handle, gate, self._codes)
        self._server = HttpServer(site.answer, limits=limits, headers=SECURITY_HEADERS)
        for each in listening.sockets:
            await self._server.serve(each)
        is_news = place.port != listening.port or listening.obstacle
        self._settle(DashboardPlace(wanted=place.wanted, port=listening.port, pid=os.getpid()))
        self.obstacle = listening.obstacle
        self._stack.monitor.show_dashboard(self.url)
        if is_news:
            behind = f": {listening.obstacle}" if listening.obstacle else ""
            self._stack.events.append(
                EventKind.DASHBOARD_READY,
                service="dashboard",
                message=f"{self.url}{behind}",
                details={"url": self.url, "obstacle": listening.obstacle},
            )

    async def wait_until_moved(self) -> str:
        """Return where the page is once it is somewhere else than now."""
        await self._moved.wait()
        return self.url

    def stop_listening(self) -> None:
        """Let nobody in any more; the next run may have the port at once."""
        if self._server is not None:
            self._server.stop_listening()

    async def close(self, *, grace_seconds: float) -> None:
        """Let the present answers end, and cut those that do not."""
        server, self._server = self._server, None
        if self._retry is not None:
            self._retry.cancel()
        if server is not None:
            await server.close(grace_seconds=grace_seconds)
        for task in list(self._leaving):
            task.cancel()
        if self._leaving:
            await asyncio.wait(self._leaving)

    def _say_farewell(self, server: HttpServer) -> None:
        """Let the pages that are open hear where to go."""
        task = asyncio.get_running_loop().create_task(
            server.close(grace_seconds=FAREWELL_SECONDS), name="dashboard farewell"
        )
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    def _stop_showing(self, place: DashboardPlace, reason: str) -> None:
        self._settle(DashboardPlace(wanted=place.wanted))
        self._stack.monitor.show_dashboard("")
        self._stack.events.append(
            EventKind.DASHBOARD_READY,
            service="dashboard",
            message=f"there is no web dashboard: {reason}",
            details={"url": "", "obstacle": reason},
        )

    def _settle(self, place: DashboardPlace) -> None:
        self.place = place
        self._write_place(FIRST_RETRY_SECONDS)

    def _write_place(self, retry_seconds: float) -> None:
        """Write down where the page is; where the disk is full, say so and try again until it is not."""
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        notes: tuple[str, ...] = ()
        try:
            save_place(self._stack.paths, self.place)
        except PrismError as error:
            notes = (error.message,)
            self._retry = asyncio.get_running_loop().call_later(
                retry_seconds, self._write_place, min(2 * retry_seconds, LAST_RETRY_SECONDS)
            )
        self._stack.monitor.show_notes(notes, "dashboard")

    @property
    def _cookie(self) -> str:
        """The same wherever the page of this stack is, another one for every other stack of this machine."""
        digest = hashlib.sha256(str(self._stack.paths.directory).encode()).hexdigest()[:12]
        return f"prismctl-{digest}"

"""HTTP to one agent: one session, every call with its own time limit, errors in our words."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final, TypeVar

from prismctl.errors import RejectedError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    import aiohttp

CALL_SECONDS: Final = 10.0
CONNECT_SECONDS: Final = 2.0
PAUSE_SECONDS: Final = 0.02
"""Between questions to an agent that comes up."""
HEARTBEAT_SECONDS: Final = 30.0
"""Nomad's event stream says something at least this often."""
_FIRST_ERROR: Final = 400
_HEALTHY_TIMEOUT_FACTOR: Final = 1.5
_MAX_EVENT_BYTES: Final = 64 * 1024 * 1024
"""An event carries a whole job; jobs of hundreds of services are some megabytes."""

Json = Any
_Answer = TypeVar("_Answer")


class HttpRejectedError(RejectedError):
    """The agent answered, and refused; which status it gave decides whether asking again makes sense."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status
        """The HTTP status."""


class AgentHttp:
    """The HTTP API of one agent."""

    def __init__(self, name: str, address: str, token: Mapping[str, str]) -> None:
        self.name = name
        self.address = address
        self._token = dict(token)
        self._opened: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Let go of all connections."""
        if self._opened is not None:
            await self._opened.close()

    @property
    def _session(self) -> aiohttp.ClientSession:
        """Opened by the first call: the library is imported while the agent that is to be asked starts."""
        if self._opened is None:
            import aiohttp

            # Neither proxies nor netrc: what is asked is on loopback, or named by the user on purpose.
            self._opened = aiohttp.ClientSession(
                headers=self._token,
                trust_env=False,
                timeout=aiohttp.ClientTimeout(total=CALL_SECONDS, connect=CONNECT_SECONDS),
            )
        return self._opened

    async def call(
        self,
        method: str,
        path: str,
        body: Json = None,
        *,
        params: Mapping[str, str] | None = None,
        total_seconds: float = CALL_SECONDS,
    ) -> Json:
        """The decoded answer; text stays text, and no content is ``None``.

        Raises:
            UnavailableError: the agent did not answer in time, or not at all.
            HttpRejectedError: it answered with a status of 400 or above.
        """
        import aiohttp

        timeout = aiohttp.ClientTimeout(total=total_seconds, connect=CONNECT_SECONDS)
        data = None if body is None else json.dumps(body).encode()
        try:
            async with self._session.request(
                method, self.address + path, data=data, params=params, timeout=timeout
            ) as response:
                content = await response.read()
                if response.status >= _FIRST_ERROR:
                    raise self._refusal(method, path, response.status, content)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._silence(error) from error
        if not content:
            return None
        try:
            return json.loads(content)
        except ValueError:
            return content.decode(errors="replace")

    async def stream(self, path: str, params: list[tuple[str, str]]) -> AsyncIterator[Json]:
        """The objects of an NDJSON answer as they arrive, until the agent ends it.

        Raises:
            UnavailableError: the agent did not answer, or fell silent.
            HttpRejectedError: it answered with a status of 400 or above.
        """
        import aiohttp

        timeout = aiohttp.ClientTimeout(
            total=None,
            connect=CONNECT_SECONDS,
            sock_read=HEARTBEAT_SECONDS * _HEALTHY_TIMEOUT_FACTOR,
        )
        try:
            async with self._session.get(
                self.address + path,
                params=params,
                timeout=timeout,
                read_bufsize=_MAX_EVENT_BYTES,
            ) as response:
                if response.status >= _FIRST_ERROR:
                    raise self._refusal("GET", path, response.status, await response.read())
                async for line in response.content:
                    if line.strip():
                        yield json.loads(line)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise self._silence(error) from error

    def _refusal(self, method: str, path: str, status: int, content: bytes) -> HttpRejectedError:
        words = content.decode(errors="replace").strip() or f"status {status}"
        return HttpRejectedError(
            f"{self.name} refused {method} {path}: {' '.join(words.split())}", status=status
        )

    def _silence(self, error: Exception) -> UnavailableError:
        reason = "in time" if isinstance(error, TimeoutError) else ""
        where = f"{self.name} did not answer {reason}".rstrip()
        return UnavailableError(
            f"{where} at {self.address}/",
            hint="`prismctl dev status` shows which components are running",
        )


async def ask_until_answered(
    seconds: float, ask: Callable[[], Awaitable[_Answer]], *, pause_seconds: float = PAUSE_SECONDS
) -> _Answer:
    """Repeat a question that an agent cannot answer while it comes up.

    Raises:
        PrismError: the last answer, when time is over.
    """
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        try:
            return await ask()
        except (UnavailableError, HttpRejectedError):
            if asyncio.get_running_loop().time() >= deadline:
                raise
        # A bounded poll: an agent that cannot answer yet cannot say when it will either.
        await asyncio.sleep(pause_seconds)

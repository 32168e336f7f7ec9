"""Nomad and Consul over HTTP: one session each, every call with its own time limit, errors in our words."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import quote

from prismctl.engine.nomad import decode
from prismctl.errors import RejectedError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    import aiohttp

    from prismctl.engine.nomad.decode import Allocation, Evaluation, EventBatch, Node, TaskUsage

CALL_SECONDS: Final = 10.0
CONNECT_SECONDS: Final = 2.0
HEARTBEAT_SECONDS: Final = 30.0
"""Nomad's event stream says something at least this often."""
_NOT_FOUND: Final = 404
_FORBIDDEN: Final = 403
_FIRST_ERROR: Final = 400
_HEALTHY_TIMEOUT_FACTOR: Final = 1.5
_MAX_EVENT_BYTES: Final = 64 * 1024 * 1024
"""An event carries a whole job; jobs of hundreds of services are some megabytes."""

Json = Any


class HttpRejectedError(RejectedError):
    """The agent answered, and refused; which status it gave decides whether asking again makes sense."""

    def __init__(self, message: str, *, status: int, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status
        """The HTTP status."""


class AgentHttp:
    """The HTTP API of one agent."""

    def __init__(self, name: str, address: str, token: Mapping[str, str]) -> None:
        self.name = name
        self.address = address
        self._token = dict(token)
        self._opened: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

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


class NomadClient:
    """What this engine asks of Nomad."""

    def __init__(self, address: str, token: str) -> None:
        self.http = AgentHttp("Nomad", address, {"X-Nomad-Token": token})

    async def close(self) -> None:
        """Let go of all connections."""
        await self.http.close()

    async def bootstrap(self, secret: str) -> None:
        """Make ``secret`` the management token, unless it is already.

        Raises:
            UnavailableError: Nomad does not answer yet.
            HttpRejectedError: it has no leader yet (500).
            RejectedError: it was bootstrapped with another secret; asking again changes nothing.
        """
        try:
            await self.http.call(
                "POST", "/v1/acl/bootstrap", {"BootstrapSecret": secret}, total_seconds=2.0
            )
        except HttpRejectedError as error:
            if error.status != _FIRST_ERROR:
                raise
            try:
                await self.http.call("GET", "/v1/acl/token/self")
            except HttpRejectedError as refusal:
                if refusal.status != _FORBIDDEN:
                    raise
                raise RejectedError(
                    f"somebody else took possession of the Nomad at {self.http.address}/",
                    hint="`prismctl dev start` tries again with a new one; look for who else uses this machine",
                ) from refusal

    async def list_nodes(self) -> list[Node]:
        """The clients of the cluster."""
        return decode.decode_nodes(await self.http.call("GET", "/v1/nodes"))

    async def list_job_ids(self) -> list[str]:
        """All registered jobs."""
        return [str(job["ID"]) for job in await self.http.call("GET", "/v1/jobs")]

    async def read_job_index(self, job_id: str) -> int:
        """The job's modification index; 0 when there is no such job."""
        try:
            job = await self.http.call("GET", f"/v1/job/{quote(job_id, safe='')}")
        except HttpRejectedError as error:
            if error.status == _NOT_FOUND:
                return 0
            raise
        return int(job["JobModifyIndex"])

    async def register_job(self, job: Json, *, enforce_index: int | None = None) -> str:
        """Hand a job over; the id of its evaluation. With an index: only over exactly that version."""
        body: dict[str, Any] = {"Job": job}
        if enforce_index is not None:
            body |= {"EnforceIndex": True, "JobModifyIndex": enforce_index}
        answer = await self.http.call("PUT", "/v1/jobs", body)
        return str(answer["EvalID"])

    async def purge_job(self, job_id: str) -> None:
        """Stop a job and forget it; one that is not there is fine."""
        with contextlib.suppress(HttpRejectedError):
            await self.http.call(
                "DELETE", f"/v1/job/{quote(job_id, safe='')}", params={"purge": "true"}
            )

    async def list_allocations(self) -> list[Allocation]:
        """All allocations with the states of their tasks."""
        answer = await self.http.call("GET", "/v1/allocations", params={"task_states": "true"})
        return decode.decode_allocations(answer)

    async def list_evaluations(self, job_id: str) -> list[Evaluation]:
        """The scheduler's decisions on one job."""
        path = f"/v1/job/{quote(job_id, safe='')}/evaluations"
        return decode.decode_evaluations(await self.http.call("GET", path))

    async def restart_task(self, allocation: str, task: str) -> None:
        """Stop a running task and start it again in its allocation."""
        await self.http.call(
            "PUT",
            f"/v1/client/allocation/{allocation}/restart",
            {"TaskName": task},
            total_seconds=60.0,
        )

    async def place_again(self, job_id: str) -> None:
        """Give every failed allocation of a job a new one."""
        await self.http.call(
            "PUT",
            f"/v1/job/{quote(job_id, safe='')}/evaluate",
            {"JobID": job_id, "EvalOptions": {"ForceReschedule": True}},
        )

    async def watch_events(self, index: int) -> AsyncIterator[EventBatch]:
        """Batches of what changed among allocations and evaluations after ``index``; heartbeats left out."""
        params = [("topic", "Allocation"), ("topic", "Evaluation"), ("index", str(index))]
        async for data in self.http.stream("/v1/event/stream", params):
            if data:
                yield decode.decode_event_batch(data)

    async def read_usage(self) -> list[TaskUsage]:
        """Memory and CPU of every task of the agent, in one request."""
        text = await self.http.call("GET", "/v1/metrics", params={"format": "prometheus"})
        return decode.decode_usage(text if isinstance(text, str) else "")

    async def make_one_time_token(self) -> str:
        """A secret that logs one browser in, once."""
        answer = await self.http.call("POST", "/v1/acl/token/onetime")
        return str(answer["OneTimeToken"]["OneTimeSecretID"])


class ConsulClient:
    """What this engine asks of Consul."""

    def __init__(self, address: str, token: str) -> None:
        self.http = AgentHttp("Consul", address, {"X-Consul-Token": token})

    async def close(self) -> None:
        """Let go of all connections."""
        await self.http.close()

    async def has_leader(self) -> bool:
        """Whether it can take writes."""
        return bool(await self.http.call("GET", "/v1/status/leader", total_seconds=2.0))

    async def put_policy(self, name: str, rules: str) -> None:
        """Create a policy, or bring the one of that name up to date."""
        try:
            await self.http.call("PUT", "/v1/acl/policy", {"Name": name, "Rules": rules})
        except HttpRejectedError:
            known = await self.http.call("GET", f"/v1/acl/policy/name/{name}")
            await self.http.call(
                "PUT", f"/v1/acl/policy/{known['ID']}", {"Name": name, "Rules": rules}
            )

    async def put_token(self, accessor: str, secret: str, policy: str) -> None:
        """Create a token with one policy, or bring the one with that accessor up to date."""
        body = {"AccessorID": accessor, "Policies": [{"Name": policy}]}
        try:
            await self.http.call("PUT", f"/v1/acl/token/{accessor}", body)
        except HttpRejectedError:
            await self.http.call("PUT", "/v1/acl/token", body | {"SecretID": secret})

    async def list_service_names(self) -> set[str]:
        """Everything in the catalog."""
        return set(await self.http.call("GET", "/v1/catalog/services"))

    async def put_key(self, key: str, value: str) -> None:
        """Write one key."""
        await self.http.call("PUT", f"/v1/kv/{quote(key)}", value)


async def ask_until_answered(seconds: float, ask: Any, *, pause_seconds: float = 0.02) -> Any:
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
        await asyncio.sleep(pause_seconds)

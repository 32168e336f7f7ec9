"""What is asked of Nomad and of Consul, with the answers as our values."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from prismctl.engine.nomad import decode
from prismctl.engine.nomad.agent_http import AgentHttp, HttpRejectedError, Json
from prismctl.errors import RejectedError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from prismctl.engine.nomad.decode import Allocation, Evaluation, EventBatch, Node

_BAD_REQUEST: Final = 400
_FORBIDDEN: Final = 403
_NOT_FOUND: Final = 404
_ANSWER_SECONDS: Final = 2.0
"""For questions that are repeated until there is an answer."""
_RESTART_SECONDS: Final = 60.0
"""A restart is answered once the task has ended, grace included."""


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
                "POST",
                "/v1/acl/bootstrap",
                {"BootstrapSecret": secret},
                total_seconds=_ANSWER_SECONDS,
            )
        except HttpRejectedError as error:
            if error.status != _BAD_REQUEST:
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

    async def register_job(self, job: Json, enforce_index: int) -> None:
        """Hand a job over, in the place of exactly that version of it; 0 means that there is none.

        Raises:
            HttpRejectedError: the job cannot be run, or is another version by now.
        """
        body = {"Job": job, "EnforceIndex": True, "JobModifyIndex": enforce_index}
        await self.http.call("PUT", "/v1/jobs", body)

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
            total_seconds=_RESTART_SECONDS,
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

    async def require_leader(self) -> None:
        """Return when it can take writes.

        Raises:
            UnavailableError: it cannot yet.
        """
        path = "/v1/status/leader"
        if not await self.http.call("GET", path, total_seconds=_ANSWER_SECONDS):
            raise UnavailableError(
                f"the Consul at {self.http.address}/ has no leader yet",
                hint="`prismctl dev status` shows which components are running",
            )

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

    async def put_key(self, key: str, value: str) -> None:
        """Write one key."""
        await self.http.call("PUT", f"/v1/kv/{quote(key)}", value)

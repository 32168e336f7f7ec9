from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from prismctl.engine.nomad.agent_http import HttpRejectedError, ask_until_answered
from prismctl.engine.nomad.client import ConsulClient, NomadClient
from prismctl.errors import ExitCode, RejectedError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Agent:
    """An agent that answers as it is told."""

    def __init__(self) -> None:
        self.app = web.Application()
        self.app.router.add_route("*", "/{path:.*}", self._answer)
        self.server = TestServer(self.app)
        self.answers: dict[str, Handler] = {}
        self.requests: list[tuple[str, str, Any, str]] = []

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json() if request.can_read_body else None
        token = request.headers.get("X-Nomad-Token", request.headers.get("X-Consul-Token", ""))
        self.requests.append((request.method, request.path_qs, body, token))
        return await self.answers[request.path](request)

    def say(self, path: str, status: int = 200, text: str = "", data: Any = None) -> None:
        async def answer(_: web.Request) -> web.Response:
            if data is not None:
                return web.json_response(data, status=status)
            return web.Response(text=text, status=status)

        self.answers[path] = answer

    @property
    def address(self) -> str:
        return str(self.server.make_url("")).rstrip("/")


@pytest.fixture
async def agent() -> AsyncIterator[Agent]:
    made = Agent()
    await made.server.start_server()
    yield made
    await made.server.close()


@pytest.fixture
async def nomad(agent: Agent) -> AsyncIterator[NomadClient]:
    made = NomadClient(agent.address, "secret")
    yield made
    await made.close()


async def test_a_dead_agent_is_unavailable_with_a_hint(agent: Agent) -> None:
    await agent.server.close()
    client = NomadClient("http://127.0.0.1:1", "secret")
    with pytest.raises(UnavailableError) as caught:
        await client.list_nodes()
    await client.close()
    assert caught.value.message == "Nomad did not answer at http://127.0.0.1:1/"
    assert "prismctl dev status" in caught.value.hint


async def test_a_refusal_has_nomads_words_and_status(agent: Agent, nomad: NomadClient) -> None:
    agent.say("/v1/jobs", 400, "1 error occurred:\n\t* Missing job datacenters\n\n")
    with pytest.raises(HttpRejectedError) as caught:
        await nomad.register_job({}, 0)
    assert caught.value.exit_code is ExitCode.REJECTED
    assert caught.value.status == 400
    assert caught.value.message == (
        "Nomad refused PUT /v1/jobs: 1 error occurred: * Missing job datacenters"
    )


async def test_every_request_carries_the_token(agent: Agent, nomad: NomadClient) -> None:
    agent.say("/v1/jobs", data=[{"ID": "prism-stack"}])
    assert await nomad.list_job_ids() == ["prism-stack"]
    assert agent.requests == [("GET", "/v1/jobs", None, "secret")]


async def test_a_job_is_registered_over_exactly_the_version_that_was_seen(
    agent: Agent, nomad: NomadClient
) -> None:
    agent.say("/v1/jobs", data={"EvalID": "e1"})
    await nomad.register_job({"ID": "x"}, 7)
    _, _, body, _ = agent.requests[0]
    assert body == {"Job": {"ID": "x"}, "EnforceIndex": True, "JobModifyIndex": 7}


async def test_a_job_that_is_not_there_has_index_zero(agent: Agent, nomad: NomadClient) -> None:
    agent.say("/v1/job/x", 404, "job not found")
    assert await nomad.read_job_index("x") == 0


async def test_an_acl_system_bootstrapped_with_our_secret_is_fine(
    agent: Agent, nomad: NomadClient
) -> None:
    agent.say("/v1/acl/bootstrap", 400, "ACL bootstrap already done (reset index: 7)")
    agent.say("/v1/acl/token/self", data={"Type": "management"})
    await nomad.bootstrap("secret")


async def test_an_acl_system_of_somebody_else_is_not(agent: Agent, nomad: NomadClient) -> None:
    agent.say("/v1/acl/bootstrap", 400, "ACL bootstrap already done (reset index: 7)")
    agent.say("/v1/acl/token/self", 403, "ACL token not found")
    with pytest.raises(RejectedError, match="somebody else") as caught:
        await ask_until_answered(30, lambda: nomad.bootstrap("secret"))
    # At once: whoever has it could run commands as us for as long as we ask again.
    assert not isinstance(caught.value, HttpRejectedError)
    assert len(agent.requests) == 2


async def test_heartbeats_are_not_events_and_a_cut_stream_is_unavailable(
    agent: Agent, nomad: NomadClient
) -> None:
    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b'{}\n{"Index": 5, "Events": [{"Topic": "Allocation"}]}\n')
        assert request.transport is not None
        request.transport.abort()
        return response

    agent.answers["/v1/event/stream"] = stream
    batches = []

    async def follow() -> None:
        async for batch in nomad.watch_events(3):
            batches.append(batch)  # noqa: PERF401 - what came before the end is looked at

    with pytest.raises(UnavailableError):
        await follow()
    assert [(batch.index, set(batch.topics)) for batch in batches] == [(5, {"Allocation"})]
    assert "index=3" in agent.requests[0][1]


async def test_a_consul_without_a_leader_is_unavailable(agent: Agent) -> None:
    client = ConsulClient(agent.address, "secret")
    agent.say("/v1/status/leader", data="")
    with pytest.raises(UnavailableError, match="has no leader yet"):
        await client.require_leader()
    agent.say("/v1/status/leader", data="127.0.0.1:8300")
    await client.require_leader()
    await client.close()


async def test_consul_has_its_own_token_and_name(agent: Agent) -> None:
    client = ConsulClient(agent.address, "other")
    agent.say("/v1/kv/prism/x", 403, "Permission denied")
    with pytest.raises(HttpRejectedError, match="Consul refused PUT /v1/kv/prism/x"):
        await client.put_key("prism/x", "1")
    await client.close()
    assert agent.requests[0][3] == "other"

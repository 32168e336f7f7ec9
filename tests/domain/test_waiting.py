from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from prismctl.domain.service import ServiceName, StackName
from prismctl.domain.snapshot import (
    ServiceSnapshot,
    ServiceState,
    StackSnapshot,
    StackState,
    render_status,
)
from prismctl.domain.waiting import find_waiting


def service(name: str, state: str, *needs: str, reason: str = "") -> ServiceSnapshot:
    return ServiceSnapshot(
        name=ServiceName(name),
        type="application",
        runtime="native",
        state=ServiceState(state),
        reason=reason,
        depends_on=tuple(ServiceName(each) for each in needs),
    )


def stack(*services: ServiceSnapshot, **components: str) -> StackSnapshot:
    return StackSnapshot(
        stack=StackName("default"),
        engine="nomad",
        state=StackState.STARTING,
        services=services,
        components=components,
    )


def test_the_head_of_the_longest_queue_is_what_is_waited_for() -> None:
    waiting = find_waiting(
        stack(
            service("redis", "starting"),
            service("admin", "starting", reason="connection refused, 0.3 s"),
            service("launcher", "waiting", "admin"),
            service("worker", "waiting", "launcher", "redis"),
            service("page", "waiting", "redis"),
        )
    )
    assert waiting is not None
    assert (waiting.on, waiting.reason) == ("admin", "connection refused, 0.3 s")
    assert waiting.chain == ("admin", "launcher", "worker")


def test_what_is_up_is_waited_for_by_nobody() -> None:
    waiting = find_waiting(
        stack(service("admin", "healthy"), service("launcher", "starting", "admin"))
    )
    assert waiting is not None
    assert waiting.chain == ("launcher",)


def test_an_agent_is_waited_for_before_services() -> None:
    waiting = find_waiting(
        stack(
            service("a", "waiting"), service("b", "waiting", "a"), consul="ready", nomad="starting"
        )
    )
    assert waiting is not None
    assert (waiting.on, waiting.is_agent, waiting.chain) == ("nomad", True, ("a", "b"))


def test_a_stack_that_is_up_waits_for_nothing() -> None:
    assert find_waiting(stack(service("a", "healthy"), service("b", "failed"))) is None
    assert render_status(stack(service("a", "healthy")), 0.0)["waiting"] is None


def test_the_status_document_says_what_is_waited_for() -> None:
    document = render_status(stack(service("a", "starting", reason="no answer")), 0.0)
    assert document["waiting"] == {
        "on": "a",
        "type": "service",
        "reason": "no answer",
        "chain": ["a"],
    }


@given(st.data())
def test_a_chain_follows_dependencies_and_holds_only_what_is_on_its_way(
    data: st.DataObject,
) -> None:
    count = data.draw(st.integers(1, 12))
    services = []
    for index in range(count):
        needs = data.draw(st.sets(st.integers(0, index - 1))) if index else set()
        state = data.draw(
            st.sampled_from(["waiting", "starting", "healthy", "failed", "unhealthy"])
        )
        services.append(service(f"s{index}", state, *(f"s{need}" for need in needs)))
    waiting = find_waiting(stack(*services))
    pending = {str(each.name): each for each in services if each.state.is_on_its_way}
    if not pending:
        assert waiting is None
        return
    assert waiting is not None
    assert waiting.chain[0] == waiting.on
    for before, after in zip(waiting.chain, waiting.chain[1:], strict=False):
        assert before in pending[after].depends_on
    assert not set(pending) & set(pending[waiting.on].depends_on)


def test_while_nomad_is_brought_back_everything_waits_for_nomad_and_for_no_service() -> None:
    admin = service("admin", "waiting", reason="waits for Nomad, which is being brought back")
    for state in ("lost", "starting"):
        waiting = find_waiting(stack(admin, consul="ready", nomad=state))
        assert waiting is not None
        assert (waiting.on, waiting.is_agent) == ("nomad", True)

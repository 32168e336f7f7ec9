from __future__ import annotations

from typing import Any

import pytest

from prismctl.present.partial import describe_partial, find_given_up


def service(name: str, state: str, *needs: str, reason: str = "") -> dict[str, Any]:
    return {"name": name, "state": state, "depends_on": list(needs), "reason": reason}


DB = service("db", "failed", reason="exited with code 1")


def test_a_partial_start_names_what_failed_what_was_not_started_and_what_is_not_ready() -> None:
    services = [
        DB,
        service("web", "waiting", "db", reason="waits for db"),
        service("cart", "failed", "web", reason="waits for web"),
        service("slow", "unhealthy", reason="HTTP 503"),
        service("good", "healthy"),
    ]
    assert describe_partial(services, ["db"], ["cart"]) == (
        "1 of 5 services failed: db; not started because of that: web, cart; not ready: slow (HTTP 503)"
    )


def test_several_unready_services_are_told_apart() -> None:
    services = [
        DB,
        service("slow", "unhealthy", reason="HTTP 503"),
        service("later", "starting", reason="connection refused"),
    ]
    assert describe_partial(services, ["db"]).endswith(
        "; not ready: slow, later (slow: HTTP 503; later: connection refused)"
    )


@pytest.mark.parametrize("state", ["healthy", "completed"])
def test_where_nothing_else_is_wrong_nothing_else_is_said(state: str) -> None:
    assert describe_partial([DB, service("b", state)], ["db"]) == "1 of 2 services failed: db"


def test_what_came_up_although_it_needs_what_failed_is_not_called_unstarted() -> None:
    services = [DB, service("web", "unhealthy", "db", reason="HTTP 500")]
    assert describe_partial(services, ["db"]).endswith("failed: db; not ready: web (HTTP 500)")


def test_who_never_began_did_not_fail_by_itself() -> None:
    services = [
        DB,
        service("web", "failed", "db", reason="db can never be ready: exited with code 1"),
        service("other", "failed", "db", reason="exited with code 2"),
    ]
    assert find_given_up(services) == ["web"]

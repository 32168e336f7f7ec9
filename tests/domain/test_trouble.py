from __future__ import annotations

from typing import Any

import pytest

from prismctl.domain.trouble import find_to_blame, is_ill


def service(name: str, state: str = "healthy", *needs: str, **rest: Any) -> dict[str, Any]:
    return {"name": name, "state": state, "depends_on": list(needs), "last_error": None, **rest}


@pytest.mark.parametrize(
    ("state", "rest", "expected"),
    [
        ("failed", {}, True),
        ("unhealthy", {}, True),
        ("healthy", {"alarm": True}, True),
        ("starting", {"last_error": "exited with code 1"}, True),
        ("waiting", {"last_error": "exited with code 1"}, True),
        ("starting", {}, False),
        ("healthy", {"last_error": "exited with code 1"}, False),
        ("stopped", {"last_error": "exited with code 1"}, False),
        ("completed", {}, False),
    ],
)
def test_what_went_wrong_and_was_not_put_right_is_ill(
    state: str, rest: dict[str, Any], *, expected: bool
) -> None:
    assert is_ill(service("web", state, **rest)) is expected


@pytest.mark.parametrize(
    "ill",
    [
        service("db", "failed"),
        service("db", "unhealthy"),
        service("db", "starting", last_error="exited with code 1"),
        service("db", "healthy", alarm=True),
    ],
)
def test_a_service_that_did_not_answer_had_no_card_in_the_browser(ill: dict[str, Any]) -> None:
    assert find_to_blame([ill, service("web")]) == {"db"}


def test_what_is_ill_because_of_what_it_needs_is_not_to_blame() -> None:
    services = [
        service("db", "failed"),
        service("api", "waiting", "db"),
        service("web", "failed", "api"),
        service("shop", "unhealthy", "db"),
    ]

    assert find_to_blame(services) == {"db"}


def test_what_crashed_just_now_did_so_itself_whatever_else_is_ill() -> None:
    services = [service("db", "failed"), service("web", "starting", "db", alarm=True)]

    assert find_to_blame(services) == {"db", "web"}


def test_services_that_need_each_other_are_looked_at_once() -> None:
    services = [service("a", "failed", "b"), service("b", "healthy", "a")]

    assert find_to_blame(services) == {"a"}

from __future__ import annotations

import time

import pytest

from prismctl.domain.addressing import PortHolder, describe_holder
from prismctl.domain.port_owner import StackOwner

REDIS = StackOwner("a-keeper", "u1", "redis")
NOON = time.mktime((2026, 1, 10, 12, 0, 0, 0, 0, -1))


@pytest.mark.parametrize(
    ("holder", "words"),
    [
        (None, ""),
        (PortHolder(pid=7, command="python3", user="ana"), "PID 7, python3"),
        (PortHolder(user="ana"), "another process, user ana"),
        (PortHolder(pid=7, since=1000.0, owner=REDIS), "redis of stack u1"),
    ],
)
def test_a_holder_in_a_few_words(holder: PortHolder | None, words: str) -> None:
    assert describe_holder(holder) == words


@pytest.mark.parametrize(
    ("holder", "words"),
    [
        (None, ""),
        (PortHolder(user="ana"), "another process, user ana"),
        (
            PortHolder(pid=7, command="python3", user="ana", since=NOON),
            "PID 7, python3, user ana, since 12:00",
        ),
        (
            PortHolder(pid=7, command="python3", since=NOON - 48 * 3600),
            "PID 7, python3, since 2026-01-08 12:00",
        ),
        (PortHolder(pid=7, since=NOON, owner=REDIS), "redis of stack u1 (PID 7, since 12:00)"),
        (PortHolder(pid=7, owner=REDIS), "redis of stack u1 (PID 7)"),
        (PortHolder(owner=REDIS), "redis of stack u1"),
    ],
)
def test_a_holder_with_all_that_is_known_of_it(holder: PortHolder | None, words: str) -> None:
    assert describe_holder(holder, now=NOON + 60) == words

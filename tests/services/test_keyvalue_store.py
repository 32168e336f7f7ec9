from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from prism_services.memstore.store import (
    LONGEST_KEY,
    NANOSECONDS,
    SLACK,
    Store,
    StoreRefusalError,
    check_key,
)

KEYS = st.sampled_from(["a", "b", "c", "d", "é"])
LIMIT = 3


class Clock:
    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += round(seconds * NANOSECONDS)


class AgainstModel(RuleBasedStateMachine):
    """The store does what a plain dictionary of (value, deadline) would."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.store = Store(max_keys=LIMIT, clock=self.clock)
        self.model: dict[str, tuple[bytes, int | None]] = {}

    def live(self) -> dict[str, tuple[bytes, int | None]]:
        return {
            key: (value, deadline)
            for key, (value, deadline) in self.model.items()
            if deadline is None or deadline > self.clock.now
        }

    @rule(key=KEYS, value=st.binary(max_size=4))
    def set(self, key: str, value: bytes) -> None:
        live = self.live()
        if key not in live and len(live) >= LIMIT:
            with pytest.raises(StoreRefusalError, match=f"^capacity limit reached: {LIMIT} keys$"):
                self.store.set(key, value)
        else:
            self.store.set(key, value)
            self.model = {**live, key: (value, None)}

    @rule(key=KEYS)
    def get(self, key: str) -> None:
        assert self.store.get(key) == self.live().get(key, (None,))[0]
        assert self.store.exists(key) == (key in self.live())

    @rule(key=KEYS)
    def delete(self, key: str) -> None:
        assert self.store.delete(key) == (key in self.live())
        self.model.pop(key, None)

    @rule(key=KEYS, ttl=st.integers(1, 5))
    def expire(self, key: str, ttl: int) -> None:
        live = self.live()
        assert self.store.expire(key, ttl) == (key in live)
        if key in live:
            self.model[key] = (live[key][0], self.clock.now + ttl * NANOSECONDS)

    @rule(key=KEYS)
    def persist(self, key: str) -> None:
        live = self.live()
        expiring = key in live and live[key][1] is not None
        assert self.store.persist(key) == expiring
        if expiring:
            self.model[key] = (live[key][0], None)

    @rule(key=KEYS)
    def ttl(self, key: str) -> None:
        live = self.live()
        if key not in live:
            assert self.store.ttl(key) == -2
            return
        deadline = live[key][1]
        left = -1 if deadline is None else math.ceil((deadline - self.clock.now) / NANOSECONDS)
        assert self.store.ttl(key) == left

    @rule(seconds=st.sampled_from([0.25, 0.5, 1.0, 3.0]))
    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule()
    def sweep(self) -> None:
        self.store.sweep()
        assert len(self.store) == len(self.live())

    @invariant()
    def counts_hold(self) -> None:
        assert len(self.live()) <= len(self.store) <= LIMIT
        assert self.store.expiring >= sum(
            deadline is not None for _, deadline in self.live().values()
        )


AgainstModel.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestAgainstModel = AgainstModel.TestCase


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> Store:
    return Store(max_keys=10, clock=clock)


def test_setting_a_key_again_clears_its_expiry(store: Store, clock: Clock) -> None:
    store.set("k", b"1")
    store.expire("k", 5)
    store.set("k", b"2")
    assert store.ttl("k") == -1
    clock.advance(10)
    assert store.get("k") == b"2"


def test_a_key_lives_until_exactly_its_deadline(store: Store, clock: Clock) -> None:
    store.set("k", b"v")
    store.expire("k", 1)
    clock.now += NANOSECONDS - 1
    assert store.exists("k")
    assert store.ttl("k") == 1
    clock.now += 1
    assert not store.exists("k")


@pytest.mark.parametrize("ttl", [0, -1, -(1 << 63)])
def test_a_ttl_below_one_second_is_refused(store: Store, ttl: int) -> None:
    store.set("k", b"v")
    with pytest.raises(StoreRefusalError, match="at least 1"):
        store.expire("k", ttl)
    assert store.ttl("k") == -1


def test_the_largest_ttl_is_kept_exactly(store: Store) -> None:
    store.set("k", b"v")
    assert store.expire("k", (1 << 63) - 1)
    assert store.ttl("k") == (1 << 63) - 1


def test_room_is_made_of_expired_keys_before_a_new_one_is_refused(clock: Clock) -> None:
    store = Store(max_keys=1, clock=clock)
    store.set("old", b"")
    store.expire("old", 1)
    clock.advance(2)
    store.set("new", b"")
    assert store.exists("new")


def test_a_known_key_can_be_set_at_capacity(clock: Clock) -> None:
    store = Store(max_keys=1, clock=clock)
    store.set("k", b"1")
    store.set("k", b"2")
    assert store.get("k") == b"2"


def test_deadlines_that_are_moved_a_thousand_times_take_no_room(store: Store) -> None:
    store.set("k", b"")
    for ttl in range(1, 1000):
        store.expire("k", ttl)
    assert len(store._deadlines) <= SLACK + 3


@given(st.text(min_size=1, max_size=40))
def test_any_short_key_is_taken(key: str) -> None:
    check_key(key)


@pytest.mark.parametrize("key", ["k" * LONGEST_KEY, "é" * (LONGEST_KEY // 2)])
def test_a_key_of_64_kilobytes_is_taken(key: str) -> None:
    check_key(key)


@pytest.mark.parametrize("key", ["", "k" * (LONGEST_KEY + 1), "é" * (LONGEST_KEY // 2) + "k"])
def test_an_empty_or_longer_key_is_refused(key: str) -> None:
    with pytest.raises(StoreRefusalError):
        check_key(key)

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prism_services.admin.partitions import PARTITIONS, owner, partition_of, shares

PROXIES = st.sets(st.text(min_size=1, max_size=8), min_size=1, max_size=PARTITIONS)


@pytest.mark.parametrize(
    ("name", "partition"),
    [("orders", 238), ("default", 223), ("", 0)],
)
def test_the_partition_is_the_crc32_of_the_name_modulo_256(name: str, partition: int) -> None:
    # Worked out with the `crc32` command, not with the code under test.
    assert partition_of(name) == partition


def test_one_proxy_has_every_partition() -> None:
    (share,) = shares(["proxy-1"])
    assert (share.first, share.last) == (0, 255)


def test_two_proxies_have_half_each_in_order_of_their_ids() -> None:
    first, second = shares(["b", "a"])
    assert (first.proxy_id, first.first, first.last) == ("a", 0, 127)
    assert (second.proxy_id, second.first, second.last) == ("b", 128, 255)


def test_the_last_of_three_takes_the_rest() -> None:
    assert [(share.first, share.last) for share in shares(["a", "b", "c"])] == [
        (0, 84),
        (85, 169),
        (170, 255),
    ]


def test_without_a_proxy_nobody_owns_a_partition() -> None:
    assert shares([]) == ()
    assert owner(7, []) == ""


@given(PROXIES)
def test_every_partition_has_exactly_one_owner(proxies: set[str]) -> None:
    found = shares(proxies)
    covered = [number for share in found for number in range(share.first, share.last + 1)]
    assert covered == list(range(PARTITIONS))
    assert {share.proxy_id for share in found} == proxies


@given(PROXIES, st.integers(0, PARTITIONS - 1))
def test_the_owner_is_the_one_whose_share_holds_the_partition(
    proxies: set[str], partition: int
) -> None:
    mine = next(share for share in shares(proxies) if share.proxy_id == owner(partition, proxies))
    assert mine.first <= partition <= mine.last

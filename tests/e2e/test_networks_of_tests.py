"""Networks of tests: two never share one, and what a killed test left is in nobody's way."""

from __future__ import annotations

import subprocess
import uuid

import pytest

from tests.own_networks import own_network, remove_what_is_left

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]


def test_two_tests_at_once_have_different_networks() -> None:
    with own_network() as one, own_network() as other:
        assert one.bridge != other.bridge
        assert one.subnet != other.subnet


def test_the_bridge_of_a_killed_test_does_not_stop_the_next() -> None:
    space = f"prism-test-{uuid.uuid4().hex[:8]}"
    cable = f"pt{uuid.uuid4().hex[:8]}"
    with own_network() as network:
        ip("link", "add", "name", network.bridge, "type", "bridge")
        ip("netns", "add", space)
        ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", space)
        ip("link", "set", cable, "master", network.bridge)
        remove_what_is_left(network.bridge)
        assert network.bridge not in ip("link", "show")
        assert space not in ip("netns", "list")


def ip(*words: str) -> str:
    return subprocess.run(("ip", *words), check=True, capture_output=True, text=True).stdout

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from prismctl.install.checks.finding import State
from prismctl.install.containers.facts import (
    PodmanFacts,
    VirtualMachine,
    count_subordinates,
    read_information,
    read_machines,
)
from prismctl.install.containers.judging import judge_podman, judge_trial
from prismctl.install.containers.trial import Trial, TrialState

RECORDINGS = Path(__file__).parent / "recordings"
PODMAN = Path("/usr/bin/podman")

ROOTFUL = read_information(
    PODMAN,
    json.loads((RECORDINGS / "podman-info-rootful.json").read_text()),
    is_virtual=False,
)
HEALTHY_USER = PodmanFacts(
    path=PODMAN,
    version="5.2.1",
    is_rootless=True,
    user="ada",
    cgroup_version="v2",
    cgroup_controllers=("cpu", "memory", "pids"),
    runtime="crun",
    runtimes=("crun",),
    network_backend="netavark",
    rootless_network="/usr/bin/pasta",
    storage_driver="overlay",
    search_registries=("docker.io",),
    subordinate_uids=65536,
    subordinate_gids=65536,
)


def names_of(facts: PodmanFacts, *, can_resolve_short_names: bool = False) -> list[str]:
    findings = judge_podman(facts, can_resolve_short_names=can_resolve_short_names)
    assert all(finding.state is State.WARNING and finding.fix for finding in findings)
    return [finding.name for finding in findings]


def test_the_facts_are_read_from_what_podman_says_of_itself() -> None:
    assert ROOTFUL.summary == "4.3.1 rootful, crun, netavark, cgroup v1"
    assert ROOTFUL.cgroup_manager == "cgroupfs"
    assert ROOTFUL.storage_driver == "overlay"
    assert ROOTFUL.socket == "/run/podman/podman.sock"
    assert ROOTFUL.search_registries == ()
    assert ROOTFUL.rootless_network == ""


def test_a_user_s_podman_is_read_as_such() -> None:
    facts = read_information(
        PODMAN,
        json.loads((RECORDINGS / "podman-info-rootless.json").read_text()),
        is_virtual=False,
    )
    assert facts.summary == "4.3.1 rootless, crun, netavark, cgroup v1"
    assert facts.rootless_network == "/usr/bin/slirp4netns"
    assert names_of(
        replace(facts, subordinate_uids=65536, subordinate_gids=65536, search_registries=("a",))
    ) == ["podman-limits", "podman-storage"]


def test_information_without_most_of_its_parts_is_no_failure() -> None:
    facts = read_information(
        PODMAN, {"host": None, "version": {"Version": "4.9"}}, is_virtual=False
    )
    assert facts.version == "4.9"
    assert facts.runtime == ""


def test_a_healthy_user_has_nothing_to_mend() -> None:
    assert names_of(HEALTHY_USER) == []


@pytest.mark.parametrize(
    ("facts", "name"),
    [
        (replace(HEALTHY_USER, subordinate_uids=0), "podman-subordinate-ids"),
        (replace(HEALTHY_USER, subordinate_gids=1000), "podman-subordinate-ids"),
        (replace(HEALTHY_USER, has_id_mappers=False), "podman-id-mappers"),
        (replace(HEALTHY_USER, cgroup_version="v1"), "podman-limits"),
        (replace(HEALTHY_USER, cgroup_controllers=("pids",)), "podman-limits"),
        (replace(HEALTHY_USER, rootless_network=""), "podman-user-network"),
        (replace(HEALTHY_USER, runtime="", runtimes=()), "podman-runtime"),
        (replace(HEALTHY_USER, network_backend="cni"), "podman-network"),
        (replace(HEALTHY_USER, storage_driver="vfs"), "podman-storage"),
        (replace(HEALTHY_USER, search_registries=()), "podman-registries"),
    ],
)
def test_each_shortcoming_is_one_finding_with_a_fix(facts: PodmanFacts, name: str) -> None:
    assert names_of(facts) == [name]


def test_root_needs_none_of_what_users_need() -> None:
    facts = replace(
        HEALTHY_USER,
        is_rootless=False,
        subordinate_uids=0,
        rootless_network="",
        cgroup_version="v1",
    )
    assert names_of(facts) == []


def test_a_registry_of_home_is_enough_for_short_names() -> None:
    assert names_of(ROOTFUL) == ["podman-registries"]
    assert names_of(ROOTFUL, can_resolve_short_names=True) == []


def test_the_user_is_told_how_to_get_subordinate_ids() -> None:
    (finding,) = judge_podman(
        replace(HEALTHY_USER, subordinate_uids=0), can_resolve_short_names=True
    )
    assert finding.detail == "ada has no subordinate IDs (/etc/subuid, /etc/subgid)"
    assert finding.fix.startswith("sudo usermod --add-subuids 100000-165535")


def test_a_podman_that_does_not_answer_is_one_finding() -> None:
    facts = PodmanFacts(path=PODMAN, complaint="cannot set up namespace using newuidmap: exit 1")
    (finding,) = judge_podman(facts, can_resolve_short_names=False)
    assert finding.name == "podman-info"
    assert "uidmap" in finding.fix


@pytest.mark.parametrize(
    ("machines", "fix"),
    [
        ((), "podman machine init --now"),
        (
            (VirtualMachine(name="podman-machine-default", is_running=False),),
            "podman machine start podman-machine-default",
        ),
    ],
)
def test_a_virtual_machine_that_does_not_run_is_one_finding(
    machines: tuple[VirtualMachine, ...], fix: str
) -> None:
    facts = PodmanFacts(path=PODMAN, is_virtual=True, machines=machines, complaint="Cannot connect")
    (finding,) = judge_podman(facts, can_resolve_short_names=False)
    assert finding.name == "podman-machine"
    assert finding.fix.startswith(fix)


def test_machines_are_read_from_their_listing() -> None:
    listing = '[{"Name": "podman-machine-default*", "Default": true, "Running": true}]'
    assert read_machines(listing) == (
        VirtualMachine(name="podman-machine-default", is_running=True),
    )
    assert read_machines("") == ()
    assert read_machines("null") == ()


def test_subordinate_ids_of_one_user_are_added_up() -> None:
    table = "ada:100000:65536\nbob:165536:65536\nada:300000:10\nbroken\nada:x:y\n"
    assert count_subordinates(table, "ada") == 65546
    assert count_subordinates(table, "eve") == 0


def test_a_trial_that_worked_or_was_not_made_is_no_finding() -> None:
    assert judge_trial(Trial(state=TrialState.WORKED), is_network=False) is None


def test_a_network_that_users_may_not_make_says_how_they_may() -> None:
    words = '/usr/bin/slirp4netns failed: "open("/dev/net/tun"): Permission denied'
    finding = judge_trial(Trial(state=TrialState.FAILED, words=words), is_network=True)
    assert finding is not None
    assert finding.fix == "sudo modprobe tun && sudo chmod 666 /dev/net/tun"


def test_a_failed_trial_says_what_it_means_and_what_podman_said() -> None:
    trial = Trial(
        state=TrialState.FAILED, words="could not find slirp4netns, the network namespace"
    )
    finding = judge_trial(trial, is_network=True)
    assert finding is not None
    assert finding.detail.startswith(
        "what connects its containers is missing: could not find slirp"
    )
    assert "passt" in finding.fix

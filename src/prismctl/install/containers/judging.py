"""Whether Podman will do as it is, and what to do where it will not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prismctl.install.checks.finding import Finding, State
from prismctl.install.containers.advice import advise

if TYPE_CHECKING:
    from prismctl.install.containers.facts import PodmanFacts
    from prismctl.install.containers.trial import Trial

_ENOUGH_IDS: Final = 65536
"""A container may have that many users; images count on it."""


def judge_podman(facts: PodmanFacts, *, can_resolve_short_names: bool) -> tuple[Finding, ...]:
    """What is wrong with Podman as it is; nothing: all is well.

    Args:
        facts: as found.
        can_resolve_short_names: whether a file of this home names a registry for them.
    """
    if facts.is_virtual and not any(machine.is_running for machine in facts.machines):
        return (_judge_machines(facts),)
    if facts.complaint:
        detail, fix = advise(facts.complaint, otherwise="podman info")
        return (_warning("podman-info", "Podman does not work", detail, fix),)
    return (
        *(_judge_user(facts) if facts.is_rootless and not facts.is_virtual else ()),
        *_judge_running(facts),
        *_judge_names(facts, can_resolve_short_names=can_resolve_short_names),
    )


def judge_trial(trial: Trial, *, is_network: bool) -> Finding | None:
    """What is wrong by a container that was tried; ``None``: nothing."""
    if trial.has_worked or not trial.words:
        return None
    detail, fix = advise(trial.words, otherwise="podman info --debug")
    if is_network:
        return _warning("podman-network", "Container network", detail, fix)
    return _warning("podman-trial", "Containers do not run", detail, fix)


def _judge_machines(facts: PodmanFacts) -> Finding:
    if facts.machines:
        name = facts.machines[0].name
        return _warning(
            "podman-machine",
            "Podman's virtual machine",
            f"{name} does not run",
            f"podman machine start {name}",
        )
    return _warning(
        "podman-machine",
        "Podman's virtual machine",
        "there is none; containers run in one here",
        "podman machine init --now   (fetches its image, about 1 GB)",
    )


def _judge_user(facts: PodmanFacts) -> tuple[Finding, ...]:
    found = []
    if not facts.has_id_mappers:
        found.append(
            _warning(
                "podman-id-mappers",
                "User IDs of containers",
                "newuidmap and newgidmap are missing: images with more than one user do not run",
                "install the package uidmap (Fedora: shadow-utils)",
            )
        )
    fewest = min(facts.subordinate_uids, facts.subordinate_gids)
    if fewest < _ENOUGH_IDS:
        has = f"has {fewest} of {_ENOUGH_IDS}" if fewest else "has no"
        found.append(
            _warning(
                "podman-subordinate-ids",
                "User IDs of containers",
                f"{facts.user} {has} subordinate IDs (/etc/subuid, /etc/subgid)",
                f"sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {facts.user}"
                " && podman system migrate",
            )
        )
    if facts.cgroup_version == "v1":
        found.append(
            _warning(
                "podman-limits",
                "Limits of containers",
                "with cgroups v1 nobody but root can limit the memory of containers",
                "boot with systemd.unified_cgroup_hierarchy=1",
            )
        )
    elif facts.cgroup_controllers and "memory" not in facts.cgroup_controllers:
        found.append(
            _warning(
                "podman-limits",
                "Limits of containers",
                f"{facts.user} may limit {', '.join(facts.cgroup_controllers)}, but not memory",
                "let systemd delegate it: Delegate=cpu memory pids for user@.service",
            )
        )
    if not facts.rootless_network:
        found.append(
            _warning(
                "podman-user-network",
                "Container network",
                "neither pasta nor slirp4netns is here: containers of users get no network",
                "install the package passt (before Podman 5: slirp4netns)",
            )
        )
    return tuple(found)


def _judge_running(facts: PodmanFacts) -> tuple[Finding, ...]:
    found = []
    if not facts.runtimes and not facts.runtime:
        found.append(
            _warning(
                "podman-runtime",
                "Container runtime",
                "neither crun nor runc is here: no container can be started",
                "install the package crun",
            )
        )
    if facts.network_backend == "cni":
        found.append(
            _warning(
                "podman-network",
                "Container network",
                "the old backend, CNI, is in use: containers may not find each other by name",
                "install the packages netavark and aardvark-dns, then `podman system reset` (removes all containers and images)",
            )
        )
    if facts.storage_driver == "vfs":
        found.append(
            _warning(
                "podman-storage",
                "Container storage",
                "every container is a whole copy of its image (vfs): slow, and large",
                "install the package fuse-overlayfs, let the user open /dev/fuse, then `podman system reset`"
                " (removes all containers and images)",
            )
        )
    return tuple(found)


def _judge_names(facts: PodmanFacts, *, can_resolve_short_names: bool) -> tuple[Finding, ...]:
    if facts.search_registries or can_resolve_short_names or facts.is_virtual:
        return ()
    return (
        _warning(
            "podman-registries",
            "Image names",
            "no registry is named for short ones: `redis:7` is not found, `docker.io/library/redis:7` is",
            "prismctl dev init",
        ),
    )


def _warning(name: str, title: str, detail: str, fix: str) -> Finding:
    # Never worse: services also run as programs of this machine.
    return Finding(name=name, title=title, state=State.WARNING, detail=detail, fix=fix)

from __future__ import annotations

import asyncio
import tomllib
from typing import TYPE_CHECKING

import pytest

from prismctl.errors import PrismError
from prismctl.files.paths import Home
from prismctl.install.containers.configuration import podman_environment
from prismctl.install.containers.facts import inspect_podman
from prismctl.install.manifest import read_manifest
from prismctl.install.podman import make_podman_work
from tests.install.podman_desk import LIMITED_HYBRID, PodmanDesk

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from prismctl.install.provider import Progress
    from prismctl.install.steps import Outcome


@pytest.fixture
def desk(tmp_path: Path) -> PodmanDesk:
    return PodmanDesk(tmp_path / "desk")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "home").mkdir()
    return Home(tmp_path / "home")


async def make_it_work(
    home: Home, desk: PodmanDesk, *, patience_seconds: float = 20.0
) -> tuple[Outcome, list[str]]:
    told: list[str] = []

    def hear(news: Progress | str) -> None:
        told.append(str(news))

    outcome = await make_podman_work(
        home, desk.path, desk.environment, hear, patience_seconds=patience_seconds, inits=()
    )
    return outcome, told


async def test_a_podman_that_works_gets_no_settings(home: Home, desk: PodmanDesk) -> None:
    desk.inform(registries=("docker.io",))
    outcome, _ = await make_it_work(home, desk)
    assert outcome.detail == "4.3.1 rootful, crun, netavark, cgroup v1"
    assert not outcome.is_changed
    assert outcome.fix == ""
    assert podman_environment(home) == {}
    assert not (home.directory / "containers").exists()


async def test_settings_are_found_by_what_podman_says_when_it_fails(
    home: Home, desk: PodmanDesk
) -> None:
    desk.inform(registries=("docker.io",))
    desk.write("run", LIMITED_HYBRID)
    outcome, told = await make_it_work(home, desk)
    assert outcome.is_changed
    assert [line.partition(";")[0] for line in told[2:]] == [
        "Podman asks for higher limits than this machine allows",
        "crun does not work where both versions of cgroups are mounted",
    ]
    variables = podman_environment(home)
    assert list(variables) == ["CONTAINERS_CONF"]
    with open(variables["CONTAINERS_CONF"], "rb") as file:  # noqa: ASYNC230, PTH123 - a small file
        document = tomllib.load(file)
    assert document["engine"]["runtime"] == "runc"
    assert len(document["containers"]["default_ulimits"]) == 2
    assert read_manifest(home).created == ("containers",)


async def test_a_second_time_changes_nothing(home: Home, desk: PodmanDesk) -> None:
    desk.write("run", LIMITED_HYBRID)
    await make_it_work(home, desk)
    runs = len([line for line in desk.log if line.startswith("podman run")])
    outcome, _ = await make_it_work(home, desk)
    assert not outcome.is_changed
    assert len([line for line in desk.log if line.startswith("podman run")]) == runs + 2


async def test_a_later_podman_adds_to_the_settings_of_others(home: Home, desk: PodmanDesk) -> None:
    desk.inform(version="5.4.2", registries=("docker.io",))
    desk.write("run", LIMITED_HYBRID)
    await make_it_work(home, desk)
    assert list(podman_environment(home)) == ["CONTAINERS_CONF_OVERRIDE"]


async def test_an_earlier_podman_keeps_what_the_user_has_set(home: Home, desk: PodmanDesk) -> None:
    own = desk.directory / ".config" / "containers"
    own.mkdir(parents=True)
    (own / "containers.conf").write_text('[engine]\nruntime = "crun"\nhelper = "mine"\n')
    desk.write("run", LIMITED_HYBRID)
    await make_it_work(home, desk)
    document = tomllib.loads((home.directory / "containers" / "containers.conf").read_text())
    assert document["engine"]["helper"] == "mine"
    assert document["engine"]["runtime"] == "runc"


async def test_where_nobody_names_a_registry_home_does(home: Home, desk: PodmanDesk) -> None:
    own = desk.directory / ".config" / "containers"
    own.mkdir(parents=True)
    (own / "registries.conf").write_text(
        '# words\nunqualified-search-registries = []\n[[registry]]\nlocation = "mirror.example"\n'
    )
    outcome, _ = await make_it_work(home, desk)
    assert outcome.is_changed
    assert list(podman_environment(home)) == ["CONTAINERS_REGISTRIES_CONF"]
    document = tomllib.loads((home.directory / "containers" / "registries.conf").read_text())
    assert document == {
        "unqualified-search-registries": ["docker.io"],
        "registry": [{"location": "mirror.example"}],
    }


async def test_a_failure_that_nothing_helps_against_is_said_and_leaves_no_settings(
    home: Home, desk: PodmanDesk
) -> None:
    desk.inform(registries=("docker.io",))
    desk.write("run", "echo 'Error: the moon is full' >&2; exit 125")
    with pytest.raises(PrismError) as caught:
        await make_it_work(home, desk)
    assert caught.value.message == "Containers do not run: the moon is full"
    assert podman_environment(home) == {}


async def test_without_an_image_nothing_is_tried_or_pulled(home: Home, desk: PodmanDesk) -> None:
    desk.inform(registries=("docker.io",))
    desk.write("images", "[]")
    outcome, _ = await make_it_work(home, desk)
    assert outcome.detail.endswith("no image at hand: not tried")
    assert not any(line.startswith(("podman run", "podman pull")) for line in desk.log)


async def test_the_smallest_image_is_run_without_pulling_and_labelled(
    home: Home, desk: PodmanDesk
) -> None:
    await make_it_work(home, desk)
    first = next(line for line in desk.log if line.startswith("podman run"))
    assert "--rm --pull=never --label=prism.trial=" in first
    assert first.endswith("--network=none --entrypoint=/bin/true small")


@pytest.mark.parametrize(
    "said",
    [
        "crun: executable file `/bin/true` not found in $PATH: No such file or directory",
        (
            'runc: runc create failed: unable to start container process: exec: "/bin/true": stat /bin/true:'
            " no such file or directory: OCI runtime attempted to invoke a command that was not found"
        ),
    ],
)
async def test_an_image_without_such_a_program_was_started_all_the_same(
    home: Home, desk: PodmanDesk, said: str
) -> None:
    desk.inform(registries=("docker.io",))
    desk.write("said", f"Error: {said}\n")
    desk.write("run", 'cat "$DESK/said" >&2; exit 127')
    outcome, _ = await make_it_work(home, desk)
    assert outcome.detail == "4.3.1 rootful, crun, netavark, cgroup v1"


async def test_a_network_that_fails_is_said_with_a_fix(home: Home, desk: PodmanDesk) -> None:
    desk.write(
        "run",
        'case "$*" in *--network=none*) exit 0 ;; esac; echo "Error: netavark: iptables: No such file" >&2; exit 126',
    )
    outcome, _ = await make_it_work(home, desk)
    assert "cannot change the rules of the network" in outcome.detail
    assert outcome.fix.startswith("install the package iptables")


async def test_a_service_is_not_run_where_containers_can_only_talk_to_themselves(
    home: Home, desk: PodmanDesk
) -> None:
    desk.write(
        "run",
        'case "$*" in *--network=none*) exit 0 ;; esac; echo "Error: slirp4netns: /dev/net/tun" >&2; exit 126',
    )
    with pytest.raises(PrismError, match="users may not make network devices here") as caught:
        await make_podman_work(
            home, desk.path, desk.environment, lambda _: None, needs_network=True, inits=()
        )
    assert caught.value.hint == "sudo modprobe tun && sudo chmod 666 /dev/net/tun"


async def test_the_first_line_of_what_another_program_said_is_enough(
    home: Home, desk: PodmanDesk
) -> None:
    desk.write("said", 'Error: slirp4netns failed: "no such tap\\nWARNING: 1\\nWARNING: 2"\n')
    desk.write("run", 'cat "$DESK/said" >&2; exit 125')
    with pytest.raises(PrismError) as caught:
        await make_it_work(home, desk)
    assert caught.value.message == 'Containers do not run: slirp4netns failed: "no such tap'


async def test_a_container_that_hangs_is_bounded_and_removed(home: Home, desk: PodmanDesk) -> None:
    desk.write("run", 'echo left > "$DESK/containers"; exec sleep 1000')
    with pytest.raises(PrismError, match=r"it hangs: .* did not end within 0.3 s"):
        await make_it_work(home, desk, patience_seconds=0.3)
    assert "podman rm -f -t 0 left" in desk.log
    assert (desk.directory / "containers").read_text() == ""


async def test_a_container_that_runs_at_an_interruption_is_removed(
    home: Home, desk: PodmanDesk, wait_until: Callable[..., None]
) -> None:
    desk.write("run", 'echo left > "$DESK/new"; mv "$DESK/new" "$DESK/containers"; exec sleep 1000')
    task = asyncio.create_task(make_it_work(home, desk))
    containers = desk.directory / "containers"
    await asyncio.to_thread(wait_until, lambda: containers.read_text() == "left\n")
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert containers.read_text() == ""


async def test_a_podman_that_does_not_say_what_it_is_like_is_a_failure(
    home: Home, desk: PodmanDesk
) -> None:
    desk.write("info", "echo 'Error: cannot set up namespace using newuidmap' >&2; exit 125")
    with pytest.raises(PrismError, match="Podman does not work") as caught:
        await make_it_work(home, desk)
    assert "uidmap" in caught.value.hint


async def test_a_stopped_virtual_machine_is_said_with_what_starts_it(desk: PodmanDesk) -> None:
    desk.write("machines", '[{"Name": "default", "Running": false}]')
    desk.write("info", "echo 'Error: Cannot connect to Podman' >&2; exit 125")
    facts = await inspect_podman(desk.path, desk.environment, system="darwin")
    assert facts.is_virtual
    assert [machine.name for machine in facts.machines] == ["default"]
    assert facts.complaint == "Cannot connect to Podman"

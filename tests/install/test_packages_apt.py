from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from typing import TYPE_CHECKING

import pytest

from prismctl.errors import InterruptedByUserError, PrismError, UnavailableError
from prismctl.install.package_managers.apt import (
    AptProgress,
    explain_apt,
    read_candidates,
    read_damaged,
    read_installed,
    read_simulation,
    sum_uris,
)
from prismctl.install.packages import find_package_managers, split_commands
from prismctl.install.provider import Progress, ProviderName, Unit
from prismctl.install.tools import NOMAD, PODMAN
from prismctl.install.versions import Version
from tests.install.package_desk import POLICY, PackageDesk
from tests.install.program_desk import RECORDINGS
from tests.install.provider_contract import ProviderContract

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from prismctl.install.packages import PackageProvider
    from prismctl.install.tools import Tool


@pytest.fixture
def desk(tmp_path: Path) -> PackageDesk:
    return PackageDesk(tmp_path / "desk")


async def install(provider: PackageProvider, desk: PackageDesk) -> list[Progress]:
    """What was reported while Podman was installed."""
    heard: list[Progress] = []
    offer = await provider.offer(PODMAN, PODMAN.version)
    provided = await provider.provide(offer, desk.directory, heard.append)
    assert provided.path == desk.directory / "bin" / "podman"
    return heard


async def fail_to_install(provider: PackageProvider, desk: PackageDesk) -> PrismError:
    with pytest.raises(PrismError) as caught:
        await install(provider, desk)
    return caught.value


# What apt prints, and what it means.


def test_a_simulation_names_what_is_new_and_what_is_upgraded() -> None:
    new, upgraded, removed = read_simulation((RECORDINGS / "apt-simulation.txt").read_text())
    assert len(new) == 17
    assert "podman" in new
    assert upgraded == ("login", "passwd")
    assert removed == ()


def test_the_bytes_to_be_fetched_are_added_up() -> None:
    assert sum_uris((RECORDINGS / "apt-uris.txt").read_text()) == 20_448_548


def test_packages_without_a_candidate_are_left_out() -> None:
    assert read_candidates((RECORDINGS / "apt-policy.txt").read_text()) == {
        "podman": "4.3.1+ds1-8+deb12u1+b3",
        "passt": "0.0~git20230309.7c7625d-1",
        "uidmap": "1:4.13+dfsg1-1+deb12u2",
    }


def test_installed_packages_are_named_without_their_architecture() -> None:
    listing = "ii  crun\nii  libc6:amd64\nrc  runc\nun  docker\niU  half\n"
    assert read_installed(listing) == {"crun", "libc6"}
    assert read_damaged(listing) == ("half",)


def test_progress_is_bytes_while_fetching_and_packages_while_installing() -> None:
    reader = AptProgress(18_000_000)
    lines = (RECORDINGS / "apt-installation.txt").read_text().splitlines()
    heard = [progress for line in lines if (progress := reader.read(line))]
    fetched = [each for each in heard if each.unit is Unit.BYTES]
    installed = [each for each in heard if each.unit is Unit.PACKAGES]
    assert fetched[-1] == Progress(done=18_000_000, total=18_000_000, unit=Unit.BYTES)
    assert installed[-1].total == 19
    assert [each.done for each in installed] == sorted(each.done for each in installed)
    assert heard == fetched + installed


@pytest.mark.parametrize(
    ("said", "message", "hint"),
    [
        (
            (
                "Waiting for cache lock: Could not get lock /var/lib/dpkg/lock-frontend."
                " It is held by process 4711 (unattended-upgr)...\n"
                "E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), is another process using it?"
            ),
            "unattended-upgr (PID 4711) is installing packages and holds /var/lib/dpkg/lock-frontend",
            "try again once it has finished",
        ),
        (
            "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 12 (apt-get)",
            "apt-get (PID 12) is installing packages and holds /var/lib/apt/lists/lock",
            "try again once it has finished",
        ),
        (
            "E: Failed to fetch http://archive.example/a.deb  Could not resolve 'archive.example'",
            "apt cannot reach its repositories: Failed to fetch http://archive.example/a.deb  Could not resolve 'archive.example'",
            "look at the network",
        ),
        (
            "E: Failed to fetch http://archive.example/a.deb  404  Not Found [IP: 192.0.2.1 80]",
            "the package lists of apt are out of date",
            "`sudo apt-get update`",
        ),
        (
            "E: Unable to locate package catatonit",
            "the configured repositories of apt have no package catatonit",
            "`sudo apt-get update`",
        ),
        (
            "E: dpkg was interrupted, you must manually run 'sudo dpkg --configure -a' to correct the problem. ",
            "an earlier installation of packages was interrupted and is not finished",
            "`sudo dpkg --configure -a` finishes it",
        ),
        (
            "E: You don't have enough free space in /var/cache/apt/archives/.",
            "apt has no room for the packages",
            "`df -h / /var`",
        ),
    ],
)
def test_a_known_failure_is_one_sentence(said: str, message: str, hint: str) -> None:
    explained = explain_apt(said.splitlines())
    assert explained is not None
    assert explained.message.startswith(message)
    assert explained.hint.startswith(hint)


def test_a_lock_that_was_waited_for_is_not_blamed_for_what_failed_later() -> None:
    said = [
        "Waiting for cache lock: Could not get lock /x. It is held by process 1 (apt)...",
        "E: Boom",
    ]
    assert explain_apt(said) is None


# What is offered.


class TestAptKeepsTheContract(ProviderContract):
    @pytest.fixture
    def provider(self, desk: PackageDesk) -> PackageProvider:
        # Its log is written while it is asked, and is no change of the machine.
        desk.program(
            "apt-get",
            (desk.directory / "bin/apt-get").read_text().replace('"$DESK/log"', "/dev/null"),
        )
        return desk.provider()

    @pytest.fixture
    def wanted(self) -> Tool:
        return PODMAN


async def test_an_offer_names_version_size_and_the_command_for_root(desk: PackageDesk) -> None:
    offer = await desk.provider(is_root=False).offer(PODMAN, PODMAN.version)
    assert offer.version == Version(4, 3, 1)
    assert offer.size_bytes == 1000
    assert offer.needs_root
    assert offer.source == "2 packages from the repositories of apt"
    # Only the helpers that the archive has are asked for.
    assert offer.command[:4] == ("sudo", "env", "DEBIAN_FRONTEND=noninteractive", "apt-get")
    assert offer.command[-2:] == ("podman", "crun")
    assert not any("sudo" in line for line in desk.log)


async def test_root_needs_no_sudo(desk: PackageDesk) -> None:
    offer = await desk.provider().offer(PODMAN, PODMAN.version)
    assert not offer.needs_root
    assert "sudo" not in offer.command


async def test_upgrades_of_other_packages_are_warned_of(desk: PackageDesk) -> None:
    desk.write("simulation", "Inst login [1.0] (1.1 A)\nInst podman (4.3.1 A)\n")
    offer = await desk.provider().offer(PODMAN, PODMAN.version)
    assert offer.warning == "apt also upgrades login"


async def test_nothing_is_removed_for_a_tool(desk: PackageDesk) -> None:
    desk.write("simulation", "Remv docker [20]\nInst podman (4.3.1 A)\n")
    with pytest.raises(UnavailableError, match="apt would remove docker for Podman"):
        await desk.provider().offer(PODMAN, PODMAN.version)


@pytest.mark.parametrize(("version", "age"), [("3.0.1+dfsg1", "too old"), ("8.0.0", "too new")])
async def test_a_version_that_is_not_supported_is_unavailable(
    desk: PackageDesk, version: str, age: str
) -> None:
    desk.write("policy", POLICY.format(version=version))
    with pytest.raises(UnavailableError, match=age):
        await desk.provider().offer(PODMAN, PODMAN.version)


async def test_a_tool_that_no_repository_has_is_unavailable(desk: PackageDesk) -> None:
    with pytest.raises(UnavailableError) as caught:
        await desk.provider().offer(NOMAD, NOMAD.version)
    assert caught.value.message == "the configured repositories of apt have no Nomad"
    assert caught.value.hint == "`apt-cache policy nomad` shows what they have"


async def test_without_package_lists_fetching_them_is_part_of_the_offer(desk: PackageDesk) -> None:
    desk.write("lists", "")
    desk.write("policy", "")
    offer = await desk.provider(is_root=False).offer(PODMAN, PODMAN.version)
    assert offer.command[:5] == ("sudo", "apt-get", "update", "&&", "sudo")
    assert "lists" in offer.warning


async def test_without_sudo_the_hint_is_the_command(desk: PackageDesk) -> None:
    provider = desk.provider(is_root=False)
    provider._rights = type(provider._rights)(is_root=False)
    with pytest.raises(UnavailableError, match="no `sudo` here") as caught:
        await provider.offer(PODMAN, PODMAN.version)
    assert caught.value.hint.startswith("as root: `env ")


def test_only_package_managers_that_are_here_are_found(desk: PackageDesk) -> None:
    assert list(
        find_package_managers({**desk.environment, "PATH": str(desk.directory / "bin")})
    ) == [ProviderName.APT]
    assert find_package_managers({"PATH": "/nowhere"}) == {}


# What is done.


async def test_what_was_shown_is_what_is_run(desk: PackageDesk) -> None:
    provider = desk.provider(is_root=False)
    offer = await provider.offer(PODMAN, PODMAN.version)
    provided = await provider.provide(offer, desk.directory, lambda _: None)
    (shown,) = split_commands(offer.command)
    assert f"sudo -n {' '.join(shown[1:])}" in desk.log
    assert provided.is_system
    assert provided.packages == ("conmon", "podman")
    assert len(provided.sha256) == 64


async def test_progress_is_told_while_it_runs(desk: PackageDesk) -> None:
    heard = await install(desk.provider(), desk)
    assert {each.unit for each in heard} == {Unit.BYTES, Unit.PACKAGES}


async def test_lists_that_were_missing_are_fetched_and_looked_at_again(desk: PackageDesk) -> None:
    desk.write("lists", "")
    desk.write("policy", "")
    ready = desk.directory / "policy-after"
    ready.write_text(POLICY.format(version="4.3.1"))
    desk.write("update", f'cp {ready} "$DESK/policy"; echo x > "$DESK/lists"')
    await install(desk.provider(), desk)
    assert desk.log[-1].endswith("podman crun")


async def test_lists_that_turn_out_too_old_install_nothing(desk: PackageDesk) -> None:
    desk.write("lists", "")
    desk.write("policy", "")
    old = desk.directory / "policy-after"
    old.write_text(POLICY.format(version="3.0.1"))
    desk.write("update", f'cp {old} "$DESK/policy"; echo x > "$DESK/lists"')
    failure = await fail_to_install(desk.provider(), desk)
    assert "too old" in failure.message
    assert not any(
        "install -y -o" in line or "--no-install-recommends -o" in line for line in desk.log
    )


async def test_lists_that_cannot_be_fetched_blame_the_network(desk: PackageDesk) -> None:
    desk.write("lists", "")
    desk.write("policy", "")
    # apt-get ends well then, and only warns.
    desk.write(
        "update", "echo \"W: Failed to fetch http://a.example/  Could not resolve 'a.example'\""
    )
    desk.write("install", "echo 'E: Unable to locate package podman'; exit 100")
    failure = await fail_to_install(desk.provider(), desk)
    assert failure.message.startswith("apt cannot reach its repositories")


async def test_a_held_lock_is_a_sentence_with_its_owner(desk: PackageDesk) -> None:
    desk.write(
        "install",
        "echo 'E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 99 (aptitude)'; exit 100",
    )
    failure = await fail_to_install(desk.provider(), desk)
    assert failure.message.startswith("aptitude (PID 99)")


async def test_an_unknown_failure_shows_the_last_lines_alone(desk: PackageDesk) -> None:
    desk.write("install", "seq 1 500; echo 'E: the moon is full'; exit 100")
    failure = await fail_to_install(desk.provider(), desk)
    assert failure.message == "apt failed with status 100: 499; 500; E: the moon is full"


async def test_a_password_that_nobody_can_give_is_a_refusal_with_the_command(
    desk: PackageDesk,
) -> None:
    provider = desk.provider(is_root=False)
    desk.write("needs-password", "")
    assert provider.needs_password()
    failure = await fail_to_install(provider, desk)
    assert failure.message == "`sudo` refused: sudo: a password is required"
    assert failure.hint.startswith(
        "by hand: `sudo env DEBIAN_FRONTEND=noninteractive apt-get install"
    )


def test_rights_that_are_there_need_no_password(desk: PackageDesk) -> None:
    assert not desk.provider().needs_password()
    assert not desk.provider(is_root=False).needs_password()


def test_authenticating_lets_sudo_ask(desk: PackageDesk) -> None:
    provider = desk.provider(is_root=False)
    provider.authenticate()
    assert desk.log[-1] == "sudo -v"
    desk.write("needs-password", "")
    with pytest.raises(PrismError, match="did not give root's rights"):
        provider.authenticate()


async def test_a_program_that_is_still_missing_afterwards_is_a_failure(desk: PackageDesk) -> None:
    desk.write("install", "true")
    failure = await fail_to_install(desk.provider(), desk)
    assert "no `podman` on PATH" in failure.message


async def test_silence_is_bounded(desk: PackageDesk) -> None:
    desk.write("install", "echo Waiting; exec sleep 1000")
    failure = await fail_to_install(desk.provider(silence_seconds=0.3), desk)
    assert failure.message == "apt said nothing for 0.3 s and was stopped: Waiting"


# What an interruption does.

UNTIL_TOLD = """echo $$ > "$DESK/pid.new"
trap '{end}' INT
mv "$DESK/pid.new" "$DESK/pid"
while :; do sleep 0.02; done
"""


async def interrupt(
    desk: PackageDesk, wait_until: Callable[..., None], **options: float
) -> asyncio.Task[list[Progress]]:
    """An installation that was cancelled while apt was at it."""
    task = asyncio.create_task(install(desk.provider(**options), desk))  # type: ignore[arg-type]
    await asyncio.to_thread(wait_until, (desk.directory / "pid").exists)
    task.cancel()
    await asyncio.wait([task])
    return task


async def test_an_interruption_waits_until_apt_has_ended(
    desk: PackageDesk, wait_until: Callable[..., None]
) -> None:
    end = "sleep 0.2; echo finished > $DESK/finished; exit 130"
    desk.write("install", UNTIL_TOLD.format(end=end))
    task = await interrupt(desk, wait_until)
    assert task.cancelled()
    assert (desk.directory / "finished").exists()


async def test_an_interruption_that_leaves_something_half_installed_says_so(
    desk: PackageDesk, wait_until: Callable[..., None]
) -> None:
    desk.write("install", UNTIL_TOLD.format(end='echo "iF  podman" >> $DESK/packages; exit 130'))
    task = await interrupt(desk, wait_until)
    error = task.exception()
    assert isinstance(error, InterruptedByUserError)
    assert error.message == "the installation was interrupted; half installed: podman"
    assert error.hint == "`sudo dpkg --configure -a` finishes it"


async def test_an_apt_that_does_not_stop_is_left_to_finish(
    desk: PackageDesk, wait_until: Callable[..., None]
) -> None:
    desk.write("install", UNTIL_TOLD.format(end="true"))
    task = await interrupt(desk, wait_until, stop_seconds=0.3)
    pid = int((desk.directory / "pid").read_text())
    try:
        error = task.exception()
        assert isinstance(error, InterruptedByUserError)
        assert error.message == f"apt (PID {pid}) is still at work and was left to finish"
        os.kill(pid, 0)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)

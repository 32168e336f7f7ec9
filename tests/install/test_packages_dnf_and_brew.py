from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from prismctl.errors import UnavailableError
from prismctl.install.package_managers.brew import (
    Brew,
    BrewProgress,
    explain_brew,
    read_dry_run,
    read_formula,
)
from prismctl.install.package_managers.dnf import Dnf, DnfProgress, explain_dnf, read_transaction
from prismctl.install.package_managers.rights import Rights
from prismctl.install.packages import PackageProvider
from prismctl.install.provider import Progress, Unit
from prismctl.install.tools import CONSUL, NOMAD, PODMAN
from prismctl.install.versions import Version

if TYPE_CHECKING:
    from pathlib import Path

DNF_4 = """\
Last metadata expiration check: 0:01:02 ago on Mon 01 Jan 2024 10:00:00 AM UTC.
Dependencies resolved.
================================================================================
 Package                  Architecture Version              Repository     Size
================================================================================
Installing:
 podman                   x86_64       5:4.9.4-1.fc39       updates        14 M
Upgrading:
 criu                     x86_64       3.19-2.fc39          updates       560 k
Installing dependencies:
 conmon                   x86_64       2:2.1.8-2.fc39       fedora         58 k
Installing weak dependencies:
 passt                    x86_64       0^20240326.g4988e2b-1.fc39 updates  190 k

Transaction Summary
================================================================================
Install  3 Packages
Upgrade  1 Package

Total download size: 15 M
Operation aborted.
"""
DNF_5 = """\
Updating and loading repositories:
Repositories loaded.
Package              Arch   Version              Repository      Size
Installing:
 podman              x86_64 5:5.2.2-1.fc41       updates     58.4 MiB
Installing dependencies:
 conmon              x86_64 2:2.1.12-3.fc41      fedora     172.9 KiB

Transaction Summary:
 Installing:         2 packages

Total size of inbound packages is 27 MiB. Need to download 27 MiB.
After this operation, 59 MiB extra will be used (install 59 MiB, remove 0 B).
Operation aborted by the user.
"""
BREW_INFO = {
    "formulae": [
        {
            "name": "podman",
            "full_name": "podman",
            "versions": {"stable": "5.3.1"},
            "disabled": False,
        }
    ],
    "casks": [],
}


def test_dnf_4_tells_version_packages_and_size() -> None:
    planned = read_transaction(DNF_4)
    assert planned.versions["podman"] == "5:4.9.4-1.fc39"
    assert planned.new == ("podman", "conmon", "passt")
    assert planned.upgraded == ("criu",)
    assert planned.size_bytes == 15 << 20


def test_dnf_5_tells_version_packages_and_size() -> None:
    planned = read_transaction(DNF_5)
    assert planned.versions["podman"] == "5:5.2.2-1.fc41"
    assert planned.new == ("podman", "conmon")
    assert planned.size_bytes == 27 << 20


@pytest.mark.parametrize(
    ("line", "progress"),
    [
        ("  Installing       : conmon-2:2.1.8-2.fc39.x86_64      3/24 ", (3, 24)),
        ("[ 3/24] Installing conmon-2:2.1.12-3.fc41 100% |  10 MiB/s", (3, 24)),
        ("(3/24): conmon-2.1.8-2.fc39.x86_64.rpm  357 kB/s |  33 kB     00:00", None),
        ("  Verifying        : conmon-2:2.1.8-2.fc39.x86_64      1/24 ", None),
    ],
)
def test_dnf_counts_what_is_installed(line: str, progress: tuple[int, int] | None) -> None:
    expected = progress and Progress(done=progress[0], total=progress[1], unit=Unit.PACKAGES)
    assert DnfProgress().read(line) == expected


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (
            "Error: Unable to find a match: nomad",
            "the configured repositories of dnf have no package nomad",
        ),
        (
            "No match for argument: nomad",
            "the configured repositories of dnf have no package nomad",
        ),
        (
            (
                "Errors during downloading metadata for repository 'fedora':\n"
                "  - Curl error (6): Couldn't resolve host name for https://a.example/ [Could not resolve host: a.example]"
            ),
            "dnf cannot reach its repositories: - Curl error (6)",
        ),
        (
            "Waiting for process with pid 4711 to finish.\nFailed to obtain the transaction lock",
            "another package manager (PID 4711) is at work",
        ),
    ],
)
def test_a_known_failure_of_dnf_is_one_sentence(said: str, message: str) -> None:
    explained = explain_dnf(said.splitlines())
    assert explained is not None
    assert explained.message.startswith(message)


def test_brew_tells_name_and_version() -> None:
    assert read_formula(json.dumps(BREW_INFO)) == ("podman", "5.3.1")
    assert read_formula("not JSON") is None
    disabled = {"formulae": [{**BREW_INFO["formulae"][0], "disabled": True}]}
    assert read_formula(json.dumps(disabled)) is None


def test_brew_tells_what_it_would_pour() -> None:
    said = (
        "==> Would install 1 formula:\npodman\n"
        "==> Would install 2 dependencies for podman:\ngettext glib\n==> Fetching nothing\nx\n"
    )
    assert read_dry_run(said) == ("podman", "gettext", "glib")


def test_brew_counts_what_it_has_poured() -> None:
    reader = BrewProgress()
    lines = ("==> Fetching podman", "==> Pouring glib--2.bottle.tar.gz", "==> Pouring podman--5")
    heard = [reader.read(line) for line in lines]
    assert [each and each.done for each in heard] == [None, 1, 2]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ('Error: No available formula with the name "nomad".', "Homebrew's taps do not have it"),
        ("curl: (6) Could not resolve host: formulae.brew.sh", "Homebrew cannot reach its server"),
        (
            "Error: A `brew install podman` process has already locked /x.",
            "another `brew` is at work",
        ),
    ],
)
def test_a_known_failure_of_brew_is_one_sentence(said: str, message: str) -> None:
    explained = explain_brew([said])
    assert explained is not None
    assert explained.message.startswith(message)


# Asked as real processes.


def scripted(directory: Path, **programs: str) -> dict[str, str]:
    (directory / "cat").symlink_to(shutil.which("cat") or "cat")
    for name, script in programs.items():
        (directory / name).write_text(f"#!/bin/sh\n{script}\n")
        (directory / name).chmod(0o755)
    return {"PATH": str(directory), "HOME": str(directory)}


async def test_dnf_is_asked_without_root_and_says_no_to_itself(tmp_path: Path) -> None:
    (tmp_path / "said").write_text(DNF_4)
    dnf = f'[ "$*" = "--assumeno install podman" ] && cat {tmp_path}/said; exit 1'
    environment = scripted(tmp_path, dnf=dnf)
    provider = PackageProvider(
        Dnf(environment=environment), environment, Rights(is_root=False, sudo="/usr/bin/sudo")
    )
    offer = await provider.offer(PODMAN, PODMAN.version)
    assert offer.version == Version(4, 9, 4)
    assert offer.command == ("sudo", "dnf", "install", "-y", "podman")
    assert offer.needs_root
    assert offer.warning == "dnf also upgrades criu"


async def test_dnf_has_no_nomad_where_no_repository_does(tmp_path: Path) -> None:
    environment = scripted(tmp_path, dnf="echo 'Error: Unable to find a match: nomad' >&2; exit 1")
    provider = PackageProvider(Dnf(environment=environment), environment, Rights(is_root=True))
    with pytest.raises(UnavailableError, match="no package nomad"):
        await provider.offer(NOMAD, NOMAD.version)


async def test_brew_needs_nobody_s_rights(tmp_path: Path) -> None:
    (tmp_path / "said").write_text(json.dumps(BREW_INFO))
    brew = f'case "$1" in info) cat {tmp_path}/said ;; install) printf "==> Would install 1 formula:\\npodman\\n" ;; esac'
    environment = scripted(tmp_path, brew=brew)
    provider = PackageProvider(
        Brew(environment=environment, is_root=False), environment, Rights(is_root=False)
    )
    offer = await provider.offer(PODMAN, PODMAN.version)
    assert offer.version == Version(5, 3, 1)
    assert offer.command == ("brew", "install", "--formula", "podman")
    assert not offer.needs_root
    assert offer.size_bytes is None
    assert not provider.needs_password()


async def test_brew_refuses_root(tmp_path: Path) -> None:
    environment = scripted(tmp_path, brew="exit 0")
    provider = PackageProvider(
        Brew(environment=environment, is_root=True), environment, Rights(is_root=True)
    )
    with pytest.raises(UnavailableError, match="refuses to work for root"):
        await provider.offer(CONSUL, CONSUL.version)

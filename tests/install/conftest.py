"""What every test of installing stands on: an environment without proxies, accounts and mirrors of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pysequoia
import pytest

from tests.install.bundle_lab import CONSUL_PROGRAM, Packer
from tests.install.release_lab import Authority, ReleaseLab, Signer, make_archive, make_authority

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

FOREIGN_VARIABLES = (
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
    *("http_proxy", "https_proxy", "all_proxy", "no_proxy"),
    *("NETRC", "SSL_CERT_FILE", "SSL_CERT_DIR", "PRISM_RELEASE_URL"),
)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in FOREIGN_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "account"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def signer() -> Signer:
    return Signer(secret=pysequoia.Tsk.generate("Vendor <vendor@example.com>"))


@pytest.fixture(scope="session")
def stranger() -> Signer:
    return Signer(secret=pysequoia.Tsk.generate("Stranger <stranger@example.com>"))


@pytest.fixture
async def lab(
    authority: Authority, signer: Signer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[ReleaseLab]:
    """A server that behaves, whose authority is trusted, with a release on it."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
    workspace = tmp_path / "workspace"
    workspace.mkdir(mode=0o700)
    lab = ReleaseLab(signer=signer, workspace=workspace)
    lab.publish(make_archive())
    async with lab.serve(authority):
        yield lab


@pytest.fixture
def packer(lab: ReleaseLab, tmp_path: Path) -> Packer:
    """A machine that packs, with its own Consul."""
    directory = tmp_path / "packing"
    directory.mkdir()
    packer = Packer(lab=lab, directory=directory)
    packer.have_program("consul", CONSUL_PROGRAM)
    return packer

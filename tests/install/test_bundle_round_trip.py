from __future__ import annotations

import asyncio
import hashlib
import os
import stat
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from prismctl.errors import ConfigError, PrismError, UnavailableError
from prismctl.files.catalog import ensure_catalog, load_catalog
from prismctl.files.paths import Home
from prismctl.install.bundle.catalog import take_catalog
from prismctl.install.bundle.gathering import ReleaseServer
from prismctl.install.bundle.provider import UNSIGNED
from prismctl.install.steps import StepState
from prismctl.install.tools import CONSUL, NOMAD, PODMAN
from prismctl.install.versions import Version
from tests.install.bundle_lab import (
    BUILT,
    CONSUL_PROGRAM,
    LISTED,
    RELEASED,
    SIGNED,
    Contents,
    Packer,
)
from tests.install.provider_contract import ProviderContract
from tests.install.release_lab import ARCHIVE, PROGRAM, SUMS, TARGET

if TYPE_CHECKING:
    from pathlib import Path

    from prismctl.install.bundle.provider import BundleProvider
    from prismctl.install.provider import Progress
    from prismctl.install.tools import Tool
    from tests.install.release_lab import ReleaseLab


class TestBundleProvider(ProviderContract):
    @pytest.fixture
    def wanted(self, lab: ReleaseLab) -> Tool:
        return lab.tool

    @pytest.fixture
    def workspace(self, lab: ReleaseLab) -> Path:
        return lab.workspace

    @pytest.fixture
    async def provider(self, packer: Packer) -> BundleProvider:
        return packer.provider(await packer.pack_well())


async def test_a_bundle_begins_with_its_index_and_lists_every_file(packer: Packer) -> None:
    contents = Contents.read(await packer.pack_well())
    assert contents.names == ["bundle.json", BUILT, LISTED, SIGNED, RELEASED]
    index = contents.index
    assert (index["schema"], index["target"]) == (1, str(TARGET))
    assert index["tools"] == {
        "consul": {"version": str(CONSUL.version), "kind": "built", "file": BUILT},
        "nomad": {"version": str(NOMAD.version), "kind": "release", "file": RELEASED},
    }
    for file in index["files"]:
        data = contents.data(file["path"])
        assert (file["sha256"], file["size"]) == (hashlib.sha256(data).hexdigest(), len(data))


async def test_a_release_out_of_a_bundle_is_verified_like_a_download(packer: Packer) -> None:
    told: list[Progress] = []
    provided = await packer.get(await packer.pack_well(), report=told.append)
    assert provided.path.read_bytes() == PROGRAM
    assert provided.verified.startswith("signed by ")
    assert provided.verified.endswith(", checksum pinned")
    assert packer.lab.left() == {provided.path.name}
    size = len(packer.lab.files[ARCHIVE])
    assert (told[-1].done, told[-1].total) == (size, size)


async def test_a_program_that_nobody_signed_is_installed_and_said_to_be_that(
    packer: Packer,
) -> None:
    file = await packer.pack_well()
    offer = await packer.offer(file, CONSUL)
    assert (offer.source, offer.signing_key) == (f"{BUILT} in {file} (signed by nobody)", "")
    provided = await packer.get(file, CONSUL)
    assert provided.path.read_bytes() == CONSUL_PROGRAM
    assert stat.S_IMODE(provided.path.stat().st_mode) == 0o700
    assert provided.verified == UNSIGNED
    assert "consul signed by nobody" in packer.statuses["bundle"].detail


async def test_what_a_mirror_has_built_and_signed_itself_is_believed_by_its_key(
    packer: Packer,
) -> None:
    unpinned = replace(packer.lab.tool, checksums={TARGET: "0" * 64})
    key = packer.lab.signer.public
    server = ReleaseServer(base_url=packer.lab.url, key=key, has_pins=False, target=TARGET)
    file = await packer.pack_well(tools=(unpinned,), server=server)
    provided = await packer.get(file, unpinned, has_pins=False)
    assert provided.verified.endswith(", checksum signed")
    with pytest.raises(PrismError, match="prismctl knows it with 000"):
        await packer.get(file, unpinned)


async def test_an_unpacked_bundle_is_as_good(packer: Packer, tmp_path: Path) -> None:
    directory = Contents.read(await packer.pack_well()).unpack(tmp_path / "unpacked")
    (directory / "notes.txt").write_text("of the person who unpacked it")
    assert (await packer.get(directory)).path.read_bytes() == PROGRAM
    assert (await packer.get(directory, CONSUL)).verified == UNSIGNED


async def test_a_directory_that_somebody_put_together_will_do(
    packer: Packer, tmp_path: Path
) -> None:
    for name in (ARCHIVE, SUMS, f"{SUMS}.sig"):
        (tmp_path / name).write_bytes(packer.lab.files[name])
    offer = await packer.offer(tmp_path)
    assert offer.source == f"{ARCHIVE} in {tmp_path}"
    assert offer.signing_key == packer.lab.signer.certificate.fingerprint.upper()
    provided = await packer.get(tmp_path)
    assert provided.path.read_bytes() == PROGRAM
    assert provided.verified.endswith(", checksum pinned")


async def test_what_a_directory_does_not_have_is_named_with_the_files_it_takes(
    packer: Packer, tmp_path: Path
) -> None:
    (tmp_path / f"nomad_{NOMAD.version}_darwin_arm64.zip").touch()
    with pytest.raises(UnavailableError, match="only for darwin_arm64") as caught:
        await packer.offer(tmp_path)
    assert SUMS in caught.value.hint
    assert ARCHIVE in caught.value.hint


async def test_another_version_is_offered_as_what_it_is_where_it_is_supported(
    packer: Packer,
) -> None:
    packer.have_program("consul", b"#!/bin/sh\necho Consul v1.19.2\n")
    offer = await packer.offer(await packer.pack_well(), CONSUL)
    assert offer.version == Version(1, 19, 2)


async def test_a_version_that_is_not_supported_is_not_offered(packer: Packer) -> None:
    file = await packer.pack_well()
    supported = CONSUL.supported._replace(first=Version(1, 99))
    newer = replace(CONSUL, version=Version(1, 99, 1), supported=supported)
    with pytest.raises(UnavailableError, match=r"has Consul 1\.20\.5, and 1\.99\.0 to before"):
        await packer.offer(file, newer)


async def test_a_tool_that_was_not_packed_is_not_available(packer: Packer) -> None:
    with pytest.raises(UnavailableError, match="Podman is not in"):
        await packer.offer(await packer.pack_well(), PODMAN)


async def test_the_catalog_is_taken_by_a_home_that_has_none(packer: Packer, tmp_path: Path) -> None:
    ensure_catalog(packer.home)
    text = packer.home.catalog.read_text() + "# ours\n"
    packer.home.catalog.write_text(text)
    file = await packer.pack_well()
    home = Home(tmp_path / "other")
    assert await take_catalog(file, home, target=TARGET)
    assert home.catalog.read_text() == text
    assert load_catalog(home).services


async def test_a_catalog_that_is_there_stays(packer: Packer, tmp_path: Path) -> None:
    ensure_catalog(packer.home)
    file = await packer.pack_well()
    home = Home(tmp_path / "other")
    home.directory.mkdir()
    home.catalog.write_text("services: []\n")
    assert not await take_catalog(file, home, target=TARGET)
    assert home.catalog.read_text() == "services: []\n"


async def test_a_catalog_with_mistakes_is_neither_packed_nor_taken(
    packer: Packer, tmp_path: Path
) -> None:
    ensure_catalog(packer.home)
    file = await packer.pack_well()
    contents = Contents.read(file)
    contents.forge("catalog/services.yaml", b"services: 7\n")
    home = Home(tmp_path / "other")
    with pytest.raises(ConfigError):
        await take_catalog(contents.write(tmp_path / "bad.tar"), home, target=TARGET)
    assert not home.catalog.exists()
    file.unlink()
    packer.home.catalog.write_text("services: 7\n")
    await packer.pack()
    assert packer.statuses["catalog"].state is StepState.FAILED
    assert packer.statuses["bundle"].state is StepState.LEFT_OUT
    assert not file.exists()


OFFLINE = """
import asyncio, json, pathlib, sys
from prismctl.install.bundle import BundleProvider
from prismctl.install.target import Target
from prismctl.install.tools import CONSUL, NOMAD
from dataclasses import replace

def refuse(event, arguments):
    if event in {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"}:
        raise SystemExit(f"touched the network: {event} {arguments}")

sys.addaudithook(refuse)
source, workspace, key, checksum = sys.argv[1:]
target = Target("linux", "amd64")

async def main():
    provider = BundleProvider(pathlib.Path(source), key=key, target=target)
    for tool in (CONSUL, replace(NOMAD, checksums={target: checksum})):
        offer = await provider.offer(tool, tool.version)
        provided = await provider.provide(offer, pathlib.Path(workspace), lambda _: None)
        print(provided.path.name, provided.verified)

asyncio.run(main())
"""


async def test_installing_from_a_bundle_touches_no_network(packer: Packer) -> None:
    file = await packer.pack_well()
    checksum = packer.lab.tool.checksums[TARGET]
    arguments = (str(file), str(packer.lab.workspace), packer.lab.signer.public, checksum)
    asked = len(packer.lab.requests)
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", OFFLINE, *arguments],
        env={**os.environ, "HTTPS_PROXY": "http://127.0.0.1:1", "HTTP_PROXY": "http://127.0.0.1:1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "checksum pinned" in done.stdout
    assert UNSIGNED in done.stdout
    assert len(packer.lab.requests) == asked

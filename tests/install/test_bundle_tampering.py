from __future__ import annotations

import hashlib
import os
import random
import tarfile
from typing import TYPE_CHECKING

import pytest

from prismctl.errors import PrismError, UnavailableError
from prismctl.install.bundle.damage import DamagedBundleError
from prismctl.install.bundle.opened import MAX_SMALL_BYTES
from prismctl.install.target import Target
from prismctl.install.tools import CONSUL
from tests.install.bundle_lab import BUILT, CONSUL_PROGRAM, LISTED, RELEASED, SIGNED, Contents
from tests.install.release_lab import ARCHIVE, PROGRAM, SUMS, make_archive

if TYPE_CHECKING:
    from pathlib import Path

    from tests.install.bundle_lab import Packer
    from tests.install.release_lab import Signer

CHANGED = b"#!/bin/sh\necho Consul v1.20.5; echo and more\n"


@pytest.fixture
async def contents(packer: Packer) -> Contents:
    packer.lab.publish(make_archive(padding=b"short"))
    return Contents.read(await packer.pack_well())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "changed.tar"


async def refuse(packer: Packer, file: Path, *, words: str) -> PrismError:
    """The error of whichever tool is wanted first; nothing is left of the attempt."""

    async def install() -> None:
        for tool in (packer.lab.tool, CONSUL):
            (await packer.get(file, tool)).path.unlink()

    with pytest.raises(PrismError, match=words) as caught:
        await install()
    assert not isinstance(caught.value, UnavailableError)
    assert packer.lab.left() == set()
    return caught.value


def put(file: Path, data: bytes) -> None:
    file.write_bytes(data)


@pytest.mark.parametrize("name", [BUILT, RELEASED, LISTED, SIGNED])
async def test_a_member_that_was_changed_is_refused(
    packer: Packer, contents: Contents, file: Path, name: str
) -> None:
    data = bytearray(contents.data(name))
    data[len(data) // 2] ^= 1
    contents.replace(name, bytes(data))
    error = await refuse(packer, contents.write(file), words="checksum")
    assert "copy it again" in error.hint


async def test_an_archive_that_was_exchanged_together_with_its_entry_is_refused(
    packer: Packer, contents: Contents, file: Path
) -> None:
    contents.forge(RELEASED, make_archive(PROGRAM + b"echo and more\n"))
    await refuse(packer, contents.write(file), words="should have")


async def test_a_list_of_checksums_that_was_exchanged_too_is_refused(
    packer: Packer, contents: Contents, file: Path
) -> None:
    archive = make_archive(PROGRAM + b"echo and more\n")
    contents.forge(RELEASED, archive)
    contents.forge(LISTED, f"{hashlib.sha256(archive).hexdigest()}  {ARCHIVE}\n".encode())
    await refuse(packer, contents.write(file), words="is not what was signed")


async def test_a_signature_of_somebody_else_is_refused(
    packer: Packer, contents: Contents, file: Path, stranger: Signer
) -> None:
    archive = make_archive(PROGRAM + b"echo and more\n")
    listed = f"{hashlib.sha256(archive).hexdigest()}  {ARCHIVE}\n".encode()
    contents.forge(RELEASED, archive)
    contents.forge(LISTED, listed)
    contents.forge(SIGNED, stranger.sign(listed))
    error = await refuse(packer, contents.write(file), words="is signed by")
    assert "mirror" not in error.hint


async def test_another_release_that_the_vendor_signed_is_not_the_pinned_one(
    packer: Packer, contents: Contents, file: Path, signer: Signer
) -> None:
    archive = make_archive(PROGRAM + b"# of another day\n")
    listed = f"{hashlib.sha256(archive).hexdigest()}  {ARCHIVE}\n".encode()
    contents.forge(RELEASED, archive)
    contents.forge(LISTED, listed)
    contents.forge(SIGNED, signer.sign(listed))
    await refuse(packer, contents.write(file), words="prismctl knows it with")


async def test_a_program_of_another_version_than_it_says_is_refused(
    packer: Packer, contents: Contents, file: Path
) -> None:
    contents.forge(BUILT, b"#!/bin/sh\necho Consul v1.19.0\n")
    await refuse(packer, contents.write(file), words=r"holds version 1\.19\.0 instead of")


@pytest.mark.parametrize("name", [BUILT, RELEASED, LISTED, SIGNED])
async def test_a_member_that_is_missing_is_named(
    packer: Packer, contents: Contents, file: Path, name: str
) -> None:
    contents.remove(name)
    await refuse(packer, contents.write(file), words=f"{name} is missing in")


async def test_a_release_without_its_signature_is_refused(
    packer: Packer, contents: Contents, file: Path
) -> None:
    contents.remove(SIGNED)
    contents.edit_index(files=[each for each in contents.index["files"] if each["path"] != SIGNED])
    await refuse(packer, contents.write(file), words="cannot be verified")


async def test_a_bundle_that_was_cut_short_is_refused_wherever_the_cut_is(
    packer: Packer, contents: Contents, file: Path
) -> None:
    whole = contents.write(file).read_bytes()
    # What follows the two empty blocks is padding.
    end = len(whole.rstrip(b"\0"))
    for size in {*range(0, end, 512), *range(100, end, 1700)}:
        put(file, whole[:size])
        await refuse(packer, file, words="cut short|is not a bundle|is missing")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (tarfile.SYMTYPE, "is a link"),
        (tarfile.LNKTYPE, "is a link"),
        (tarfile.DIRTYPE, "is not a file"),
        (tarfile.FIFOTYPE, "is not a file"),
        (tarfile.CHRTYPE, "is not a file"),
        (tarfile.XHDTYPE, "is not a file"),
        (tarfile.GNUTYPE_LONGNAME, "is not a file"),
    ],
)
async def test_whatever_is_not_a_file_is_refused(
    packer: Packer, contents: Contents, file: Path, kind: bytes, words: str
) -> None:
    contents.add("tools/extra", kind=kind)
    await refuse(packer, contents.write(file), words=words)


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "tools/extra"])
async def test_a_member_that_is_not_listed_is_refused(
    packer: Packer, contents: Contents, file: Path, name: str
) -> None:
    contents.add(name, b"anything")
    await refuse(packer, contents.write(file), words="which it does not list")


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "tools/../x", "tools/a/b", "x", ""])
async def test_an_index_that_lists_a_name_no_bundle_has_is_refused(
    packer: Packer, contents: Contents, file: Path, name: str
) -> None:
    contents.add(name, b"anything")
    entry = {"path": name, "sha256": hashlib.sha256(b"anything").hexdigest(), "size": 8}
    contents.edit_index(files=[*contents.index["files"], entry])
    await refuse(packer, contents.write(file), words=r"bundle\.json in .* is damaged")


async def test_a_member_that_is_there_twice_is_refused(
    packer: Packer, contents: Contents, file: Path
) -> None:
    contents.add(BUILT, CHANGED)
    await refuse(packer, contents.write(file), words="is there twice")


async def test_a_signature_that_is_too_large_is_not_read(
    packer: Packer, contents: Contents, file: Path
) -> None:
    contents.forge(SIGNED, bytes(MAX_SMALL_BYTES + 1))
    await refuse(packer, contents.write(file), words="at most 1048576 are taken")


@pytest.mark.parametrize(
    "document", [b"", b"{", b"[]", b"7", b'{"schema": 1}', b"[" * 100_000, b'{"schema": "x"}']
)
async def test_an_index_that_makes_no_sense_is_refused(
    packer: Packer, contents: Contents, file: Path, document: bytes
) -> None:
    contents.replace("bundle.json", document)
    await refuse(packer, contents.write(file), words=r"bundle\.json in .* is damaged")


async def test_a_bundle_of_a_newer_prismctl_says_so(
    packer: Packer, contents: Contents, file: Path
) -> None:
    contents.edit_index(schema=2, written_by="9.1.0", files="of another kind")
    error = await refuse(packer, contents.write(file), words=r"was packed by prismctl 9\.1\.0")
    assert not isinstance(error, DamagedBundleError)
    assert "upgrade prismctl" in error.hint


async def test_a_bundle_for_another_kind_of_machine_is_not_available(packer: Packer) -> None:
    file = await packer.pack_well()
    with pytest.raises(UnavailableError, match="is for linux_amd64, and this machine is darwin_a"):
        await packer.offer(file, target=Target("darwin", "arm64"))


async def test_a_compressed_bundle_and_any_other_file_are_no_bundles(
    packer: Packer, contents: Contents, file: Path
) -> None:
    contents.write(file, is_compressed=True)
    error = await refuse(packer, file, words="is not a bundle of prismctl")
    assert "--make-bundle" in error.hint
    contents.members.reverse()
    await refuse(packer, contents.write(file), words="is not a bundle of prismctl")


async def test_a_link_in_a_directory_leads_nowhere(
    packer: Packer, contents: Contents, tmp_path: Path
) -> None:
    directory = contents.unpack(tmp_path / "unpacked")
    (directory / BUILT).rename(tmp_path / "elsewhere")
    (directory / BUILT).symlink_to(tmp_path / "elsewhere")
    await refuse(packer, directory, words=f"{BUILT} is missing in")


async def test_a_pipe_in_a_directory_is_not_waited_for(packer: Packer, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ARCHIVE)
    (tmp_path / SUMS).touch()
    with pytest.raises(UnavailableError):
        await packer.offer(tmp_path)


async def test_a_path_that_leads_nowhere_is_an_error_with_its_name(
    packer: Packer, tmp_path: Path
) -> None:
    with pytest.raises(PrismError, match=r"cannot read .*absent\.tar: No such file"):
        await packer.offer(tmp_path / "absent.tar")


async def test_no_single_flipped_bit_gives_another_program(
    packer: Packer, contents: Contents, file: Path
) -> None:
    whole = contents.write(file).read_bytes()
    chance = random.Random(20)  # noqa: S311 - nothing secret depends on it
    filled = [position for position, byte in enumerate(whole) if byte]
    start = whole.index(CONSUL_PROGRAM)
    program_positions = range(start, start + len(CONSUL_PROGRAM))
    for position in [*program_positions, *chance.sample(filled, 120)]:
        data = bytearray(whole)
        data[position] ^= 1 << chance.randrange(8)
        put(file, bytes(data))
        for tool, program in ((packer.lab.tool, PROGRAM), (CONSUL, CONSUL_PROGRAM)):
            try:
                provided = await packer.get(file, tool)
            except PrismError:
                assert packer.lab.left() == set()
                continue
            assert provided.path.read_bytes() == program
            provided.path.unlink()

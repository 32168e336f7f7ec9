"""What may be in an archive, what may not, and the program that comes out of it."""

from __future__ import annotations

import asyncio
import io
import stat
import struct
import zipfile
from typing import TYPE_CHECKING

import pytest

from prismctl.errors import PrismError
from prismctl.install.release import archive as archives
from prismctl.install.release.archive import unpack
from tests.install.release_lab import ARCHIVE, PROGRAM, make_archive

if TYPE_CHECKING:
    from pathlib import Path

    from tests.install.release_lab import ReleaseLab


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../nomad", "leads out of the archive"),
        ("..\\nomad", "leads out of the archive"),
        ("/etc/passwd", "is an absolute path"),
        ("bin/", "is not a file"),
        ("bin/nomad", "does not belong there"),
        ("consul", "does not belong there"),
        ("nomad.exe", "does not belong there"),
        ("LICENSE.txt\n", "does not belong there"),
    ],
)
async def test_an_archive_with_something_else_is_refused(
    lab: ReleaseLab, name: str, reason: str
) -> None:
    lab.publish(make_archive(more={name: b"x"}))
    with pytest.raises(PrismError) as caught:
        await lab.get()
    assert str(caught.value) == f"in {ARCHIVE}, {name!r} {reason}"
    assert not lab.left()


async def test_a_link_is_refused(lab: ReleaseLab) -> None:
    link = zipfile.ZipInfo("NOTES.txt")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    lab.publish(make_with([(link, b"/etc/passwd")]))
    with pytest.raises(PrismError, match=r"'NOTES\.txt' is a link"):
        await lab.get()


async def test_a_device_is_refused(lab: ReleaseLab) -> None:
    device = zipfile.ZipInfo("NOTES.txt")
    device.external_attr = (stat.S_IFCHR | 0o777) << 16
    lab.publish(make_with([(device, b"")]))
    with pytest.raises(PrismError, match=r"'NOTES\.txt' is not a file"):
        await lab.get()


@pytest.mark.filterwarnings("ignore:Duplicate name")
async def test_two_programs_of_one_name_are_refused(lab: ReleaseLab) -> None:
    lab.publish(make_archive(more={"nomad": b"x"}))
    with pytest.raises(PrismError, match="'nomad' is there twice"):
        await lab.get()


async def test_an_archive_without_the_program_is_refused(lab: ReleaseLab) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("LICENSE.txt", b"text")
    lab.publish(buffer.getvalue())
    with pytest.raises(PrismError, match="there is no 'nomad'"):
        await lab.get()


async def test_an_encrypted_program_is_refused(lab: ReleaseLab) -> None:
    content = bytearray(make_archive())
    entry = content.rindex(b"PK\x01\x02")
    flags = struct.unpack_from("<H", content, entry + 8)[0]
    struct.pack_into("<H", content, entry + 8, flags | 1)
    lab.publish(bytes(content))
    with pytest.raises(PrismError, match="'nomad' is encrypted"):
        await lab.get()


async def test_a_bomb_is_refused_before_it_grows(lab: ReleaseLab) -> None:
    lab.publish(make_with([(zipfile.ZipInfo("NOTES.txt"), bytes(20 << 20))], zipfile.ZIP_DEFLATED))
    with pytest.raises(PrismError, match=r"'NOTES\.txt' would grow more than 100 times"):
        await lab.get()


async def test_a_program_that_is_too_large_is_refused(
    lab: ReleaseLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "MAX_PROGRAM_BYTES", 1 << 23)
    lab.publish(make_archive(PROGRAM + b"#" * (1 << 23)))
    with pytest.raises(PrismError, match=f"'nomad' is larger than {1 << 23} bytes"):
        await lab.get()


async def test_a_program_packed_in_a_strange_way_is_refused(lab: ReleaseLab) -> None:
    lab.publish(make_with([(zipfile.ZipInfo("NOTES.txt"), b"x")], zipfile.ZIP_LZMA))
    with pytest.raises(PrismError, match="is compressed in a way that releases are not"):
        await lab.get()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"no archive at all" * 100])
async def test_what_is_no_archive_is_refused(lab: ReleaseLab, content: bytes) -> None:
    lab.publish(content)
    with pytest.raises(PrismError, match=f"{ARCHIVE} is a damaged archive"):
        await lab.get()
    assert not lab.left()


async def test_a_program_that_is_damaged_inside_is_refused(lab: ReleaseLab) -> None:
    lab.publish(make_archive().replace(b"echo Nomad", b"echo nomad"))
    with pytest.raises(PrismError, match="is a damaged archive: Bad CRC-32"):
        await lab.get()
    assert not lab.left()


async def test_a_program_that_was_left_behind_is_replaced(lab: ReleaseLab) -> None:
    left = lab.workspace / "nomad-1.11.3.unpacked"
    left.write_bytes(b"half of it")
    provided = await lab.get()
    assert provided.path == left
    assert provided.path.read_bytes() == PROGRAM


async def test_a_link_that_waits_for_the_program_is_not_followed(
    lab: ReleaseLab, tmp_path: Path
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (lab.workspace / "nomad-1.11.3.unpacked").symlink_to(victim)
    await lab.get()
    assert victim.read_text() == "mine"


async def test_unpacking_that_is_cancelled_leaves_nothing(tmp_path: Path) -> None:
    source, target = tmp_path / "archive", tmp_path / "nomad"
    source.write_bytes(make_archive(PROGRAM + bytes(64 << 20), padding=b""))
    with source.open("rb") as file:
        unpacking = asyncio.create_task(unpack(file.fileno(), "nomad", target, shown="archive"))
        async with asyncio.timeout(20):
            while not target.exists():  # noqa: ASYNC110 - a thread that nobody hears of makes it
                await asyncio.sleep(0)
        unpacking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await unpacking
    assert not target.exists()


# The program.


@pytest.mark.parametrize(
    ("program", "words"),
    [
        (b"\x7fELF of another machine", "does not run on this machine: it was built for another"),
        (b"#!/nowhere/sh\n", "does not run on this machine: what it needs to be run with"),
        (b"#!/bin/sh\necho broken library >&2\nexit 3\n", "failed with status 3: broken library"),
        (b"#!/bin/sh\nkill -SEGV $$\n", "was ended by SIGSEGV"),
        (b"#!/bin/sh\necho hello\n", "names no version: hello"),
    ],
)
async def test_a_program_that_does_not_run_is_named_and_fetched_no_second_time(
    lab: ReleaseLab, program: bytes, words: str
) -> None:
    lab.publish(make_archive(program))
    with pytest.raises(PrismError, match=words):
        await lab.get()
    assert lab.left() == {f"{ARCHIVE}.part", f"{ARCHIVE}.part.json"}, "it is what was released"


async def test_a_program_of_another_version_is_refused(lab: ReleaseLab) -> None:
    lab.publish(make_archive(b"#!/bin/sh\necho Nomad v1.9.0\n"))
    with pytest.raises(PrismError, match=r"holds version 1\.9\.0 instead of 1\.11\.3"):
        await lab.get()
    assert not lab.left()


def make_with(
    members: list[tuple[zipfile.ZipInfo, bytes]], compression: int = zipfile.ZIP_STORED
) -> bytes:
    """An archive with the program and members made by hand."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("nomad", PROGRAM)
        for member, content in members:
            archive.writestr(member, content, compress_type=compression)
    return buffer.getvalue()

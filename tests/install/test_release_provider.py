from __future__ import annotations

import hashlib
import stat
from typing import TYPE_CHECKING

import pytest

from prismctl.errors import PrismError
from prismctl.install.provider import Progress, Unit
from tests.install.release_lab import ARCHIVE, PROGRAM

if TYPE_CHECKING:
    from tests.install.release_lab import ReleaseLab


async def test_a_release_is_offered_with_its_size_and_its_source(lab: ReleaseLab) -> None:
    offer = await lab.offer()
    assert offer.size_bytes == len(lab.files[ARCHIVE])
    assert offer.source == f"{lab.url}/nomad/1.11.3/{ARCHIVE}"
    assert offer.checksum == hashlib.sha256(lab.files[ARCHIVE]).hexdigest()
    assert not lab.asked(ARCHIVE), "an offer fetches no archive"


async def test_an_offer_names_the_key_that_the_release_has_to_be_signed_with(
    lab: ReleaseLab,
) -> None:
    offer = await lab.offer()
    assert offer.signing_key == lab.signer.certificate.fingerprint.upper()
    vendors = await lab.offer(key="")
    assert vendors.signing_key == "C874011F0AB405110D02105534365D9472D7468F"


async def test_a_mirror_whose_key_cannot_be_read_offers_nothing(lab: ReleaseLab) -> None:
    with pytest.raises(PrismError, match=r"the key to verify .*SHA256SUMS with cannot be read"):
        await lab.offer(key="no key")


async def test_a_release_is_fetched_verified_unpacked_and_tried(lab: ReleaseLab) -> None:
    provided = await lab.get()
    assert provided.path.read_bytes() == PROGRAM
    assert stat.S_IMODE(provided.path.stat().st_mode) == 0o700
    assert provided.sha256 == hashlib.sha256(PROGRAM).hexdigest()
    assert provided.verified.endswith(", checksum pinned")
    assert lab.left() == {provided.path.name}, "neither the archive nor a part of it stays"
    size = len(lab.files[ARCHIVE])
    assert lab.reports[0] == Progress(done=0, total=size, unit=Unit.BYTES)
    assert lab.reports[-1] == Progress(done=size, total=size, unit=Unit.BYTES)

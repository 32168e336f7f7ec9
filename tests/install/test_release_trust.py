"""Who signed it, whether it is what was signed, and what is refused in which words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pysequoia
import pytest

from prismctl.errors import PrismError, UnavailableError
from prismctl.install.release.signature import read_vendor_key, verify_signature
from prismctl.install.target import Target
from prismctl.install.tools import NOMAD, PODMAN
from prismctl.install.versions import Version
from tests.install.release_lab import ARCHIVE, PROGRAM, SUMS, Signer, make_archive

if TYPE_CHECKING:
    from tests.install.release_lab import ReleaseLab


def test_the_key_that_is_carried_is_the_vendors() -> None:
    certificate = pysequoia.Cert.from_bytes(read_vendor_key().encode())
    assert certificate.fingerprint.upper() == "C874011F0AB405110D02105534365D9472D7468F"
    assert certificate.expiration is not None
    assert certificate.expiration.date().isoformat() == "2030-03-01"


async def test_the_signing_key_is_named(lab: ReleaseLab) -> None:
    signature = pysequoia.Sig.from_bytes(lab.files[f"{SUMS}.sig"])
    provided = await lab.get()
    assert (
        provided.verified
        == f"signed by {str(signature.issuer_fingerprint).upper()}, checksum pinned"
    )


async def test_another_version_than_the_pinned_one_is_verified_by_its_signature_alone(
    lab: ReleaseLab,
) -> None:
    lab.files = {name.replace("1.11.3", "1.11.4"): data for name, data in lab.files.items()}
    listed = lab.files["nomad_1.11.4_SHA256SUMS"].replace(b"1.11.3", b"1.11.4")
    lab.files["nomad_1.11.4_SHA256SUMS"] = listed
    lab.files["nomad_1.11.4_SHA256SUMS.sig"] = lab.signer.sign(listed)
    provider = lab.provider()
    offer = await provider.offer(lab.tool, Version(1, 11, 4))
    assert not offer.checksum
    with pytest.raises(PrismError, match=r"holds version 1\.11\.3 instead of 1\.11\.4"):
        await provider.provide(offer, lab.workspace, lab.reports.append)
    assert not lab.left()


async def test_a_tool_that_the_vendor_does_not_release_is_unavailable(lab: ReleaseLab) -> None:
    with pytest.raises(UnavailableError, match="Podman is not on"):
        await lab.provider().offer(PODMAN, PODMAN.version)
    assert not lab.requests


async def test_a_machine_that_nothing_is_released_for_is_told_without_asking(
    lab: ReleaseLab,
) -> None:
    provider = lab.provider(target=Target("linux", "riscv64"))
    with pytest.raises(UnavailableError, match=r"Nomad 1\.11\.3 is not released for linux_riscv64"):
        await provider.offer(NOMAD, NOMAD.version)
    assert not lab.requests


# The signature.


async def test_a_list_that_somebody_else_signed_is_refused(
    lab: ReleaseLab, stranger: Signer
) -> None:
    lab.publish(make_archive(), signer=stranger)
    named = lab.signer.certificate.fingerprint.upper()
    with pytest.raises(
        PrismError, match=f"is signed by [0-9A-F]+, not by the vendor's key {named}"
    ):
        await lab.get()
    assert not lab.asked(ARCHIVE), "nothing is fetched that would not be trusted"


async def test_a_list_that_was_changed_is_refused(lab: ReleaseLab) -> None:
    lab.files[SUMS] += b"\n"
    with pytest.raises(PrismError, match=f"{SUMS} is not what was signed by"):
        await lab.get()
    assert not lab.asked(ARCHIVE)


@pytest.mark.parametrize("length", [0, 1, 40])
async def test_a_signature_that_is_damaged_is_refused(lab: ReleaseLab, length: int) -> None:
    lab.files[f"{SUMS}.sig"] = lab.files[f"{SUMS}.sig"][:length]
    with pytest.raises(PrismError, match=f"the signature of .*{SUMS} is damaged: [^\n]+$"):
        await lab.get()


async def test_a_signature_with_one_bit_changed_is_refused(lab: ReleaseLab) -> None:
    signature = bytearray(lab.files[f"{SUMS}.sig"])
    signature[-1] ^= 1
    lab.files[f"{SUMS}.sig"] = bytes(signature)
    with pytest.raises(PrismError, match=f"{SUMS} is not what was signed by"):
        await lab.get()


async def test_an_expired_key_is_refused_with_its_date(lab: ReleaseLab) -> None:
    ends = datetime.now(UTC) + timedelta(days=400)
    secret = lab.signer.secret
    expiring = lab.signer.certificate.set_expiration(ends, secret.certifier())
    named = f"the vendor's key {expiring.fingerprint.upper()} expired on {ends:%Y-%m-%d}"
    with pytest.raises(PrismError, match=named) as caught:
        await lab.get(key=str(expiring), clock=lambda: ends + timedelta(days=1))
    assert "upgrade prismctl" in caught.value.hint
    await lab.get(key=str(expiring), clock=lambda: ends - timedelta(days=1))


def test_a_subkey_of_the_vendor_that_ended_is_refused_with_its_date(signer: Signer) -> None:
    ended = "B36CBA91A2C0730C435FC280B0B441097685B676"
    forged = claim_signer(signer.sign(b"list"), ended)
    with pytest.raises(PrismError, match=f"the vendor's key {ended} expired on 2022-04-20"):
        verify_signature(b"list", forged, key=read_vendor_key(), shown="list")


def test_who_claims_to_be_the_vendor_is_found_out(signer: Signer) -> None:
    forged = claim_signer(signer.sign(b"list"), "374EC75B485913604A831CC7C820C6D5CD27AB87")
    with pytest.raises(PrismError, match="list is not what was signed by C874011F0AB40511"):
        verify_signature(b"list", forged, key=read_vendor_key(), shown="list")


def test_the_vendors_key_will_not_be_used_after_it_ended(lab_signature: bytes) -> None:
    with pytest.raises(
        PrismError, match="C874011F0AB405110D02105534365D9472D7468F expired on 2030-03-01"
    ):
        verify_signature(
            b"list",
            lab_signature,
            key=read_vendor_key(),
            shown="list",
            clock=lambda: datetime(2030, 3, 2, tzinfo=UTC),
        )


def test_a_key_that_was_revoked_is_refused() -> None:
    secret = pysequoia.Tsk.generate("Vendor <vendor@example.com>")
    signed = Signer(secret=secret).sign(b"list")
    certificate = secret.extract_certificate()
    revocation = certificate.revoke(secret.certifier())
    revoked = pysequoia.Cert.from_bytes(bytes(certificate) + bytes(revocation))
    with pytest.raises(PrismError, match="was revoked"):
        verify_signature(b"list", signed, key=str(revoked), shown="list")


async def test_a_clock_that_is_behind_is_named(lab: ReleaseLab) -> None:
    past = datetime(2020, 1, 1, tzinfo=UTC)
    with pytest.raises(PrismError, match="and this machine's clock says 2020-01-01") as caught:
        await lab.get(clock=lambda: past)
    assert "set the clock" in caught.value.hint


async def test_a_key_that_is_none_is_named(lab: ReleaseLab) -> None:
    with pytest.raises(PrismError, match=r"the key to verify .* with cannot be read: [^\n]+$"):
        await lab.get(key="nothing")


# The checksums.


async def test_an_archive_that_was_changed_is_refused_and_not_kept(lab: ReleaseLab) -> None:
    changed = bytearray(lab.files[ARCHIVE])
    changed[1000] ^= 1
    lab.files[ARCHIVE] = bytes(changed)
    with pytest.raises(PrismError, match=r"has the checksum [0-9a-f]{64}, and should have"):
        await lab.get()
    assert not lab.left()
    lab.publish(make_archive())
    assert (await lab.get()).path.read_bytes() == PROGRAM, "the next time it starts anew"


async def test_a_signed_checksum_that_is_not_the_pinned_one_is_refused(lab: ReleaseLab) -> None:
    offer = await lab.offer()
    lab.publish(make_archive(b"#!/bin/sh\necho Nomad v1.11.3 with a present\n"))
    with pytest.raises(PrismError, match=f"and prismctl knows it with {offer.checksum}"):
        await lab.get(offer)
    assert not lab.asked(ARCHIVE)


@pytest.mark.parametrize(
    ("listed", "words"),
    [
        (b"\n", f"does not list {ARCHIVE}"),
        (b"abc  x.zip\n", "is not a list of checksums"),
        (
            f"{'0' * 64}  x.zip\n{'1' * 64}  x.zip\n".encode(),
            r"lists x\.zip with two checksums",
        ),
    ],
)
async def test_a_signed_list_without_the_checksum_is_refused(
    lab: ReleaseLab, listed: bytes, words: str
) -> None:
    lab.files[SUMS] = listed
    lab.files[f"{SUMS}.sig"] = lab.signer.sign(listed)
    with pytest.raises(PrismError, match=words):
        await lab.get()


@pytest.fixture
def lab_signature(signer: Signer) -> bytes:
    return signer.sign(b"list")


def claim_signer(signature: bytes, fingerprint: str) -> bytes:
    """A signature that says it was made by another key."""
    made = pysequoia.Sig.from_bytes(signature)
    mine = bytes.fromhex(str(made.issuer_fingerprint))
    other = bytes.fromhex(fingerprint)
    forged = signature.replace(mine, other).replace(mine[-8:], other[-8:])
    assert str(pysequoia.Sig.from_bytes(forged).issuer_fingerprint).upper() == fingerprint
    return forged

"""Verifies that a list of checksums was signed by the vendor, with the key that this package carries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import resources
from typing import TYPE_CHECKING, Final

from prismctl.errors import PrismError
from prismctl.install.release.refusal import RefusedReleaseError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pysequoia import Cert, Sig

_CLOCK_SLACK: Final = timedelta(hours=1)
_NEWER: Final = "upgrade prismctl: a newer one carries the vendor's newer key"


@dataclass(frozen=True, slots=True, kw_only=True)
class _SigningKey:
    fingerprint: str
    expires: datetime | None


def read_vendor_key() -> str:
    """HashiCorp's public key, as it is published."""
    return resources.files(__package__).joinpath("hashicorp.asc").read_text(encoding="ascii")


def read_fingerprint(key: str, *, shown: str) -> str:
    """The fingerprint of a public key, in upper-case hexadecimal.

    Args:
        key: as it is published.
        shown: what would be verified with it.

    Raises:
        PrismError: it is no key.
    """
    return str(_read_certificate(key, shown).fingerprint).upper()


def verify_signature(
    document: bytes,
    signature: bytes,
    *,
    key: str,
    shown: str,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> str:
    """The fingerprint of the key that signed a document, in upper-case hexadecimal; it belongs to ``key``.

    Raises:
        RefusedReleaseError: nobody signed it, somebody else did, or it was changed since.
        PrismError: the key must not be used any more, or the clock is wrong.
    """
    from pysequoia import Sig, verify

    now = clock()
    certificate = _read_certificate(key, shown)
    _refuse_ended(certificate, now)
    try:
        made = Sig.from_bytes(signature)
    except RuntimeError as error:
        raise RefusedReleaseError(
            f"the signature of {shown} is damaged: {_first(error)}"
        ) from error
    _refuse_signer(certificate, made, shown, now)
    try:
        valid = verify(bytes=document, store=lambda _: [certificate], signature=made).valid_sigs
    except RuntimeError as error:
        raise RefusedReleaseError(
            f"{shown} is not what was signed by {certificate.fingerprint.upper()}",
            hint="it was changed on its way: try another network, or another mirror",
        ) from error
    for each in valid:
        if each.certificate == certificate.fingerprint:
            return str(each.signing_key).upper()
    raise _signed_by_another(certificate, made, shown)


def _read_certificate(key: str, shown: str) -> Cert:
    from pysequoia import Cert

    try:
        return Cert.from_bytes(key.encode())
    except RuntimeError as error:
        raise PrismError(
            f"the key to verify {shown} with cannot be read: {_first(error)}"
        ) from error


def _refuse_ended(certificate: Cert, now: datetime) -> None:
    fingerprint = certificate.fingerprint.upper()
    if certificate.is_revoked:
        raise PrismError(f"the vendor's key {fingerprint} was revoked", hint=_NEWER)
    _refuse_expired(fingerprint, certificate.expiration, now)


def _refuse_expired(fingerprint: str, expires: datetime | None, now: datetime) -> None:
    if expires is not None and expires <= now:
        raise PrismError(
            f"the vendor's key {fingerprint} expired on {expires:%Y-%m-%d}", hint=_NEWER
        )


def _refuse_signer(certificate: Cert, made: Sig, shown: str, now: datetime) -> None:
    issuer = (made.issuer_fingerprint or made.issuer_key_id or "").upper()
    # A key ID is the end of a fingerprint.
    key = next(
        (each for each in _list_keys(certificate) if each.fingerprint.endswith(issuer)), None
    )
    if not issuer or key is None:
        raise _signed_by_another(certificate, made, shown)
    _refuse_expired(key.fingerprint, key.expires, now)
    if made.created is not None and made.created > now + _CLOCK_SLACK:
        raise PrismError(
            f"{shown} was signed on {made.created:%Y-%m-%d}, and this machine's clock says {now:%Y-%m-%d}",
            hint="set the clock: `date` shows it",
        )


def _list_keys(certificate: Cert) -> list[_SigningKey]:
    """The primary key and its subkeys, each with the end that its newest self-signature gives it."""
    from pysequoia.packet import PacketPile, Tag

    keys: list[_SigningKey] = []
    created: datetime | None = None
    newest: datetime | None = None
    for packet in PacketPile.from_bytes(bytes(certificate)):
        if packet.fingerprint is not None:
            created, newest = packet.key_created, None
            keys.append(_SigningKey(fingerprint=str(packet.fingerprint).upper(), expires=None))
            continue
        made = packet.signature_created
        if packet.tag != Tag.Signature or made is None or (newest is not None and made <= newest):
            continue
        newest, lasts = made, packet.key_validity_period
        ends = created + lasts if created is not None and lasts is not None else None
        keys[-1] = _SigningKey(fingerprint=keys[-1].fingerprint, expires=ends)
    return keys


def _signed_by_another(certificate: Cert, made: Sig, shown: str) -> RefusedReleaseError:
    signer = (made.issuer_fingerprint or made.issuer_key_id or "somebody unnamed").upper()
    return RefusedReleaseError(
        f"{shown} is signed by {signer}, not by the vendor's key {certificate.fingerprint.upper()}",
        hint="do not use this mirror",
    )


def _first(error: RuntimeError) -> str:
    """The first line of what the library says; more is its own stack."""
    return str(error).partition("\n")[0].rstrip(".")

"""SCRAM-SHA-256 (RFC 5802 and 7677) as PostgreSQL asks for it: who knows the password proves it without saying it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import unicodedata
from typing import Final, NamedTuple

MECHANISM: Final = "SCRAM-SHA-256"
MAX_ROUNDS: Final = 1_000_000
"""More than that would keep this side busy for a second, at the word of whoever answers."""

_WITHOUT_CHANNEL: Final = "n,,"


class ScramError(Exception):
    """The other side did not keep to the exchange; the text says how."""


class Proof(NamedTuple):
    """What ends the exchange."""

    message: bytes
    """To be sent."""
    confirmation: bytes
    """What only a server that knows the password can answer."""


def render_first(user: str, nonce: str) -> bytes:
    """The opening."""
    return _encode(_WITHOUT_CHANNEL + _bare_first(user, nonce))


def prove_password(user: str, password: str, nonce: str, challenge: bytes) -> Proof:
    """The answer to the server's challenge; takes milliseconds, on purpose.

    Raises:
        ScramError: it is no challenge, or none to our opening.
    """
    try:
        first = challenge.decode()
        fields = _fields_of(first)
        salt, rounds = base64.b64decode(fields["s"]), int(fields["i"])
        whole_nonce = fields["r"]
    except (KeyError, ValueError) as error:
        raise ScramError("its challenge cannot be read") from error
    if not whole_nonce.startswith(nonce) or not 1 <= rounds <= MAX_ROUNDS:
        raise ScramError("its challenge is not meant for us")
    channel = base64.b64encode(_WITHOUT_CHANNEL.encode()).decode()
    last = f"c={channel},r={whole_nonce}"
    talk = _encode(f"{_bare_first(user, nonce)},{first},{last}")
    secret = _encode(unicodedata.normalize("NFKC", password))
    salted = hashlib.pbkdf2_hmac("sha256", secret, salt, rounds)
    key = _sign(salted, b"Client Key")
    signature = _sign(hashlib.sha256(key).digest(), talk)
    proof = bytes(one ^ other for one, other in zip(key, signature, strict=True))
    return Proof(
        f"{last},p={base64.b64encode(proof).decode()}".encode(),
        b"v=" + base64.b64encode(_sign(_sign(salted, b"Server Key"), talk)),
    )


def _bare_first(user: str, nonce: str) -> str:
    name = user.replace("=", "=3D").replace(",", "=2C")
    return f"n={name},r={nonce}"


def _encode(text: str) -> bytes:
    """A text that may have come from a variable whose value is no text."""
    return text.encode(errors="surrogateescape")


def _fields_of(text: str) -> dict[str, str]:
    fields = (each.partition("=") for each in text.split(","))
    return {name: value for name, _, value in fields}


def _sign(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")

from __future__ import annotations

import pytest

from prismctl.probes.scram import ScramError, prove_password, render_first

# The exchange that RFC 7677 shows.
NONCE = "rOprNGfwEbeRWgbNEkqO"
CHALLENGE = (
    b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
)


def test_the_exchange_of_the_standard() -> None:
    proof = prove_password("user", "pencil", NONCE, CHALLENGE)

    assert render_first("user", NONCE) == b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    assert proof.message == (
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
        b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    )
    assert proof.confirmation == b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def test_what_separates_fields_is_escaped_in_a_name() -> None:
    assert render_first("a=b,c", "x") == b"n,,n=a=3Db=2Cc,r=x"


@pytest.mark.parametrize(
    "challenge",
    [b"", b"r=x", b"r=rOprNGfwEbeRWgbNEkqO,s=c2FsdA==,i=0", CHALLENGE + b"x", b"\xff"],
)
def test_a_challenge_that_is_none_is_refused(challenge: bytes) -> None:
    with pytest.raises(ScramError):
        prove_password("user", "pencil", NONCE, challenge)

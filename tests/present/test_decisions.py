"""What `init` would do for a tool, shown before it does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from prismctl.install.installation import Decision
from prismctl.install.provider import Offer, ProviderName
from prismctl.install.tools import NOMAD
from prismctl.present.installation import decision_lines, render_decision

OFFER = Offer(
    tool=NOMAD.name,
    version=NOMAD.version,
    provider=ProviderName.RELEASE,
    source="https://releases.example/nomad.zip",
    licence=NOMAD.licence,
    size_bytes=55_000_000,
    checksum="0" * 64,
    signing_key="C874011F0AB405110D02105534365D9472D7468F",
)


def shown(offer: Offer) -> str:
    decision = Decision(tool=NOMAD, existing=None, offer=offer, why="it is released")
    lines = decision_lines([decision], width=120)
    return "\n".join("".join(span.text for span in spans) for spans in lines)


@pytest.mark.parametrize(
    "words",
    [
        "1.11.3 from release: https://releases.example/nomad.zip, 55 MB",
        "licence: Business Source License 1.1, https://www.hashicorp.com/bsl",
        f"sha256: {'0' * 64}",
        "signing key: C874 011F 0AB4 0511 0D02 1055 3436 5D94 72D7 468F",
    ],
)
def test_a_release_is_shown_with_all_that_makes_it_trusted(words: str) -> None:
    assert words in shown(OFFER)


def test_where_nothing_is_signed_no_key_is_shown() -> None:
    assert "signing key" not in shown(replace(OFFER, signing_key=""))


def test_programs_get_the_fingerprint_in_one_piece() -> None:
    document = render_decision(Decision(tool=NOMAD, existing=None, offer=OFFER))
    assert document["install"]["signing_key"] == OFFER.signing_key
    unsigned = replace(OFFER, signing_key="")
    document = render_decision(Decision(tool=NOMAD, existing=None, offer=unsigned))
    assert document["install"]["signing_key"] is None

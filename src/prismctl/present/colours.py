"""How tones look where a terminal's own sixteen colours are all there is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prismctl.present.text import Tone

if TYPE_CHECKING:
    from collections.abc import Mapping

SGR: Final[Mapping[Tone, str]] = {
    Tone.GOOD: "32",
    Tone.BUSY: "33",
    Tone.BAD: "31",
    Tone.MUTED: "2",
    Tone.STRONG: "1",
    Tone.ACCENT: "36",
}
"""What stands between ``ESC [`` and ``m``; a tone that is not here looks like nothing in particular."""
COLOURLESS_SGR: Final[Mapping[Tone, str]] = {
    Tone.MUTED: SGR[Tone.MUTED],
    Tone.STRONG: SGR[Tone.STRONG],
}
"""Where colours are not wanted; dim and bold are none."""

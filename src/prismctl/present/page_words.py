"""What states and levels look like and are called, for the page in the browser: made of what the terminal goes by."""

from __future__ import annotations

import json
from typing import Final

from prismctl.present.log_levels import Level, render_rules
from prismctl.present.units import UNKNOWN
from prismctl.present.wording import ENGINE_TITLES, SHAKEN, SYMBOLS, TONES

_HEAD: Final = "// Made of present/wording.py, present/units.py and present/log_levels.py when it is asked for.\n"


def render_module() -> str:
    """A module of the page that exports them."""
    exports = {
        "UNKNOWN": UNKNOWN,
        "SYMBOLS": SYMBOLS,
        "SHAKEN": SHAKEN,
        "TONES": TONES,
        "ENGINES": ENGINE_TITLES,
        "LEVELS": [level.name.lower() for level in Level],
        "LEVEL_RULES": render_rules(),
    }
    lines = (f"export const {name} = {json.dumps(value)};\n" for name, value in exports.items())
    return _HEAD + "".join(lines)

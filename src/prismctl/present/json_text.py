"""Documents as JSON that may be looked at: what `clean` takes out of text for people, stands here as an escape.

JSON asks only for the first 32 characters to be escaped. Terminals obey some of those from 127 on as well, and others
turn the direction of what follows around: a log line or the name of a process could then say what the screen shows.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

_TREACHEROUS: Final = re.compile(
    "[\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
"""Controls, what changes the direction of text or has no width, line ends, and halves of characters."""


def render_json(document: Any, *, indent: int | None = None) -> str:
    """A document as JSON, readable where it is no English; it reads back as what it was."""
    text = json.dumps(document, ensure_ascii=False, indent=indent)
    return text if text.isascii() and "\x7f" not in text else _TREACHEROUS.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"

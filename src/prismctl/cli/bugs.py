"""What happens to an exception nobody expected: one line for the user, the traceback in a file."""

from __future__ import annotations

import platform
import traceback
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from prismctl import __version__
from prismctl.errors import PrismError
from prismctl.files.atomic import write_atomically
from prismctl.files.paths import find_home

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def describe_bug(error: Exception, arguments: Sequence[str]) -> tuple[str, str]:
    """The message and the hint for an unexpected exception; writes its traceback to a file in home."""
    summary = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    message = f"this is a bug in prismctl: {summary.splitlines()[0]}"
    try:
        path = _save_report(error, arguments)
    except (PrismError, OSError):
        return message, "add -v to see the traceback"
    return message, f"the traceback is in {path}; please report it"


def _save_report(error: Exception, arguments: Sequence[str]) -> Path:
    moment = datetime.now(tz=UTC)
    directory = find_home().directory / "crashes"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / f"{moment:%Y%m%dT%H%M%S%f}.txt"
    head = (
        f"prismctl {__version__}, Python {platform.python_version()}, {platform.platform()}\n"
        f"arguments: {' '.join(arguments)}\n\n"
    )
    write_atomically(path, head + "".join(traceback.format_exception(error)))
    return path

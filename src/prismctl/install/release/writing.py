"""Says which file cannot be written, why, and what to do about it."""

from __future__ import annotations

import contextlib
import errno
from typing import TYPE_CHECKING

from prismctl.errors import PrismError
from prismctl.files.atomic import describe_way_out

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the system says about a file that is being written into an error with a hint.

    Raises:
        PrismError: the system said something.
    """
    try:
        yield
    except OSError as error:
        hint = describe_way_out(error, path)
        if error.errno == errno.EFBIG:
            hint = "raise the limit for files: `ulimit -f unlimited`"
        raise PrismError(f"cannot write {path}: {error.strerror}", hint=hint) from error

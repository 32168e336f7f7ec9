"""The one error for a bundle that is not what was packed."""

from __future__ import annotations

from typing import Final

from prismctl.errors import PrismError

COPY_AGAIN: Final = "copy it again, and compare what `sha256sum` says about it on both machines"


class DamagedBundleError(PrismError):
    """A bundle was cut short or changed since it was packed, or never was one."""

    def __init__(self, message: str, *, hint: str = COPY_AGAIN) -> None:
        super().__init__(message, hint=hint)

"""The one error after which nothing of what was fetched is worth keeping."""

from __future__ import annotations

from prismctl.errors import PrismError


class RefusedReleaseError(PrismError):
    """What a release server gave is not what the vendor released, or cannot be told from something else."""

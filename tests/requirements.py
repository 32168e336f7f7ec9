"""What a test needs that not every machine has: in CI it has to be there."""

from __future__ import annotations

import os

import pytest


def require(is_here: object, reason: str) -> None:
    """Skip the test where it cannot run; fail it in CI, which would be green without having looked.

    Args:
        is_here: whether all that it needs is there.
        reason: what is missing, and what brings it.
    """
    if is_here:
        return
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)

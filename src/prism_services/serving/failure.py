"""Why a service or its client ends with an error: one line, a hint, an exit code."""

from __future__ import annotations

from typing import ClassVar


class ServiceError(Exception):
    """Something the user can act on: printed as one line and a hint, never as a traceback."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        """What happened, with names and values; lower case, no full stop."""
        self.hint = hint
        """What to type next; empty when there is nothing to type."""


class FlagError(ServiceError):
    """A flag says something impossible."""

    exit_code = 2


class UnansweredError(ServiceError):
    """The service that was asked did not answer."""

    exit_code = 4


class RefusedError(ServiceError):
    """The service that was asked answered, and refused."""

    exit_code = 5

"""How the inside of a service says no: raised where the fact is known, turned into a gRPC status at the edge."""

from __future__ import annotations

from enum import StrEnum


class RefusalCode(StrEnum):
    """The gRPC statuses that services refuse with, by their gRPC names."""

    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    NOT_FOUND = "NOT_FOUND"
    FAILED_PRECONDITION = "FAILED_PRECONDITION"
    RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"
    UNIMPLEMENTED = "UNIMPLEMENTED"
    UNAVAILABLE = "UNAVAILABLE"


class Refusal(Exception):  # noqa: N818 - it is an answer, not a failure of ours
    """A request that cannot be granted."""

    def __init__(self, code: RefusalCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def invalid(message: str) -> Refusal:
    """The refusal of a request that is wrong in itself."""
    return Refusal(RefusalCode.INVALID_ARGUMENT, message)

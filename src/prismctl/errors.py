"""The error tree and the exit codes: what can go wrong, and what the shell is told.

    PrismError                 1    it did not succeed
    ├── ConfigError            2    a flag or a file says something impossible (every problem listed)
    ├── MissingToolError       3    a tool that is needed is not installed
    ├── UnavailableError       4    a component did not answer
    ├── RejectedError          5    it answered, and refused
    ├── DeadlineError          6    it was not ready in time
    ├── PartialError           7    some of it worked
    └── InterruptedByUserError 130  interrupted; the message says how things were left

Errors are raised where the fact is known, translated once at the edge where a library raised something
else, and turned into words and an exit code in one place, ``cli/main.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence


class ExitCode(IntEnum):
    """What the process returns; ``docs/reference/exit-codes.md`` is the same table."""

    DONE = 0
    FAILED = 1
    INVALID = 2
    MISSING_TOOL = 3
    UNAVAILABLE = 4
    REJECTED = 5
    NOT_READY = 6
    PARTIAL = 7
    INTERRUPTED = 130
    TERMINATED = 143


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong with what somebody wrote, and where it is written."""

    message: str
    """What is wrong, with the name and the value in it; lower case, no full stop."""
    file: str = ""
    """The file as the user would name it; empty for a flag."""
    line: int = 0
    """Counted from 1; 0 when the place is not known."""
    column: int = 0
    """Counted from 1; 0 when the place is not known."""
    suggestion: str = ""
    """The nearest valid name; empty when nothing is near."""

    @property
    def place(self) -> str:
        """``file:line:column``, as far as it is known."""
        numbers = [str(number) for number in (self.line, self.column) if number]
        return ":".join([self.file, *numbers]) if self.file else ""

    def __str__(self) -> str:
        """The problem in one line."""
        hint = f"; did you mean `{self.suggestion}`?" if self.suggestion else ""
        return f"{self.place}: {self.message}{hint}" if self.place else f"{self.message}{hint}"


class PrismError(Exception):
    """Something the user can act on: printed as one line and a hint, never as a traceback."""

    exit_code: ClassVar[ExitCode] = ExitCode.FAILED
    code: ClassVar[str] = "failed"
    """Stable identifier for ``-o json``; renaming one is a breaking change."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        """What happened, with names and values; lower case, no full stop, commands in backticks."""
        self.hint = hint
        """What to type next; empty when there is nothing to type."""


class ConfigError(PrismError):
    """A flag or a file says something impossible; all problems are collected before it is raised."""

    exit_code = ExitCode.INVALID
    code = "invalid"

    def __init__(self, problems: Sequence[Problem], *, hint: str = "", subject: str = "") -> None:
        self.problems = tuple(problems)
        """In the order of the file; never empty."""
        if len(self.problems) == 1:
            message = str(self.problems[0])
        else:
            where = f" in {subject}" if subject else ""
            message = f"{len(self.problems)} problems{where}"
        super().__init__(message, hint=hint)


class MissingToolError(PrismError):
    """A program that is needed (nomad, consul, podman, a native server) is not installed."""

    exit_code = ExitCode.MISSING_TOOL
    code = "missing-tool"

    def __init__(self, message: str, *, hint: str = "", problems: Sequence[Problem] = ()) -> None:
        super().__init__(message, hint=hint)
        self.problems = tuple(problems)
        """What is missing, one each, where the message only counts them."""


class UnavailableError(PrismError):
    """A component did not answer."""

    exit_code = ExitCode.UNAVAILABLE
    code = "unavailable"


class RejectedError(PrismError):
    """A component answered, and refused."""

    exit_code = ExitCode.REJECTED
    code = "rejected"


class DeadlineError(PrismError):
    """Something was not ready in time; the message names the culprit."""

    exit_code = ExitCode.NOT_READY
    code = "not-ready"


class PartialError(PrismError):
    """Some of it worked: the message and the details say what did, what failed, what was skipped."""

    exit_code = ExitCode.PARTIAL
    code = "partial"


class InterruptedByUserError(PrismError):
    """Ctrl-C or SIGTERM arrived; the message says how the stack was left."""

    exit_code = ExitCode.INTERRUPTED
    code = "interrupted"

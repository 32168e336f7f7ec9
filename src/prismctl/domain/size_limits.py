"""How large a single variable or argument of a process may be: what is larger, no system starts.

Linux gives 128 kB to each; the system says ``argument list too long`` and neither which nor how long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LARGEST_BYTES: Final = 128 * 1024
_OVERHEAD: Final = 64
"""Room for the end of the text and for what is put before the name of a container's variable."""


def find_oversized_variables(env: Mapping[str, str]) -> dict[str, str]:
    """What to say of each variable that is too large to start a process with, by name."""
    return {
        name: f"variable {name} is {_size(size)}; a process is given at most {_size(LARGEST_BYTES)} in one: "
        "put it into a file, and the file's path into the variable"
        for name, value in env.items()
        if (size := len(f"{name}={value}".encode(errors="surrogateescape")))
        > LARGEST_BYTES - _OVERHEAD
    }


def find_oversized_arguments(words: Sequence[str]) -> dict[int, str]:
    """The same of arguments, by position."""
    return {
        index: f"argument {index + 1} is {_size(size)}; a process is given at most {_size(LARGEST_BYTES)} in one"
        for index, word in enumerate(words)
        if (size := len(word.encode(errors="surrogateescape"))) > LARGEST_BYTES - _OVERHEAD
    }


def _size(count: int) -> str:
    return f"{count:,} bytes"

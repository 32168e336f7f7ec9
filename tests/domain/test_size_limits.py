from __future__ import annotations

import os
import subprocess
import sys

import pytest

from prismctl.domain.size_limits import (
    LARGEST_BYTES,
    find_oversized_arguments,
    find_oversized_variables,
)


def test_a_variable_that_is_too_large_is_named_with_its_size() -> None:
    (found,) = find_oversized_variables({"SMALL": "x", "BLOB": "x" * 200_000}).items()
    assert found[0] == "BLOB"
    assert found[1].startswith(
        "variable BLOB is 200,005 bytes; a process is given at most 131,072 "
    )


def test_bytes_are_counted_not_characters() -> None:
    assert find_oversized_variables({"BLOB": "é" * 70_000})
    assert not find_oversized_variables({"BLOB": "e" * 70_000})


def test_an_argument_that_is_too_large_is_named_by_its_position() -> None:
    assert list(find_oversized_arguments(["sh", "-c", "x" * LARGEST_BYTES])) == [2]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other limits")
def test_the_limit_is_the_system_s() -> None:
    largest = "x" * (LARGEST_BYTES - 64 - len("BLOB="))
    assert not find_oversized_variables({"BLOB": largest})
    assert find_oversized_variables({"BLOB": largest + "x"})
    subprocess.run(["/bin/true"], env={**os.environ, "BLOB": largest}, check=True)
    with pytest.raises(OSError, match="Argument list too long"):
        subprocess.run(["/bin/true"], env={"BLOB": "x" * LARGEST_BYTES}, check=True)

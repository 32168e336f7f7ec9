"""Where in one file of a log something is: the last lines of it, the first of some time; and how many are in between.

How a log file is written says ``log_cursor.py``. Files are given as descriptors, whose place is moved: a name means
another file from one moment to the next.
"""

from __future__ import annotations

import os
from typing import Final

BLOCK_BYTES: Final = 256 * 1024
"""How much of one file is read at a time."""
MAX_TEXT_BYTES: Final = 1024 * 1024
"""Parts of a line are joined up to this length; what is longer stays in several lines."""
_MAX_HEAD_BYTES: Final = 64


def find_tail(descriptor: int, count: int) -> tuple[int, int]:
    """Where the last ``count`` lines of a file begin, and how many of them it does not have."""
    if count <= 0:
        return os.fstat(descriptor).st_size, 0
    with open(descriptor, "rb", closefd=False) as file:
        end = file.seek(0, os.SEEK_END)
        carried = b""
        missing = count + 1
        while end:
            size = min(BLOCK_BYTES, end)
            end = file.seek(end - size)
            block = file.read(size) + carried
            starts = block.split(b"\n")
            # The first piece may have begun in the block before.
            carried = starts[0] if end else b""
            at = end + len(block)
            for piece in reversed(starts[1:] if end else starts):
                at -= len(piece)
                if piece:
                    missing -= _ends_line(piece)
                    if missing == 0:
                        return at + len(piece) + 1, 0
                at -= 1
            if len(carried) > 2 * MAX_TEXT_BYTES:
                carried = b""
    return 0, missing - 1


def _ends_line(raw: bytes) -> bool:
    return b" F " in raw[:_MAX_HEAD_BYTES]


def count_lines(descriptor: int, begin: int, end: int | None) -> tuple[int, int]:
    """The bytes of a part of a file, and how many lines end in it.

    Args:
        descriptor: of the file.
        begin: where an entry begins.
        end: where another one begins, or the end of the last; ``None``: of all that there is.
    """
    size = lines = 0
    with open(descriptor, "rb", closefd=False) as file:
        file.seek(begin)
        begun = b""
        while block := file.read(
            BLOCK_BYTES if end is None else min(BLOCK_BYTES, end - begin - size)
        ):
            size += len(block)
            whole, line_end, rest = (begun + block).rpartition(b"\n")
            lines += _count_ends(whole + line_end)
            begun = rest[-2 * MAX_TEXT_BYTES :]
    return size - len(begun), lines


def _count_ends(entries: bytes) -> int:
    """How many lines end in whole entries."""
    if b" P " not in entries:
        # As nearly always, and fifty times as fast.
        return entries.count(b"\n")
    return sum(map(_ends_line, entries.split(b"\n")))


def find_time(descriptor: int, stamp: bytes) -> int:
    """The offset of the first line of a file that is not older; 0 when all are newer."""
    with open(descriptor, "rb", closefd=False) as file:
        low, high = 0, file.seek(0, os.SEEK_END)
        while low < high:
            middle = (low + high) // 2
            file.seek(middle)
            if middle:
                file.readline()
            line = file.readline()
            if line and line.partition(b" ")[0] < stamp:
                low = middle + 1
            else:
                high = middle
        file.seek(low)
        if low:
            file.readline()
        return file.tell()

"""The last lines of logs, kept within bounds however fast they come."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from prismctl.domain.counting import count_of
from prismctl.domain.shown_logs import MOST_CHARACTERS, cut_line
from prismctl.files.log_line import SKIPPED, count_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

LINES_OF_ONE: Final = 2_000
LINES_OF_ALL: Final = 5_000


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line that a service printed."""

    time: str
    """RFC 3339."""
    service: str
    replica: int
    text: str
    """As it came, as far as it is shown; made harmless where it is."""
    lines: int | None = 1
    """How many lines it stands for: where it says how many are missing, for those; ``None``: nobody can say."""
    is_note: bool = False
    """Nobody printed it: it says what is missing."""

    @property
    def source(self) -> str:
        """The service, with the number of the replica where there are several."""
        return f"{self.service}#{self.replica}" if self.replica else self.service


def decode_line(entry: Mapping[str, Any]) -> LogLine:
    """A line as the daemon gives it."""
    return LogLine(
        str(entry.get("time") or ""),
        str(entry.get("service") or ""),
        int(entry.get("replica") or 0),
        cut_line(str(entry.get("text") or "")),
        lines=count_in(entry),
        is_note=entry.get("stream") == SKIPPED,
    )


def note_left_out(service: str, lines: int, *, at: str, is_exact: bool = True) -> LogLine:
    """In place of lines of a service that nobody took in time: how many they were."""
    amount = f"{'' if is_exact else 'more than '}{count_of(lines, 'line')}"
    words = f"skipped {amount}: they came faster than they can be shown"
    return LogLine(at, service, 0, words, lines=lines if is_exact else None, is_note=True)


class Ring:
    """Lines in order; the oldest go when there are too many, or too much of them."""

    def __init__(self, *, lines: int, characters: int) -> None:
        self._lines: deque[LogLine] = deque()
        self._most_lines = lines
        self._most_characters = characters
        self._characters = 0
        self.first = 0
        """The number of the oldest that is there, counted from the first that ever came."""

    def __len__(self) -> int:
        return len(self._lines)

    @property
    def end(self) -> int:
        """The number that the next line gets."""
        return self.first + len(self._lines)

    def add(self, line: LogLine) -> None:
        """Take one in."""
        self._lines.append(line)
        self._characters += len(line.text)
        while len(self._lines) > self._most_lines or self._characters > self._most_characters:
            self._characters -= len(self._lines.popleft().text)
            self.first += 1

    def take(self, begin: int, end: int) -> list[LogLine]:
        """The lines with these numbers, as far as they are still there."""
        low = max(begin, self.first) - self.first
        high = min(end, self.end) - self.first
        # From the nearer end: a deque walks.
        return [self._lines[index] for index in range(low, high)] if low < high else []

    def all(self) -> list[LogLine]:
        """All that are there."""
        return list(self._lines)


class Logbook:
    """A ring for each service, and one for all."""

    def __init__(self) -> None:
        self._of_service: dict[str, Ring] = {}
        self._of_all = Ring(lines=LINES_OF_ALL, characters=4 * MOST_CHARACTERS)
        self.is_read = False
        """What was printed before has come: where there is nothing now, nothing was printed."""

    def add(self, lines: Sequence[LogLine]) -> None:
        """Take lines in."""
        for line in lines:
            ring = self._of_service.get(line.service)
            if ring is None:
                ring = Ring(lines=LINES_OF_ONE, characters=MOST_CHARACTERS)
                self._of_service[line.service] = ring
            ring.add(line)
            self._of_all.add(line)

    def ring(self, service: str = "") -> Ring:
        """The lines of a service; without a name, of all."""
        if not service:
            return self._of_all
        return self._of_service.get(service) or _EMPTY

    def forget(self, services: Iterable[str]) -> None:
        """Let go of the lines of services that were taken out; what is merged stays as it is."""
        for name in services:
            self._of_service.pop(name, None)


_EMPTY: Final = Ring(lines=0, characters=0)

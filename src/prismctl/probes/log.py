"""Ready once the present run has printed something that a pattern finds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from prismctl.files.logs import LogFollower
from prismctl.probes.question import NotReadyError

if TYPE_CHECKING:
    from prismctl.probes.question import Question


class LogQuestion:
    """Remembers how far the output has been looked through, so that each line is looked at once."""

    def __init__(self, question: Question) -> None:
        self._pattern = re.compile(question.pattern)
        self._shown = question.pattern
        if question.log is None:
            raise ValueError("a log check needs a log")
        self._follower = LogFollower([question.log], since=question.started_at)
        self._is_found = False

    async def probe(self) -> None:
        """Look through what is new.

        Raises:
            NotReadyError: the pattern has not appeared yet.
        """
        if not self._is_found:
            self._is_found = any(
                self._pattern.search(line.text) for line in self._follower.read_new()
            )
        if not self._is_found:
            raise NotReadyError(f"the output has not matched `{self._shown}` yet")

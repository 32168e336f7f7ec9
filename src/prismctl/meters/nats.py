"""NATS: the messages that clients have sent, from its monitoring port."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from prismctl.meters.meter import Counts
from prismctl.meters.page import PageReader
from prismctl.probes.question import NotReadyError

if TYPE_CHECKING:
    from prismctl.probes.question import Question

PATH: Final = "/varz"


class NatsMeter:
    """The counters of one NATS."""

    def __init__(self, question: Question) -> None:
        self._page = PageReader(question)

    async def read(self) -> Counts:
        """The counters now.

        Raises:
            NotReadyError: its monitoring does not answer.
        """
        return decode_varz(await self._page.read(PATH))

    def close(self) -> None:
        """Hang up."""
        self._page.close()


def decode_varz(page: str) -> Counts:
    """What the page says of messages.

    Raises:
        NotReadyError: nothing.
    """
    try:
        messages = json.loads(page)["in_msgs"]
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise NotReadyError(f"{PATH} does not say how many messages came in") from error
    if not isinstance(messages, int) or messages < 0:
        raise NotReadyError(f"{PATH} says that {messages} messages came in")
    return Counts(messages)

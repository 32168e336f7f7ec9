"""Ready when somebody accepts connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prismctl.probes.connect import open_socket

if TYPE_CHECKING:
    from prismctl.probes.question import Question


async def probe_tcp(question: Question) -> None:
    """Connect and hang up.

    Raises:
        NotReadyError: nobody accepts.
    """
    connection = await open_socket(question.host, question.port)
    connection.close()

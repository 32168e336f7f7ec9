"""A connection to a counter that stays open from one reading to the next."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from prismctl.probes.confidant import require_confidant
from prismctl.probes.connect import describe_failure, open_streams
from prismctl.probes.question import NotReadyError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from prismctl.probes.question import Question


class Line:
    """Streams to one port; whoever reads something that makes no sense of them closes them."""

    def __init__(self, question: Question, *, limit: int) -> None:
        self._question = question
        self._limit = limit
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is a connection that nobody has closed, as far as one can see from here."""
        return (
            self._streams is not None
            and not self._streams[0].at_eof()
            and not self._streams[1].is_closing()
        )

    @contextlib.asynccontextmanager
    async def conversation(
        self,
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """The streams, which stay open unless something goes wrong meanwhile.

        Raises:
            NotReadyError: nobody accepts, or the other side fell silent in the middle of it.
        """
        question = self._question
        host, port = question.host, question.port
        if self._streams is None or not self.is_open:
            self.close()
            self._streams = await open_streams(
                host,
                port,
                limit=self._limit,
                admits=lambda connection: require_confidant(connection, question),
            )
        try:
            yield self._streams
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            self.close()
            raise NotReadyError(f"{host}:{port} answered only in part") from error
        except OSError as error:
            self.close()
            raise NotReadyError(describe_failure(error, host, port)) from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Hang up, after what was written."""
        streams, self._streams = self._streams, None
        if streams is not None:
            streams[1].close()

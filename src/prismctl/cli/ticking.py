"""A stream that also says when nothing comes: for displays that move and deadlines that pass."""

from __future__ import annotations

import queue
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from prismctl.errors import PrismError

if TYPE_CHECKING:
    from collections.abc import Iterator

_BUFFERED_MESSAGES: Final = 256
_END: Final = object()


def tick(
    messages: Iterator[dict[str, Any]], *, seconds: float, deadline: float | None = None
) -> Iterator[dict[str, Any] | None]:
    """The messages of a stream as they come, and ``None`` whenever ``seconds`` passed without one.

    Ends with the stream, or once ``time.monotonic()`` has passed ``deadline``. The stream is read in a thread
    of its own, so that an interrupt reaches the caller at once; what the stream raises is raised here.
    """
    received: queue.Queue[Any] = queue.Queue(_BUFFERED_MESSAGES)
    is_abandoned = threading.Event()
    reader = threading.Thread(
        target=_read, args=(messages, received, is_abandoned), name="stream", daemon=True
    )
    reader.start()
    try:
        while True:
            patience = seconds
            if deadline is not None:
                patience = min(seconds, deadline - time.monotonic())
                if patience <= 0:
                    return
            try:
                message = received.get(timeout=patience)
            except queue.Empty:
                yield None
                continue
            if message is _END:
                return
            if isinstance(message, BaseException):
                raise message
            yield message
    finally:
        is_abandoned.set()


def _read(
    messages: Iterator[dict[str, Any]],
    received: queue.Queue[Any],
    is_abandoned: threading.Event,
) -> None:
    try:
        for message in messages:
            _hand_over(message, received, is_abandoned)
            if is_abandoned.is_set():
                return
        _hand_over(_END, received, is_abandoned)
    except (PrismError, OSError, ValueError) as error:
        _hand_over(error, received, is_abandoned)


def _hand_over(message: Any, received: queue.Queue[Any], is_abandoned: threading.Event) -> None:
    while not is_abandoned.is_set():
        try:
            received.put(message, timeout=1.0)
        except queue.Full:
            continue
        return

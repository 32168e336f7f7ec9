"""One line per event on stderr, as text for people or JSON for machines.

Text: ``2026-01-02T03:04:05.678Z INFO  serving grpc=127.0.0.1:8981``; JSON: ``time``, ``level``, ``message``
and the fields, in one object. Libraries that log through ``logging`` come out in the same form.
"""

from __future__ import annotations

import logging
import time
from enum import StrEnum
from typing import Final

FieldValue = str | int | float | bool
FIELDS: Final = "journal_fields"
SHORT_LEVELS: Final = {"WARNING": "WARN", "CRITICAL": "ERROR"}
LEVELS: Final = ("debug", "info", "warning", "error")
PLAIN: Final = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/@%+,[]*?!"
)
"""Characters a text value may hold without quotes."""


class LogFormat(StrEnum):
    """How a line looks."""

    TEXT = "text"
    JSON = "json"


class Journal:
    """What a service writes its events to."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(f"prism.{name}")

    def debug(self, message: str, **fields: FieldValue) -> None:
        """Record what only somebody who debugs wants to know."""
        self._logger.debug(message, extra={FIELDS: fields})

    def info(self, message: str, **fields: FieldValue) -> None:
        """Record an event of normal life."""
        self._logger.info(message, extra={FIELDS: fields})

    def warning(self, message: str, **fields: FieldValue) -> None:
        """Record what is odd but handled."""
        self._logger.warning(message, extra={FIELDS: fields})

    def error(self, message: str, **fields: FieldValue) -> None:
        """Record what went wrong."""
        self._logger.error(message, extra={FIELDS: fields})

    def crash(self, message: str, error: BaseException, **fields: FieldValue) -> None:
        """Record a bug of ours, with its traceback as a field."""
        import traceback

        trace = "".join(traceback.format_exception(error))
        self._logger.error(
            message, extra={FIELDS: {**fields, "error": repr(error), "traceback": trace}}
        )


def open_journal(name: str, *, level: str, log_format: LogFormat) -> Journal:
    """Send this process's events to stderr from ``level`` on; libraries only from warnings on."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if log_format is LogFormat.JSON else TextLines())
    logging.raiseExceptions = False  # a reader of stderr that went away must not end the service
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("prism").setLevel(level.upper())
    return Journal(name)


class TextLines(logging.Formatter):
    """Renders a record for people."""

    def format(self, record: logging.LogRecord) -> str:
        """Render one line; a library's traceback becomes a quoted field."""
        pairs = "".join(f" {key}={_quoted(value)}" for key, value in _fields(record).items())
        message = record.getMessage().replace("\n", "\\n")
        return f"{_timestamp(record.created)} {SHORT_LEVELS.get(record.levelname, record.levelname):<5} {message}{pairs}"


class JsonLines(logging.Formatter):
    """Renders a record for machines."""

    def format(self, record: logging.LogRecord) -> str:
        """Render one JSON object."""
        import json

        head = {
            "time": _timestamp(record.created),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        return json.dumps({**_fields(record), **head}, default=str)


def _fields(record: logging.LogRecord) -> dict[str, FieldValue]:
    fields: dict[str, FieldValue] = dict(getattr(record, FIELDS, {}))
    if record.exc_info:
        fields["traceback"] = logging.Formatter().formatException(record.exc_info)
    return fields


def _timestamp(seconds: float) -> str:
    milliseconds = int(seconds * 1000)
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(milliseconds // 1000))
    return f"{whole}.{milliseconds % 1000:03d}Z"


def _quoted(value: FieldValue) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if text and PLAIN.issuperset(text):
        return text
    import json

    return json.dumps(text)

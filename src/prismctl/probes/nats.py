"""Ready when NATS answers PING and, where it is asked for, JetStream says how it is."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Final

from prismctl.probes.connect import describe_stranger, open_conversation
from prismctl.probes.question import NotReadyError

if TYPE_CHECKING:
    import asyncio

    from prismctl.probes.question import Question

MAX_LINE_BYTES: Final = 64 * 1024
"""The first line names every server of a cluster."""
MAX_MESSAGE_BYTES: Final = 64 * 1024
MAX_LINES: Final = 64
"""More than that before an answer is no NATS."""
JETSTREAM_SUBJECT: Final = "$JS.API.INFO"


async def probe_nats(question: Question) -> None:
    """Introduce ourselves, PING, and ask JetStream.

    A server that wants to know who asks, and was not told, is ready: it answers, in its own protocol. Of JetStream
    that says nothing.

    Raises:
        NotReadyError: it refuses, JetStream does not answer, or it is no NATS.
    """
    async with open_conversation(question, limit=MAX_LINE_BYTES) as (reader, writer):
        talk = _Talk(reader, writer, question.port)
        # It speaks first. Somebody else may not, and says who it is once it is spoken to.
        writer.write(b"CONNECT %b\r\nPING\r\n" % json.dumps(_introduce(question)).encode())
        about = await talk.read_greeting()
        if about.get("tls_required"):
            raise NotReadyError(
                f"NATS at port {question.port} wants TLS, which a check does not speak"
            )
        verb, rest = await talk.read_answer()
        if verb == "-ERR":
            is_stranger = not question.user and not question.password
            if is_stranger and not question.jetstream and "authorization" in rest.lower():
                return
            raise NotReadyError(f"NATS at port {question.port} answered {rest}")
        if question.jetstream:
            await _ask_jetstream(talk)


def _introduce(question: Question) -> dict[str, Any]:
    """What a client says of itself; a password without a user is a token."""
    about: dict[str, Any] = {
        "verbose": False,
        "pedantic": False,
        "lang": "python",
        "version": "1",
        "name": "prismctl",
        # So that a request which nobody serves is answered, instead of never.
        "headers": True,
        "no_responders": True,
    }
    if question.user:
        about |= {"user": question.user, "pass": question.password}
    elif question.password:
        about["auth_token"] = question.password
    return about


async def _ask_jetstream(talk: _Talk) -> None:
    inbox = f"_INBOX.prismctl.{os.urandom(8).hex()}"
    talk.writer.write(f"SUB {inbox} 1\r\nPUB {JETSTREAM_SUBJECT} {inbox} 0\r\n\r\n".encode())
    verb, rest = await talk.read_answer()
    if verb not in {"MSG", "HMSG"}:
        raise NotReadyError(f"NATS at port {talk.port} answered {verb} {rest}".rstrip())
    headers, body = await talk.read_message(verb, rest)
    if b" 503" in headers:
        raise NotReadyError(f"NATS at port {talk.port} answers, but runs without JetStream")
    answer = _decode_object(body)
    if answer is None:
        raise NotReadyError(describe_stranger("JetStream", talk.port, body))
    error = answer.get("error")
    if error is not None:
        said = error.get("description", error) if isinstance(error, dict) else error
        raise NotReadyError(f"JetStream at port {talk.port} answered {said}")


class _Talk:
    """One connection, read line by line."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int
    ) -> None:
        self.writer = writer
        self.port = port
        self._reader = reader

    async def read_greeting(self) -> dict[str, Any]:
        """What the server says of itself before anybody asks."""
        line = await self._reader.readuntil(b"\n")
        verb, _, rest = line.partition(b" ")
        about = _decode_object(rest) if verb.upper() == b"INFO" else None
        if about is None:
            raise NotReadyError(describe_stranger("NATS", self.port, line))
        return about

    async def read_answer(self) -> tuple[str, str]:
        """The next line that answers something, as its verb and the rest."""
        for _ in range(MAX_LINES):
            line = await self._reader.readuntil(b"\n")
            verb, _, rest = line.decode(errors="replace").strip().partition(" ")
            if verb == "PING":
                self.writer.write(b"PONG\r\n")
            elif verb in {"PONG", "-ERR", "MSG", "HMSG"}:
                return verb, rest
            elif verb not in {"INFO", "+OK"}:
                raise NotReadyError(describe_stranger("NATS", self.port, line))
        raise NotReadyError(f"not NATS: port {self.port} talks without answering")

    async def read_message(self, verb: str, rest: str) -> tuple[bytes, bytes]:
        """Headers and body of the message that a line announces."""
        sizes = rest.split()[-2:] if verb == "HMSG" else ["0", *rest.split()[-1:]]
        try:
            headers, total = map(int, sizes)
        except ValueError:
            headers, total = 0, -1
        if not 0 <= headers <= total <= MAX_MESSAGE_BYTES:
            raise NotReadyError(describe_stranger("NATS", self.port, f"{verb} {rest}".encode()))
        message = await self._reader.readexactly(total)
        return message[:headers], message[headers:]


def _decode_object(text: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None

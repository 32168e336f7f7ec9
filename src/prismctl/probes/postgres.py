"""Ready when PostgreSQL answers a query, which it does not while it still starts or recovers."""

from __future__ import annotations

import asyncio
import hashlib
import os
import struct
from typing import TYPE_CHECKING, Final

from prismctl.probes.connect import describe_stranger, open_conversation
from prismctl.probes.question import NotReadyError

if TYPE_CHECKING:
    from prismctl.probes.question import Question
    from prismctl.probes.scram import Proof

MAX_MESSAGE_BYTES: Final = 64 * 1024
MAX_MESSAGES: Final = 128
"""More than that before an answer is no PostgreSQL."""
DEFAULT_USER: Final = "postgres"
DATABASE: Final = "postgres"
"""Every server is made with it."""

_PROTOCOL: Final = 196608
"""Version 3.0."""
_KINDS: Final = b"RENSKZTDCAv"
"""How messages begin that may come before the query is answered."""
_TRUSTED, _CLEARTEXT, _MD5, _SASL, _SASL_CONTINUE, _SASL_FINAL = 0, 3, 5, 10, 11, 12
_NO_SUCH_DATABASE: Final = "3D000"
_REFUSED_LOGIN: Final = "28"
"""How the codes of errors begin that say who may not come in."""


async def probe_postgres(question: Question) -> None:
    """Log in and ask for ``select 1``.

    A server that wants to know who asks, and was not told, is ready: only one that takes connections asks that.

    Raises:
        NotReadyError: it is starting, stopping or recovering, it refuses, or it is no PostgreSQL.
    """
    async with open_conversation(question, limit=MAX_MESSAGE_BYTES) as (reader, writer):
        talk = PostgresTalk(reader, writer, question)
        if await talk.log_in():
            if await talk.ask("select 1") is None:
                raise NotReadyError(
                    f"PostgreSQL at port {question.port} answered a query with nothing"
                )
            talk.take_leave()


class PostgresTalk:
    """One connection, from the first message to the last answer."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, question: Question
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._port = question.port
        self._user = question.user or DEFAULT_USER
        self._database = question.database or DATABASE
        self._is_database_ours = not question.database
        self._password = question.password
        self._is_anonymous = not question.user and not question.password
        self._nonce = os.urandom(18).hex()
        self._proof: Proof | None = None
        self._received = 0

    async def log_in(self) -> bool:
        """Get to where queries are answered; false when it is known that they are, and not to us."""
        words = ("user", self._user, "database", self._database, "application_name", "prismctl", "")
        body = struct.pack(">i", _PROTOCOL) + b"".join(_encode(word) + b"\0" for word in words)
        self._writer.write(struct.pack(">i", len(body) + 4) + body)
        while True:
            kind, body = await self._read_message()
            if kind == b"Z":
                return True
            if kind == b"E":
                code, said = _decode_error(body)
                # A database that is our choice is looked for once everything else is good.
                is_ours = code == _NO_SUCH_DATABASE and self._is_database_ours
                if is_ours or (self._is_anonymous and code.startswith(_REFUSED_LOGIN)):
                    return False
                raise NotReadyError(f"PostgreSQL at port {self._port}: {said}")
            if kind == b"R" and not await self._authenticate(body):
                return False

    async def ask(self, query: str) -> tuple[str | None, ...] | None:
        """The first row of what is answered; ``None`` when there is none. Then the next query may be asked.

        Raises:
            NotReadyError: it is refused.
        """
        self._received = 0
        self._writer.write(_render_message(b"Q", query.encode() + b"\0"))
        first: tuple[str | None, ...] | None = None
        while True:
            kind, body = await self._read_message()
            if kind == b"E":
                raise NotReadyError(f"PostgreSQL at port {self._port}: {_decode_error(body)[1]}")
            if kind == b"D" and first is None:
                first = _decode_row(body, self._port)
            if kind == b"Z":
                return first

    def take_leave(self) -> None:
        """Say that no more is asked: without it the server would note that somebody hung up on it."""
        self._writer.write(_render_message(b"X", b""))

    async def _authenticate(self, body: bytes) -> bool:
        """Do as one message about authentication says; false when nobody told us with what."""
        method, rest = int.from_bytes(body[:4], "big"), body[4:]
        if method == _TRUSTED:
            return True
        if not self._password:
            return False
        if method == _CLEARTEXT:
            self._send_password(_encode(self._password) + b"\0")
        elif method == _MD5:
            self._send_password(_hash_password(self._user, self._password, rest[:4]))
        elif method in {_SASL, _SASL_CONTINUE, _SASL_FINAL}:
            await self._authenticate_by_proof(method, rest)
        else:
            raise NotReadyError(
                f"PostgreSQL at port {self._port} wants a login ({method}) that a check cannot do"
            )
        return True

    async def _authenticate_by_proof(self, method: int, rest: bytes) -> None:
        from prismctl.probes.scram import MECHANISM, ScramError, prove_password, render_first

        if method == _SASL:
            if MECHANISM.encode() not in rest.split(b"\0"):
                raise NotReadyError(f"PostgreSQL at port {self._port} does not know {MECHANISM}")
            first = render_first(self._user, self._nonce)
            self._send_password(MECHANISM.encode() + b"\0" + struct.pack(">i", len(first)) + first)
        elif method == _SASL_CONTINUE:
            try:
                # Made to take long, and with as many rounds as the other side likes.
                self._proof = await asyncio.to_thread(
                    prove_password, self._user, self._password, self._nonce, rest
                )
            except ScramError as error:
                raise NotReadyError(f"PostgreSQL at port {self._port}: {error}") from error
            self._send_password(self._proof.message)
        elif self._proof is None or rest != self._proof.confirmation:
            raise NotReadyError(
                f"PostgreSQL at port {self._port} does not know the password itself"
            )

    def _send_password(self, body: bytes) -> None:
        self._writer.write(_render_message(b"p", body))

    async def _read_message(self) -> tuple[bytes, bytes]:
        self._received += 1
        if self._received > MAX_MESSAGES:
            raise NotReadyError(f"not PostgreSQL: port {self._port} talks without answering")
        head = await self._reader.readexactly(5)
        kind, size = head[:1], int.from_bytes(head[1:], "big")
        if kind not in _KINDS or not 4 <= size <= MAX_MESSAGE_BYTES:  # noqa: PLR2004 - the size counts itself
            raise NotReadyError(describe_stranger("PostgreSQL", self._port, head))
        return kind, await self._reader.readexactly(size - 4)


def _encode(text: str) -> bytes:
    """A text that may have come from a variable whose value is no text."""
    return text.encode(errors="surrogateescape")


def _render_message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack(">i", len(body) + 4) + body


def _hash_password(user: str, password: str, salt: bytes) -> bytes:
    """The password as servers wanted it before SCRAM; what is weak about it is theirs."""

    def digest(content: bytes) -> bytes:
        return hashlib.md5(content, usedforsecurity=False).hexdigest().encode()

    return b"md5" + digest(digest(_encode(password + user)) + salt) + b"\0"


def _decode_row(body: bytes, port: int) -> tuple[str | None, ...]:
    """The columns of a row; ``None`` where there is no value."""
    columns: list[str | None] = []
    offset = 2
    try:
        for _ in range(*struct.unpack_from(">H", body)):
            (size,) = struct.unpack_from(">i", body, offset)
            offset += 4
            if size < 0:
                columns.append(None)
                continue
            columns.append(body[offset : offset + size].decode(errors="replace"))
            offset += size
    except struct.error as error:
        raise NotReadyError(describe_stranger("PostgreSQL", port, body)) from error
    return tuple(columns)


def _decode_error(body: bytes) -> tuple[str, str]:
    """Code and message of an error."""
    fields = {each[:1]: each[1:].decode(errors="replace") for each in body.split(b"\0") if each}
    code = fields.get(b"C", "")
    return code, fields.get(b"M", "") or f"error {code or 'without a name'}"

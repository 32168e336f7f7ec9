"""What tests say to Redis, NATS, PostgreSQL and Kafka word by word.

Where a test counts what goes over the wire, or asks what no client asks, a client of the server's own would be in the
way: it greets, describes itself and looks around. What is written and read back is in `backend_contents.py`.
"""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import zlib
from pathlib import Path
from typing import Any, Self

from prismctl.machine import find_program

SECONDS = 20.0


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host, int(port)


def redis(address: str, *words: str) -> list[str]:
    """The lines of an answer, without those that only count."""
    request = b"*%d\r\n" % len(words) + b"".join(
        b"$%d\r\n%s\r\n" % (len(word), word.encode()) for word in words
    )
    with socket.create_connection(_split(address), timeout=SECONDS) as connection:
        connection.sendall(request + b"*1\r\n$4\r\nQUIT\r\n")
        with connection.makefile("rb") as answers:
            lines = answers.read().decode().split("\r\n")
    return [line.lstrip("+:") for line in lines[:-2] if line[:1] not in {"$", "*"}]


def postgres(server: str, sql: str) -> str:
    """What a statement answers, as plain text.

    Args:
        server: its URL, or the address of one that lets everybody in.
        sql: the statement.
    """
    done = run_psql(server, sql)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def run_psql(server: str, sql: str) -> subprocess.CompletedProcess[str]:
    """Have the client execute a statement; it asks nobody for a password."""
    url = server if "://" in server else f"postgresql://postgres@{server}/postgres"
    psql = Path(find_program("postgres")).resolve().with_name("psql")
    return subprocess.run(
        (psql, "-w", "-Atqc", sql, url),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


class Nats:
    """One connection."""

    def __init__(self, address: str) -> None:
        self.connection = socket.create_connection(_split(address), timeout=SECONDS)
        self.answers = self.connection.makefile("rb")
        self.about: dict[str, Any] = json.loads(self.answers.readline().removeprefix(b"INFO "))
        self.connection.sendall(b'CONNECT {"verbose":false}\r\nSUB inbox 1\r\n')

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.answers.close()
        self.connection.close()

    def ask(self, subject: str, body: bytes = b"") -> dict[str, Any]:
        """What JetStream answers."""
        self.connection.sendall(b"PUB %s inbox %d\r\n%s\r\n" % (subject.encode(), len(body), body))
        while not (line := self.answers.readline()).startswith(b"MSG "):
            assert line, "NATS closed the connection"
        answer: dict[str, Any] = json.loads(self.answers.read(int(line.split()[-1]) + 2))
        return answer


class Kafka:
    """One connection; speaks the oldest of each request that is still understood, because that is short."""

    def __init__(self, address: str) -> None:
        self.connection = socket.create_connection(_split(address), timeout=SECONDS)
        self.answers = self.connection.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.answers.close()
        self.connection.close()

    def _ask(self, key: int, version: int, body: bytes) -> bytes:
        request = struct.pack(">hhih", key, version, 1, 4) + b"test" + body
        self.connection.sendall(struct.pack(">i", len(request)) + request)
        (size,) = struct.unpack(">i", self.answers.read(4))
        return self.answers.read(size)[4:]

    def partitions(self, topic: str) -> int:
        """How many a topic has, which is made if need be; 0 as long as it is not there."""
        answer = self._ask(3, 1, struct.pack(">i", 1) + _text(topic))
        (brokers,), at = struct.unpack_from(">i", answer), 4
        for _ in range(brokers):
            at += 4
            at += 2 + struct.unpack_from(">h", answer, at)[0] + 4
            at += 2 + max(0, struct.unpack_from(">h", answer, at)[0])
        at += 4 + 4
        (error,) = struct.unpack_from(">h", answer, at)
        at += 2 + 2 + len(topic) + 1
        return int(struct.unpack_from(">i", answer, at)[0]) if error == 0 else 0

    def produce(self, topic: str, value: bytes) -> bool:
        """Whether a message was written, to all who have to have it."""
        body = struct.pack(">bbqi", 1, 0, 0, -1) + struct.pack(">i", len(value)) + value
        message = struct.pack(">I", zlib.crc32(body)) + body
        messages = struct.pack(">qi", 0, len(message)) + message
        data = struct.pack(">hii", -1, 10_000, 1) + _text(topic)
        data += struct.pack(">iii", 1, 0, len(messages)) + messages
        answer = self._ask(0, 2, data)
        (error,) = struct.unpack_from(">h", answer, 4 + 2 + len(topic) + 4 + 4)
        return bool(error == 0)

    def setting(self, name: str) -> str:
        """What the broker has for one of its settings."""
        body = struct.pack(">ib", 1, 4) + _text("1") + struct.pack(">i", 1) + _text(name)
        answer = self._ask(32, 0, body)
        at = 4 + 4 + 2
        at += 2 + max(0, struct.unpack_from(">h", answer, at)[0])
        at += 1 + 2 + 1 + 4 + 2 + len(name)
        (size,) = struct.unpack_from(">h", answer, at)
        return answer[at + 2 : at + 2 + size].decode()


def _text(text: str) -> bytes:
    return struct.pack(">h", len(text)) + text.encode()

"""Ready when Redis answers PING, which it does not while it still loads what it has stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prismctl.probes.connect import describe_stranger, open_conversation
from prismctl.probes.question import NotReadyError

if TYPE_CHECKING:
    import asyncio

    from prismctl.probes.question import Question

MAX_LINE_BYTES: Final = 8 * 1024


async def probe_redis(question: Question) -> None:
    """Log in where a password is known, and PING.

    A server that wants a password which nobody told the check is ready: it answers, in its own protocol.

    Raises:
        NotReadyError: it is loading, it refuses, or it is no Redis.
    """
    port = question.port
    async with open_conversation(question, limit=MAX_LINE_BYTES) as (reader, writer):
        if question.password:
            names = (question.user,) if question.user else ()
            writer.write(render_command("AUTH", *names, question.password))
            refusal = await _read_refusal(reader, port, wanted="+OK")
            if refusal:
                raise NotReadyError(f"Redis at port {port} refused the login: {refusal}")
        writer.write(render_command("PING"))
        refusal = await _read_refusal(reader, port, wanted="+PONG")
    code = refusal.partition(" ")[0]
    if code == "LOADING":
        raise NotReadyError("Redis is loading the dataset")
    if refusal and not (code == "NOAUTH" and not question.password):
        raise NotReadyError(f"Redis at port {port} answered {refusal}")


def render_command(*words: str) -> bytes:
    """A command as Redis reads it: an array of texts."""
    texts = [word.encode(errors="surrogateescape") for word in words]
    return b"*%d\r\n" % len(texts) + b"".join(
        b"$%d\r\n%b\r\n" % (len(text), text) for text in texts
    )


async def _read_refusal(reader: asyncio.StreamReader, port: int, *, wanted: str) -> str:
    """The error that came instead of what is wanted; empty when that came."""
    line = await reader.readuntil(b"\n")
    text = line.decode(errors="replace").strip()
    if text == wanted:
        return ""
    if not text.startswith("-"):
        raise NotReadyError(describe_stranger("Redis", port, line))
    return text[1:]

"""What one Nomad server may say to another, over the port that is meant for that.

Whoever shows the certificate of a stack's servers is one of them. Two things cannot be said in any other way while
a server starts: that it need not wait for other servers, and whether it has the key it signs identities with.

On the wire (``nomad/rpc.go``, ``hashicorp/raft`` ``net_transport.go``): a byte that asks for TLS; inside it a byte
for the protocol, Raft or Nomad's own; then messages as MessagePack, each of Raft's after a byte for its kind.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import TYPE_CHECKING, Final

from prismctl.domain.plan import LOOPBACK
from prismctl.engine.nomad.configuration import REGION

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from prismctl.engine.nomad.certificates import CertificateFiles

_TLS: Final = b"\x04"
_RAFT: Final = b"\x02"
_NOMAD: Final = b"\x01"
_TIMEOUT_NOW: Final = b"\x03"
_NO_ERROR: Final = b"\xa0"
"""An empty string, in MessagePack."""
_KEYS: Final = b"\xaaPublicKeys"
_ONE_KEY: Final = b"\x91"
"""A list of one."""
_LONGEST_ANSWER: Final = 64 * 1024


class ServerPort:
    """The port for other servers, of the server of one stack."""

    def __init__(self, number: int, certificate: CertificateFiles) -> None:
        self._number = number
        self._certificate = certificate

    async def call_election(self) -> bool:
        """Have the server call an election now, and say whether it does.

        It is Raft's *TimeoutNow* (Ongaro, "Consensus: Bridging Theory and Practice", §3.10), by which a leader that
        steps down names its successor. A leader that gets it steps down, and is elected again.

        Raises:
            OSError: nobody listens there (yet), or they do not know us.
        """
        async with self._connect(_RAFT) as (reader, writer):
            writer.write(_TIMEOUT_NOW + _map(ProtocolVersion=3))
            return await reader.readexactly(1) == _NO_ERROR

    async def wait_for_key(self, seconds: float) -> bool:
        """Return once the server can sign identities; whether it said so within some seconds.

        Raises:
            OSError: nobody listens there (yet), or they do not know us.
        """
        async with self._connect(_NOMAD) as (reader, writer):
            # A blocking query: it is answered when the keys change, and this server need not be the leader yet.
            writer.write(
                _map(ServiceMethod="Keyring.ListPublic", Seq=1)
                + _map(
                    Region=REGION,
                    AllowStale=True,
                    MinQueryIndex=1,
                    MaxQueryTime=round(seconds * 1e9),
                )
            )
            await reader.readuntil(_KEYS)
            return await reader.readexactly(1) == _ONE_KEY

    @contextlib.asynccontextmanager
    async def _connect(
        self, protocol: bytes
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        context = await asyncio.to_thread(self._make_context)
        reader, writer = await asyncio.open_connection(
            LOOPBACK, self._number, limit=_LONGEST_ANSWER
        )
        try:
            writer.write(_TLS)
            await writer.start_tls(context, server_hostname=f"server.{REGION}.nomad")
            writer.write(protocol)
            yield reader, writer
        except (EOFError, asyncio.LimitOverrunError) as error:
            raise OSError("the server hung up, or said something else") from error
        finally:
            writer.transport.abort()

    def _make_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self._certificate.authority))
        context.load_cert_chain(self._certificate.certificate, self._certificate.key)
        return context


def _map(**fields: str | int) -> bytes:
    """A small map with short names, in MessagePack."""
    packed = bytes([0x80 | len(fields)])
    for name, value in fields.items():
        packed += _pack(name) + _pack(value)
    return packed


def _pack(value: str | int) -> bytes:
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return b"\xcf" + value.to_bytes(8, "big")
    # All of ours have fewer than 32 letters.
    return bytes([0xA0 | len(value)]) + value.encode()

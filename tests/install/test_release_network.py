"""What stands between here and a release server: authorities and proxies."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from typing import TYPE_CHECKING

import pytest

from prismctl.errors import ConfigError, PrismError, RejectedError, UnavailableError
from tests.free_ports import take_port
from tests.install.release_lab import PROGRAM

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.install.release_lab import ReleaseLab


async def test_an_unknown_authority_is_refused_with_what_to_set(
    lab: ReleaseLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(
        PrismError, match=r"the certificate of 127\.0\.0\.1 is not trusted: .+"
    ) as caught:
        await lab.offer()
    assert not isinstance(caught.value, UnavailableError), "another provider would fare no better"
    assert "export SSL_CERT_FILE=" in caught.value.hint
    assert not lab.requests


async def test_a_file_of_authorities_that_is_not_there_is_named(
    lab: ReleaseLab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    missing = tmp_path / "authorities.pem"
    monkeypatch.setenv("SSL_CERT_FILE", str(missing))
    with pytest.raises(PrismError, match=f"SSL_CERT_FILE names {missing}, which does not exist"):
        await lab.offer()


async def test_a_certificate_for_another_name_is_refused(lab: ReleaseLab) -> None:
    with pytest.raises(PrismError, match="the certificate of localhost is not trusted: hostname"):
        await lab.offer(base_url=lab.url.replace("127.0.0.1", "localhost"))


async def test_a_server_without_encryption_is_not_mistaken_for_one_with(lab: ReleaseLab) -> None:
    async with lab.serve(None):
        with pytest.raises(
            PrismError, match=r"127\.0\.0\.1 cannot be talked to in an encrypted way"
        ):
            await lab.offer(base_url=lab.url.replace("http://", "https://"))


# Proxies.


async def test_a_proxy_is_used(lab: ReleaseLab, monkeypatch: pytest.MonkeyPatch) -> None:
    async with proxy() as (address, asked):
        monkeypatch.setenv("HTTPS_PROXY", f"http://{address}")
        assert (await lab.get()).path.read_bytes() == PROGRAM
    assert asked


async def test_a_proxy_named_without_a_scheme_is_used(
    lab: ReleaseLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with proxy() as (address, asked):
        monkeypatch.setenv("HTTPS_PROXY", address)
        await lab.offer()
    assert asked


@pytest.mark.parametrize(
    "named", ["socks5://reader:geheim@127.0.0.1:9", "http://", "http://[", ":::"]
)
async def test_what_is_no_proxy_is_named_without_its_password(
    lab: ReleaseLab, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", named)
    with pytest.raises(
        ConfigError, match=r"HTTPS_PROXY names .*, which is not an HTTP proxy"
    ) as caught:
        await lab.offer()
    assert "geheim" not in str(caught.value)
    assert caught.value.hint == "`export HTTPS_PROXY=http://HOST:PORT`"


async def test_a_proxy_whose_name_nobody_knows_is_named(
    lab: ReleaseLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.invalid:3128")
    with pytest.raises(UnavailableError, match=r"the proxy http://proxy\.invalid:3128 cannot be"):
        await lab.offer()


async def test_a_proxy_of_unencrypted_mirrors_gets_the_account_that_is_named(
    lab: ReleaseLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with proxy(account="reader:geheim", status=404) as (address, asked):
        monkeypatch.setenv("HTTP_PROXY", f"http://reader:geheim@{address}")
        with pytest.raises(UnavailableError, match=r"there is no http://mirror\.invalid/"):
            await lab.offer(base_url="http://mirror.invalid")
    assert asked == ["GET http://mirror.invalid/nomad/1.11.3/index.json HTTP/1.1"]


async def test_a_proxy_gets_the_account_that_is_named(
    lab: ReleaseLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with proxy(account="reader:ge heim") as (address, _):
        monkeypatch.setenv("HTTPS_PROXY", f"http://reader:ge%20heim@{address}")
        assert (await lab.get()).path.read_bytes() == PROGRAM


async def test_a_proxy_that_wants_an_account_is_named_with_what_to_set(
    lab: ReleaseLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with proxy(account="reader:geheim") as (address, _):
        monkeypatch.setenv("HTTPS_PROXY", f"http://reader:falsch@{address}")
        with pytest.raises(
            RejectedError, match=f"the proxy http://{address} wants to know"
        ) as caught:
            await lab.offer()
    assert "falsch" not in str(caught.value) + caught.value.hint
    assert caught.value.hint == "`export HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT`"


async def test_a_proxy_of_unencrypted_mirrors_that_wants_an_account_is_named(
    lab: ReleaseLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with proxy(account="reader:geheim") as (address, _):
        monkeypatch.setenv("HTTP_PROXY", f"http://{address}")
        with pytest.raises(
            RejectedError, match=f"the proxy http://{address} wants to know"
        ) as caught:
            await lab.offer(base_url="http://mirror.invalid")
    assert "HTTP_PROXY" in caught.value.hint


async def test_a_proxy_that_forbids_is_named(
    lab: ReleaseLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with proxy(status=403) as (address, _):
        monkeypatch.setenv("HTTPS_PROXY", f"http://{address}")
        with pytest.raises(UnavailableError, match=f"the proxy http://{address} does not connect"):
            await lab.offer()


async def test_a_proxy_that_is_not_there_is_named_without_its_password(
    lab: ReleaseLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"127.0.0.1:{take_port()}"
    monkeypatch.setenv("HTTPS_PROXY", f"http://reader:geheim@{address}")
    with pytest.raises(
        UnavailableError, match=f"the proxy http://{address} cannot be reached: connection refused"
    ) as caught:
        await lab.offer()
    assert "geheim" not in str(caught.value) + caught.value.hint


async def test_a_host_that_needs_no_proxy_is_asked_itself(
    lab: ReleaseLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{take_port()}")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert (await lab.get()).path.read_bytes() == PROGRAM


@contextlib.asynccontextmanager
async def proxy(*, account: str = "", status: int = 200) -> AsyncIterator[tuple[str, list[str]]]:
    """A proxy that connects whoever has the account; its address, and what it was asked for."""
    asked: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        asked.append(head.splitlines()[0])
        expected = base64.b64encode(account.encode()).decode()
        if account and f"Basic {expected}" not in head:
            writer.write(b"HTTP/1.1 407 Who is it\r\nContent-Length: 0\r\n\r\n")
        elif status != 200:
            writer.write(f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode())
        else:
            host, port = head.split()[1].rsplit(":", 1)
            writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
            await tunnel(reader, writer, host, int(port))
        with contextlib.suppress(ConnectionError):
            await writer.drain()
            writer.close()
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", asked


async def tunnel(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int
) -> None:
    far_reader, far_writer = await asyncio.open_connection(host, port)
    async with asyncio.TaskGroup() as group:
        group.create_task(pump(reader, far_writer))
        group.create_task(pump(far_reader, writer))


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.close()

"""Nomad's server is told not to wait for others, and whatever goes wrong with that delays nobody."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socketserver
import ssl
import stat
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest

from prismctl.engine.nomad import head_start
from prismctl.engine.nomad.certificates import CertificateFiles
from prismctl.engine.nomad.head_start import HeadStart
from prismctl.engine.nomad.server_port import ServerPort
from tests.free_ports import take_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    Talk = Callable[[ssl.SSLSocket], None]

PROTOCOL = b"\xafProtocolVersion\xcf\x00\x00\x00\x00\x00\x00\x00\x03"
LAST_NAME = b"\xacMaxQueryTime\xcf"
"""Eight bytes follow."""
ONE_KEY = b"\x83\xa5Error\xa0\x81\xaaPublicKeys\x91\x81\xa5KeyID\xa1k"
NO_KEY = b"\x83\xa5Error\xa0\x81\xaaPublicKeys\xc0"


def openssl(directory: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> CertificateFiles:
    """One for both ends, as a stack's servers have it."""
    files = CertificateFiles(tmp_path_factory.mktemp("tls"))
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl(
        files.directory, "req", "-x509", *key, "-days", "2", "-keyout", "key.pem",
        "-out", "certificate.pem", "-subj", "/CN=Test", "-addext", "subjectAltName=DNS:server.global.nomad",
    )  # fmt: skip
    files.authority.write_bytes(files.certificate.read_bytes())
    return files


@contextlib.asynccontextmanager
async def serving(certificate: CertificateFiles, talk: Talk) -> AsyncIterator[ServerPort]:
    """Somebody who begins as Nomad's server does, and goes on as he is told."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(certificate.authority))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(certificate.certificate, certificate.key)

    class Conversation(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                assert self.request.recv(1) == b"\x04"
                with context.wrap_socket(self.request, server_side=True) as connection:
                    talk(connection)

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Conversation)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield ServerPort(server.server_address[1], certificate)
    finally:
        # Connections of this loop end meanwhile.
        await asyncio.to_thread(server.shutdown)
        await asyncio.to_thread(server.server_close)
        thread.join()


def hang_up(_: ssl.SSLSocket) -> None:
    """Says nothing."""


def stay_silent(connection: ssl.SSLSocket) -> None:
    while connection.recv(100):
        pass


def refuse(connection: ssl.SSLSocket) -> None:
    connection.recv(100)
    connection.sendall(b"\xa9not today\xc0")
    stay_silent(connection)


def chatter(connection: ssl.SSLSocket) -> None:
    """Never comes to the point."""
    connection.recv(100)
    connection.sendall(bytes(1024 * 1024))
    stay_silent(connection)


def answering(key: bytes, heard: list[bytes]) -> Talk:
    def talk(connection: ssl.SSLSocket) -> None:
        said = b""
        while not (said.endswith(PROTOCOL) or said[:-8].endswith(LAST_NAME)):
            said += connection.recv(200)
        heard.append(said)
        connection.sendall(b"\xa0\x80" if said.startswith(b"\x02") else key)
        stay_silent(connection)

    return talk


def ask_plugin(data: Path) -> asyncio.Task[bytes]:
    """Ask the plugin as Nomad does: with nothing in its environment but the question."""

    async def ask() -> bytes:
        process = await asyncio.create_subprocess_exec(
            str(data / "host_volume_plugins" / "prism-wait-for-key"),
            "fingerprint",
            env={"DHV_OPERATION": "fingerprint"},
            stdout=subprocess.PIPE,
        )
        return (await process.communicate())[0]

    return asyncio.create_task(ask())


async def test_a_server_is_asked_to_call_its_election_and_for_its_key(
    certificate: CertificateFiles,
) -> None:
    heard: list[bytes] = []
    async with serving(certificate, answering(ONE_KEY, heard)) as port:
        assert await port.call_election()
        assert await port.wait_for_key(1)
    assert heard[0] == b"\x02\x03\x81" + PROTOCOL
    assert heard[1].startswith(b"\x01\x82\xadServiceMethod\xb2Keyring.ListPublic\xa3Seq")


async def test_a_server_that_has_no_key_yet_says_so(certificate: CertificateFiles) -> None:
    async with serving(certificate, answering(NO_KEY, [])) as port:
        assert not await port.wait_for_key(1)


@pytest.mark.parametrize("talk", [hang_up, chatter])
async def test_what_makes_no_sense_is_an_error_of_the_connection(
    certificate: CertificateFiles, talk: Talk
) -> None:
    async with serving(certificate, talk) as port:
        with pytest.raises(OSError, match=r".+"):
            await port.wait_for_key(1)


async def test_an_election_that_is_refused_is_told(certificate: CertificateFiles) -> None:
    async with serving(certificate, refuse) as port:
        assert not await port.call_election()


async def test_a_server_that_others_certified_is_told_nothing(
    certificate: CertificateFiles, tmp_path: Path
) -> None:
    heard: list[bytes] = []
    openssl(
        tmp_path, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
        "-keyout", "key.pem", "-out", "authority.pem", "-subj", "/CN=Else",
    )  # fmt: skip
    stranger = CertificateFiles(tmp_path)
    stranger.certificate.write_bytes(stranger.authority.read_bytes())
    async with serving(certificate, answering(ONE_KEY, heard)) as port:
        with pytest.raises(OSError, match="certificate verify failed"):
            await ServerPort(port._number, stranger).call_election()
    assert heard == []


async def test_the_plugin_answers_once_the_server_has_its_key(
    certificate: CertificateFiles, tmp_path: Path
) -> None:
    async with serving(certificate, answering(ONE_KEY, [])) as port:
        with HeadStart(tmp_path, port) as start:
            early = ask_plugin(tmp_path)
            assert not early.done()
            await start.give()
            assert await early == b'{"version": "1.0.0"}\n'


async def test_a_plugin_that_is_asked_late_answers_too(
    certificate: CertificateFiles, tmp_path: Path
) -> None:
    async with serving(certificate, answering(ONE_KEY, [])) as port:
        with HeadStart(tmp_path, port) as start:
            await start.give()
            assert await ask_plugin(tmp_path) == b'{"version": "1.0.0"}\n'


@pytest.mark.parametrize("talk", [hang_up, stay_silent, refuse, chatter])
async def test_a_server_that_does_not_play_along_delays_nobody(
    certificate: CertificateFiles, tmp_path: Path, talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(head_start, "ELECTION_SECONDS", 0.1)
    monkeypatch.setattr(head_start, "KEY_SECONDS", 0.1)
    async with serving(certificate, talk) as port:
        with HeadStart(tmp_path, port) as start:
            await start.give()
            assert await ask_plugin(tmp_path) == b'{"version": "1.0.0"}\n'


async def test_a_server_that_never_listens_is_given_up(
    certificate: CertificateFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(head_start, "LISTEN_SECONDS", 0.1)
    with HeadStart(tmp_path, ServerPort(take_port(), certificate)) as start:
        await start.give()


def test_a_second_start_replaces_what_the_first_one_left(
    certificate: CertificateFiles, tmp_path: Path
) -> None:
    port = ServerPort(1, certificate)
    for _ in range(2):
        with HeadStart(tmp_path, port):
            pass
    signal = tmp_path / "server-has-key"
    assert stat.S_ISFIFO(signal.stat().st_mode)
    assert stat.S_IMODE(signal.stat().st_mode) == 0o600
    plugin = tmp_path / "host_volume_plugins" / "prism-wait-for-key"
    assert os.access(plugin, os.X_OK)
    assert stat.S_IMODE(plugin.stat().st_mode) == 0o700

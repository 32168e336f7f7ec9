"""A release server that behaves, and misbehaves as it is told: real TLS, real signatures, real archives."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import json
import ssl
import subprocess
import zipfile
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pysequoia
from aiohttp import web

from prismctl.install.release.patience import Patience
from prismctl.install.release.provider import ReleaseProvider
from prismctl.install.target import Target
from prismctl.install.tools import NOMAD, Tool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from prismctl.install.provider import Offer, Progress, Provided

    Behaviour = Callable[[web.Request, bytes], Awaitable[web.StreamResponse]]

TARGET = Target("linux", "amd64")
ARCHIVE = f"nomad_{NOMAD.version}_{TARGET}.zip"
SUMS = f"nomad_{NOMAD.version}_SHA256SUMS"
PROGRAM = f"#!/bin/sh\necho Nomad v{NOMAD.version}\n".encode()
PADDING = bytes(range(256)) * (4 << 12)
"""Four MiB, more than all buffers on the way hold when a connection is cut; stored, not compressed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """Somebody who certifies servers, and one server that was certified."""

    certificate: Path
    server_certificate: Path
    server_key: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """Somebody who signs lists of checksums."""

    secret: pysequoia.Tsk

    @property
    def certificate(self) -> pysequoia.Cert:
        return self.secret.extract_certificate()

    @property
    def public(self) -> str:
        return str(self.certificate)

    def sign(self, data: bytes) -> bytes:
        mode = pysequoia.SignatureMode.DETACHED
        return pysequoia.sign(self.secret.signer(), data, mode=mode, armor=False)


def make_authority(directory: Path) -> Authority:
    """Certificates for 127.0.0.1 and for no name, made by the openssl that tests need."""

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    openssl(
        "req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Test authority",
        "-addext", "keyUsage=critical,keyCertSign",
    )  # fmt: skip
    openssl("req", *key[:-2], "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=Test")
    (directory / "names").write_text("subjectAltName=IP:127.0.0.1\n")
    openssl(
        "x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "2",
        "-set_serial", "1", "-extfile", "names", "-out", "server.pem",
    )  # fmt: skip
    return Authority(
        certificate=directory / "ca.pem",
        server_certificate=directory / "server.pem",
        server_key=directory / "server.key",
    )


def make_archive(
    program: bytes = PROGRAM, *, more: dict[str, bytes] | None = None, padding: bytes = PADDING
) -> bytes:
    """An archive as the vendor makes them, with whatever else is asked for."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("LICENSE.txt", padding)
        archive.writestr("nomad", program)
        for name, content in (more or {}).items():
            archive.writestr(name, content)
    return buffer.getvalue()


@dataclass(slots=True, kw_only=True)
class ReleaseLab:
    """One server with one release of Nomad, and one machine that wants it."""

    signer: Signer
    workspace: Path
    files: dict[str, bytes] = field(default_factory=dict)
    """What there is, by name of the file."""
    behaviours: dict[str, list[Behaviour]] = field(default_factory=dict)
    """What is done instead of answering well, by name of the file: one a request, the last one for ever."""
    heads: dict[str, Behaviour] = field(default_factory=dict)
    """What is done instead of telling a size well, by name of the file."""
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    """Method, name of the file, and headers of all requests."""
    waits: list[float] = field(default_factory=list)
    """Seconds that somebody would have waited between two tries."""
    reports: list[Progress] = field(default_factory=list)
    ending: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the server stops: what a stalled answer waits for."""
    checksum: str = ""
    """Of the archive that was published last."""
    url: str = ""
    has_validator: bool = True

    # What is on the server.

    def publish(self, archive: bytes, *, signer: Signer | None = None) -> None:
        """Put a release on the server as the vendor would."""
        self.checksum = hashlib.sha256(archive).hexdigest()
        listed = f"{self.checksum}  {ARCHIVE}\n{'0' * 64}  other.zip\n".encode()
        build = {"os": TARGET.system, "arch": TARGET.processor, "filename": ARCHIVE}
        self.files = {
            "index.json": json.dumps({"name": "nomad", "builds": [build]}).encode(),
            SUMS: listed,
            f"{SUMS}.sig": (signer or self.signer).sign(listed),
            ARCHIVE: archive,
        }

    def asked(self, name: str, method: str = "GET") -> list[dict[str, str]]:
        """The headers of all requests for a file."""
        return [headers for verb, file, headers in self.requests if (verb, file) == (method, name)]

    # What it does instead of behaving.

    def answer(self, status: int, body: bytes = b"", **headers: str) -> Behaviour:
        async def behave(_: web.Request, __: bytes) -> web.StreamResponse:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            return web.Response(status=status, body=body, headers=named)

        return behave

    def cut(self, share: float = 0.5) -> Behaviour:
        """Send a part of what was asked for, and cut the connection."""

        async def behave(request: web.Request, content: bytes) -> web.StreamResponse:
            response, rest = self._begin(request, content)
            await response.prepare(request)
            await response.write(rest[: int(len(rest) * share)])
            assert request.transport is not None
            request.transport.close()
            return response

        return behave

    def stall(self, share: float = 0.5) -> Behaviour:
        """Send a part of what was asked for, and nothing more."""

        async def behave(request: web.Request, content: bytes) -> web.StreamResponse:
            response, rest = self._begin(request, content)
            await response.prepare(request)
            await response.write(rest[: int(len(rest) * share)])
            await self.ending.wait()
            return response

        return behave

    async def behave_well(self, request: web.Request, content: bytes) -> web.StreamResponse:
        response, rest = self._begin(request, content)
        await response.prepare(request)
        if request.method != "HEAD":
            await response.write(rest)
        return response

    async def ignore_range(self, request: web.Request, content: bytes) -> web.StreamResponse:
        """Answer with everything, whatever was asked for."""
        response = web.StreamResponse(headers={"ETag": '"other"'})
        response.content_length = len(content)
        await response.prepare(request)
        await response.write(content)
        return response

    def announce(self, size: int) -> Behaviour:
        """Say that there are so many bytes, and send what there is."""

        async def behave(request: web.Request, content: bytes) -> web.StreamResponse:
            response = web.StreamResponse(headers={"ETag": '"announced"'})
            response.content_length = size
            await response.prepare(request)
            await response.write(content)
            assert request.transport is not None
            request.transport.close()
            return response

        return behave

    async def send_in_chunks(self, request: web.Request, content: bytes) -> web.StreamResponse:
        """Send everything without saying how much it is."""
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        await response.write(content)
        return response

    def _begin(self, request: web.Request, content: bytes) -> tuple[web.StreamResponse, bytes]:
        tag = f'"{hashlib.sha256(content).hexdigest()[:8]}"'
        start = 0
        if request.http_range.start and request.headers.get("If-Range") == tag:
            start = request.http_range.start
        response = web.StreamResponse(status=206 if start else 200)
        if self.has_validator:
            response.headers["ETag"] = tag
        response.content_length = len(content) - start
        if start:
            response.headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        return response, content[start:]

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        name = request.path.rpartition("/")[2]
        self.requests.append((request.method, name, dict(request.headers)))
        content = self.files.get(name)
        if content is None and name not in self.behaviours:
            return web.Response(status=404)
        if request.method == "HEAD":
            return await self.heads.get(name, self.behave_well)(request, content or b"")
        planned = self.behaviours.get(name)
        if not planned:
            return await self.behave_well(request, content or b"")
        behaviour = planned[0] if len(planned) == 1 else planned.pop(0)
        return await behaviour(request, content or b"")

    @contextlib.asynccontextmanager
    async def serve(self, authority: Authority | None) -> AsyncIterator[None]:
        """Be there; without an authority, unencrypted."""
        application = web.Application()
        application.router.add_get("/{path:.*}", self._handle)
        context = None
        if authority is not None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(authority.server_certificate, authority.server_key)
        runner = web.AppRunner(application, shutdown_timeout=1)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
            await site.start()
            port = runner.addresses[0][1]
            self.url = f"{'https' if context else 'http'}://127.0.0.1:{port}"
            yield
        finally:
            self.ending.set()
            await runner.cleanup()

    # Who wants it.

    @property
    def tool(self) -> Tool:
        """Nomad, whose pinned checksum is that of the archive that was published."""
        return replace(NOMAD, checksums={TARGET: self.checksum})

    @property
    def part(self) -> Path:
        return self.workspace / f"{ARCHIVE}.part"

    def left(self) -> set[str]:
        """What lies in the workspace."""
        return {path.name for path in self.workspace.iterdir()}

    def provider(self, **changed: Any) -> ReleaseProvider:
        async def sleep(seconds: float) -> None:
            self.waits.append(seconds)

        arguments: dict[str, Any] = {
            "base_url": self.url,
            "key": self.signer.public,
            "target": TARGET,
            "patience": Patience(read_seconds=20, connect_seconds=20, sleep=sleep),
        }
        return ReleaseProvider(**{**arguments, **changed})

    async def offer(self, **changed: Any) -> Offer:
        return await self.provider(**changed).offer(self.tool, NOMAD.version)

    async def get(self, offer: Offer | None = None, **changed: Any) -> Provided:
        """Have the program offered and provided."""
        provider = self.provider(**changed)
        wanted = offer or await provider.offer(self.tool, NOMAD.version)
        return await provider.provide(wanted, self.workspace, self.reports.append)

"""A registry that only gives: images, in plain HTTP on loopback, or a refusal, or nothing at all."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import json
import threading
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.backend_images import Image

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
PIECE = 64 << 10
PATIENCE_SECONDS = 1.5
"""Who fetches several images at once asks for all of them in a fraction of it."""


class Registry(http.server.ThreadingHTTPServer):
    """What it gives, and how it refuses."""

    daemon_threads = True

    def __init__(self, image: Image | None) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.refusal: tuple[int, str] | None = None
        """A status and a code, for whoever asks for an image."""
        self.hangs = False
        """Whoever asks for an image is not answered."""
        self.pause_seconds = 0.0
        """After each piece of a layer."""
        self.is_over = threading.Event()
        self.contents: dict[str, tuple[str, bytes]] = {}
        self.awaited = 0
        """What is in an image is given once so many are being fetched at once, or none more have come for a while."""
        self.most_at_once = 0
        """How many images were being fetched at one moment, at most."""
        self._fetched: list[str] = []
        self._change = threading.Condition()
        if image is not None:
            self.hold(image)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_port}"

    def allow(self, path: Path) -> dict[str, str]:
        """The variables by which Podman comes here without encryption."""
        path.write_text(f'[[registry]]\nlocation = "{self.host}"\ninsecure = true\n')
        return {"CONTAINERS_REGISTRIES_CONF": str(path)}

    @contextlib.contextmanager
    def fetching(self, path: str) -> Iterator[None]:
        """Count the image of a path among those that are being fetched, and hold it until as many are as are awaited."""
        repository = path.split("/")[2]
        with self._change:
            self._fetched.append(repository)
            self.most_at_once = max(self.most_at_once, len(set(self._fetched)))
            self._change.notify_all()
            self._change.wait_for(lambda: self.most_at_once >= self.awaited, PATIENCE_SECONDS)
        try:
            yield
        finally:
            with self._change:
                self._fetched.remove(repository)

    def hold(self, image: Image, repository: str = "box") -> None:
        """Have an image to give, as ``REPOSITORY:1``."""
        described = []
        for kind, content in (
            ("application/vnd.docker.container.image.v1+json", image.config),
            ("application/vnd.docker.image.rootfs.diff.tar", image.layer),
        ):
            digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
            self.contents[f"/v2/{repository}/blobs/{digest}"] = (kind, content)
            described.append({"mediaType": kind, "size": len(content), "digest": digest})
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": described[0],
                "layers": described[1:],
            }
        ).encode()
        digest = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
        for reference in ("1", digest):
            self.contents[f"/v2/{repository}/manifests/{reference}"] = (MANIFEST, manifest)


class Answer(http.server.BaseHTTPRequestHandler):
    """As registries answer."""

    protocol_version = "HTTP/1.1"
    server: Registry

    def do_HEAD(self) -> None:
        self._answer(has_body=False)

    def do_GET(self) -> None:
        if "/blobs/" not in self.path:
            self._answer(has_body=True)
            return
        with self.server.fetching(self.path):
            self._answer(has_body=True)

    def log_message(self, *words: object) -> None:
        """Nobody reads it."""

    def _answer(self, *, has_body: bool) -> None:
        registry = self.server
        status, kind, content = HTTPStatus.OK, "application/json", b"{}"
        headers = {}
        if self.path != "/v2/":
            if registry.hangs:
                registry.is_over.wait()
                self.close_connection = True
                return
            found = registry.contents.get(self.path)
            refusal = registry.refusal or (None if found else (404, "MANIFEST_UNKNOWN"))
            if refusal is not None:
                status = HTTPStatus(refusal[0])
                error = {"code": refusal[1], "message": refusal[1].lower().replace("_", " ")}
                content = json.dumps({"errors": [error]}).encode()
                headers["Retry-After"] = "1"
            elif found is not None:
                kind, content = found
                headers["Docker-Content-Digest"] = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name, text)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        with contextlib.suppress(OSError):
            for start in range(0, len(content) if has_body else 0, PIECE):
                self.wfile.write(content[start : start + PIECE])
                if registry.pause_seconds and registry.is_over.wait(registry.pause_seconds):
                    return


@contextlib.contextmanager
def serving(image: Image | None = None) -> Iterator[Registry]:
    """A registry, as long as the context; what somebody waits for then is not given any more."""
    with Registry(image) as registry:
        thread = threading.Thread(target=registry.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield registry
        finally:
            registry.is_over.set()
            registry.shutdown()
            thread.join()

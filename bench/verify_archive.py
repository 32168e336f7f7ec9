"""What it takes to fetch, verify, unpack and try a release archive as large as the real ones: time and memory."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import http.server
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from measuring import Figure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prismctl.install.provider import Progress

ARCHIVE_MEGABYTES = 130
SCRIPT = b"#!/bin/sh\necho Nomad v1.11.3\nexit 0\n"


class Files(http.server.SimpleHTTPRequestHandler):
    """Serves a directory, without a word about it."""

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def bench_archive(runs: int) -> Iterator[Figure]:
    """The whole way of one archive, each time in a process of its own; the server's work is not counted."""
    peaks, seconds = [], []
    with tempfile.TemporaryDirectory(prefix="prism-bench-") as name:
        directory = Path(name)
        key = publish(directory / "served")
        handler = functools.partial(Files, directory=str(directory / "served"))
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                for _ in range(max(2, runs // 2)):
                    done = subprocess.run(
                        [sys.executable, __file__, f"http://127.0.0.1:{server.server_port}", name],
                        input=key,
                        capture_output=True,
                        text=True,
                        check=False,
                    )
                    if done.returncode != 0:
                        raise SystemExit(done.stdout + done.stderr)
                    measured = json.loads(done.stdout)
                    peaks.append(measured["peak"])
                    seconds.append(measured["seconds"])
            finally:
                server.shutdown()
                thread.join()
    yield Figure(
        what=f"release archive of {ARCHIVE_MEGABYTES} MB, from loopback to a program that runs",
        unit="s",
        target=5,
        samples=tuple(seconds),
    )
    yield Figure(
        what=f"release archive of {ARCHIVE_MEGABYTES} MB, peak memory of the process",
        unit="MiB",
        target=80,
        samples=tuple(peaks),
    )


def publish(directory: Path) -> str:
    """Make a release as the vendor does, of noise that does not shrink; the public key it is signed with."""
    import pysequoia

    from prismctl.install.release.index import name_files
    from prismctl.install.target import find_target
    from prismctl.install.tools import NOMAD

    target = find_target()
    files = name_files(str(directory), NOMAD.name, NOMAD.version, target)
    Path(files.archive).parent.mkdir(parents=True)
    with (
        zipfile.ZipFile(files.archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("nomad", "w") as program,
    ):
        program.write(SCRIPT)
        for _ in range(ARCHIVE_MEGABYTES):
            program.write(os.urandom(10**6))
    with Path(files.archive).open("rb") as file:
        checksum = hashlib.file_digest(file, "sha256").hexdigest()
    listed = f"{checksum}  {files.archive_name}\n".encode()
    build = {"os": target.system, "arch": target.processor}
    secret = pysequoia.Tsk.generate("Bench <bench@example.com>")
    mode = pysequoia.SignatureMode.DETACHED
    Path(files.index).write_text(json.dumps({"builds": [build]}))
    Path(files.checksums).write_bytes(listed)
    Path(files.signature).write_bytes(pysequoia.sign(secret.signer(), listed, mode=mode))
    return str(secret.extract_certificate())


async def fetch(url: str, workspace: Path, key: str) -> None:
    """Get the program as `init` does."""
    from dataclasses import replace

    from prismctl.install.release.provider import ReleaseProvider
    from prismctl.install.tools import NOMAD

    def report(_: Progress) -> None:
        """Nobody looks."""

    provider = ReleaseProvider(base_url=url, key=key)
    offer = await provider.offer(replace(NOMAD, checksums={}), NOMAD.version)
    provided = await provider.provide(offer, workspace, report)
    await asyncio.to_thread(provided.path.unlink)


def main() -> None:
    """Fetch once from the server that is named, into the directory that is named; the key comes in as input."""
    url, workspace = sys.argv[1:]
    began = time.perf_counter()
    asyncio.run(fetch(url, Path(workspace), sys.stdin.read()))
    seconds = time.perf_counter() - began
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Counted in KiB, and on macOS in bytes.
    peak = used / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    print(json.dumps({"peak": peak, "seconds": seconds}))


if __name__ == "__main__":
    main()

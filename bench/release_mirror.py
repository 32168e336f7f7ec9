"""A release server on this machine: real archives of the Nomad and Consul that are here, signed with a key of its own.

Runs until its stdin is closed. Prints one line of JSON once it listens: its URL, the key that signs, the certificate
of whoever certifies it. `prismctl dev init` uses it with `release_url` and `release_key` in the settings and
SSL_CERT_FILE in the environment.

    python bench/release_mirror.py DIRECTORY --tools ~/.cache/prismctl/tools --megabytes-per-second 50
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import http.server
import json
import shutil
import ssl
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path
from typing import BinaryIO, Final

import pysequoia

from prismctl.install.target import find_target
from prismctl.install.tools import CONSUL, NOMAD, Tool

_CHUNK_BYTES: Final = 1 << 18


def main() -> None:
    """Make the release where it is not there yet, and serve it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--tools", type=Path, required=True)
    parser.add_argument("--megabytes-per-second", type=float, default=50)
    arguments = parser.parse_args()
    directory: Path = arguments.directory
    directory.mkdir(parents=True, exist_ok=True)
    if not (directory / "key.asc").exists():
        make_release(directory, arguments.tools)
    make_certificates(directory)
    served = functools.partial(
        Pages, directory=str(directory / "www"), rate=arguments.megabytes_per_second * 1e6
    )
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), served)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "server.pem", directory / "server.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    ready = {
        "url": f"https://localhost:{server.server_address[1]}",
        "key": str(directory / "key.asc"),
        "authority": str(directory / "ca.pem"),
    }
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()
    sys.stdin.read()


class Pages(http.server.SimpleHTTPRequestHandler):
    """Files, no faster than a network would bring them."""

    protocol_version = "HTTP/1.1"

    def __init__(self, *arguments: object, rate: float, directory: str) -> None:
        self._rate = rate
        super().__init__(*arguments, directory=directory)  # type: ignore[arg-type] # the server's own

    def copyfile(self, source: BinaryIO, outputfile: BinaryIO) -> None:  # type: ignore[override]
        """Hand on a file at the rate of the line, which all files share alike."""
        began_at, sent = time.monotonic(), 0
        while chunk := source.read(_CHUNK_BYTES):
            outputfile.write(chunk)
            sent += len(chunk)
            ahead = sent / self._rate - (time.monotonic() - began_at)
            if ahead > 0:
                # What is measured is the line, so it has to be this slow.
                time.sleep(ahead)

    def log_message(self, *arguments: object) -> None:
        """Nothing."""


def make_release(directory: Path, tools: Path) -> None:
    """Archives, lists of checksums and signatures, under the names that the vendor gives them."""
    www = directory / "www"
    shutil.rmtree(www, ignore_errors=True)
    secret = pysequoia.Tsk.generate("Mirror <mirror@localhost>")
    for tool in (NOMAD, CONSUL):
        pack(www / tool.name / str(tool.version), tool, tools / tool.name, secret)
    (directory / "key.asc").write_text(str(secret.extract_certificate()))


def pack(place: Path, tool: Tool, program: Path, secret: pysequoia.Tsk) -> None:
    """The release of one tool for this machine."""
    place.mkdir(parents=True)
    target = find_target()
    name = f"{tool.name}_{tool.version}_{target}.zip"
    with zipfile.ZipFile(place / name, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("LICENSE.txt", "as the program's own\n")
        archive.write(program.resolve(), tool.name)
    digest = hashlib.sha256((place / name).read_bytes()).hexdigest()
    sums = f"{digest}  {name}\n".encode()
    sums_name = f"{tool.name}_{tool.version}_SHA256SUMS"
    (place / sums_name).write_bytes(sums)
    mode = pysequoia.SignatureMode.DETACHED
    signature = pysequoia.sign(secret.signer(), sums, mode=mode, armor=False)
    (place / f"{sums_name}.sig").write_bytes(signature)
    build = {"name": tool.name, "os": target.system, "arch": target.processor, "filename": name}
    index = {"name": tool.name, "version": str(tool.version), "builds": [build]}
    (place / "index.json").write_text(json.dumps(index))


def make_certificates(directory: Path) -> None:
    """Somebody who certifies, and a certificate for this server."""

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    authority = ("-subj", "/CN=Mirror authority", "-addext", "keyUsage=critical,keyCertSign")
    openssl("req", "-x509", *key, "-days", "2", "-keyout", "ca.key", "-out", "ca.pem", *authority)
    openssl("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost")
    (directory / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    signing = ("-CA", "ca.pem", "-CAkey", "ca.key", "-days", "2", "-set_serial", "1")
    openssl(
        *("x509", "-req", "-in", "server.csr", *signing),
        *("-extfile", "names", "-out", "server.pem"),
    )


if __name__ == "__main__":
    main()

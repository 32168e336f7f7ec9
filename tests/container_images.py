"""Images for tests, made from programs of this machine: no registry is needed, and none is asked."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import tarfile
import tempfile
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from prismctl.domain.containers import PODMAN
from prismctl.files.paths import Home
from prismctl.install.containers.availability import find_containers
from tests.own_networks import OwnNetwork, own_network
from tests.requirements import require

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

NOBODY = 65534


def require_containers(kind: str) -> None:
    """Run the test only where something can run its containers.

    Args:
        kind: ``podman`` or ``docker``.
    """
    server = {"podman": "podman", "docker": "dockerd"}[kind]
    require(shutil.which(server), f"{server} is not there: `make podman` installs it")


class ImageShop:
    """Makes images under names that nobody else has, and takes them away again."""

    def __init__(self, kind: str, environment: dict[str, str] | None = None) -> None:
        self.kind = kind
        self.environment = environment or {}
        self._made: list[str] = []

    def make(self, *programs: str, changes: Iterable[str] = ()) -> str:
        """The name of an image in which these programs of the machine are, with the libraries that they need."""
        name = f"localhost/prism-test-{uuid.uuid4().hex[:12]}:1"
        options = [word for change in changes for word in ("--change", change)]
        archive = pack(programs)
        self._call("import", *options, "-", name, data=archive)
        self._made.append(name)
        return name

    def load(self, archive: bytes) -> None:
        """Have an image here that is whole, with its name."""
        self._call("load", data=archive)

    def clear(self) -> None:
        for name in self._made:
            self._call("rmi", "--force", name)

    def containers(self, label: str) -> list[str]:
        """Names of all containers with a label, running or not."""
        listed = self._call(
            "ps", "--all", "--filter", f"label={label}", "--format", "{{.Names}} {{.Status}}"
        )
        return listed.split("\n") if listed else []

    def run(self, *arguments: str) -> str:
        return self._call(*arguments)

    def _call(self, *arguments: str, data: bytes = b"") -> str:
        done = subprocess.run(
            (self.kind, *arguments),
            input=data,
            capture_output=True,
            env={**os.environ, **self.environment},
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().strip()


@contextlib.contextmanager
def separate_podman() -> Iterator[dict[str, str]]:
    """A Podman that nobody else uses, with a storage, a network and locks of its own; its variables."""
    with own_network() as network:
        yield from _separate_podman(network)


def _separate_podman(network: OwnNetwork) -> Iterator[dict[str, str]]:
    place = Path(tempfile.mkdtemp(prefix="prism-podman-"))
    environment = {
        "CONTAINERS_STORAGE_CONF": str(place / "storage.conf"),
        "CONTAINERS_CONF": str(place / "containers.conf"),
    }
    (place / "storage.conf").write_text(
        f'[storage]\ndriver = "overlay"\ngraphroot = "{place}/graph"\nrunroot = "{place}/run"\n'
    )
    (place / "containers.conf").write_text(
        f'[engine]\nlock_type = "file"\ntmp_dir = "{place}/tmp"\n'
        f'[network]\nnetwork_backend = "netavark"\nnetwork_config_dir = "{place}/networks"\n'
        f'default_network = "{network.bridge}"\n'
    )
    described = {
        "name": network.bridge,
        "id": uuid.uuid4().hex * 2,
        "driver": "bridge",
        "network_interface": network.bridge,
        "created": "2026-01-01T00:00:00Z",
        "subnets": [{"subnet": f"{network.subnet}.0/24", "gateway": f"{network.subnet}.1"}],
        "ipam_options": {"driver": "host-local"},
    }
    (place / "networks").mkdir()
    (place / "networks" / f"{network.bridge}.json").write_text(json.dumps(described))
    try:
        yield environment
    finally:
        subprocess.run(
            ("podman", "rm", "--all", "--force", "--time", "0"),
            env={**os.environ, **environment},
            check=True,
            capture_output=True,
        )
        for mount in mounts_below(place):
            subprocess.run(("umount", mount), check=True)
        shutil.rmtree(place)


@contextlib.contextmanager
def serving_podman(environment: dict[str, str]) -> Iterator[str]:
    """Podman as it answers to Docker's client; where it listens.

    Args:
        environment: the variables of the Podman.
    """
    with tempfile.TemporaryDirectory(prefix="prism-socket-") as place:
        address = f"unix://{place}/podman.sock"
        # With the settings with which it runs containers on this machine.
        home = Home(Path(place, "home"))
        home.directory.mkdir(mode=0o700)
        found = find_containers(home, {**os.environ, **environment}, kind=PODMAN)
        assert found.tool is not None, found.reason
        with Path(place, "log").open("wb") as log:
            server = subprocess.Popen(
                ("podman", "system", "service", "--time", "0", address),
                env={**os.environ, **environment, **found.tool.environment},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            wait_for_answer(server, address, Path(place, "log"))
            yield address
        finally:
            server.terminate()
            server.wait(30)


def write_program_of_nobody(script: Path, program: str, variables: Mapping[str, str]) -> None:
    """Make a script that runs a program of the machine as a user who has nothing but these variables."""
    own = "".join(f"export {name}={shlex.quote(text)}\n" for name, text in variables.items())
    script.write_text(
        "#!/bin/sh\n"
        "unset XDG_RUNTIME_DIR DBUS_SESSION_BUS_ADDRESS CONTAINERS_CONF CONTAINERS_REGISTRIES_CONF\n"
        f"{own}"
        f'exec setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups {shutil.which(program)} "$@"\n'
    )
    script.chmod(0o755)


def mounts_below(place: Path) -> list[str]:
    """What is mounted somewhere in a directory, the innermost first."""
    fields = (line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines())
    return [each[4] for each in fields if Path(each[4]).is_relative_to(place)][::-1]


@contextlib.contextmanager
def running_docker() -> Iterator[str]:
    """A Docker that nobody else uses, with a storage and a network of its own; where it listens."""
    with own_network() as network:
        yield from _running_docker(network)


def _running_docker(network: OwnNetwork) -> Iterator[str]:
    bridge = network.bridge
    for command in (
        ("link", "add", "name", bridge, "type", "bridge"),
        ("address", "add", f"{network.subnet}.1/24", "dev", bridge),
        ("link", "set", bridge, "up"),
    ):
        subprocess.run(("ip", *command), check=True)
    place = Path(tempfile.mkdtemp(prefix="prism-docker-"))
    address = f"unix://{place}/docker.sock"
    with (place / "log").open("wb") as log:
        server = subprocess.Popen(
            (
                *("dockerd", "--host", address, "--pidfile", str(place / "pid")),
                *("--data-root", str(place / "data"), "--exec-root", str(place / "exec")),
                # No rule of the machine's firewall is touched.
                *("--iptables=false", "--ip6tables=false", "--bridge", bridge),
            ),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        wait_for_answer(server, address, place / "log")
        yield address
    finally:
        server.terminate()
        server.wait(30)
        subprocess.run(("ip", "link", "delete", bridge), check=True)
        shutil.rmtree(place)


def wait_for_answer(server: subprocess.Popen[bytes], address: str, log: Path) -> None:
    """Return once Docker's client gets an answer there."""
    deadline = time.monotonic() + 30
    while not answers(address):
        assert server.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


def answers(address: str) -> bool:
    asked = subprocess.run(
        ("docker", "version"),
        env={**os.environ, "DOCKER_HOST": address},
        capture_output=True,
        check=False,
    )
    return asked.returncode == 0


def pack(programs: Iterable[str]) -> bytes:
    """A file system with programs in ``/bin``, their libraries, and a user."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        packed: set[str] = set()
        for name in programs:
            path = shutil.which(name)
            assert path is not None, f"{name} is not on this machine"
            add(archive, Path(path), f"bin/{name}", packed)
            for library in find_libraries(path):
                add(archive, library, str(library).lstrip("/"), packed)
        for directory in ("tmp", "data", "proc", "dev", "sys", "run"):
            entry = tarfile.TarInfo(directory)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777
            archive.addfile(entry)
        users = b"root:x:0:0:root:/root:/bin/sh\n"
        entry = tarfile.TarInfo("etc/passwd")
        entry.size, entry.mode = len(users), 0o644
        archive.addfile(entry, io.BytesIO(users))
    return target.getvalue()


def find_libraries(program: str) -> list[Path]:
    done = subprocess.run(("ldd", program), capture_output=True, text=True, check=False)
    return [Path(found) for found in re.findall(r"(/\S+)", done.stdout) if Path(found).exists()]


def add(archive: tarfile.TarFile, source: Path, name: str, packed: set[str]) -> None:
    if name in packed:
        return
    packed.add(name)
    archive.add(os.path.realpath(source), arcname=name, recursive=False)

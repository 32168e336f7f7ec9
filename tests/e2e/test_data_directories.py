"""Data directories on which no server can run: read-only, full, somebody else's. Each is told in a sentence, before the server is there."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from prismctl.errors import ExitCode
from prismctl.machine import find_program
from tests.free_ports import take_port
from tests.requirements import require

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.conftest import Shell

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(180),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount and give away"),
]

PROGRAMS = {
    "redis": "redis-server",
    "nats": "nats-server",
    "kafka": "kafka-server-start.sh",
    "postgres": "postgres",
}
NEEDED_MB = {"redis": 10, "nats": 10, "kafka": 10, "postgres": 24}
OWNER, STRANGER = "nobody", "daemon"


class Directories:
    """Where the servers of a stack keep their data, and what is done to it."""

    def __init__(self, shell: Shell, undo: contextlib.ExitStack) -> None:
        self.shell = shell
        self._undo = undo
        self._mounts: dict[Path, contextlib.ExitStack] = {}
        home = shell.lab.home
        home.mkdir(mode=0o700)
        (home / "config.yaml").write_text("runtime: native\n")
        for name in PROGRAMS:
            self.of(name).mkdir(mode=0o700, parents=True)

    def of(self, name: str) -> Path:
        return self.shell.lab.paths.data_of(name, 0)

    def all(self) -> dict[str, Path]:
        return {name: self.of(name) for name in PROGRAMS}

    def mount(self, name: str, options: str) -> None:
        place = self.of(name)
        subprocess.run(("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)), check=True)
        self._mounts[place] = self._undo.enter_context(contextlib.ExitStack())
        # A server that was not stopped would keep it busy.
        self._mounts[place].callback(subprocess.run, ("umount", "--lazy", str(place)), check=True)

    def unmount(self, name: str) -> None:
        self._mounts[self.of(name)].close()

    def start(self, engine: str, *, expect: int = 0, **entry: Any) -> str:
        services = [
            {"name": name, "default": True, "persist": True, **self._ports(name), **entry}
            for name in PROGRAMS
        ]
        path = self.shell.lab.home / "mine.yaml"
        path.write_text(json.dumps({"core": False, "services": services}))
        words = ("--engine", engine, "--no-dashboard", "--services", str(path))
        return self.shell.run("dev", "start", *words, expect=expect)

    @staticmethod
    def _ports(name: str) -> dict[str, Any]:
        ports = {"kafka": ("broker", "controller"), "nats": ("client", "monitor")}
        return {"ports": {port: take_port() for port in ports.get(name, ("db",))}}

    def require_refused(self, said: str, sentences: dict[str, str]) -> None:
        """Each service is down for its reason, was tried once, and is told as such by the start itself."""
        words = " ".join(said.split())
        services = {each["name"]: each for each in self.shell.status()["services"]}
        for name, sentence in sentences.items():
            assert services[name]["reason"] == sentence
            assert (services[name]["state"], services[name]["restarts"]) == ("failed", 0)
            assert f"✗ {name} failed: {sentence}" in words
            assert self.shell.run("dev", "logs", name, "--raw").count(sentence) == 1


@pytest.fixture
def directories(shell: Shell) -> Iterator[Directories]:
    for program in PROGRAMS.values():
        found = find_program(program, shell.environment)
        require(found, f"{program} is not there: `make backends` installs it")
    with contextlib.ExitStack() as undo:
        directories = Directories(shell, undo)
        yield directories
        shell.run("dev", "stop")
        assert shell.lab.own_processes() == []


def test_a_read_only_data_directory_is_told_with_what_makes_it_writable(
    directories: Directories, engine: str
) -> None:
    for name in PROGRAMS:
        directories.mount(name, "ro")

    said = directories.start(engine, expect=ExitCode.FAILED)

    directories.require_refused(
        said,
        {
            name: f"{data} is on a file system that can only be read; `sudo mount -o remount,rw {data}` changes that, "
            "or put PRISM_HOME on another one"
            for name, data in directories.all().items()
        },
    )
    data = directories.of("redis")
    subprocess.run(("mount", "-o", "remount,rw", str(data)), check=True)
    directories.shell.run("dev", "restart", "redis")
    assert directories.shell.status()["services"][0]["state"] == "healthy"
    assert list(data.iterdir())


def test_a_full_disk_below_a_data_directory_is_told_before_a_write_is_lost(
    directories: Directories,
) -> None:
    for name in PROGRAMS:
        directories.mount(name, "size=2m")

    said = directories.start("local", expect=ExitCode.FAILED)

    directories.require_refused(
        said,
        {
            name: f"the disk of {directories.of(name)} is full: 2 MB are free, {needed_mb} are needed; "
            f"free some space: `df -h {directories.of(name)}` shows the disk"
            for name, needed_mb in NEEDED_MB.items()
        },
    )
    directories.unmount("nats")
    directories.shell.run("dev", "restart", "nats")
    services = {each["name"]: each["state"] for each in directories.shell.status()["services"]}
    assert services["nats"] == "healthy"
    assert services["redis"] == "failed"


def test_a_data_directory_of_somebody_else_is_left_alone_with_a_sentence(
    directories: Directories,
) -> None:
    for data in directories.all().values():
        os.chown(data, pwd.getpwnam(STRANGER).pw_uid, -1)

    said = directories.start("local", native={"user": OWNER}, expect=ExitCode.FAILED)

    directories.require_refused(
        said,
        {
            name: f"{data} belongs to {STRANGER}, not to {OWNER}; `sudo chown -R {OWNER} {data}` gives it back"
            for name, data in directories.all().items()
        },
    )
    for data in directories.all().values():
        assert data.owner() == STRANGER
        assert list(data.iterdir()) == []

"""The product as somebody uses it: the installed command in a home of its own, on each engine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from prismctl.machine import tools_directory

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import StackLab

PRISMCTL = str(Path(sys.executable).with_name("prismctl"))


def places_without_tools() -> str:
    """PATH without the places where somebody who runs these tests has a Nomad or a Consul of their own."""
    places = os.environ["PATH"].split(":")
    return ":".join(
        place
        for place in places
        if not any(Path(place, name).exists() for name in ("nomad", "consul"))
    )


class Shell:
    """The command in one home; a stack of its own name, so that its ports are its own."""

    def __init__(self, lab: StackLab) -> None:
        self.lab = lab
        lab.home.parent.mkdir(parents=True, exist_ok=True)
        self.environment = {
            "PATH": f"{Path(PRISMCTL).parent}:{places_without_tools()}",
            "HOME": str(lab.home.parent),
            "PRISM_HOME": str(lab.home),
            "PRISM_STACK": lab.paths.name,
            "PRISM_TOOLS_DIR": str(tools_directory()),
        }

    def run(self, *arguments: str, expect: int = 0) -> str:
        """What the command said, both streams; it ends with the code that is expected."""
        done = subprocess.run(
            [PRISMCTL, *arguments],
            env=self.environment,
            cwd=self.lab.home.parent,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert done.returncode == expect, f"{arguments}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def start(self, engine: str, *arguments: str) -> str:
        """What a start of the smallest stack said."""
        return self.run(
            "dev", "start", "--preset=minimal", "--engine", engine, "--no-dashboard", *arguments
        )

    def open_start(self, engine: str) -> subprocess.Popen[str]:
        """A start of the smallest stack that goes on by itself; both its streams are one pipe."""
        return subprocess.Popen(
            [PRISMCTL, "dev", "start", "--preset=minimal", "--engine", engine, "--no-dashboard"],
            env=self.environment,
            cwd=self.lab.home.parent,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def type(self, script: str) -> str:
        """What a shell prints in which ``eval "$(prismctl dev env)"`` was typed first."""
        tools = f"{self.environment['PRISM_TOOLS_DIR']}:{self.environment['PATH']}"
        done = subprocess.run(
            ["/bin/sh", "-ec", f'eval "$(prismctl dev env)"\n{script}'],
            env={**self.environment, "PATH": tools},
            cwd=self.lab.home.parent,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def status(self) -> dict[str, Any]:
        """The status document."""
        document: dict[str, Any] = json.loads(self.run("dev", "status"))
        return document

    def events(self) -> list[dict[str, Any]]:
        """What happened, oldest first."""
        return [json.loads(line) for line in self.run("dev", "events").splitlines()]

    def address(self, service: str) -> str:
        """The first address of a service."""
        port = next(s for s in self.status()["services"] if s["name"] == service)["ports"][0]
        return f"{port['host']}:{port['port']}"

    def variable(self, name: str) -> str:
        """One of those that `dev env` gives to programs."""
        return self.type(f'printf %s "${name}"')


@pytest.fixture(params=["local", "nomad"])
def engine(request: pytest.FixtureRequest) -> str:
    """Each engine in turn."""
    return str(request.param)


@pytest.fixture
def new_shell(
    new_lab: Callable[..., StackLab], request: pytest.FixtureRequest
) -> Callable[..., Shell]:
    """Makes shells; the stack of each has a name, and so ports, of its own."""
    name = f"t-{abs(hash(request.node.nodeid)) % 1_000_000}"

    def make(stack: str = name, **place: str) -> Shell:
        return Shell(new_lab(stack=stack, **place))

    return make


@pytest.fixture
def shell(new_shell: Callable[..., Shell]) -> Shell:
    """The command in a home of its own."""
    return new_shell()

"""ClickHouse, a server that nothing here knows: as the guide has it on this machine, and as containers of its image."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from prismctl.client import StackCondition, find_condition
from prismctl.domain.packaged import render_catalog
from prismctl.errors import ExitCode
from prismctl.machine import find_program
from tests.backend_images import make_image
from tests.container_images import ImageShop, require_containers, separate_podman
from tests.requirements import require

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.e2e.conftest import Shell

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(240),
    pytest.mark.xdist_group("backend-images"),
]

GUIDE = Path(__file__).parents[2] / "docs/how-to/add-a-service.md"


@pytest.fixture
def directory(shell: Shell) -> Iterator[Path]:
    require(
        find_program("clickhouse-server", shell.environment),
        "clickhouse-server is not there: `make backends` installs it",
    )
    yield shell.lab.home.parent
    if find_condition(shell.lab.paths) is not StackCondition.STOPPED:
        shell.run("dev", "stop")


@pytest.fixture(scope="module")
def shop() -> Iterator[ImageShop]:
    """Podman with the image, under its official name."""
    require_containers("podman")
    with separate_podman() as environment:
        made = ImageShop("podman", environment)
        made.load(make_image("clickhouse").archive())
        yield made


class Client:
    """Somebody who asks over HTTP, with what `dev env` says."""

    def __init__(self, shell: Shell) -> None:
        names = ("HOST", "PORT_HTTP", "PASSWORD")
        self.host, self.port, self.password = (
            shell.variable(f"CLICKHOUSE_{name}") for name in names
        )

    def ask(self, question: str) -> str:
        request = urllib.request.Request(
            f"http://{self.host}:{self.port}/",
            data=question.encode(),
            headers={"X-ClickHouse-User": "dev", "X-ClickHouse-Key": self.password},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - http alone
            return str(answer.read().decode()).strip()


def block(language: str) -> str:
    text = GUIDE.read_text(encoding="utf-8")
    blocks = re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return next(str(each) for each in blocks if "clickhouse" in each)


def uncommented(name: str) -> str:
    """The example of the packaged catalog that bears a name, as somebody has it who takes the ``# `` off."""
    examples = re.findall(r"^  # - name: (\S+)\n((?:  # .*\n)*)", render_catalog(), re.MULTILINE)
    body = next(body for each, body in examples if each == name)
    return f"services:\n  - name: {name}\n" + re.sub(r"^  # ", "  ", body, flags=re.MULTILINE)


def test_the_one_of_the_guide_is_asked_and_remembers(
    shell: Shell, engine: str, directory: Path
) -> None:
    (directory / "services.yaml").write_text(block("yaml"))
    subprocess.run(("/bin/sh", "-ec", block("sh")), check=True, timeout=30, cwd=directory)
    shell.run(
        *("dev", "start", "--services", "services.yaml", "--engine", engine, "--no-dashboard"),
        "--auto-ports",
    )
    client = Client(shell)
    client.ask("create table seen (id UInt32) engine = TinyLog")
    client.ask("insert into seen values (7), (8)")

    shell.run("dev", "restart", "clickhouse")

    assert client.ask("select sum(id) from seen") == "15"
    assert client.password not in json.dumps(shell.status())
    shell.run("dev", "stop")


def test_the_one_of_the_packaged_catalog_runs_once_it_is_uncommented(
    shell: Shell, engine: str, directory: Path, shop: ImageShop
) -> None:
    shell.environment |= shop.environment
    (directory / "services.yaml").write_text(uncommented("clickhouse"))
    said = shell.run(
        *("dev", "start", "--with=clickhouse", "--services=services.yaml", "--auto-ports"),
        *("--engine", engine, "--no-dashboard", "--runtime=container"),
    )
    assert re.search("plan +clickhouse .*runtime=container", said)

    client = Client(shell)
    assert "prism_dev" in client.ask("show databases").splitlines()
    assert client.ask("select 6 * 7") == "42"
    shell.run("dev", "stop")


def test_a_check_that_asks_the_wrong_port_says_what_the_server_said(
    shell: Shell, directory: Path, wait_until: Callable[..., None]
) -> None:
    asks_native = block("yaml").replace("type: http, port: http,", "type: http,")
    (directory / "services.yaml").write_text(asks_native)
    subprocess.run(("/bin/sh", "-ec", block("sh")), check=True, timeout=30, cwd=directory)
    shell.run(
        *("dev", "start", "--services", "services.yaml", "--engine", "local", "--no-dashboard"),
        *("--auto-ports", "--wait-timeout=3s"),
        expect=ExitCode.NOT_READY,
    )
    wait_until(
        lambda: bool(
            re.search(
                r"You must use port \d+ for HTTP",
                shell.lab.service_status("clickhouse")["reason"],
            )
        ),
        lambda: str(shell.lab.service_status("clickhouse")),
    )
    shell.run("dev", "stop")

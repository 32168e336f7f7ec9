"""What services need of each other before they start, on both engines with the installed command."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from prismctl.errors import ExitCode

if TYPE_CHECKING:
    from tests.e2e.conftest import Shell

pytestmark = pytest.mark.e2e

CATALOG = """
core: false
services:
  - name: slow
    command: [sleep, "1000"]
    # Whoever waits until it is healthy before doing this waits for ever.
    health_check: {{type: exec, command: [test, -e, "{directory}/opened"]}}
    default: true
  - name: opener
    command: [sh, -c, "touch {directory}/opened; exec sleep 1000"]
    depends_on: {{slow: {{condition: started}}}}
    default: true
  - name: migrate
    command: [sh, -c, "sleep 0.3; echo done > {directory}/migrated"]
    one_shot: true
  - name: app
    command: [sh, -c, "cat {directory}/migrated && exec sleep 1000"]
    depends_on: {{migrate: {{condition: completed}}, absent: {{required: false}}}}
    default: true
  - name: absent
    command: [sleep, "1000"]
  - name: broken
    command: [sh, -c, "exit 3"]
    one_shot: true
    default: true
  - name: bold
    command: [sleep, "1000"]
    depends_on: {{broken: {{required: false}}}}
    default: true
"""


def test_each_service_waits_for_as_much_as_it_needs(shell: Shell, engine: str) -> None:
    directory = shell.lab.home.parent
    file = directory / "services.yaml"
    file.write_text(CATALOG.format(directory=directory))
    shell.run(
        *("dev", "start", "--engine", engine, "--services", str(file), "--no-dashboard"),
        expect=int(ExitCode.PARTIAL),
    )

    services = {service["name"]: service for service in shell.status()["services"]}
    assert {name: service["state"] for name, service in services.items()} == {
        "slow": "healthy",
        "opener": "healthy",
        "migrate": "completed",
        "app": "healthy",
        "broken": "failed",
        "bold": "healthy",
    }
    assert services["opener"]["depends_on"] == ["slow"]
    assert services["app"]["depends_on"] == ["migrate"]
    # The first run of it already found what it waited for.
    assert services["app"]["restarts"] == 0

    shell.run("dev", "restart", "opener", "bold")
    after = {service["name"]: service["state"] for service in shell.status()["services"]}
    assert (after["opener"], after["bold"]) == ("healthy", "healthy")
    shell.run("dev", "stop")
    assert shell.status()["state"] == "stopped"

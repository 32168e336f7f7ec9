"""A service that not even SIGKILL ends: who is in the way is told each time, and once it is gone the next start works."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from prismctl.errors import ExitCode
from tests.control_group import Group, control_group

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.conftest import Shell

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]


@pytest.fixture
def group() -> Iterator[Group]:
    with control_group() as made:
        yield made


def test_a_start_after_a_stop_that_failed_names_what_is_in_the_way_and_then_works(
    shell: Shell, group: Group
) -> None:
    catalog = shell.lab.home.parent / "services.yaml"
    service = {"name": "stuck", "default": True, "command": ["sleep", "1000"]}
    catalog.write_text(json.dumps({"core": False, "services": [service]}))
    start = ("dev", "start", "--engine=local", "--no-dashboard", f"--services={catalog}")
    shell.run(*start)
    stuck = shell.status()["services"][0]["pid"]
    group.put(stuck)
    # What is held from above cannot be let go from below.
    group.hold(group.outer)

    said = shell.run("dev", "stop", "--kill", expect=ExitCode.REJECTED)
    assert f"not even SIGKILL ends {stuck} (sleep" in said
    assert f"hint: `ps -o pid,stat,wchan,args -p {stuck}`" in said
    said = shell.run(*start, expect=ExitCode.REJECTED)
    assert f"not even SIGKILL ends {stuck} (sleep" in said

    group.let_go()
    shell.run(*start)
    assert shell.status()["services"][0]["pid"] != stuck
    assert "Nothing is left running" in shell.run("dev", "stop")
    assert shell.lab.own_processes() == []

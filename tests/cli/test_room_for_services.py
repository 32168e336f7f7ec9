"""What a start says of services that need more than the machine has to spare."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from prismctl.cli.invocation import Invocation
from prismctl.cli.preflight import check_before_start, look_for_room

if TYPE_CHECKING:
    from prismctl.files.paths import Home

CATALOG = """\
core: false
services:
  - name: giant
    command: [sleep, "600"]
    resources: {memory: 1000000}
  - name: dwarf
    command: [sleep, "600"]
    resources: {memory: 16}
"""


@pytest.fixture
def dry_run(prismctl: Any) -> Any:
    Path("services.yaml").write_text(CATALOG)

    def run(*flags: str) -> Any:
        return prismctl(
            "dev", "start", "--dry-run", "--engine", "local", "--services", "services.yaml", *flags
        )

    return run


def test_a_dry_run_names_the_largest_and_the_way_out(
    dry_run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    answer = dry_run("--with", "giant", "--with", "dwarf")
    assert answer.code == 0
    assert "! memory" in answer.err
    assert "may be needed: giant 1049 GB, dwarf 17 MB" in answer.err
    assert "`--without giant` leaves out the largest that can be" in answer.err
    assert "giant" in answer.out


def test_what_fits_is_not_mentioned(dry_run: Any) -> None:
    assert "memory" not in dry_run("--with", "dwarf").err


def test_the_document_of_a_dry_run_has_needs_and_room(dry_run: Any) -> None:
    answer = dry_run("--with", "giant", "-o", "json")
    assert answer.err == ""
    capacity = answer.document["capacity"]
    assert capacity["memory_needed_bytes"] == 1_000_000 << 20
    assert 0 < capacity["memory_free_bytes"] < capacity["memory_needed_bytes"]
    assert capacity["disk_free_bytes"] > 0
    assert [each["resource"] for each in capacity["warnings"]] == ["memory"]


def test_looking_before_a_start_takes_less_than_a_tenth_of_a_second(home: Home) -> None:
    call = Invocation(home=home, stack="default", is_quiet=True)
    look_for_room(call)
    began = time.process_time()
    check_before_start(call)
    assert look_for_room(call).memory_bytes
    assert time.process_time() - began < 0.1

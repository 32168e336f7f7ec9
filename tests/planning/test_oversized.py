from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from prismctl.errors import ConfigError
from prismctl.files.paths import Home
from prismctl.planning import PlanRequest, make_plan

if TYPE_CHECKING:
    from pathlib import Path


def test_a_variable_that_no_process_can_be_given_is_refused_before_anything_starts(
    tmp_path: Path,
) -> None:
    catalog = tmp_path / "mine.yaml"
    catalog.write_text(
        "core: false\nservices:\n"
        f"  - {{name: a, command: {sys.executable}, default: true, env: {{BLOB: '${{BIG}}'}}}}\n"
    )
    with pytest.raises(ConfigError) as raised:
        make_plan(
            PlanRequest(services_file=catalog, is_trial=True),
            home=Home(tmp_path / "home"),
            environment={"PATH": os.environ["PATH"], "BIG": "x" * 140_000},
            working_directory=tmp_path,
        )
    assert "mine.yaml:3:" in raised.value.message
    assert "a: variable BLOB is 140,005 bytes; a process is given at most" in raised.value.message

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from prismctl.files.paths import Home
from prismctl.planning import PlanRequest, make_plan
from tests.free_ports import take_port
from tests.port_holder import holding

if TYPE_CHECKING:
    from pathlib import Path


def test_a_second_stack_says_whose_port_it_did_not_get(tmp_path: Path) -> None:
    port = take_port()
    catalog = tmp_path / "mine.yaml"
    catalog.write_text(
        "core: false\nservices:\n"
        f"  - {{name: a, command: [{sys.executable}, '${{self.port}}'], default: true, port: {port}}}\n"
    )
    with holding(port) as holder:
        plan = make_plan(
            PlanRequest(services_file=catalog, stack="x", is_trial=True),
            home=Home(tmp_path / "home"),
            environment={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
            working_directory=tmp_path,
        )
    (moved,) = plan.service("a").ports
    assert moved.number != port
    assert moved.wanted == port
    assert moved.taken_by.startswith(f"PID {holder.pid}, python")

"""What answers before the container of the present run is there is the one of the last run."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from prismctl.domain.observation import InstanceKey
from prismctl.domain.service import CheckType, ServiceName
from prismctl.probes.alive import require_container
from prismctl.probes.question import NotReadyError, Question

if TYPE_CHECKING:
    from pathlib import Path


def ask(record: Path | None) -> Question:
    return Question(
        key=InstanceKey(ServiceName("redis"), 0),
        run="2",
        type=CheckType.TCP,
        started_at=time.time(),
        pid_file=record,
    )


def test_a_process_of_this_machine_has_no_container_to_wait_for() -> None:
    require_container(ask(None))


def test_a_container_that_is_not_there_yet_is_not_asked(tmp_path: Path) -> None:
    with pytest.raises(NotReadyError, match="its container has not begun"):
        require_container(ask(tmp_path / "redis.pid"))


def test_the_record_of_the_last_run_is_not_the_one_of_this(tmp_path: Path) -> None:
    record = tmp_path / "redis.pid"
    record.write_text("4711")
    before = time.time() - 5
    os.utime(record, (before, before))
    with pytest.raises(NotReadyError, match="its container has not begun"):
        require_container(ask(record))


def test_a_container_that_has_begun_is_asked(tmp_path: Path) -> None:
    record = tmp_path / "redis.pid"
    question = ask(record)
    record.write_text("4711")
    require_container(question)

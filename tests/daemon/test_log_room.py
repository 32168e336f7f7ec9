from __future__ import annotations

import os
from typing import TYPE_CHECKING

from prismctl.daemon.log_room import LogPart, choose_superfluous, list_parts
from prismctl.engine.nomad import log_target
from prismctl.keeper.protocol import ProcessSpec

if TYPE_CHECKING:
    from pathlib import Path


def write(directory: Path, name: str, size: int, changed_at: float) -> None:
    path = directory / name
    path.write_bytes(b"x" * size)
    os.utime(path, (changed_at, changed_at))


def test_what_was_moved_aside_longest_ago_goes_first(tmp_path: Path) -> None:
    write(tmp_path, "a#0.log", 10, 100)
    write(tmp_path, "a#0.log.1", 10, 90)
    write(tmp_path, "a#0.log.2", 10, 50)
    write(tmp_path, "b#0.log", 10, 1)
    write(tmp_path, "b#0.log.1", 10, 70)

    def gone(max_bytes: int) -> list[str]:
        parts = list_parts(tmp_path)
        return [path.name for path in choose_superfluous(parts, ["a", "b"], max_bytes)]

    assert gone(50) == []
    assert gone(49) == ["a#0.log.2"]
    assert gone(30) == ["a#0.log.2", "b#0.log.1"]
    assert gone(0) == ["a#0.log.2", "b#0.log.1", "a#0.log.1"]


def test_the_log_of_a_service_that_is_no_longer_there_goes_as_a_whole(tmp_path: Path) -> None:
    write(tmp_path, "gone#0.log", 10, 20)
    write(tmp_path, "here#0.log", 10, 10)
    write(tmp_path, "nomad.log", 0, 5)
    assert choose_superfluous(list_parts(tmp_path), ["here"], 10) == [tmp_path / "gone#0.log"]


def test_of_files_that_changed_at_the_same_time_the_older_goes_first(tmp_path: Path) -> None:
    parts = [LogPart(tmp_path / f"a#0.log.{number}", 10, 5.0) for number in (1, 3, 2)]
    chosen = choose_superfluous(parts, ["a"], 10)
    assert [path.name for path in chosen] == ["a#0.log.3", "a#0.log.2"]


def test_no_directory_is_no_trouble(tmp_path: Path) -> None:
    assert list_parts(tmp_path / "nowhere") == []


def test_both_engines_keep_the_same_of_each_service() -> None:
    defaults = ProcessSpec._field_defaults
    assert log_target.MAX_LOG_BYTES == defaults["max_log_bytes"] == 16 * 1024 * 1024
    assert log_target.MAX_LOG_FILES == defaults["max_log_files"] == 4

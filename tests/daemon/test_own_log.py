"""What the daemon says, where there is room for it and where there is none."""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING

from prismctl.daemon.own_log import OwnLog

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_words_arrive_at_once(tmp_path: Path) -> None:
    path = tmp_path / "daemon.log"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        print("cannot write x: \udcff", file=OwnLog(descriptor))
        assert path.read_text(encoding="utf-8") == "cannot write x: \\udcff\n"
    finally:
        os.close(descriptor)


def test_a_full_disk_fails_nobody_who_says_something(monkeypatch: pytest.MonkeyPatch) -> None:
    descriptor = os.open("/dev/full", os.O_WRONLY)
    try:
        monkeypatch.setattr(sys, "stderr", OwnLog(descriptor))
        sys.stderr.write("words\n")
        sys.stderr.flush()
        sys.excepthook(ValueError, ValueError("x"), None)
        logging.StreamHandler(sys.stderr).handle(logging.makeLogRecord({"msg": "y"}))
    finally:
        os.close(descriptor)

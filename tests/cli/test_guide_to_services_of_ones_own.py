"""The guide to a service of one's own, typed as it is written."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

GUIDE = Path(__file__).parents[2] / "docs/how-to/add-a-service.md"


def blocks(language: str) -> list[str]:
    text = GUIDE.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def test_the_guide_as_typed_is_valid_and_can_be_started(
    prismctl: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = blocks("yaml")[0]
    making, typing = blocks("sh")[:2]
    Path("services.yaml").write_text(catalog)
    subprocess.run(("/bin/sh", "-ec", making), check=True, timeout=30)
    start = (
        "dev",
        "start",
        "--services",
        "services.yaml",
        "--dry-run",
        "--engine",
        "local",
        "--auto-ports",
    )
    assert "API_KEY" in prismctl(*start).err

    exported = re.search(r"^export (\w+)=(.*)$", typing, re.MULTILINE)
    assert exported is not None
    monkeypatch.setenv(exported[1], exported[2])

    assert prismctl("dev", "catalog", "validate", "services.yaml").code == 0
    answer = prismctl(*start)
    assert answer.code == 0, answer.err
    assert "database-migrations" in answer.out

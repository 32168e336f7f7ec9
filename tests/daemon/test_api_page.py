"""The page of the daemon's API has every request that is answered, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from prismctl.daemon.api import Api
from prismctl.daemon.stack import Stack
from prismctl.files.paths import Home

PAGE = Path(__file__).parents[2] / "docs/reference/daemon-api.md"


async def test_the_table_of_requests_is_that_of_the_daemon(tmp_path: Path) -> None:
    api = Api(Stack(Home(tmp_path).stack("default")))
    told = re.findall(
        r"^\| `(GET|POST) (/[a-z0-9/]+)", PAGE.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert sorted(told) == sorted(api._routes)

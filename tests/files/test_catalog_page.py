from __future__ import annotations

import runpy
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.mark.parametrize("name", ["write_catalog_page.py", "write_backends_page.py"])
def test_a_page_is_what_the_tables_say(name: str) -> None:
    script = runpy.run_path(str(SCRIPTS / name))
    page = Path(script["PAGE"]).read_text(encoding="utf-8")
    assert page == script["render_page"](), f"run `python {name}` in scripts/"

from __future__ import annotations

import runpy
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "write_catalog_page.py"


def test_the_page_of_the_catalog_is_what_the_catalog_says() -> None:
    script = runpy.run_path(str(SCRIPT))
    page = Path(script["PAGE"]).read_text(encoding="utf-8")
    assert page == script["render_page"](), f"run `python {SCRIPT.name}` in scripts/"

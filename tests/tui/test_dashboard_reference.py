from __future__ import annotations

from pathlib import Path

from prismctl.tui.dashboard.reference import render_page

PAGE = Path(__file__).parents[2] / "docs/reference/dashboard.md"


def test_the_page_of_keys_is_what_the_actions_say() -> None:
    """`python -c 'from prismctl.tui.dashboard.reference import render_page as r; print(r(), end="")' > PAGE` writes it."""
    assert PAGE.read_text(encoding="utf-8") == render_page()

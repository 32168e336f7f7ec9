"""The page about the dashboard's keys, written from the registry of its actions; a test compares."""

from __future__ import annotations

from prismctl.tui.dashboard.actions import ACTIONS, Section
from prismctl.tui.dashboard.theme_names import THEME_NAMES

HEAD = """# The dashboard's keys

Shown by `?` in [the dashboard](../how-to/watch-a-stack.md). `keys` in `config.yaml` gives an action another key, by its name; `theme` is one of
{themes}.
"""


def render_page() -> str:
    """The page, from its title to its end."""
    themes = ", ".join(f"`{name}`" for name in THEME_NAMES)
    parts = [HEAD.format(themes=themes)]
    for section in Section:
        rows = [
            f"| {_keys(action.keys)} | `{action.id}` | {action.words}{_remarks(action.changes, action.asks)} |"
            for action in ACTIONS
            if action.section is section
        ]
        table = ["| key | action | what it does |", "| --- | --- | --- |", *rows]
        parts.append(f"## {section.value}\n\n" + "\n".join(table) + "\n")
    return "\n".join(parts)


def _keys(keys: tuple[str, ...]) -> str:
    return " ".join(f"`{key}`" for key in keys)


def _remarks(changes: bool, asks: bool) -> str:  # noqa: FBT001 - of an action, in this order
    remarks = [*(["asks first"] if asks else []), *(["not with `--read-only`"] if changes else [])]
    return f" ({', '.join(remarks)})" if remarks else ""

"""What the tab key knows: stacks, presets, services of the catalog. From files only, silent when they are broken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prismctl.errors import PrismError

if TYPE_CHECKING:
    import click


def complete_stacks(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The stacks that home knows."""
    from prismctl.cli.invocation import find_invocation_home

    del ctx, param
    try:
        names = [entry.name for entry in find_invocation_home().stacks.iterdir() if entry.is_dir()]
    except (OSError, PrismError):
        names = []
    return sorted(name for name in {*names, "default"} if name.startswith(incomplete))

"""Which stack of a home a keeper's mark is of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prismctl.domain.service import is_name

if TYPE_CHECKING:
    from prismctl.domain.addressing import PortHolder
    from prismctl.files.paths import Home


def recognize_stack(holder: PortHolder | None, home: Home) -> PortHolder | None:
    """The holder with its stack named, where it is one of this home, and with the word that it is none, otherwise."""
    owner = holder.owner if holder is not None else None
    if holder is None or owner is None:
        return holder
    # The mark is what a process says of itself: `..` is no stack, though its keeper's id can be made up as well.
    names = [owner.stack] if is_name(owner.stack) else []
    try:
        names += sorted(
            entry.name for entry in home.stacks.iterdir() if is_name(entry.name) and entry.is_dir()
        )
    except OSError:
        # A home without stacks has none that could be the owner.
        names = []
    name = next((name for name in names if home.stack(name).keeper_id == owner.keeper), None)
    if name is None:
        stack = owner.stack if is_name(owner.stack) else ""
        return holder._replace(owner=owner._replace(stack=stack, is_other_home=True))
    return holder._replace(owner=owner._replace(stack=name, is_other_home=False))

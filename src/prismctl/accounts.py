"""Who is who on this machine."""

from __future__ import annotations


def user_name(user_id: int) -> str:
    """The name of an account; its number where it has none."""
    import pwd

    try:
        return pwd.getpwuid(user_id).pw_name
    except KeyError:
        return str(user_id)

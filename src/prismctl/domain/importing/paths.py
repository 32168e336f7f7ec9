"""Paths as the catalog writes them: relative to its own directory where they lie below it."""

from __future__ import annotations

import posixpath


def write_path(path: str, catalog_directory: str) -> str:
    """An absolute path for the catalog.

    >>> write_path("/shop/web", "/shop"), write_path("/shop", "/shop"), write_path("/etc/x", "/shop")
    ('./web', '.', '/etc/x')
    """
    absolute = posixpath.normpath(path)
    if absolute == catalog_directory:
        return "."
    below = catalog_directory.rstrip("/") + "/"
    return f"./{absolute.removeprefix(below)}" if absolute.startswith(below) else absolute

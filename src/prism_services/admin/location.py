"""Where the database is, from what the command line says."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from prism_services.serving.failure import FlagError

SCHEME: Final = "sqlite://"
FILE_NAME: Final = "prism-admin.db"


def database_path(url: str, data_directory: str) -> Path:
    """Resolve ``--db``, which wins, and ``--data-dir`` to an absolute path.

    What follows ``sqlite://`` is the path: ``sqlite:///var/lib/x.db`` is absolute, ``sqlite://x.db`` is
    relative to the working directory; a fourth slash is tolerated.
    """
    if not url:
        return Path(data_directory or _default_directory()).absolute() / FILE_NAME
    path = url.removeprefix(SCHEME)
    if path == url:
        raise FlagError(
            f"`--db {url}` is not a sqlite:// URL",
            hint="`--db sqlite:///var/lib/prism/admin.db` is absolute, `--db sqlite://admin.db` relative",
        )
    if not path.strip("/") or "\0" in path:
        raise FlagError(f"`--db {url}` names no file", hint="for example `--db sqlite://admin.db`")
    return Path("/" + path.lstrip("/") if path.startswith("/") else path).absolute()


def _default_directory() -> Path:
    home = os.environ.get("PRISM_HOME")
    return (Path(home) if home else Path.home() / ".prism") / "data" / "prism-admin"

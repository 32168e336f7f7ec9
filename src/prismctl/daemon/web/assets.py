"""The files of the page: a fixed table, so that no path of a request ever becomes a path of a file."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import prismctl
from prismctl.daemon.http import Content, Headers

_DIRECTORY: Final = Path(prismctl.__file__).parent / "web"
_SCRIPT: Final = "text/javascript; charset=utf-8"
_HTML: Final = "text/html; charset=utf-8"
_FILES: Final = {
    "/": ("index.html", _HTML),
    "/style.css": ("style.css", "text/css; charset=utf-8"),
    **{
        f"/{name}.js": (f"{name}.js", _SCRIPT)
        for name in (
            "actions",
            "adding",
            "app",
            "clean",
            "events",
            "failure",
            "format",
            "graph",
            "keys",
            "levels",
            "logs",
            "metrics",
            "services",
            "stream",
        )
    },
}
_WORDS: Final = "/words.js"
_LOCKED: Final = "locked.html"


def read_asset(path: str) -> Content | None:
    """The file of that name, or the module made of the terminal's words; ``None`` when the page has none such."""
    if path == _WORDS:
        # Not before somebody looks at the page.
        from prismctl.present.page_words import render_module

        return Content(body=render_module().encode(), kind=_SCRIPT)
    known = _FILES.get(path)
    if known is None:
        return None
    name, kind = known
    return Content(body=(_DIRECTORY / name).read_bytes(), kind=kind)


def locked_page(command: str, *, retries: bool = False) -> Content:
    """What is shown to whoever came without the token.

    Args:
        command: prints the link.
        retries: the browser shall come again by itself: it may have held back the cookie of somebody who comes from
            another site.
    """
    # It has a table of all that can be written with an ampersand, and few need it.
    from html import escape

    text = (_DIRECTORY / _LOCKED).read_text(encoding="utf-8")
    headers: Headers = (("Refresh", "0"),) if retries else ()
    body = text.replace("{command}", escape(command)).encode()
    return Content(body=body, kind=_HTML, status=401, headers=headers)

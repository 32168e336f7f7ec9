"""A bundle as one page of HTML that needs nothing else: no script, no address, readable in any browser without a network."""

from __future__ import annotations

import html
import json
from typing import TYPE_CHECKING, Any, Final

from prismctl.domain.counting import count_of
from prismctl.present.doctor import doctor_lines
from prismctl.present.events import timed_event_line
from prismctl.present.json_text import render_json
from prismctl.present.start_report import report_lines
from prismctl.present.status import status_lines
from prismctl.present.text import clean, plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from prismctl.present.text import Line

_STYLE: Final = """
:root { color-scheme: light dark; --line: #8886; --muted: #888; --bad: #c0392b; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }
h1 { font-size: 1.4rem; margin: 0; }
p { color: var(--muted); margin: .2rem 0 1.2rem; }
details { border: 1px solid var(--line); border-radius: 6px; margin: .6rem 0; }
summary { cursor: pointer; padding: .5rem .8rem; font-weight: 600; }
summary span { color: var(--muted); font-weight: 400; }
pre { margin: 0; padding: .8rem; overflow: auto; max-height: 40rem; border-top: 1px solid var(--line);
  font: 13px/1.45 ui-monospace, monospace; }
.problem { color: var(--bad); padding: 0 .8rem .6rem; }
"""
BUNDLE_MARK: Final = '<script type="application/json" id="bundle">'
"""Stands in every page before the document."""
_WIDTH: Final = 120
"""Of what is a table on a terminal."""
_OPEN_PART: Final = "status"
"""Is seen first."""
_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
)


def bundle_page(document: Mapping[str, Any]) -> str:
    """The page for a bundle, given as a document; the document itself is in it, too, for programs."""
    stack = html.escape(clean(str(document["stack"])))
    sections = "\n".join(_section(name, part) for name, part in document["parts"].items())
    # Inside a script only its end tag ends it, and `<` is never needed in JSON.
    data = render_json(document).replace("<", "\\u003c")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width">
<title>prismctl: stack {stack}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>Stack {stack}</h1>
<p>Gathered by prismctl at {html.escape(str(document["made_at"]))}. Secrets were removed; look through it all the same
before you share it.</p>
{sections}
{BUNDLE_MARK}{data}</script>
</body>
</html>
"""


def read_bundle_page(page: str) -> dict[str, Any]:
    """The document of a page.

    Raises:
        ValueError: it is none of these pages.
    """
    _, mark, rest = page.partition(BUNDLE_MARK)
    text, end, _ = rest.partition("</script>")
    if not mark or not end:
        raise ValueError("no bundle in it")
    document = json.loads(text)
    if not isinstance(document, dict):
        raise ValueError("no bundle in it")  # noqa: TRY004 - what is wrong is the page
    return document


def _section(name: str, part: Mapping[str, Any]) -> str:
    title = html.escape(clean(str(part["title"])))
    problem = part["problem"]
    if problem:
        return (
            f"<details open><summary>{title} <span>not there</span></summary>"
            f'<div class="problem">{html.escape(clean(str(problem)))}</div></details>'
        )
    text, note = _text_of(name, part["content"])
    is_open = " open" if name == _OPEN_PART else ""
    return (
        f"<details{is_open}><summary>{title} <span>{note}</span></summary>"
        f"<pre>{html.escape(text)}</pre></details>"
    )


def _text_of(name: str, content: Any) -> tuple[str, str]:
    """What is shown, and how much of it there is; what commands have words for is shown in these words."""
    if name == "status":
        return _words(status_lines(content, width=_WIDTH)), ""
    if name == "starts" and content["last_start"] is not None:
        return _words(report_lines(content["last_start"], width=_WIDTH)), ""
    if name == "events":
        return _words(map(timed_event_line, content)), count_of(len(content), "event")
    if name == "doctor":
        return _words(doctor_lines(content, width=_WIDTH)), ""
    if isinstance(content, list) and all(isinstance(each, str) for each in content):
        return "\n".join(map(clean, content)), count_of(len(content), "line")
    return render_json(content, indent=2), ""


def _words(lines: Iterable[Line]) -> str:
    return "\n".join(plain(each).rstrip() for each in lines)

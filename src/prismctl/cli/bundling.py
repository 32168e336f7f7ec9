"""Gathers what a bug report needs; what cannot be had is named in its place, and the rest is there all the same."""

from __future__ import annotations

import json
import os
import platform
import time
from collections import deque
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from prismctl.cli.examination import examine_machine
from prismctl.cli.selection_flags import request_selection
from prismctl.cli.stack import find_stack, read_saved_events, read_status
from prismctl.cli.start_reports import describe_starts
from prismctl.cli.tool_versions import describe_tools
from prismctl.domain.bundle import Bundle, BundlePart, hide_secrets
from prismctl.domain.redaction import Redactor
from prismctl.domain.shown_logs import MOST_CHARACTERS, cut_line
from prismctl.domain.snapshot import render_time
from prismctl.errors import PrismError
from prismctl.explaining import explain_selection
from prismctl.files.logs import read_logs
from prismctl.files.redaction import load_redactor
from prismctl.install.checks.finding import render_findings
from prismctl.present.settings import render_setting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prismctl.cli.invocation import Invocation
    from prismctl.files.paths import StackPaths

LOG_LINES: Final = 500
"""Of each instance and each agent, unless somebody asks for more; of one source, at most `MOST_CHARACTERS`."""
EVENTS: Final = 1000
OWN_LOG_BYTES: Final = 64 * 1024
"""Of what daemon and keeper say of themselves."""


def gather_bundle(call: Invocation, *, log_lines: int) -> Bundle:
    """Everything, with secrets removed.

    Raises:
        PrismError: it is not known what is secret here, so nothing may be given away.
    """
    paths = call.paths
    redactors = _find_redactors(paths)
    parts = (
        _part("status", "Status", lambda: read_status(paths)),
        _part("starts", "Starts", lambda: describe_starts(call.home, paths)),
        _part("events", "Events", lambda: _events(paths)),
        *_log_parts(paths, log_lines),
        _part("plan", "Plan", lambda: _plan(paths)),
        _part("settings", "Settings", lambda: _settings(call)),
        _part("versions", "Versions", lambda: describe_tools(call.home)),
        _part("machine", "Machine", _machine),
        _part("doctor", "Doctor", lambda: render_findings(examine_machine(call), [])),
        _part("daemon", "What the daemon said", lambda: _tail(paths.daemon_log)),
        _part("keeper", "What the keeper said", lambda: _tail(paths.keeper_log)),
    )
    made_at = render_time(time.time()) or ""
    bundle = Bundle(stack=call.stack, made_at=made_at, parts=parts)
    return hide_secrets(bundle, redactors, user_directory=str(Path.home()))


def _part(name: str, title: str, gather: Callable[[], Any]) -> BundlePart:
    try:
        return BundlePart(name=name, title=title, content=gather())
    except PrismError as error:
        return BundlePart(name=name, title=title, problem=error.message)
    except OSError as error:
        reason = f"{error.strerror}: {error.filename}" if error.filename else str(error)
        return BundlePart(name=name, title=title, problem=reason)


def _find_redactors(paths: StackPaths) -> list[Redactor]:
    """What hides the secrets of this stack: those of its services, and those of its agents and its page.

    Raises:
        PrismError: a file that says what is secret cannot be read.
    """
    files = (paths.agents / "credentials.json", paths.dashboard_token)
    return [
        load_redactor(paths),
        Redactor(value for file in files for value in _read_secrets(file)),
    ]


def _read_secrets(file: Path) -> Iterator[str]:
    """The texts in a file that holds nothing but secrets, JSON or plain."""
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return
    except OSError as error:
        raise PrismError(f"cannot tell what is secret: {file}: {error.strerror}") from error
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if isinstance(document, dict):
        yield from (value for value in document.values() if isinstance(value, str))
    else:
        yield text.strip()


def _read_plan(paths: StackPaths) -> dict[str, Any] | None:
    client = find_stack(paths)
    if client is not None:
        return client.plan()
    try:
        document = json.loads(paths.plan.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return document if isinstance(document, dict) else None


def _plan(paths: StackPaths) -> dict[str, Any]:
    plan = _read_plan(paths)
    if plan is None:
        raise PrismError(f"nothing of stack `{paths.name}` runs")
    return plan


def _events(paths: StackPaths) -> list[dict[str, Any]]:
    client = find_stack(paths)
    return list(deque(client.events() if client else read_saved_events(paths), maxlen=EVENTS))


def _log_parts(paths: StackPaths, log_lines: int) -> list[BundlePart]:
    try:
        names = sorted(path.name for path in paths.logs.iterdir() if path.name.endswith(".log"))
    except FileNotFoundError:
        names = []
    except OSError as error:
        return [BundlePart(name="logs", title="Logs", problem=str(error.strerror))]
    sources = dict.fromkeys(name.removesuffix(".log").partition("#")[0] for name in names)
    return [_log_part(paths, source, log_lines) for source in sources]


def _log_part(paths: StackPaths, source: str, log_lines: int) -> BundlePart:
    return _part(f"log.{source}", f"Log of {source}", lambda: _log(paths, source, log_lines))


def _log(paths: StackPaths, source: str, log_lines: int) -> list[str]:
    lines = [
        f"{entry.time} {entry.replica} {entry.stream}  {cut_line(entry.text)}"
        for entry in read_logs(paths.logs, [source], tail=log_lines)
    ]
    sizes = accumulate(len(line) for line in reversed(lines))
    fitting = sum(size <= MOST_CHARACTERS for size in sizes)
    left_out = len(lines) - fitting
    note = [f"… {left_out} lines before these are left out"] if left_out else []
    return [*note, *lines[left_out:]]


def _settings(call: Invocation) -> list[dict[str, Any]]:
    explanation = explain_selection(
        request_selection(call, {}),
        home=call.home,
        environment=os.environ,
        working_directory=Path.cwd(),
    )
    return [render_setting(each) for each in explanation.explain_all(names_defaults=False)]


def _machine() -> dict[str, Any]:
    sizes = {"memory_bytes": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")}
    return {
        "system": platform.platform(),
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "python": platform.python_version(),
        "container": Path("/.dockerenv").exists() or Path("/run/.containerenv").exists(),
        **sizes,
    }


def _tail(file: Path) -> list[str]:
    try:
        with file.open("rb") as opened:
            opened.seek(0, os.SEEK_END)
            opened.seek(max(0, opened.tell() - OWN_LOG_BYTES))
            return opened.read().decode("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return []

"""Log lines from wherever they are: the daemon of a running stack, the files of a stopped one; then filtered."""

from __future__ import annotations

import itertools
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prismctl.cli.stack import find_stack
from prismctl.client.log_following import note_positions
from prismctl.files.log_line import SKIPPED
from prismctl.present.log_levels import LEVEL_WORDS, LevelFilter

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterable, Iterator

    from prismctl.cli.invocation import Invocation
    from prismctl.client import StackClient
    from prismctl.files.paths import StackPaths

_ROTATED_SUFFIX = ".log"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogQuery:
    """Which lines somebody wants to see."""

    services: list[str]
    """Full names; none means all services."""
    follow: bool = False
    tail: int | None = None
    """Per instance, counted after the filters."""
    since: float | None = None
    pattern: re.Pattern[str] | None = None
    level: str | None = None

    @property
    def is_filtered(self) -> bool:
        """Whether some lines are left out by what they say."""
        return self.pattern is not None or self.level is not None


def known_log_sources(paths: StackPaths) -> list[str]:
    """Services and agents that have printed something, or could: those of the logs and of the plan."""
    try:
        names = [entry.name for entry in paths.logs.iterdir()]
    except OSError:
        names = []
    printed = {
        name.removesuffix(_ROTATED_SUFFIX).partition("#")[0]
        for name in names
        if name.endswith(_ROTATED_SUFFIX)
    }
    return sorted(printed | set(_planned(paths)))


def _planned(paths: StackPaths) -> list[str]:
    import json

    try:
        plan = json.loads(paths.plan.read_text(encoding="utf-8"))
        return [str(service["name"]) for service in plan["services"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def read_log_bundles(call: Invocation, query: LogQuery) -> Iterator[list[dict[str, Any]]]:
    """The lines of the query, as objects of the API, as many at once as there are; ends where a stopped stack's logs end."""
    client = find_stack(call.paths)
    if client is None:
        bundles = _read_files(call, query)
    elif query.follow:
        yield from _follow(client, call.paths, query)
        return
    else:
        tail = None if query.is_filtered else query.tail
        bundles = client.log_bundles(query.services, tail=tail, since=query.since)
    yield from _choose(bundles, query)


def _read_files(call: Invocation, query: LogQuery) -> Iterator[list[dict[str, Any]]]:
    from prismctl.files.log_line import line_to_json
    from prismctl.files.logs import part_lines, read_logs
    from prismctl.files.redaction import load_redactor

    lines = read_logs(
        call.paths.logs,
        query.services,
        tail=None if query.is_filtered else query.tail,
        since=query.since,
        redactor=load_redactor(call.paths),
    )
    for bundle in part_lines(lines):
        yield [line_to_json(line) for line in bundle]


def _follow(
    client: StackClient, paths: StackPaths, query: LogQuery
) -> Iterator[list[dict[str, Any]]]:
    from prismctl.client import follow_logs

    admit = _make_filter(query)
    if query.tail is None or admit is None:
        bundles = follow_logs(client, paths, query.services, tail=query.tail, since=query.since)
        yield from bundles if admit is None else _filtered(bundles, admit)
        return
    # The last N that match are only known once all that is there was read; then it goes on where that ended.
    began_at = time.time()
    positions: dict[str, str] = {}
    history = client.log_bundles(query.services, since=query.since)
    yield _last(_filtered(_noting(history, positions), admit), query.tail)
    since = max(began_at, query.since or began_at)
    yield from _filtered(
        follow_logs(client, paths, query.services, since=since, after=positions), admit
    )


def _choose(
    bundles: Iterator[list[dict[str, Any]]], query: LogQuery
) -> Iterator[list[dict[str, Any]]]:
    admit = _make_filter(query)
    if admit is None:
        yield from bundles
    elif query.tail is None:
        yield from _filtered(bundles, admit)
    else:
        yield _last(_filtered(bundles, admit), query.tail)


def _noting(
    bundles: Iterable[list[dict[str, Any]]], positions: dict[str, str]
) -> Iterator[list[dict[str, Any]]]:
    for bundle in bundles:
        note_positions(bundle, positions)
        yield bundle


def _make_filter(query: LogQuery) -> Callable[[dict[str, Any]], bool] | None:
    """Whether a line is wanted; ``None``: all are."""
    if not query.is_filtered:
        return None
    levels = LevelFilter(LEVEL_WORDS[query.level]) if query.level else None
    pattern = query.pattern

    def admit(entry: dict[str, Any]) -> bool:
        if entry["stream"] == SKIPPED:
            return True
        if levels is not None and not levels.admits(entry):
            return False
        return pattern is None or pattern.search(str(entry["text"])) is not None

    return admit


def _filtered(
    bundles: Iterable[list[dict[str, Any]]], admit: Callable[[dict[str, Any]], bool]
) -> Iterator[list[dict[str, Any]]]:
    for bundle in bundles:
        if admitted := [entry for entry in bundle if admit(entry)]:
            yield admitted


def _last(bundles: Iterable[list[dict[str, Any]]], count: int) -> list[dict[str, Any]]:
    """The last lines of each instance, in the order in which they came."""
    kept: dict[tuple[str, int], deque[tuple[int, dict[str, Any]]]] = {}
    counter = itertools.count()
    for bundle in bundles:
        for entry in bundle:
            source = str(entry["service"]), int(entry.get("replica") or 0)
            kept.setdefault(source, deque(maxlen=count)).append((next(counter), entry))
    merged = sorted((item for lines in kept.values() for item in lines), key=lambda item: item[0])
    return [entry for _, entry in merged]

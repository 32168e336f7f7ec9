"""Log lines from wherever they are: the daemon of a running stack, the files of a stopped one; then filtered."""

from __future__ import annotations

import itertools
from collections import defaultdict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prismctl.cli.stack import find_stack
from prismctl.present.loglines import LEVEL_WORDS, LevelFilter

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable, Iterator

    from prismctl.cli.invocation import Invocation
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


def read_log_lines(call: Invocation, query: LogQuery) -> Iterator[dict[str, Any]]:
    """The lines of the query, as objects of the API; ends where a stopped stack's logs end."""
    client = find_stack(call.paths)
    if client is None:
        from prismctl.files.logs import line_to_json, read_logs

        lines = read_logs(
            call.paths.logs,
            query.services,
            tail=None if query.is_filtered else query.tail,
            since=query.since,
        )
        yield from _last(_filtered(map(line_to_json, lines), query), query)
        return

    def fetch(*, tail: int | None, since: float | None, follow: bool) -> Iterator[dict[str, Any]]:
        return client.logs(query.services, tail=tail, since=since, follow=follow)

    if not query.is_filtered:
        yield from fetch(tail=query.tail, since=query.since, follow=query.follow)
        return
    if not query.follow or query.tail is None:
        entries = fetch(tail=None, since=query.since, follow=query.follow)
        yield from _last(_filtered(entries, query), query)
        return
    # The last N that match are only known once all that is there was read; what came meanwhile follows.
    seen: dict[tuple[str, int], str] = defaultdict(str)
    admit = _Filter(query)
    history = fetch(tail=None, since=query.since, follow=False)
    yield from _last((entry for entry in _noting(history, seen) if admit(entry)), query)
    newest = max(seen.values(), default="")
    follow_since = _epoch(newest) if newest else query.since
    for entry in fetch(tail=None, since=follow_since, follow=True):
        if entry["time"] > seen[_source(entry)] and admit(entry):
            yield entry


def _noting(
    entries: Iterable[dict[str, Any]], seen: dict[tuple[str, int], str]
) -> Iterator[dict[str, Any]]:
    for entry in entries:
        seen[_source(entry)] = entry["time"]
        yield entry


def _source(entry: dict[str, Any]) -> tuple[str, int]:
    return str(entry["service"]), int(entry.get("replica") or 0)


def _epoch(stamp: str) -> float:
    from datetime import datetime

    # A minute earlier, because another instance may have been read before it printed its newest line.
    return datetime.fromisoformat(stamp).timestamp() - 60


class _Filter:
    def __init__(self, query: LogQuery) -> None:
        self._pattern = query.pattern
        self._levels = LevelFilter(LEVEL_WORDS[query.level]) if query.level else None

    def __call__(self, entry: dict[str, Any]) -> bool:
        if self._levels is not None and not self._levels.admits(entry):
            return False
        return self._pattern is None or self._pattern.search(str(entry["text"])) is not None


def _filtered(entries: Iterable[dict[str, Any]], query: LogQuery) -> Iterator[dict[str, Any]]:
    return filter(_Filter(query), entries) if query.is_filtered else iter(entries)


def _last(entries: Iterator[dict[str, Any]], query: LogQuery) -> Iterator[dict[str, Any]]:
    """The last lines of each instance, in order of time; all of them where no number was given."""
    if query.tail is None:
        yield from entries
        return
    kept: dict[tuple[str, int], deque[tuple[int, dict[str, Any]]]] = {}
    counter = itertools.count()
    for entry in entries:
        lines = kept.setdefault(_source(entry), deque(maxlen=query.tail))
        lines.append((next(counter), entry))
    merged = sorted((item for lines in kept.values() for item in lines), key=lambda item: item[0])
    yield from (entry for _, entry in merged)

"""Log lines for as long as there is a stack: a daemon that is killed meanwhile costs no line, and repeats none."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from prismctl.client.condition import StackCondition, find_condition
from prismctl.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from prismctl.client.stack_client import StackClient
    from prismctl.files.paths import StackPaths

MAX_FAILURES: Final = 3
"""So many connections in a row may come to nothing; each of them waits for a daemon that is on its way."""
SETTLED_SECONDS: Final = 1.0
"""A connection that has lasted this long was one."""

_GONE: Final = frozenset({StackCondition.STOPPED, StackCondition.LEFT_BEHIND})


def follow_logs(
    client: StackClient,
    paths: StackPaths,
    services: Sequence[str] = (),
    *,
    tail: int | None = None,
    since: float | None = None,
    after: Mapping[str, str] | None = None,
) -> Iterator[list[dict[str, Any]]]:
    """Lines of what is there and then of what comes, some at once; ends when the stack has.

    What was printed until the very end is read from the files. The arguments are those of `StackClient.logs`.

    Raises:
        PrismError: the daemon refuses, or the stack is there and nobody can be brought to answer.
    """
    # Of an instance that had not printed anything yet, everything later is new.
    began_at = time.time()
    positions = dict(after or {})
    failures = 0
    while True:
        connected_at = time.monotonic()
        try:
            for bundle in client.log_bundles(
                services, tail=tail, since=since, after=positions, follow=True
            ):
                note_positions(bundle, positions)
                yield bundle
        except UnavailableError:
            was_there = time.monotonic() - connected_at > SETTLED_SECONDS
            failures = 1 if was_there else failures + 1
            if failures > MAX_FAILURES and find_condition(paths) not in _GONE:
                raise
        tail, since = None, max(began_at, since or began_at)
        if find_condition(paths) in _GONE:
            yield from _read_rest(paths, services, since, positions)
            return


def note_positions(bundle: list[dict[str, Any]], positions: dict[str, str]) -> None:
    """Keep for each instance the sequence of its last line."""
    # A daemon of an older version tells none.
    last = {(entry["service"], entry["replica"]): entry.get("sequence") for entry in bundle}
    for (service, replica), sequence in last.items():
        if sequence:
            positions[f"{service}#{replica}"] = sequence


def _read_rest(
    paths: StackPaths, services: Sequence[str], since: float, positions: dict[str, str]
) -> Iterator[list[dict[str, Any]]]:
    from prismctl.files.log_line import line_to_json
    from prismctl.files.logs import part_lines, read_logs
    from prismctl.files.redaction import load_redactor

    lines = read_logs(
        paths.logs, services, since=since, after=positions, redactor=load_redactor(paths)
    )
    for bundle in part_lines(lines):
        yield [line_to_json(line) for line in bundle]

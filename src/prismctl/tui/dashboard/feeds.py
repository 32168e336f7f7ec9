"""What comes from the daemon: the newest status and the lines of logs, read in threads that never give up.

A feed hands over facts through a `Mailbox`, which keeps only the newest status and a bounded number of lines, so
that a screen that is busy, or a job in the background, costs nobody anything.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from prismctl.client import Hangup, StackClient, StackCondition, find_condition
from prismctl.errors import PrismError
from prismctl.tui.dashboard.logbook import LogLine, decode_line, note_left_out

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from prismctl.files.paths import StackPaths

SILENCE_SECONDS: Final = 2.5
"""A daemon that is watched says something more often than this; after it, it is asked whether it lives."""
FIRST_PAUSE_SECONDS: Final = 0.1
LONGEST_PAUSE_SECONDS: Final = 2.0
HISTORY_LINES: Final = 5_000
"""How many lines are asked for at the beginning, of all services together."""
FEWEST_LINES: Final = 50
WAITING_LINES: Final = 10_000
"""How many lines wait for the screen at most; the oldest of more are only counted."""
BATCH_LINES: Final = 500
BATCH_SECONDS: Final = 0.02
"""A batch takes no less than this: somebody at the keyboard wants the processor, too."""
LAG_SECONDS: Final = 3.0
"""Logs that are read this much later than they were printed are left out up to the newest ones."""


@dataclass(frozen=True, slots=True)
class Loss:
    """The daemon does not answer."""

    reason: str
    hint: str
    is_stopped: bool = False
    """The stack was taken down: there is nothing to wait for."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What came since one looked last."""

    status: dict[str, Any] | None = None
    """The newest document."""
    loss: Loss | None = None
    """The daemon does not answer; later than the document, where both came."""
    lines: tuple[LogLine, ...] = ()
    has_read_logs: bool = False
    """What was printed before is among these lines, or came before them."""
    history: dict[str, Any] | None = None
    """What was measured before the dashboard was opened."""
    report: dict[str, Any] | None = None
    """What the start took, once it is up."""


class Mailbox:
    """Where threads leave what came, and one reader takes all of it at once."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._lock = threading.Lock()
        self._wake = wake
        self._is_woken = False
        self._status: dict[str, Any] | None = None
        self._loss: Loss | None = None
        self._history: dict[str, Any] | None = None
        self._report: dict[str, Any] | None = None
        self._lines: deque[LogLine] = deque()
        self._left_out: dict[str, tuple[int, bool]] = {}
        """How many lines of each service nobody took in time, and whether those are all."""
        self._has_read_logs = False

    def put_status(self, document: dict[str, Any]) -> None:
        """A newer document; whoever answers is not lost."""
        with self._lock:
            self._status, self._loss = document, None
            self._ring()

    def put_loss(self, loss: Loss) -> None:
        """Nobody answers."""
        with self._lock:
            self._loss = loss
            self._ring()

    def put_history(self, history: dict[str, Any]) -> None:
        """What was measured before."""
        with self._lock:
            self._history = history
            self._ring()

    def put_report(self, report: dict[str, Any]) -> None:
        """What the start took."""
        with self._lock:
            self._report = report
            self._ring()

    def put_lines(self, lines: Sequence[LogLine]) -> None:
        """Lines of logs; where too many wait, the oldest go, and a note of how many they were comes in their place."""
        with self._lock:
            self._lines.extend(lines)
            while len(self._lines) > WAITING_LINES:
                self._leave_out(self._lines.popleft())
            self._ring()

    def put_end_of_history(self) -> None:
        """All that was printed before has been handed over."""
        with self._lock:
            self._has_read_logs = True
            self._ring()

    def take(self) -> Delivery:
        """All that came; from now on, something new wakes again."""
        with self._lock:
            self._is_woken = False
            taken = Delivery(
                self._status,
                self._loss,
                (*self._notes(), *self._lines),
                self._has_read_logs,
                self._history,
                self._report,
            )
            self._status = self._loss = self._history = self._report = None
            self._lines.clear()
            self._left_out.clear()
            return taken

    def _leave_out(self, line: LogLine) -> None:
        count, is_exact = self._left_out.get(line.service, (0, True))
        is_counted = line.lines is not None
        self._left_out[line.service] = (count + (line.lines or 0), is_exact and is_counted)

    def _notes(self) -> list[LogLine]:
        at = self._lines[0].time if self._lines else ""
        return [
            note_left_out(service, count, at=at, is_exact=is_exact)
            for service, (count, is_exact) in self._left_out.items()
        ]

    def _ring(self) -> None:
        if not self._is_woken:
            self._is_woken = True
            self._wake()


class Feeds:
    """The threads of one dashboard; a context manager that ends them."""

    def __init__(
        self, paths: StackPaths, mailbox: Mailbox, *, plan: dict[str, Any] | None = None
    ) -> None:
        self._paths = paths
        self._mailbox = mailbox
        self._client = StackClient(paths)
        self._is_closing = threading.Event()
        self._is_known = threading.Event()
        """The first status has come: it is known how many services there are."""
        self._services = 1
        self._shape: tuple[object, ...] = ()
        """Which services there are, and how many of each: while it is the same, the plan is."""
        self.plan = plan
        """The plan that runs, or ran last; with secrets."""
        self._reported: object = None
        """The start that was reported on, by the moment it began."""
        self._hangups: dict[str, Hangup] = {}
        self._lock = threading.Lock()

    def open(self) -> None:
        """Begin to read."""
        for target, name in ((self._read_status, "status"), (self._read_logs, "logs")):
            threading.Thread(target=target, name=f"feed: {name}", daemon=True).start()

    def close(self) -> None:
        """Let the threads end; nobody waits for them."""
        self._is_closing.set()
        self._is_known.set()
        with self._lock:
            for hangup in self._hangups.values():
                hangup.hang_up()

    def _new_hangup(self, name: str) -> Hangup:
        with self._lock:
            hangup = Hangup()
            if self._is_closing.is_set():
                hangup.hang_up()
            self._hangups[name] = hangup
            return hangup

    def _read_status(self) -> None:
        pauses = _Pauses(self._is_closing)
        heard_at = time.monotonic()
        while not self._is_closing.is_set():
            try:
                stream = self._client.watch_status(
                    hangup=self._new_hangup("status"), silence_seconds=SILENCE_SECONDS
                )
                for document in stream:
                    heard_at = time.monotonic()
                    self._mailbox.put_status(document)
                    pauses.reset()
                    self._look_closer(document)
                loss = Loss("the daemon hung up", "")
            except PrismError as error:
                loss = Loss(error.message, error.hint)
            if self._is_closing.is_set():
                return
            was_silent = time.monotonic() - heard_at >= SILENCE_SECONDS
            if not (was_silent and pauses.is_first):
                # One that was only silent answers the next question; what does not is told.
                self._mailbox.put_loss(self._judge(loss))
            pauses.wait()

    def _look_closer(self, document: dict[str, Any]) -> None:
        """Ask for what goes with a document: what was measured before the first, and the plan of each that is new."""
        services = document.get("services") or ()
        self._services = len(services)
        is_first = not self._is_known.is_set()
        self._is_known.set()
        shape = tuple(
            (each["name"], (each.get("replicas") or {}).get("wanted")) for each in services
        )
        try:
            if shape and shape != self._shape:
                self.plan = self._client.plan()
                self._shape = shape
            if is_first:
                self._mailbox.put_history(self._client.metrics_history())
            if document.get("state") == "running" and document.get("started_at") != self._reported:
                self._reported = document.get("started_at")
                report = self._client.start_report()
                if report is not None:
                    self._mailbox.put_report(report)
        except PrismError:
            # Without it, less can be shown; what does not answer is told by the status.
            return

    def _judge(self, loss: Loss) -> Loss:
        try:
            condition = find_condition(self._paths)
        except PrismError:
            return loss
        if condition is StackCondition.STOPPED:
            return Loss("it was stopped", loss.hint, is_stopped=True)
        return loss

    def _read_logs(self) -> None:
        self._is_known.wait()
        pauses = _Pauses(self._is_closing)
        read: dict[str, str] = {}
        """The sequence of the last line of each instance."""
        has_history = False
        is_current = True
        while not self._is_closing.is_set():
            hangup = self._new_hangup("logs")
            try:
                # What is there has an end, which what comes has not: only then is it known who has printed nothing.
                bundles = self._client.log_bundles(
                    tail=self._history_lines(),
                    after=read,
                    # What is far behind is given up: the newest lines are what somebody looks at.
                    newest=None if is_current else self._history_lines(),
                    follow=has_history,
                    hangup=hangup,
                )
                is_current = self._pass_on(bundles, read)
                pauses.reset()
                if not has_history:
                    has_history = True
                    self._mailbox.put_end_of_history()
                    continue
            except PrismError:
                # The status tells of it.
                is_current = True
            if is_current:
                pauses.wait()
            else:
                hangup.hang_up()

    def _history_lines(self) -> int:
        return max(FEWEST_LINES, HISTORY_LINES // max(1, self._services) // 2)

    def _pass_on(self, bundles: Iterator[list[dict[str, Any]]], read: dict[str, str]) -> bool:
        """Hand lines over until there are no more; ``False``: they come later than they can be shown."""
        opened_at = time.time()
        pace = _Pace(self._is_closing)
        for entries in bundles:
            if not entries:
                continue
            self._mailbox.put_lines([decode_line(entry) for entry in entries])
            for entry in entries:
                read[f"{entry['service']}#{entry['replica']}"] = str(entry.get("sequence") or "")
            pace.count(len(entries))
            if opened_at < _epoch(entries[-1]["time"]) < time.time() - LAG_SECONDS:
                return False
        return True


class _Pauses:
    """Between two tries, longer each time."""

    def __init__(self, is_closing: threading.Event) -> None:
        self._is_closing = is_closing
        self._seconds = 0.0

    @property
    def is_first(self) -> bool:
        """Whether it worked a moment ago."""
        return not self._seconds

    def reset(self) -> None:
        """It works."""
        self._seconds = 0.0

    def wait(self) -> None:
        """Wait, or be closed; the first time not at all."""
        seconds, self._seconds = (
            self._seconds,
            min(LONGEST_PAUSE_SECONDS, self._seconds * 2 or FIRST_PAUSE_SECONDS),
        )
        self._is_closing.wait(seconds)


class _Pace:
    """Holds a reader back that would take the processor from whoever types."""

    def __init__(self, is_closing: threading.Event) -> None:
        self._is_closing = is_closing
        self._count = 0
        self._began = time.monotonic()

    def count(self, lines: int) -> None:
        """So many more; after a batch, wait until it has taken its time."""
        self._count += lines
        if self._count < BATCH_LINES:
            return
        seconds = self._count / BATCH_LINES * BATCH_SECONDS
        left = self._began + seconds - time.monotonic()
        if left > 0:
            self._is_closing.wait(left)
        self._count, self._began = 0, time.monotonic()


def _epoch(stamp: str) -> float:
    try:
        return datetime.fromisoformat(stamp).timestamp()
    except ValueError:
        return 0.0

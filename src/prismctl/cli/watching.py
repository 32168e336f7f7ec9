"""Opens the dashboard of a stack, on a full screen or in lines, and says how the stack was left."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from typing import TYPE_CHECKING, Any

from prismctl.cli.stack import find_stack, open_stack, option_of
from prismctl.client import StackClient, start_daemon
from prismctl.domain.trouble import is_ill
from prismctl.errors import DeadlineError, PartialError, PrismError, UnavailableError
from prismctl.files.settings import load_settings
from prismctl.present.text import Span, Tone, line
from prismctl.tui.dashboard.actions import make_keymap
from prismctl.tui.dashboard.arrivals import take_status
from prismctl.tui.dashboard.frame import compose_frame
from prismctl.tui.dashboard.logbook import Logbook
from prismctl.tui.dashboard.state import DashboardState
from prismctl.tui.dashboard.theme_names import check_theme
from prismctl.tui.first_frame import Cell, FirstFrame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from prismctl.cli.invocation import Invocation
    from prismctl.tui.dashboard.app import DashboardApp, Ending
    from prismctl.tui.first_frame import FrameLine


def start_and_watch(
    call: Invocation, start: Callable[[], None], *, keeps_going: Callable[[], bool]
) -> None:
    """Start a stack, and show the dashboard once it is up, or as far as it came.

    Args:
        call: on a terminal.
        start: returns when all is up.
        keeps_going: whether what runs is left when something else does not come up.

    Raises:
        PrismError: it did not come up, or is not well when the dashboard is left.
    """
    trouble: PrismError | None = None
    try:
        start()
    except PrismError as error:
        if not _is_worth_watching(call, error) or not keeps_going():
            raise
        trouble = error
    watch_stack(call)
    if trouble is not None and _is_ill(call):
        raise trouble


def _is_worth_watching(call: Invocation, error: PrismError) -> bool:
    """Whether a start that did not end well has left something that runs, or says why it does not."""
    # What was typed wrongly, or was in the way, has not touched a stack that may run.
    is_about_services = type(error) in {PrismError, PartialError, DeadlineError}
    client = find_stack(call.paths) if is_about_services else None
    return client is not None and bool(client.status()["services"])


def _is_ill(call: Invocation) -> bool:
    client = find_stack(call.paths)
    return client is not None and any(map(is_ill, client.status()["services"]))


def watch_stack(call: Invocation, *, is_read_only: bool = False) -> None:
    """Show the dashboard until it is left, and say how the stack was left.

    Raises:
        UnavailableError: the stack does not run.
        ConfigError: settings of the dashboard have mistakes.
    """
    open_stack(call)
    while True:
        ending, plan = show_dashboard(call, is_read_only=is_read_only)
        if ending != "start again":
            break
        try:
            start_again(call, plan)
        except PrismError as error:
            if not _is_worth_watching(call, error):
                raise
    option = option_of(call.stack)
    if ending == "stopped" or find_stack(call.paths) is None:
        words = f"stack {call.stack} is stopped; `prismctl dev start{option}` starts it"
        call.report([line(words)])
        return
    call.report(
        [
            line(f"stack {call.stack} runs on"),
            line(
                "  ",
                Span(f"prismctl dev stop{option}", Tone.STRONG),
                " stops it · ",
                Span(f"prismctl dev dashboard{option}", Tone.STRONG),
                " shows it again",
            ),
        ]
    )


def show_dashboard(call: Invocation, *, is_read_only: bool) -> tuple[Ending, dict[str, Any] | None]:
    """Show it once; why it was left, and the plan that ran last.

    Its first frame is on the screen before what runs it is loaded.
    """
    settings = load_settings(call.home)
    check_theme(settings.theme)
    state = DashboardState(
        stack=call.stack, is_read_only=is_read_only, keymap=make_keymap(settings.keys)
    )
    plan: dict[str, Any] | None = None
    with contextlib.suppress(PrismError):
        # Where nobody answers, the feeds find out why, and when somebody does.
        client = StackClient(call.paths)
        state = take_status(state, client.status(), time.monotonic())
        plan = client.plan()

    def draw(width: int, height: int) -> Sequence[FrameLine]:
        now = time.monotonic()
        frame = compose_frame(state, Logbook(), width=width, height=height, now=now)
        return [(Cell(words, width),) for words in frame.lines]

    with FirstFrame(draw, has_colour=call.has_colour) as first:
        from prismctl.cli.dashboard_doing import make_doing
        from prismctl.tui.dashboard.feeds import Feeds

        with _without_no_color():
            from prismctl.tui.dashboard.app import DashboardApp, Ending
            from prismctl.tui.dashboard.canvas import make_driver
            from prismctl.tui.dashboard.themes import choose_theme

        app = DashboardApp(
            state,
            make_doing(call),
            theme=choose_theme(settings.theme, has_colour=call.has_colour),
            find_signal=lambda: first.ended_by,
            driver_class=make_driver(first.modes_before),
        )
        feeds = Feeds(call.paths, app.mailbox, plan=plan)
        feeds.open()
        try:
            ending = _run(app, first)
        finally:
            feeds.close()
    if app.return_code:
        raise PrismError("the dashboard ended unexpectedly")
    return ending or Ending.LEFT, feeds.plan


def _run(app: DashboardApp, first: FirstFrame) -> Ending | None:
    """Have it take over from the first frame; a signal that ends it is told to the frame, which passes it on."""
    first.hand_over()
    try:
        return None if first.has_ended else app.run()
    finally:
        if not app.has_begun:
            first.take_back()
        first.ended_by = first.ended_by or app.ended_by


@contextlib.contextmanager
def _without_no_color() -> Iterator[None]:
    """Textual reads the variable when it is loaded, and paints in greys then, which are colours as well."""
    said = os.environ.pop("NO_COLOR", None)
    try:
        yield
    finally:
        if said is not None:
            os.environ["NO_COLOR"] = said


def start_again(call: Invocation, document: dict[str, Any] | None) -> None:
    """Start what ran before it was stopped from elsewhere: the same plan.

    Raises:
        PrismError: it does not come up, or it is not known what ran.
    """
    from prismctl.cli.endings import conclude
    from prismctl.cli.following import follow
    from prismctl.cli.narrators import choose_narrator
    from prismctl.cli.stopping import sweep_leftovers
    from prismctl.domain.plan import plan_from_json
    from prismctl.present.progress import begin_progress

    option = option_of(call.stack)
    if document is None:
        raise UnavailableError(
            "it is not known what ran", hint=f"`prismctl dev start{option}` starts a stack"
        )
    if find_stack(call.paths) is None:
        sweep_leftovers(call.paths)
        plan = plan_from_json(document)
        began_at = time.time()
        start_daemon(call.paths, plan.engine.value).wait()
        client = StackClient(call.paths)
        with choose_narrator(call, began_at=began_at) as narrator:
            narrator.tell_plan(plan)
            outcome = follow(
                client.apply(document, began_at),
                narrator=narrator,
                progress=begin_progress({each.name: each.depends_on for each in plan.services}),
                deadline=None,
                read_status=client.status,
            )
        conclude(call, client, outcome, seconds=0.0)


def watch_in_lines(call: Invocation, *, is_read_only: bool = False) -> None:
    """Write what changes, a line each, and do what is typed, until the end of the input or the stack.

    Raises:
        UnavailableError: the stack does not run.
    """
    from prismctl.cli.dashboard_doing import make_doing
    from prismctl.tui.dashboard.feeds import Feeds
    from prismctl.tui.dashboard.plain import PlainDashboard

    open_stack(call)
    state = DashboardState(stack=call.stack, is_read_only=is_read_only)

    def write(words: str) -> None:
        call.write(words)
        call.flush()

    dashboard = PlainDashboard(state, make_doing(call), write)
    feeds = Feeds(call.paths, dashboard.mailbox)
    feeds.open()
    try:
        dashboard.run(sys.stdin if call.can_ask else None)
    finally:
        feeds.close()

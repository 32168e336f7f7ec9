"""`init --make-bundle`: gathers what another machine needs, tells how that goes, and writes one file."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from prismctl.cli.initialising import exclusive, read_key
from prismctl.cli.interrupts import Terminated, interruption_error
from prismctl.cli.loop import run_in_loop
from prismctl.cli.telling_steps import choose_teller
from prismctl.errors import ConfigError, Problem
from prismctl.files.settings import load_settings
from prismctl.files.text import name_for_people
from prismctl.install.bundle.gathering import ReleaseServer
from prismctl.install.bundle.packing import Order, bundle_steps
from prismctl.install.bundle.staging import staging
from prismctl.install.installation import clear_workspace
from prismctl.install.provider import ProviderName
from prismctl.install.release.signature import read_vendor_key
from prismctl.install.steps import StepState, run_steps
from prismctl.present.installation import render_steps, step_lines
from prismctl.present.text import Span, Tone, line
from prismctl.present.units import render_duration

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from prismctl.cli.initialising import InitOptions
    from prismctl.cli.invocation import Invocation
    from prismctl.cli.telling_steps import Teller
    from prismctl.install.steps import Step, StepStatus


def pack(
    call: Invocation,
    options: InitOptions,
    file: Path,
    *,
    has_wheels: bool = True,
    has_images: bool = False,
) -> None:
    """Write a bundle.

    Args:
        call: says which home, and how to tell.
        options: where tools may come from.
        file: to be written.
        has_wheels: whether prismctl itself is packed too.
        has_images: whether the catalog's container images are packed too.

    Raises:
        ConfigError: it was asked for together with something that excludes it.
        PrismError: something could not be gathered, or the file not be written; nothing of it is there.
    """
    _refuse_contradictions(options)
    began_at = time.monotonic()
    try:
        with exclusive(call):
            clear_workspace(call.home)
            order = Order(
                file=file.absolute(),
                home=call.home,
                environment=os.environ,
                server=_find_server(call, options),
                accepts_unsigned=options.provider is not ProviderName.RELEASE,
                has_wheels=has_wheels,
                has_images=has_images,
            )
            with staging(call.home) as gathered, choose_teller(call) as teller:
                statuses = run_in_loop(_run(bundle_steps(order, gathered), teller))
    except (KeyboardInterrupt, Terminated) as interrupt:
        raise interruption_error(
            interrupt,
            f"packing was interrupted; {name_for_people(file)} was not written",
            hint="what was fetched of the tools stays: packing again goes on there",
        ) from interrupt
    _show_end(call, statuses, file, seconds=time.monotonic() - began_at)
    for status in statuses:
        if status.error is not None:
            raise status.error


def _refuse_contradictions(options: InitOptions) -> None:
    others = {
        "--from-bundle and --from-dir": options.bundle is not None,
        "--dry-run": options.is_trial,
    }
    problems = [
        Problem(message=f"--make-bundle cannot be combined with {other}")
        for other, is_given in others.items()
        if is_given
    ]
    if problems:
        raise ConfigError(problems)


def _find_server(call: Invocation, options: InitOptions) -> ReleaseServer | None:
    """Where releases are fetched from; ``None``: the programs that are here shall be packed."""
    is_wanted = options.provider in {None, ProviderName.RELEASE}
    if options.is_offline or not is_wanted:
        return None
    settings = load_settings(call.home)
    key = read_key(call, settings)
    return ReleaseServer(
        base_url=settings.release_url, key=key or read_vendor_key(), has_pins=not key
    )


async def _run(steps: Sequence[Step], teller: Teller) -> tuple[StepStatus, ...]:
    async with teller.redrawing():
        return await run_steps(steps, teller.tell)


def _show_end(
    call: Invocation, statuses: Sequence[StepStatus], file: Path, *, seconds: float
) -> None:
    """How all steps ended, to stay; and what to do with the bundle."""
    if call.is_json:
        call.write_json(render_steps(statuses), is_pretty=call.is_on_terminal)
        return
    if call.is_quiet:
        return
    if call.has_animation:
        now = time.monotonic()
        call.write_lines([*step_lines(statuses, now=now, speeds={}, width=call.width), ()])
    if all(status.state is StepState.DONE for status in statuses):
        shown = name_for_people(file)
        command = f"prismctl dev init --from-bundle {file.name}"
        call.write_lines([line(Span(f"{shown} packed in {render_duration(seconds)}", Tone.GOOD))])
        call.report([line("on the other machine: ", Span(command, Tone.ACCENT))])

"""`init --make-bundle`: gathers what another machine needs, tells how that goes, and writes one file."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from prismctl.cli.initialising import exclusive
from prismctl.cli.interrupts import Terminated, interruption_error
from prismctl.cli.telling_steps import run_and_tell, show_steps
from prismctl.errors import ConfigError, Problem
from prismctl.files.settings import load_settings
from prismctl.files.text import name_for_people
from prismctl.install.bundle.gathering import ReleaseServer
from prismctl.install.bundle.packing import Order, bundle_steps
from prismctl.install.bundle.staging import staging
from prismctl.install.installation import clear_workspace
from prismctl.install.provider import ProviderName
from prismctl.install.release.signature import read_vendor_key
from prismctl.install.steps import StepState
from prismctl.install.survey import read_release_key
from prismctl.present.text import Span, Tone, line
from prismctl.present.units import render_duration

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from prismctl.cli.invocation import Invocation
    from prismctl.install.steps import StepStatus
    from prismctl.install.survey import Wanted


def pack(
    call: Invocation,
    wanted: Wanted,
    file: Path,
    *,
    is_trial: bool,
    has_wheels: bool = True,
    has_images: bool = False,
) -> None:
    """Write a bundle.

    Args:
        call: says which home, and how to tell.
        wanted: where tools may come from.
        file: to be written.
        is_trial: whether it was asked for together with ``--dry-run``.
        has_wheels: whether prismctl itself is packed too.
        has_images: whether the catalog's container images are packed too.

    Raises:
        ConfigError: it was asked for together with something that excludes it.
        PrismError: something could not be gathered, or the file not be written; nothing of it is there.
    """
    _refuse_contradictions(wanted, is_trial=is_trial)
    began_at = time.monotonic()
    try:
        with exclusive(call):
            clear_workspace(call.home)
            order = Order(
                file=file.absolute(),
                home=call.home,
                environment=os.environ,
                server=_find_server(call, wanted),
                accepts_unsigned=wanted.provider is not ProviderName.RELEASE,
                has_wheels=has_wheels,
                has_images=has_images,
            )
            with staging(call.home) as gathered:
                statuses = run_and_tell(call, bundle_steps(order, gathered))
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


def _refuse_contradictions(wanted: Wanted, *, is_trial: bool) -> None:
    others = {
        "--from-bundle and --from-dir": wanted.bundle is not None,
        "--dry-run": is_trial,
    }
    problems = [
        Problem(message=f"--make-bundle cannot be combined with {other}")
        for other, is_given in others.items()
        if is_given
    ]
    if problems:
        raise ConfigError(problems)


def _find_server(call: Invocation, wanted: Wanted) -> ReleaseServer | None:
    """Where releases are fetched from; ``None``: the programs that are here shall be packed."""
    is_wanted = wanted.provider in {None, ProviderName.RELEASE}
    if wanted.is_offline or not is_wanted:
        return None
    settings = load_settings(call.home)
    key = read_release_key(call.home, settings)
    return ReleaseServer(
        base_url=settings.release_url, key=key or read_vendor_key(), has_pins=not key
    )


def _show_end(
    call: Invocation, statuses: Sequence[StepStatus], file: Path, *, seconds: float
) -> None:
    """How all steps ended, to stay; and what to do with the bundle."""
    show_steps(call, statuses)
    if call.is_json or call.is_quiet:
        return
    if all(status.state is StepState.DONE for status in statuses):
        shown = name_for_people(file)
        command = f"prismctl dev init --from-bundle {file.name}"
        call.write_lines([line(Span(f"{shown} packed in {render_duration(seconds)}", Tone.GOOD))])
        call.report([line("on the other machine: ", Span(command, Tone.ACCENT))])

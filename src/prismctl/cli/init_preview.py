"""`init --dry-run`: what would be done, and what it would end with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from prismctl.cli.init_verdict import judge_decisions
from prismctl.errors import PrismError
from prismctl.files.catalog import load_catalog
from prismctl.files.text import name_for_people
from prismctl.present.installation import decision_lines, render_decision
from prismctl.present.problems import render_error
from prismctl.present.text import line

if TYPE_CHECKING:
    from prismctl.cli.invocation import Invocation
    from prismctl.files.paths import Home
    from prismctl.install.survey import Survey
    from prismctl.present.text import Line


def preview(call: Invocation, survey: Survey) -> None:
    """Show every decision; nothing is changed.

    Raises:
        PrismError: an `init` would end with it, whatever is agreed to.
    """
    error = judge_decisions(survey.decisions) or _judge_catalog(call.home)
    if call.is_json:
        document = {
            "schema": 1,
            "home": str(call.home.directory),
            "tools": [render_decision(decision) for decision in survey.decisions],
        }
        document |= render_error(error) if error else {}
        call.write_json(document, is_pretty=call.is_on_terminal)
        if error is not None:
            raise click.exceptions.Exit(error.exit_code) from error
        return
    _write(call, survey)
    if error is not None:
        raise error


def _judge_catalog(home: Home) -> PrismError | None:
    """What is wrong with the catalog that is there."""
    if not home.catalog.exists():
        return None
    try:
        # As a file: the one of home would be remembered there.
        load_catalog(home, home.catalog)
    except PrismError as error:
        return error
    return None


def _kafka_lines(survey: Survey) -> list[Line]:
    wish = survey.kafka
    if wish is None:
        return []
    place = name_for_people(wish.directory)
    what = "is there" if wish.is_here else "would be resolved by Maven"
    return [line(f"  Kafka    {wish.version} {what}: {place}")]


def _write(call: Invocation, survey: Survey) -> None:
    home = name_for_people(call.home.directory)
    catalog = "is there" if call.home.catalog.exists() else "would be written"
    rest = [
        line(
            f"  Home     {home}; programs go to {home}/bin, settings for Podman to {home}/containers"
        ),
        line(
            f"  Catalog  {name_for_people(call.home.catalog)} {catalog}, with the presets that ship"
        ),
        *_kafka_lines(survey),
        line(
            "  Trial    one service would be started and stopped on Nomad, unless that has worked before"
        ),
    ]
    lines = [(), *decision_lines(survey.decisions, width=call.width), (), *rest, ()]
    call.write_lines(lines)
    call.report([line("nothing was changed (--dry-run)")])

"""The steps of `init`, made from what was decided: home, each tool, the catalog, the images of a bundle."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from prismctl.domain.presets import PRESET_NAMES
from prismctl.errors import PrismError, UnavailableError
from prismctl.files.catalog import ensure_catalog, load_catalog
from prismctl.files.closing import OTHERS, close_to_others
from prismctl.files.profile_schema import ensure_profile_schema
from prismctl.files.text import name_for_people
from prismctl.install.installation import carry_out, clear_workspace
from prismctl.install.kafka import ensure_kafka
from prismctl.install.manifest import read_manifest, write_manifest
from prismctl.install.placing import settle
from prismctl.install.podman import ensure_podman_works
from prismctl.install.steps import Outcome, Step, StepState, StepStatus
from prismctl.install.tools import ToolName

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

    from prismctl.files.paths import Home
    from prismctl.install.installation import Decision
    from prismctl.install.kafka import KafkaWish
    from prismctl.install.provider import Offer, Progress
    from prismctl.install.survey import Survey


def prepare_home(home: Home) -> StepStatus:
    """Set right what has to be before anything is looked for in a home or put into it.

    No step that runs with the others: what they do depends on it, and nothing is asked where it fails.
    To be called by whoever holds the lock of home.

    Raises:
        PrismError: it cannot be written, or belongs to a newer prismctl.
    """
    began_at = time.monotonic()
    manifest = read_manifest(home)
    is_new = not home.manifest.exists()
    if is_new:
        write_manifest(home, manifest)
    clear_workspace(home)
    settle(home)
    is_changed = _was_open(home.directory) or is_new
    shown = name_for_people(home.directory)
    return StepStatus(
        name="home",
        title="Home",
        state=StepState.DONE,
        detail=f"{shown}, closed to others" if is_changed else shown,
        is_changed=is_changed,
        seconds=time.monotonic() - began_at,
    )


def init_steps(
    survey: Survey, home: Home, environment: Mapping[str, str], *, declined: Collection[ToolName]
) -> list[Step]:
    """What is done side by side once home is prepared.

    Args:
        survey: what was found and decided.
        home: that is installed into.
        environment: that programs are run with.
        declined: tools that nobody agreed to.
    """
    steps = [
        _tool_step(decision, survey, home, environment, is_declined=decision.tool.name in declined)
        for decision in survey.decisions
    ]
    steps.append(
        Step(name="catalog", title="Catalog", act=lambda _: _have_catalog(home, survey.bundle))
    )
    if survey.kafka is not None:
        wish = survey.kafka
        steps.append(
            Step(name="kafka", title="Kafka", act=lambda _: _have_kafka(wish, environment))
        )
    if survey.bundle is not None:
        steps.append(_images_step(survey.bundle, survey.decisions, home, environment))
    return steps


def _was_open(directory: Path) -> bool:
    """Whether home was open to others until now; it is not any more."""
    try:
        was_open = bool(directory.stat().st_mode & OTHERS)
    except OSError as error:
        raise PrismError(f"cannot look at {directory}: {error.strerror}") from error
    if was_open:
        close_to_others(directory)
    return was_open


def _tool_step(
    decision: Decision,
    survey: Survey,
    home: Home,
    environment: Mapping[str, str],
    *,
    is_declined: bool,
) -> Step:
    tool, offer = decision.tool, decision.offer

    async def act(report: Callable[[Progress | str], None]) -> Outcome:
        if decision.error is not None:
            raise decision.error
        if offer is not None and is_declined:
            return Outcome(
                detail="not installed: nobody agreed to it",
                is_left_out=True,
                fix=_describe_consent(offer),
            )
        if offer is None:
            outcome = _describe_existing(decision)
        else:
            outcome = await carry_out(decision, home, survey.providers[offer.provider], report)
        if tool.name is not ToolName.PODMAN:
            return outcome
        works = await ensure_podman_works(home, environment, report)
        return replace(
            outcome,
            note=works.detail,
            fix=works.fix,
            is_changed=outcome.is_changed or works.is_changed,
        )

    return Step(name=tool.name, title=tool.title, act=act, is_required=tool.is_required)


def _describe_consent(offer: Offer) -> str:
    """What to type to have after all what was left out."""
    if offer.changes_machine:
        return f"`prismctl dev init --yes`, or by hand: {' '.join(offer.command)}"
    return "`prismctl dev init --yes`"


def _describe_existing(decision: Decision) -> Outcome:
    existing = decision.existing
    if existing is None:
        raise AssertionError("a tool that is there has a program")
    place = name_for_people(existing.path)
    return Outcome(detail=f"{existing.version} at {place}, {existing.origin}")


async def _have_catalog(home: Home, bundle: Path | None) -> Outcome:
    is_new = False
    if bundle is not None:
        from prismctl.install.bundle.catalog import take_catalog

        is_new = await take_catalog(bundle, home)
    is_new = ensure_catalog(home) or is_new
    ensure_profile_schema(home)
    count = len(load_catalog(home).services)
    words = f"{count} {'service' if count == 1 else 'services'}, {len(PRESET_NAMES)} presets"
    return Outcome(detail=f"{words} in {name_for_people(home.catalog)}", is_changed=is_new)


async def _have_kafka(wish: KafkaWish, environment: Mapping[str, str]) -> Outcome:
    if wish.is_offline and not wish.is_here:
        raise UnavailableError(
            f"Kafka {wish.version} is not here, and --offline fetches nothing",
            hint="`prismctl dev init --with kafka` without it, or point KAFKA_HOME to a Kafka that is there",
        )
    kafka = await ensure_kafka(environment)
    how = "resolved by Maven into" if kafka.is_new else "at"
    return Outcome(
        detail=f"{kafka.version} {how} {name_for_people(kafka.directory)}",
        is_changed=kafka.is_new,
    )


def _images_step(
    bundle: Path, decisions: Collection[Decision], home: Home, environment: Mapping[str, str]
) -> Step:
    from prismctl.install.bundle.images import load_images

    return Step(
        name="images",
        title="Images",
        act=lambda report: load_images(bundle, home, environment, report),
        needs=tuple(each.tool.name for each in decisions if each.tool.name is ToolName.PODMAN),
        is_required=False,
    )

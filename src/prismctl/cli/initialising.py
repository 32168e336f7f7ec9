"""`init`: looks, decides, asks where it has to, then runs the steps and tells how each ended."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from prismctl.cli.interrupts import Terminated, interruption_error
from prismctl.cli.loop import run_in_loop
from prismctl.cli.telling_steps import choose_teller, show_end
from prismctl.cli.trial import run_trial
from prismctl.domain.presets import PRESET_NAMES
from prismctl.errors import MissingToolError, PartialError, PrismError
from prismctl.files.atomic import describe_way_out
from prismctl.files.catalog import ensure_catalog, load_catalog
from prismctl.files.settings import load_settings
from prismctl.files.text import name_for_people, read_text
from prismctl.install.closing import OTHERS, close_to_others, refuse_open
from prismctl.install.containers.proof import recall_containers, remember_containers
from prismctl.install.existing import look_for_all
from prismctl.install.go_build import find_go
from prismctl.install.installation import Decision, carry_out, clear_workspace, decide
from prismctl.install.manifest import read_manifest, rolled_back, write_manifest
from prismctl.install.packages import PackageProvider
from prismctl.install.placing import roll_back, settle
from prismctl.install.podman import make_podman_work
from prismctl.install.proof import recall_proof, remember_proof
from prismctl.install.provider import ProviderName, Situation
from prismctl.install.providers import gather_providers
from prismctl.install.steps import Outcome, Step, StepState, StepStatus, run_steps
from prismctl.install.target import find_target
from prismctl.install.tools import CONSUL, NOMAD, PODMAN, Tool, ToolName
from prismctl.machine import find_tool
from prismctl.present.installation import decision_lines, render_decision
from prismctl.present.question import Choice
from prismctl.present.text import line
from prismctl.present.units import count_of, render_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from prismctl.cli.invocation import Invocation
    from prismctl.cli.telling_steps import Teller
    from prismctl.files.settings import Settings
    from prismctl.install.provider import Offer, Progress, Provider

_AGAIN: Final = "`prismctl dev init` goes on where this one ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class InitOptions:
    """What was typed after ``init``."""

    provider: ProviderName | None = None
    is_offline: bool = False
    bundle: Path | None = None
    """A file or a directory to install from."""
    without: frozenset[ToolName] = frozenset()
    is_trial: bool = False
    """``--dry-run``."""

    @property
    def tools(self) -> tuple[Tool, ...]:
        """What shall be there in the end."""
        return tuple(tool for tool in (CONSUL, NOMAD, PODMAN) if tool.name not in self.without)


@dataclass(slots=True)
class Looked:
    """What was found and decided, before anything is done."""

    decisions: tuple[Decision, ...]
    providers: Mapping[ProviderName, Provider]
    bundle: Path | None = None
    """What is installed from."""
    declined: set[ToolName] = field(default_factory=set)
    """Tools that somebody did not want to be asked for, or could not be asked about."""


def initialise(call: Invocation, options: InitOptions) -> None:
    """Make this machine ready, as far as it is not.

    Raises:
        PrismError: something that is required failed; what is done stays.
        PartialError: only something optional is missing.
    """
    try:
        if options.is_trial:
            _show_decisions(call, run_in_loop(look(call, options)))
            return
        refuse_open(call.home.directory)
        with exclusive(call):
            _initialise(call, options)
    except (KeyboardInterrupt, Terminated) as interrupt:
        raise interruption_error(
            interrupt, "init was interrupted; what is done stays", hint=_AGAIN
        ) from interrupt


def _initialise(call: Invocation, options: InitOptions) -> None:
    home = _prepare_home(call)
    looked = run_in_loop(look(call, options))
    _ask(call, looked)
    _authenticate(call, looked)
    began_at = time.monotonic()
    with choose_teller(call) as teller:
        teller.tell(home)
        statuses = (home, *run_in_loop(_carry_out(call, looked, teller)))
        statuses = (*statuses, _try(call, statuses, teller))
    try:
        _conclude(statuses)
    except PrismError as error:
        if call.is_json:
            # One document says both how the steps ended and why that is not enough.
            show_end(call, statuses, error=error)
            raise click.exceptions.Exit(error.exit_code) from error
        show_end(call, statuses)
        raise
    show_end(call, statuses, seconds=time.monotonic() - began_at)


def go_back(call: Invocation, name: str, *, is_trial: bool) -> None:
    """Use the version of a tool that was in use before.

    Raises:
        PrismError: there is none.
    """
    if is_trial:
        file = rolled_back(read_manifest(call.home), name).tools[name].current
        words = f"{file} would be in use; nothing was changed (--dry-run)"
    else:
        with exclusive(call):
            file = roll_back(call.home, name)
        words = f"{file} is in use; stacks that run keep the one they were started with"
    if call.is_json:
        call.write_json({"schema": 1, "tool": name, "in_use": file, "is_changed": not is_trial})
    else:
        call.write_lines([line(words)])


@contextlib.contextmanager
def exclusive(call: Invocation) -> Iterator[None]:
    """One `init` a home at a time: a second one waits for the first, and says so."""
    directory = call.home.directory
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(directory / "init.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise PrismError(
            f"cannot write {directory}: {error.strerror}",
            hint=describe_way_out(error, directory / "init.lock"),
        ) from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            call.report([line("another init is at work in this home; waiting for it to end")])
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _prepare_home(call: Invocation) -> StepStatus:
    """What has to be right before anything is put into a home.

    Raises:
        PrismError: it cannot be written, or belongs to a newer prismctl.
    """
    began_at = time.monotonic()
    home = call.home
    manifest = read_manifest(home)
    is_new = not home.manifest.exists()
    if is_new:
        write_manifest(home, manifest)
    clear_workspace(home)
    settle(home)
    is_opened = _is_closed_now(home.directory)
    shown = name_for_people(home.directory)
    return StepStatus(
        name="home",
        title="Home",
        state=StepState.DONE,
        detail=f"{shown}, closed to others" if is_new or is_opened else shown,
        is_changed=is_new or is_opened,
        seconds=time.monotonic() - began_at,
    )


def _is_closed_now(directory: Path) -> bool:
    """Whether home was open to others until now."""
    try:
        was_open = bool(directory.stat().st_mode & OTHERS)
    except OSError as error:
        raise PrismError(f"cannot look at {directory}: {error.strerror}") from error
    if was_open:
        close_to_others(directory)
    return was_open


async def look(call: Invocation, options: InitOptions) -> Looked:
    """What is here, and who would provide the rest; nothing is changed."""
    settings = load_settings(call.home)
    manifest = read_manifest(call.home)
    existing = await look_for_all(options.tools, call.home.tools, os.environ)
    # Whoever has everything need not wait for a toolchain to say its version.
    is_all_there = all(each is not None and each.is_usable for each in existing.values())
    go = None if is_all_there and options.provider is None else await find_go(os.environ)
    providers = gather_providers(
        os.environ,
        go=go,
        release_url=settings.release_url,
        release_key=read_key(call, settings),
        bundle=options.bundle,
    )
    target = find_target()

    async def decide_one(tool: Tool) -> Decision:
        situation = Situation(
            target=str(target),
            is_released=target in tool.checksums,
            forced=options.provider if tool.is_required else None,
            bundle=name_for_people(options.bundle) if options.bundle else "",
            is_offline=options.is_offline,
            go=str(go.version) if go else "",
        )
        return await decide(
            tool,
            existing=existing[tool.name],
            situation=situation,
            providers=providers,
            manifest=manifest,
            home_tools=call.home.tools,
        )

    decisions = await asyncio.gather(*(decide_one(tool) for tool in options.tools))
    return Looked(decisions=tuple(decisions), providers=providers, bundle=options.bundle)


def read_key(call: Invocation, settings: Settings) -> str:
    """The key that a mirror signs with; its path is the settings' or absolute."""
    if not settings.release_key:
        return ""
    return read_text(call.home.directory / Path(settings.release_key).expanduser())


def _show_decisions(call: Invocation, looked: Looked) -> None:
    if call.is_json:
        tools = [render_decision(decision) for decision in looked.decisions]
        document = {"schema": 1, "home": str(call.home.directory), "tools": tools}
        call.write_json(document, is_pretty=call.is_on_terminal)
        return
    home = name_for_people(call.home.directory)
    catalog = "is there" if call.home.catalog.exists() else "would be written"
    rest = [
        line(
            f"  Home     {home}; programs go to {home}/bin, settings for Podman to {home}/containers"
        ),
        line(
            f"  Catalog  {name_for_people(call.home.catalog)} {catalog}, with the presets that ship"
        ),
        line(
            "  Trial    one service would be started and stopped on Nomad, unless that has worked before"
        ),
    ]
    lines = [(), *decision_lines(looked.decisions, width=call.width), (), *rest, ()]
    call.write_lines(lines)
    call.report([line("nothing was changed (--dry-run)")])


def _ask(call: Invocation, looked: Looked) -> None:
    """Ask once for everything that takes root, minutes or gigabytes.

    Where nobody can be asked, all of it is left out unless ``--yes`` was given.
    """
    asked = [decision for decision in looked.decisions if decision.needs_consent]
    if not asked or call.is_confirmed:
        return
    words = decision_lines(asked, width=call.width)
    if not call.can_ask:
        call.report([(), *words, ()])
        looked.declined.update(decision.tool.name for decision in asked)
        return
    call.show([(), *words, ()])
    choices = (
        Choice("y", "go on"),
        Choice("n", "leave this out"),
        Choice("q", "stop here"),
    )
    from prismctl.cli.keypress import ask_for_key

    answer = ask_for_key(call, choices, declining="q")
    if answer == "q":
        raise PrismError("init was stopped; nothing was installed", hint=_AGAIN)
    if answer == "n":
        looked.declined.update(decision.tool.name for decision in asked)


def _authenticate(call: Invocation, looked: Looked) -> None:
    """Have `sudo` ask for its password before anything is drawn; what needs one that nobody can type is left out."""
    for decision in looked.decisions:
        offer = decision.offer
        if offer is None or not offer.needs_root or decision.tool.name in looked.declined:
            continue
        provider = looked.providers[offer.provider]
        if not isinstance(provider, PackageProvider) or not provider.needs_password():
            continue
        if call.can_ask:
            provider.authenticate()
        else:
            looked.declined.add(decision.tool.name)


async def _carry_out(call: Invocation, looked: Looked, teller: Teller) -> tuple[StepStatus, ...]:
    steps = [_tool_step(call, decision, looked) for decision in looked.decisions]
    steps.append(
        Step(name="catalog", title="Catalog", act=lambda _: _have_catalog(call, looked.bundle))
    )
    if looked.bundle is not None:
        steps.append(_images_step(call, looked.bundle, looked.decisions))
    async with teller.redrawing():
        return await run_steps(steps, teller.tell)


def _images_step(call: Invocation, bundle: Path, decisions: Sequence[Decision]) -> Step:
    from prismctl.install.bundle.images import load_images

    return Step(
        name="images",
        title="Images",
        act=lambda report: load_images(bundle, call.home, os.environ, report),
        needs=tuple(each.tool.name for each in decisions if each.tool.name is ToolName.PODMAN),
        is_required=False,
    )


def _tool_step(call: Invocation, decision: Decision, looked: Looked) -> Step:
    tool, offer = decision.tool, decision.offer

    async def act(report: Callable[[Progress | str], None]) -> Outcome:
        if decision.error is not None:
            raise decision.error
        if offer is None:
            return await _describe_existing(call, decision, report)
        if tool.name in looked.declined:
            return Outcome(
                detail="not installed: nobody agreed to it",
                is_left_out=True,
                fix=_describe_consent(offer),
            )
        provider = looked.providers[offer.provider]
        outcome = await carry_out(decision, call.home, provider, report)
        if tool.name is not ToolName.PODMAN:
            return outcome
        made = await _make_podman_work(call, report)
        return replace(outcome, note=made.detail, fix=made.fix)

    return Step(name=tool.name, title=tool.title, act=act, is_required=tool.is_required)


def _describe_consent(offer: Offer) -> str:
    """What to type to have after all what was left out."""
    if offer.changes_machine:
        return f"`prismctl dev init --yes`, or by hand: {' '.join(offer.command)}"
    return "`prismctl dev init --yes`"


async def _describe_existing(
    call: Invocation, decision: Decision, report: Callable[[Progress | str], None]
) -> Outcome:
    existing = decision.existing
    if existing is None:
        raise AssertionError("a tool that is there has a program")
    words = f"{existing.version} at {name_for_people(existing.path)}, {existing.origin}"
    if decision.tool.name is not ToolName.PODMAN:
        return Outcome(detail=words)
    made = await _make_podman_work(call, report)
    return replace(made, detail=words, note=made.detail)


async def _make_podman_work(call: Invocation, report: Callable[[Progress | str], None]) -> Outcome:
    found = find_tool(ToolName.PODMAN, call.home.tools)
    if found is None:
        raise MissingToolError("Podman was installed, and is not on PATH")
    program = Path(found.path)
    known = recall_containers(call.home, program)
    if known is not None:
        return Outcome(detail=known)
    outcome = await make_podman_work(call.home, program, os.environ, report)
    if not outcome.fix:
        remember_containers(call.home, program, outcome.detail)
    return outcome


async def _have_catalog(call: Invocation, bundle: Path | None) -> Outcome:
    is_new = False
    if bundle is not None:
        from prismctl.install.bundle.catalog import take_catalog

        is_new = await take_catalog(bundle, call.home)
    is_new = ensure_catalog(call.home) or is_new
    catalog = load_catalog(call.home)
    words = f"{count_of(len(catalog.services), 'service')}, {count_of(len(PRESET_NAMES), 'preset')}"
    return Outcome(detail=f"{words} in {name_for_people(call.home.catalog)}", is_changed=is_new)


def _try(call: Invocation, statuses: Sequence[StepStatus], teller: Teller) -> StepStatus:
    """The trial run, unless it worked with these very programs or cannot work."""
    status = StepStatus(name="trial", title="Trial run")
    missing = [each for each in statuses if each.is_required and each.state is not StepState.DONE]
    if missing:
        needs = ", ".join(each.title for each in missing)
        status = replace(status, state=StepState.LEFT_OUT, detail=f"needs {needs}")
        teller.tell(status)
        return status
    programs = [
        Path(found.path)
        for name in (ToolName.CONSUL, ToolName.NOMAD)
        if (found := find_tool(name, call.home.tools)) is not None
    ]
    if recall_proof(call.home, status.name, programs) is not None:
        words = "worked with these programs before"
        status = replace(status, state=StepState.DONE, detail=words, seconds=0.0)
        teller.tell(status)
        return status
    began_at = time.monotonic()
    status = replace(status, state=StepState.RUNNING, began_at=began_at)

    def tell(words: str) -> None:
        teller.tell(replace(status, detail=words))
        teller.redraw()

    tell("starts one service on Nomad")
    try:
        took = run_trial(call, tell)
        remember_proof(call.home, status.name, programs, render_duration(took))
    except PrismError as error:
        ended = replace(
            status, state=StepState.FAILED, detail=error.message, fix=error.hint, error=error
        )
    else:
        words = f"one service was up on Nomad after {render_duration(took)}, and is gone again"
        ended = replace(status, state=StepState.DONE, detail=words, is_changed=True)
    ended = replace(ended, seconds=time.monotonic() - began_at)
    teller.tell(ended)
    return ended


def _conclude(statuses: Sequence[StepStatus]) -> None:
    """The last word, and the exit code."""
    failed = [each for each in statuses if each.state is StepState.FAILED]
    for each in failed:
        if each.is_required and each.error is not None:
            raise each.error
    declined = [each for each in statuses if each.is_required and each.fix]
    if declined:
        names = " and ".join(each.title for each in declined)
        raise MissingToolError(
            f"nobody agreed to install {names}, without which services do not run on Nomad",
            hint=f"{declined[0].fix}; without Nomad: `prismctl dev start --engine local`",
        )
    missing = [
        each for each in statuses if not each.is_required and each.state is not StepState.DONE
    ]
    if missing:
        names = ", ".join(each.title for each in missing)
        raise PartialError(
            f"everything else is ready; without {names}, services that run in containers cannot be started",
            hint=next((each.fix for each in missing if each.fix), _AGAIN),
        )

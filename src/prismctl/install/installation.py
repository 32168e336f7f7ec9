"""What `init` does for tools: decides for each whether it is there and who provides it, and then gets it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prismctl.errors import MissingToolError, PrismError, UnavailableError
from prismctl.files.atomic import describe_way_out
from prismctl.files.text import name_for_people
from prismctl.install.manifest import (
    InstalledPackages,
    Manifest,
    change_manifest,
    with_packages,
)
from prismctl.install.placing import place
from prismctl.install.provider import (
    PACKAGE_MANAGERS,
    Candidate,
    Offer,
    Progress,
    Provider,
    ProviderName,
    explain_nobody,
    order_providers,
)
from prismctl.install.steps import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from prismctl.files.paths import Home
    from prismctl.install.existing import Existing
    from prismctl.install.provider import Situation
    from prismctl.install.tools import Tool


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What shall happen to one tool."""

    tool: Tool
    existing: Existing | None
    """The program that a start would use now."""
    offer: Offer | None = None
    """What will be done; ``None``: nothing, because it is there or because nobody can provide it."""
    why: str = ""
    """Why it comes from there."""
    error: PrismError | None = None
    """Why nobody can provide it."""

    @property
    def is_there(self) -> bool:
        """Whether nothing has to be done."""
        return self.offer is None and self.error is None

    @property
    def needs_consent(self) -> bool:
        """Whether somebody should be asked before: packages of the machine, root, minutes, gigabytes."""
        offer = self.offer
        return offer is not None and (offer.changes_machine or bool(offer.warning))


async def decide(
    tool: Tool,
    *,
    existing: Existing | None,
    situation: Situation,
    providers: Mapping[ProviderName, Provider],
    manifest: Manifest,
    home_tools: Path,
) -> Decision:
    """What shall happen to one tool; providers are asked in turn, and nothing is changed.

    Args:
        tool: that is wanted.
        existing: the program that a start would use now.
        situation: what the choice of a provider depends on.
        providers: those that can be asked here.
        manifest: of the home.
        home_tools: its ``bin``.
    """
    if (
        existing is not None
        and existing.is_usable
        and not _is_to_replace(tool, existing, situation, manifest, home_tools)
    ):
        return Decision(tool=tool, existing=existing)
    if situation.forced is ProviderName.PATH:
        return Decision(tool=tool, existing=existing, error=_explain_absence(tool, existing))
    refusals: list[PrismError] = []
    for candidate in _candidates(tool, situation, providers):
        try:
            offer = await _ask(providers.get(candidate.provider), candidate, tool)
        except UnavailableError as refusal:
            refusals.append(refusal)
            continue
        except PrismError as error:
            # What came back must not be trusted: nobody is asked behind its back.
            return Decision(tool=tool, existing=existing, error=error)
        return Decision(tool=tool, existing=existing, offer=offer, why=_why(candidate, refusals))
    if not refusals:
        nobody = explain_nobody(tool, situation) if tool.is_required else _explain_no_manager(tool)
        return Decision(tool=tool, existing=existing, error=nobody)
    return Decision(tool=tool, existing=existing, error=_explain_refusals(tool, refusals))


async def carry_out(
    decision: Decision,
    home: Home,
    provider: Provider,
    report: Callable[[Progress | str], None],
) -> Outcome:
    """Get a tool as decided, and take it into use.

    Raises:
        PrismError: it could not be got, or must not be trusted; what was in use before still is.
    """
    offer = decision.offer
    if offer is None:
        raise AssertionError("nothing was decided that could be carried out")
    try:
        home.downloads.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise PrismError(
            f"cannot create {home.downloads}: {error.strerror}",
            hint=describe_way_out(error, home.downloads),
        ) from error
    provided = await provider.provide(offer, home.downloads, report)
    if provided.is_system:
        if provided.packages:
            brought = InstalledPackages(manager=offer.provider, names=provided.packages)
            change_manifest(home, lambda manifest: with_packages(manifest, brought))
        return Outcome(
            detail=f"{offer.version} at {provided.path}, from {offer.provider}",
            note=provided.verified,
            is_changed=True,
        )
    tool = place(home, offer, provided)
    where = name_for_people(home.tools / tool.file)
    return Outcome(
        detail=f"{offer.version} at {where}, from {offer.provider}",
        note=tool.verified,
        is_changed=True,
    )


def clear_workspace(home: Home) -> None:
    """Take away what an installation that was killed left behind; downloads that can go on stay.

    To be called by whoever holds the lock of the installation.
    """
    if not home.downloads.is_dir():
        return
    for entry in home.downloads.iterdir():
        if entry.suffix == ".part" or entry.name.endswith(".part.json"):
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)


def _is_to_replace(
    tool: Tool,
    existing: Existing,
    situation: Situation,
    manifest: Manifest,
    home_tools: Path,
) -> bool:
    """Whether a tool that works is nevertheless to be installed: forced, or ours and older than what is pinned."""
    history = manifest.tools.get(tool.name)
    installed = history.installed if history else ()
    has_pinned = any(each.version == str(tool.version) for each in installed)
    if situation.forced is not None and situation.forced is not ProviderName.PATH:
        return not any(
            each.version == str(tool.version) and each.provider == situation.forced
            for each in installed
        )
    is_ours = existing.path.parent == home_tools and bool(installed)
    is_older = existing.version is not None and existing.version < tool.version
    # Somebody who went back to the version before stays there until they say otherwise.
    return is_ours and is_older and not has_pinned


def _candidates(
    tool: Tool, situation: Situation, providers: Mapping[ProviderName, Provider]
) -> tuple[Candidate, ...]:
    if tool.is_required or situation.bundle:
        return order_providers(situation)
    if situation.is_offline:
        return ()
    return tuple(
        Candidate(provider=name, why=f"{name} is this machine's package manager")
        for name in providers
        if name in PACKAGE_MANAGERS
    )


async def _ask(provider: Provider | None, candidate: Candidate, tool: Tool) -> Offer:
    if provider is None:
        raise UnavailableError(
            f"{tool.title} cannot come from `{candidate.provider}` on this machine",
            hint="leave --provider out, or name another",
        )
    return await provider.offer(tool, tool.version)


def _why(candidate: Candidate, refusals: list[PrismError]) -> str:
    return "; ".join([*(refusal.message for refusal in refusals), candidate.why])


def _explain_no_manager(tool: Tool) -> MissingToolError:
    known = ", ".join(sorted(PACKAGE_MANAGERS))
    return MissingToolError(
        f"no package manager that {tool.title} could come from is on PATH ({known}), or nothing may be fetched",
        hint=f"install {tool.title} yourself, or `prismctl dev init --without {tool.name}`",
    )


def _explain_absence(tool: Tool, existing: Existing | None) -> MissingToolError:
    reason = existing.problem if existing else f"{tool.title} is not on this machine"
    return MissingToolError(reason, hint="leave `--provider path` out to have it installed")


def _explain_refusals(tool: Tool, refusals: list[PrismError]) -> UnavailableError:
    reasons = "; ".join(refusal.message for refusal in refusals)
    hint = next((refusal.hint for refusal in refusals if refusal.hint), "")
    return UnavailableError(f"{tool.title} cannot be had: {reasons}", hint=hint)

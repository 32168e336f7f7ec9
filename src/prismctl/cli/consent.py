"""What `init` asks before it begins: whether it may, and the password that a command needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prismctl.errors import PrismError
from prismctl.install.packages import PackageProvider
from prismctl.present.installation import decision_lines
from prismctl.present.question import Choice

if TYPE_CHECKING:
    from collections.abc import Collection

    from prismctl.cli.invocation import Invocation
    from prismctl.install.survey import Survey
    from prismctl.install.tools import ToolName

_CHOICES: Final = (
    Choice("y", "go on"),
    Choice("n", "leave this out"),
    Choice("q", "stop here"),
)


def ask_for_consent(call: Invocation, survey: Survey, *, again: str) -> frozenset[ToolName]:
    """Ask once for everything that takes root, minutes or gigabytes; the tools to be left out.

    Where nobody can be asked, all of it is left out unless ``--yes`` was given.

    Args:
        call: says whether somebody can be asked.
        survey: what was decided.
        again: the hint for who stops here.

    Raises:
        PrismError: somebody wants to stop.
    """
    asked = [decision for decision in survey.decisions if decision.needs_consent]
    if not asked or call.is_confirmed:
        return frozenset()
    names = frozenset(decision.tool.name for decision in asked)
    words = decision_lines(asked, width=call.width)
    if not call.can_ask:
        call.report([(), *words, ()])
        return names
    call.show([(), *words, ()])
    from prismctl.cli.keypress import ask_for_key

    answer = ask_for_key(call, _CHOICES, declining="q")
    if answer == "q":
        raise PrismError("init was stopped; nothing was installed", hint=again)
    return names if answer == "n" else frozenset()


def authenticate(
    call: Invocation, survey: Survey, *, declined: Collection[ToolName]
) -> frozenset[ToolName]:
    """Have `sudo` ask for its password before anything is drawn; the tools whose command nobody can type one for.

    Args:
        call: says whether somebody can be asked.
        survey: what was decided.
        declined: tools that are left out anyway.

    Raises:
        PrismError: it was not given, or did not help.
    """
    left_out = set()
    for decision in survey.decisions:
        offer = decision.offer
        if offer is None or not offer.needs_root or decision.tool.name in declined:
            continue
        provider = survey.providers[offer.provider]
        if not isinstance(provider, PackageProvider) or not provider.needs_password():
            continue
        if call.can_ask:
            provider.authenticate()
        else:
            left_out.add(decision.tool.name)
    return frozenset(left_out)

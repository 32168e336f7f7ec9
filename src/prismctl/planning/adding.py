"""Plans services that are to run beside those that run already, which are taken as they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from prismctl.domain.dependencies import close_over
from prismctl.domain.plan_change import ADDED, name_chosen
from prismctl.domain.problems import NOWHERE, Problems
from prismctl.domain.resolve import resolve_plan
from prismctl.domain.selection import Selection, find_named, hint_at_packaged, needed_by
from prismctl.domain.service import Runtime, full_name
from prismctl.planning.deciding import Decision
from prismctl.planning.layering import check_words, layer_settings
from prismctl.planning.loading import apply_profile, load_catalog, load_files
from prismctl.planning.machine_facts import look_at_machine
from prismctl.planning.making import check_volumes, find_options
from prismctl.planning.request import Inquiry, PlanRequest
from prismctl.planning.taken_ports import (
    PortTakenError,
    can_have,
    describe_who_has,
    name_holders,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from prismctl.domain.addressing import PortConflict
    from prismctl.domain.host_port import HostPort
    from prismctl.domain.offering import Catalog
    from prismctl.domain.plan import StackPlan
    from prismctl.domain.service import ServiceName
    from prismctl.files.paths import Home


class Addition(NamedTuple):
    """What is to be added to a stack that runs."""

    plan: StackPlan
    """Those services and nothing else; none where all that was asked for runs already."""
    present: tuple[ServiceName, ...]
    """What was asked for and runs already."""


def plan_addition(
    request: PlanRequest,
    running: StackPlan,
    *,
    home: Home,
    environment: Mapping[str, str],
    working_directory: Path,
    tell: Callable[[str], None] = lambda _: None,
) -> Addition:
    """Decide how services run beside those that do, with all that they need.

    The catalog, the profile and the terms of the running stack hold for them, too, unless the request says otherwise;
    what runs keeps its ports, its runtime and its version, whatever the files say by now.

    Args:
        request: ``with_services`` names them; a catalog and terms of their own are its other words.
        running: what runs.
        home: of the user.
        environment: of the one who asks.
        working_directory: absolute; where the stack came from no project, a project file is looked for there.
        tell: hears of what takes seconds, before it does.

    Raises:
        ConfigError: flags or files say something impossible; all of it at once.
        MissingToolError: programs that are needed are not installed; all of them at once.
        PortTakenError: ports are held by somebody outside the stack; all of them at once.
        PrismError: a file cannot be read.
    """
    problems = Problems()
    asked = _ask_on_same_terms(request, running, working_directory)
    place = _place_of(running, working_directory)
    inquiry = Inquiry(asked, home, environment, place, tell)
    check_words(asked, problems)
    files = load_files(inquiry, problems)
    written = load_catalog(inquiry, files, problems)
    catalog = apply_profile(files, written, problems)
    selection, present = _select(request.with_services, catalog, running, problems)
    decision = Decision(
        stack=running.stack,
        project=files.project,
        profile=files.profile,
        preferences=layer_settings(asked, files, running.stack),
        written=written,
        catalog=catalog,
        selection=selection,
        facts=look_at_machine(inquiry, files),
        directory=files.directory,
    )
    owners = _owners_of_ports(running)
    resolution = resolve_plan(
        selection,
        catalog,
        decision.facts,
        replace(
            find_options(inquiry, decision),
            neighbours={each.name: each.ports for each in running.services},
        ),
        is_free=lambda port: port not in owners and can_have(port, running.stack, inquiry),
        who_has=lambda port: owners.get(port) or describe_who_has(port, home),
        problems=problems,
    )
    check_volumes(resolution.plan, catalog, home, problems)
    _refuse_conflicts(resolution.conflicts, running, owners, home, problems)
    plan = replace(
        resolution.plan,
        origin=f"added to {name_chosen(running.origin)}",
        engine_reason=running.engine_reason,
        base_env=running.base_env,
        project=running.project,
        profile=running.profile,
        terms=running.terms,
    )
    return Addition(plan, present)


class Addable(NamedTuple):
    """A service that can be added to a stack that runs."""

    purpose: str
    brings: tuple[ServiceName, ...]
    """What it needs that does not run yet, and comes along."""


def survey_addable(
    running: StackPlan,
    *,
    home: Home,
    environment: Mapping[str, str],
    working_directory: Path,
    services_file: Path | None = None,
) -> dict[ServiceName, Addable]:
    """What can be added to a running stack by name alone; writes nothing.

    Args:
        running: what runs.
        home: of the user.
        environment: of the one who asks.
        working_directory: absolute; where the stack came from no project, a project file is looked for there.
        services_file: another catalog than that of the running stack.

    Raises:
        ConfigError: a file has mistakes; all of them.
        PrismError: a file cannot be read.
    """
    problems = Problems()
    request = PlanRequest(services_file=services_file, is_trial=True)
    asked = _ask_on_same_terms(request, running, working_directory)
    inquiry = Inquiry(asked, home, environment, _place_of(running, working_directory))
    catalog = load_catalog(inquiry, load_files(inquiry, problems), problems)
    problems.raise_if_any()
    requires = _requires_besides(running, catalog)
    return {
        name: Addable(
            definition.description,
            tuple(each for each in close_over([name], requires) if each != name),
        )
        for name, definition in catalog.services.items()
        if name not in running.names
    }


def list_addable(
    running: StackPlan,
    *,
    home: Home,
    environment: Mapping[str, str],
    working_directory: Path,
) -> dict[ServiceName, str]:
    """The same with nothing but what each is for."""
    found = survey_addable(
        running, home=home, environment=environment, working_directory=working_directory
    )
    return {name: each.purpose for name, each in found.items()}


def _requires_besides(running: StackPlan, catalog: Catalog) -> dict[ServiceName, list[ServiceName]]:
    """What each service of a catalog needs that does not run."""
    return {
        name: [each for each in definition.requires if each not in running.names]
        for name, definition in catalog.services.items()
    }


def _place_of(running: StackPlan, working_directory: Path) -> Path:
    """Where the files of a running stack are looked for: at its project, wherever somebody stands."""
    return Path(running.project).parent if running.project else working_directory


def _ask_on_same_terms(
    request: PlanRequest, running: StackPlan, working_directory: Path
) -> PlanRequest:
    """The request, with what was said for the running stack where it says nothing."""
    terms = running.terms
    services_file = request.services_file and working_directory / request.services_file
    profile = ""
    if services_file is None:
        services_file = Path(terms.catalog) if terms.catalog else None
        # It is about services of the stack's own catalog.
        profile = running.profile if running.profile and Path(running.profile).exists() else ""
    return replace(
        request,
        # What a project or a preset would choose does not count.
        picked=(),
        with_services=(),
        services_file=services_file,
        profile=profile,
        engine=running.engine.value,
        runtime=request.runtime or terms.runtime,
        auto_ports=request.auto_ports or terms.auto_ports or None,
        persist=request.persist or terms.persist or None,
        stack=running.stack,
    )


def _select(
    words: Sequence[str], catalog: Catalog, running: StackPlan, problems: Problems
) -> tuple[Selection, tuple[ServiceName, ...]]:
    """What does not run of all that was named and of what that needs; and what was named and runs."""
    named: list[ServiceName] = []
    for word in words:
        known = full_name(word, running.names)
        if known in running.names:
            named.append(known)
            continue
        found = find_named(catalog, word, NOWHERE, "", problems)
        if found is not None:
            named.append(found)
    problems.add_hint(hint_at_packaged(words, catalog))
    fresh = [name for name in dict.fromkeys(named) if name not in running.names]
    needing = close_over(fresh, _requires_besides(running, catalog))
    sources = {
        name: ADDED if needing[name] is None else needed_by(str(needing[name]))
        for name in catalog.services
        if name in needing
    }
    present = tuple(name for name in dict.fromkeys(named) if name in running.names)
    return Selection(running.origin, sources), present


def _owners_of_ports(running: StackPlan) -> dict[HostPort, ServiceName]:
    """Whose the ports of the running stack are, also of those that do not listen just now."""
    return {
        port.host_port: service.name
        for service in running.services
        if service.runtime is not Runtime.EXTERNAL
        for port in service.ports
    }


def _refuse_conflicts(
    conflicts: Sequence[PortConflict],
    running: StackPlan,
    owners: Mapping[HostPort, ServiceName],
    home: Home,
    problems: Problems,
) -> None:
    """Refuse ports that cannot be had: the stack's own are nobody's to end.

    Raises:
        ConfigError: services of the stack have them; with all problems so far.
        PortTakenError: somebody else has.
    """
    named = name_holders(conflicts, home)
    for each in named:
        # A further instance has ports of which the plan does not know.
        owner = each.holder.owner if each.holder is not None else None
        is_own = owner is not None and not owner.is_other_home and owner.stack == running.stack
        service = owners.get(each.port) or (owner.service if owner is not None and is_own else "")
        if service:
            problems.add(
                f"port {each.port} ({each.service}) is that of {service}, which runs in this stack",
                hint="--auto-ports takes another",
            )
    problems.raise_if_any()
    if named:
        raise PortTakenError(named, otherwise="add --auto-ports")

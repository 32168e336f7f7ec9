"""Changes of a plan that runs: services more or fewer, instances more or fewer; all else stays to the letter.

Front ends ask what a change would come to, and the daemon carries it out, by the same functions. What makes no sense
is refused with the reason; whether services go that others need is a question, and asking it is somebody else's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from prismctl.domain.dependencies import sort_by_dependency
from prismctl.domain.packaged import ADMIN, LAUNCHER
from prismctl.domain.replica_limit import MAX_REPLICAS
from prismctl.domain.selection import REQUIRED, find_needing, needed_by
from prismctl.domain.service import (
    DEFAULT_STACK,
    Runtime,
    ServiceName,
    ServiceType,
    full_name,
)
from prismctl.errors import RejectedError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from prismctl.domain.plan import ServicePlan, StackPlan

ADDED: Final = "added"
"""Why a service is there that was added while the stack ran."""
_WAS_NEEDED_BY: Final = "was needed by "
_STATEFUL: Final = frozenset({ServiceType.BACKEND, ServiceType.MESSAGING})
_SINGLE: Final = {
    ADMIN: "all others register with one",
    LAUNCHER: "it registers with prism-admin under one name",
    ServiceName("prism-proxy"): "it registers with prism-admin under one name",
}
"""Services of which a second instance would be in the way of the first, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """What it means to take services out of a plan; a question, as long as others need them."""

    plan: StackPlan
    """What is left once all of it is done."""
    names: tuple[ServiceName, ...]
    """What was asked for."""
    dependents: Mapping[ServiceName, ServiceName]
    """What goes as well, with the one that it needs and cannot do without."""
    dependencies: Mapping[ServiceName, ServiceName]
    """What is there only because of those that go, with the one it came along with; in the plan unless it goes, too."""

    @property
    def removed(self) -> tuple[ServiceName, ...]:
        """All that goes."""
        gone = (*self.names, *self.dependents, *self.dependencies)
        return tuple(name for name in gone if name not in self.plan.names)

    def refuse_dependents(self) -> None:
        """Refuse where others need what goes, and nobody said that they go as well.

        Raises:
            RejectedError: they do.
        """
        if not self.dependents:
            return
        needs = ", ".join(f"{name} needs {needed}" for name, needed in self.dependents.items())
        them = "it" if len(self.dependents) == 1 else "them"
        names = " ".join(self.names)
        raise RejectedError(
            f"{', '.join(self.names)} cannot be removed alone: {needs}",
            hint=f"`prismctl dev remove {names} --cascade{_option(self.plan)}` removes {them}, too",
        )


def name_services(plan: StackPlan, words: Iterable[str]) -> list[ServiceName]:
    """The services of a plan that words stand for, each once.

    Raises:
        RejectedError: some are not part of it.
    """
    names = list(dict.fromkeys(full_name(word, plan.names) for word in words))
    unknown = [name for name in names if name not in plan.names]
    if unknown:
        verb = "is" if len(unknown) == 1 else "are"
        raise RejectedError(
            f"{', '.join(unknown)} {verb} not part of the stack",
            hint=f"it has {', '.join(plan.names)}",
        )
    return names


def scale_plan(plan: StackPlan, name: ServiceName, replicas: int) -> StackPlan:
    """The plan with another number of instances of one service; the same plan where that is its number already.

    Raises:
        RejectedError: the service is not part of it, or cannot have so many.
    """
    name = name_services(plan, [name])[0]
    service = plan.service(name)
    if not 0 <= replicas <= MAX_REPLICAS:
        raise RejectedError(
            f"{name} can have 0 to {MAX_REPLICAS} instances, not {replicas}",
            hint=f"`prismctl dev scale {name} 1{_option(plan)}` gives it one",
        )
    _refuse_any_number(service, plan)
    if replicas > 1 and replicas > service.replicas:
        _refuse_more(service)
    if replicas == service.replicas:
        return plan
    scaled = tuple(
        replace(each, replicas=replicas) if each.name == name else each for each in plan.services
    )
    return replace(plan, services=scaled, missing_images=())


def remove_from_plan(
    plan: StackPlan, names: Collection[str], *, takes_dependencies: bool = False
) -> Removal:
    """What the plan is without some services, and who goes with them.

    Args:
        plan: what runs.
        names: full or short.
        takes_dependencies: what came along only for those that go, goes as well.

    Raises:
        RejectedError: one is not part of the plan, or cannot be left out; or nothing would be left.
    """
    asked = name_services(plan, names)
    needing = _find_dependents(plan, asked)
    for name in (*asked, *needing):
        if plan.service(name).source == REQUIRED:
            raise _required_error(plan, name, needing.get(name))
    kept = [each for each in plan.services if each.name not in asked and each.name not in needing]
    orphans = _find_orphans(kept, {*asked, *needing})
    if takes_dependencies:
        kept = [each for each in kept if each.name not in orphans]
    if not kept:
        raise RejectedError(
            f"that is all that stack `{plan.stack}` has",
            hint=f"`prismctl dev stop{_option(plan)}` stops it",
        )
    names_kept = {each.name for each in kept}
    services = tuple(_settle_kept(each, kept, names_kept) for each in kept)
    gone = [name for name in plan.names if name not in names_kept]
    left = replace(plan, services=services, origin=_without(plan.origin, gone), missing_images=())
    return Removal(plan=left, names=tuple(asked), dependents=needing, dependencies=orphans)


def add_to_plan(running: StackPlan, addition: StackPlan) -> StackPlan:
    """The plan with the services of another one beside its own; what runs already is not asked anew.

    Args:
        running: what runs.
        addition: only what is added, decided for this stack.

    Raises:
        RejectedError: it does not fit what runs by now.
    """
    if (addition.stack, addition.engine) != (running.stack, running.engine):
        raise RejectedError(
            f"this was planned for stack `{addition.stack}` on {addition.engine}, "
            f"and stack `{running.stack}` runs on {running.engine}"
        )
    known = {each.name: each for each in running.services}
    fresh = [each for each in addition.services if each.name not in known]
    for service in addition.services:
        present = known.get(service.name)
        if present is not None and present.digest != service.digest:
            raise RejectedError(
                f"{service.name} runs already, and differently",
                hint=f"`prismctl dev status{_option(running)}` shows how",
            )
    services = [*running.services, *fresh]
    _refuse_missing(fresh, {each.name for each in services}, running)
    _refuse_port_clashes(running, fresh)
    by_name = {each.name: _forget_others(each, {one.name for one in services}) for each in services}
    order = sort_by_dependency(list(by_name), {each.name: each.depends_on for each in services})
    chosen = [each.name for each in fresh if not find_needing(each.source)]
    return replace(
        running,
        services=tuple(by_name[name] for name in order),
        origin=_with(running.origin, chosen),
        containers=running.containers or addition.containers,
        missing_images=addition.missing_images,
    )


def _refuse_any_number(service: ServicePlan, plan: StackPlan) -> None:
    if service.runtime is Runtime.EXTERNAL:
        raise RejectedError(
            f"{service.name} runs elsewhere; it cannot be scaled from here",
            hint=f"`prismctl dev status{_option(plan)}` shows whether it answers",
        )
    if service.one_shot:
        raise RejectedError(
            f"{service.name} runs once, to its end; there is nothing to scale",
            hint=f"`prismctl dev restart {service.name}{_option(plan)}` runs it again",
        )


def _refuse_more(service: ServicePlan) -> None:
    """Refuse instances beyond the first where they could not do what it does."""
    name = service.name
    if name in _SINGLE:
        raise RejectedError(
            f"there can be one {name}: {_SINGLE[name]}",
            hint="`prismctl dev start --stack two` starts a second stack beside this one",
        )
    if service.persist and service.type in _STATEFUL:
        raise RejectedError(
            f"{name} keeps its data in one directory, and a second instance would have none of it",
            hint="without `persist`, each instance has data of its own",
        )
    shared = _find_shared_volume(service)
    if shared and service.type in _STATEFUL:
        raise RejectedError(
            f"{name} keeps its data in {shared}, which two instances would write to at once",
            hint="a volume with a name, or below `${self.data}`, is each instance's own",
        )
    fixed = _find_fixed_port(service)
    if fixed is not None:
        raise RejectedError(
            f"{name} listens on port {fixed}, whichever instance it is: its command says so",
            hint=f"write `${{self.port}}` in place of {fixed}, and start the stack again",
        )


def _find_shared_volume(service: ServicePlan) -> str:
    """A directory of this machine that every instance would write to; empty where there is none."""
    own = service.template.volumes if service.template is not None else service.volumes
    for volume in own:
        host, _, rest = volume.partition(":")
        if host.startswith("/") and "ro" not in rest.partition(":")[2].split(","):
            return host
    return ""


def _find_fixed_port(service: ServicePlan) -> int | None:
    """A port that the command line has written out, so that every instance would listen there."""
    if service.runtime is Runtime.CONTAINER and not service.has_host_network:
        # Inside, each has a network of its own.
        return None
    written = service.template or service
    words = (*written.command, *written.args)
    texts = (*words, *written.env.values(), *written.files.values())
    if any(re.search(r"\bPORT(?:_[A-Z0-9_]+)?\b", text) for text in texts):
        return None
    for port in service.ports:
        pattern = rf"(?<![0-9.]){port.number}(?![0-9])"
        if any(re.search(pattern, text) for text in words):
            return port.number
    return None


def _find_dependents(
    plan: StackPlan, names: Collection[ServiceName]
) -> dict[ServiceName, ServiceName]:
    """What cannot do without some services, directly or through others, with the one it needs."""
    needing: dict[ServiceName, ServiceName] = {}
    # Plans name what is depended on first.
    for service in plan.services:
        if service.name in names:
            continue
        needed = next(
            (each for each in _requires(service) if each in names or each in needing), None
        )
        if needed is not None:
            needing[service.name] = needed
    return needing


def _requires(service: ServicePlan) -> list[ServiceName]:
    return [name for name in service.depends_on if service.need_of(name).is_required]


def _find_orphans(
    kept: Sequence[ServicePlan], gone: Collection[ServiceName]
) -> dict[ServiceName, ServiceName]:
    """What came along with those that go and nobody else needs, with the one it came along with."""
    orphans: dict[ServiceName, ServiceName] = {}
    # Who needs something comes after it.
    for service in reversed(kept):
        came_with = ServiceName(find_needing(service.source))
        is_needed = any(
            service.name in _requires(other) for other in kept if other.name not in orphans
        )
        if (came_with in gone or came_with in orphans) and not is_needed:
            orphans[service.name] = came_with
    return orphans


def _settle_kept(
    service: ServicePlan, kept: Sequence[ServicePlan], names: Collection[ServiceName]
) -> ServicePlan:
    """A service that stays, with nothing said about those that do not; what would run is the same."""
    source = service.source
    came_with = find_needing(source)
    if came_with and came_with not in names:
        others = [other.name for other in kept if service.name in _requires(other)]
        source = needed_by(others[0]) if others else f"{_WAS_NEEDED_BY}{came_with}"
    return replace(_forget_others(service, names), source=source)


def _forget_others(service: ServicePlan, names: Collection[ServiceName]) -> ServicePlan:
    """A service with nothing said about those that are not there, and that it can do without."""
    return replace(
        service,
        depends_on=tuple(name for name in service.depends_on if name in names),
        needs={name: need for name, need in service.needs.items() if name in names},
    )


def _required_error(
    plan: StackPlan, name: ServiceName, needed: ServiceName | None
) -> RejectedError:
    is_required = f"{name} is required and cannot be removed"
    words = (
        is_required
        if needed is None
        else f"{needed} cannot be removed: {name} needs it, and is required"
    )
    still = needed or name
    return RejectedError(
        words, hint=f"`prismctl dev scale {still} 0{_option(plan)}` has it stand still"
    )


def _refuse_missing(
    fresh: Sequence[ServicePlan], names: Collection[ServiceName], running: StackPlan
) -> None:
    missing = {name: each.name for each in fresh for name in _requires(each) if name not in names}
    if missing:
        words = ", ".join(f"{needing} needs {name}" for name, needing in missing.items())
        raise RejectedError(
            f"{words}, which is not part of stack `{running.stack}`",
            hint=f"`prismctl dev add {' '.join(missing)}{_option(running)}` adds it",
        )


def _refuse_port_clashes(running: StackPlan, fresh: Sequence[ServicePlan]) -> None:
    owners = {
        (port.number, port.protocol): service.name
        for service in running.services
        if service.runtime is not Runtime.EXTERNAL
        for port in service.ports
    }
    for service in fresh:
        if service.runtime is Runtime.EXTERNAL:
            continue
        for port in service.ports:
            owner = owners.setdefault((port.number, port.protocol), service.name)
            if owner != service.name:
                raise RejectedError(
                    f"port {port.number} is asked for by both {owner} and {service.name}",
                    hint=f"`prismctl dev add {service.name} --auto-ports{_option(running)}` takes another",
                )


def name_chosen(origin: str) -> str:
    """What was chosen at first, in words, without what was added and removed since."""
    return _split_origin(origin)[0]


def _with(origin: str, names: Sequence[str]) -> str:
    """What was chosen, in words, once some were added."""
    base, more, less = _split_origin(origin)
    more += [name for name in names if name not in more and name not in less]
    return _join_origin(base, more, [name for name in less if name not in names])


def _without(origin: str, names: Sequence[str]) -> str:
    """What was chosen, in words, once some were removed."""
    base, more, less = _split_origin(origin)
    less += [name for name in names if name not in more and name not in less]
    return _join_origin(base, [name for name in more if name not in names], less)


def _split_origin(origin: str) -> tuple[str, list[str], list[str]]:
    head, _, less = origin.partition(" without ")
    base, *more = head.split(" + ")
    return base, more, less.split(", ") if less else []


def _join_origin(base: str, more: Sequence[str], less: Sequence[str]) -> str:
    without = f" without {', '.join(less)}" if less else ""
    return f"{' + '.join([base, *more])}{without}"


def _option(plan: StackPlan) -> str:
    return "" if plan.stack == DEFAULT_STACK else f" --stack {plan.stack}"

"""Whether what a machine has to spare is enough for what shall run, by what services are known to need.

What counts is what is free, never what somebody has reserved: a laptop runs more than a scheduler would place on it.
So what does not fit is told, with the largest named; only a machine on which nothing could work is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from prismctl.domain.selection import is_chosen
from prismctl.domain.sizes import describe_size

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from prismctl.domain.plan import StackPlan

LEAST_MEMORY_BYTES: Final = 128 * 1000**2
"""Below this not even the core services come up."""
LEAST_DISK_BYTES: Final = 10 * 1000**2
"""Below this logs break off within a minute; a start of the smallest stack writes about 1 MB."""
LOG_BYTES: Final = 4 * 16 * 1024**2
"""How much the log of one instance takes once it is rotated."""
_NAMED: Final = 3
"""So many services are named one by one, the rest as one sum."""


class Need(NamedTuple):
    """What one service takes, all its instances together."""

    service: str
    memory_bytes: int
    disk_bytes: int = 0
    can_be_left_out: bool = True
    """Whether a start without it is possible by leaving out just this one."""


class Room(NamedTuple):
    """What there is to spare."""

    memory_bytes: int | None
    """That programs can have without pushing others out; ``None``: the system does not say."""
    disk_bytes: int | None = None
    """Where home is; ``None``: it cannot be asked."""
    memory_limit: str = ""
    """What bounds it other than the machine, in words."""
    directory: str = ""
    """Whose disk it is."""


class Shortage(NamedTuple):
    """Something of which there is less than the services need."""

    resource: str
    """``memory`` or ``disk``."""
    needed_bytes: int
    free_bytes: int
    services: tuple[tuple[str, int], ...]
    """Who needs how much, the largest first."""
    way_out: str
    """What to type, or to do."""
    place: str = ""
    """What is short of it, where that is not the machine as a whole."""

    def __str__(self) -> str:
        """Both figures, and the largest by name."""
        most = [f"{name} {describe_size(size)}" for name, size in self.services[:_NAMED]]
        rest = self.services[_NAMED:]
        if rest:
            others = "1 other" if len(rest) == 1 else f"{len(rest)} others"
            most.append(f"{others} {describe_size(sum(size for _, size in rest))}")
        place = f" {self.place}" if self.place else ""
        free, needed = describe_size(self.free_bytes), describe_size(self.needed_bytes)
        return f"{free} free{place}, {needed} may be needed: {', '.join(most)}"


def needs_of_plan(plan: StackPlan, *, running: Collection[str] = ()) -> tuple[Need, ...]:
    """What the services of a plan take that do not run yet."""
    needed = {name for service in plan.services for name in service.depends_on}
    return tuple(
        Need(
            service.name,
            need_of(service.resources.memory_mb, service.replicas),
            LOG_BYTES * service.replicas,
            can_be_left_out=service.name not in needed and is_chosen(service.source),
        )
        for service in plan.services
        if service.name not in running
    )


def need_of(memory_mb: int, replicas: int) -> int:
    """How many bytes a service takes: what its entry says, until its own history says better."""
    return (memory_mb << 20) * replicas


def find_shortages(needs: Sequence[Need], room: Room) -> tuple[Shortage, ...]:
    """What there is too little of; nothing where all fits, or where nobody can say."""
    found = []
    memory = sum(need.memory_bytes for need in needs)
    if room.memory_bytes is not None and memory > room.memory_bytes:
        sizes = _largest_first((need.service, need.memory_bytes) for need in needs)
        place = f"({room.memory_limit})" if room.memory_limit else ""
        way_out = _leave_out(
            needs, sizes, "end what is not needed, or give the machine more memory"
        )
        found.append(Shortage("memory", memory, room.memory_bytes, sizes, way_out, place))
    disk = sum(need.disk_bytes for need in needs)
    if room.disk_bytes is not None and disk > room.disk_bytes:
        sizes = _largest_first((need.service, need.disk_bytes) for need in needs)
        place = f"at {room.directory}" if room.directory else ""
        way_out = f"free some space: `df -h {room.directory or '.'}` shows the disk"
        found.append(Shortage("disk", disk, room.disk_bytes, sizes, way_out, place))
    return tuple(found)


def _largest_first(sizes: Iterable[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    # Names that are alike in size keep their order.
    return tuple(sorted(sizes, key=lambda each: -each[1]))


def _leave_out(needs: Sequence[Need], sizes: Sequence[tuple[str, int]], otherwise: str) -> str:
    """The largest that can be left out by itself, where there is one."""
    optional = {need.service for need in needs if need.can_be_left_out}
    largest = next((name for name, _ in sizes if name in optional), "")
    return (
        f"`--without {largest}` leaves out the largest that can be; or {otherwise}"
        if largest
        else otherwise
    )


def render_capacity(needs: Sequence[Need], room: Room) -> dict[str, Any]:
    """Needs against room as a document."""
    shortages = find_shortages(needs, room)
    return {
        "memory_needed_bytes": sum(need.memory_bytes for need in needs),
        "memory_free_bytes": room.memory_bytes,
        "disk_needed_bytes": sum(need.disk_bytes for need in needs),
        "disk_free_bytes": room.disk_bytes,
        "warnings": [
            {"resource": each.resource, "message": str(each), "hint": each.way_out}
            for each in shortages
        ],
    }

"""The steps that make a bundle: everything is gathered side by side, then written at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from prismctl import __version__
from prismctl.domain.sizes import describe_size
from prismctl.errors import PrismError
from prismctl.files.catalog import load_catalog
from prismctl.files.text import name_for_people
from prismctl.install.bundle.catalog import gather_catalog
from prismctl.install.bundle.gathering import ReleaseServer, gather_tool
from prismctl.install.bundle.images import gather_images
from prismctl.install.bundle.index import BundledFile, Index, ToolKind
from prismctl.install.bundle.wheels import gather_wheels
from prismctl.install.bundle.writing import measure, write_bundle
from prismctl.install.steps import Outcome, Step
from prismctl.install.target import find_target
from prismctl.install.threads import run_in_thread
from prismctl.install.tools import CONSUL, NOMAD, Tool

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from prismctl.files.paths import Home
    from prismctl.install.bundle.staging import Staging
    from prismctl.install.provider import Progress
    from prismctl.install.threads import Course


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What shall be packed."""

    file: Path
    """The bundle to write."""
    home: Home
    environment: Mapping[str, str]
    server: ReleaseServer | None
    """Where releases come from; ``None``: the programs that are here are packed."""
    tools: tuple[Tool, ...] = (CONSUL, NOMAD)
    accepts_unsigned: bool = True
    """Whether a program that is here will do where its release cannot be had."""
    has_wheels: bool = True
    has_images: bool = False


def bundle_steps(order: Order, staging: Staging) -> list[Step]:
    """All steps, the writing last; it needs all the others.

    Args:
        order: what shall be packed.
        staging: where it is gathered; entered until the steps have ended.
    """
    gathering = [_tool_step(tool, order, staging) for tool in order.tools]
    gathering.append(
        Step(name="catalog", title="Catalog", act=lambda _: _gather_catalog(order, staging))
    )
    if order.has_wheels:
        gathering.append(
            Step(
                name="wheels",
                title="Wheels",
                act=lambda report: gather_wheels(staging, order.environment, report),
            )
        )
    if order.has_images:
        gathering.append(
            Step(
                name="images",
                title="Images",
                act=lambda report: _gather_images(order, staging, report),
            )
        )
    writing = Step(
        name="bundle",
        title="Bundle",
        act=lambda report: _write(order, staging, report),
        needs=tuple(step.name for step in gathering),
    )
    return [*gathering, writing]


def _tool_step(tool: Tool, order: Order, staging: Staging) -> Step:
    return Step(
        name=tool.name,
        title=tool.title,
        act=lambda report: gather_tool(
            tool,
            staging,
            order.home,
            report,
            environment=order.environment,
            server=order.server,
            accepts_unsigned=order.accepts_unsigned,
        ),
    )


async def _gather_catalog(order: Order, staging: Staging) -> Outcome:
    return gather_catalog(staging, order.home)


async def _gather_images(order: Order, staging: Staging, report: Callable[[str], None]) -> Outcome:
    catalog = load_catalog(order.home, creates=False)
    names = [service.container for service in catalog.services.values() if service.container]
    return await gather_images(names, staging, order.home, order.environment, report)


async def _write(
    order: Order, staging: Staging, report: Callable[[Progress | str], None]
) -> Outcome:
    if order.file.is_dir():
        raise PrismError(f"{order.file} is a directory", hint="name the file to write in it")
    paths = dict(sorted(staging.paths.items()))

    def look(course: Course) -> dict[str, BundledFile]:
        return {name: measure(path, name, course) for name, path in paths.items()}

    files = await run_in_thread(look)
    target = order.server.target if order.server else find_target()
    index = Index(
        written_by=__version__,
        target=str(target),
        python=staging.python,
        files=files,
        tools=staging.tools,
        images=staging.images,
    )

    def write(course: Course) -> int:
        return write_bundle(order.file, index, paths, course)

    total = sum(file.size_bytes for file in files.values())
    size = await run_in_thread(write, report=report, total=total)
    for path in staging.spent:
        path.unlink(missing_ok=True)
    unsigned = [name for name, tool in staging.tools.items() if tool.kind is ToolKind.BUILT]
    note = f"; {' and '.join(unsigned)} signed by nobody" if unsigned else ""
    return Outcome(
        detail=f"{name_for_people(order.file)}, {describe_size(size)}{note}", is_changed=True
    )

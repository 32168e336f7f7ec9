"""Fetches the images that a plan needs and the machine does not have, before anything of the plan runs."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from prismctl.domain.containers import parse_image_name
from prismctl.domain.events import EventKind
from prismctl.domain.service import Runtime
from prismctl.errors import PrismError
from prismctl.files.container_tool import remember_tool
from prismctl.files.paths import Home
from prismctl.install.manifest import change_manifest, with_image
from prismctl.runtime.image_machine import require_own_machine
from prismctl.runtime.image_pull import identify_image, pull_image

if TYPE_CHECKING:
    from prismctl.daemon.stack import Stack
    from prismctl.domain.containers import ContainerTool
    from prismctl.domain.plan import StackPlan

PULLS_AT_ONCE: Final = 2
"""One alone seldom fills a line; many only slow each other, and registries count them."""


async def prepare_containers(stack: Stack, plan: StackPlan) -> None:
    """Have everything here that the containers of a plan are made from.

    Raises:
        PrismError: images cannot be had, or run here; all of them, each with its reason.
    """
    tool = plan.containers
    if tool is None:
        return
    remember_tool(stack.paths, tool)
    wanted = {each.program for each in plan.services if each.runtime is Runtime.CONTAINER}
    if present := sorted(wanted.difference(plan.missing_images)):
        await require_own_machine(tool, present)
    turn = asyncio.Semaphore(PULLS_AT_ONCE)
    failures = [
        failure
        for failure in await asyncio.gather(
            *(_pull(stack, plan, tool, image, turn) for image in plan.missing_images)
        )
        if failure is not None
    ]
    if failures:
        hints = dict.fromkeys(failure.hint for failure in failures if failure.hint)
        message = "; ".join(failure.message for failure in failures)
        raise PrismError(message, hint="\n".join(hints))


async def _pull(
    stack: Stack, plan: StackPlan, tool: ContainerTool, image: str, turn: asyncio.Semaphore
) -> PrismError | None:
    wanting = [
        service.name
        for service in plan.services
        if service.runtime is Runtime.CONTAINER and service.program == image
    ]
    registry = parse_image_name(image).registry
    async with turn:
        began = time.monotonic()
        for name in wanting:
            stack.events.append(
                EventKind.IMAGE_PULLING, service=name, message=f"pulling {image} from {registry}"
            )
        try:
            await pull_image(tool, image)
            await require_own_machine(tool, [image], keeps=False)
            _take_note(stack, await identify_image(tool, image))
        except PrismError as error:
            return error
        seconds = round(time.monotonic() - began, 3)
        for name in wanting:
            stack.events.append(
                EventKind.IMAGE_PULLED, service=name, message=image, details={"seconds": seconds}
            )
    return None


def _take_note(stack: Stack, identity: str) -> None:
    """That this home brought the image, so that cleaning it takes the image along."""
    home = Home(stack.paths.directory.parent.parent)
    change_manifest(home, lambda manifest: with_image(manifest, identity))

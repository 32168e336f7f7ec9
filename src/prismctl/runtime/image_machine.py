"""Which images have programs for another kind of machine: a container of one ends with a code, or with words of the kernel."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from prismctl.domain.containers import PODMAN, parse_image_name
from prismctl.errors import PrismError
from prismctl.runtime.run_container import MACHINES, find_foreign_machine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prismctl.domain.containers import ContainerTool

_ASK_SECONDS: Final = 10.0
"""A client that does not say so soon what it knows is not waited for: the container tells by itself."""


async def require_own_machine(
    tool: ContainerTool, images: Sequence[str], *, keeps: bool = True
) -> None:
    """Refuse images whose programs do not run on this machine.

    What the kernel can have emulated may run; so may everything where containers run on another kernel, in a virtual
    machine or at the end of a connection: that knows best itself.

    Args:
        tool: that has the images.
        images: as the catalog names them; all are here.
        keeps: whether they stay; what was pulled just for this is let go of again.

    Raises:
        PrismError: some are for another machine; each with what it is for.
    """
    machines = await _read_machines(tool, images)
    foreign = {image: words for image, each in machines.items() if (words := _judge(each))}
    if not foreign or not await _is_this_kernel(tool):
        return
    if not keeps:
        await _ask(tool, "rmi", "--", *(str(parse_image_name(image)) for image in foreign))
    message = "; ".join(f"{image} {words}" for image, words in foreign.items())
    raise PrismError(message, hint=_advise(tool, next(iter(foreign)), keeps=keeps))


def _judge(architecture: str) -> str:
    return find_foreign_machine(architecture) if sys.platform == "linux" else ""


def _advise(tool: ContainerTool, image: str, *, keeps: bool) -> str:
    others = "name another image in the catalog, or start with `--runtime native`"
    if not keeps:
        # The registry was just asked for this machine's, and had none.
        return others
    own = MACHINES[os.uname().machine][0]
    name = parse_image_name(image)
    return (
        f"`{tool.kind} pull --platform linux/{own} {name}` brings this machine's, where there is one; "
        f"else {others}"
    )


async def _read_machines(tool: ContainerTool, images: Sequence[str]) -> dict[str, str]:
    """For which machine each image is, in its own words; none where the client does not say."""
    names = [str(parse_image_name(image)) for image in images]
    said = await _ask(tool, "image", "inspect", "--format", "{{.Architecture}}", "--", *names)
    lines = said.splitlines()
    return dict(zip(images, lines, strict=True)) if len(lines) == len(images) else {}


async def _is_this_kernel(tool: ContainerTool) -> bool:
    """Whether containers run on the kernel that this process runs on."""
    if tool.kind == PODMAN:
        return "CONTAINER_HOST" not in {**os.environ, **tool.environment}
    said = await _ask(tool, "version", "--format", "{{.Server.KernelVersion}}")
    return said.strip() == os.uname().release


async def _ask(tool: ContainerTool, *words: str) -> str:
    """What the client says; empty where it cannot be run, fails, or does not end."""
    try:
        process = await asyncio.create_subprocess_exec(
            tool.program,
            *words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **tool.environment, "LC_ALL": "C"},
            cwd="/",
        )
    except OSError:
        return ""
    try:
        async with asyncio.timeout(_ASK_SECONDS):
            said, _ = await process.communicate()
    except TimeoutError:
        return ""
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return said.decode(errors="replace") if process.returncode == 0 else ""

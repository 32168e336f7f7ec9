"""Builds Nomad and Consul from the Go module proxy, once a machine: `make tools`.

What `prismctl dev init --provider go` does, with the result in use for every home of this machine: in
$PRISM_TOOLS_DIR or ~/.cache/prismctl/tools, as NAME-VERSION-HASH with NAME pointing at it.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from typing import TYPE_CHECKING

from prismctl.errors import PrismError
from prismctl.install.go_build import GoProvider, find_go
from prismctl.install.tools import CONSUL, NOMAD, Tool
from prismctl.machine import tools_directory

if TYPE_CHECKING:
    from prismctl.install.provider import Progress


async def ensure_tool(provider: GoProvider, tool: Tool) -> None:
    """Have one program built, and its name point at it."""
    began_at = time.monotonic()
    told = -1

    def report(progress: Progress) -> None:
        nonlocal told
        percent = 100 * progress.done // progress.total if progress.total else 0
        if percent // 10 > told:
            told = percent // 10
            of = f"of {progress.total} packages" if progress.total else "fetching modules"
            say(f"{tool.name} {tool.version}: {progress.done} {of}")

    offer = await provider.offer(tool, tool.version)
    if offer.warning:
        say(f"{tool.name} {tool.version}: {offer.warning}")
    built = await provider.build(tool, tool.version, report)
    link = built.with_name(f".{tool.name}.{os.getpid()}")
    link.unlink(missing_ok=True)
    link.symlink_to(built.name)
    link.replace(built.with_name(str(tool.name)))
    say(f"{tool.name} {tool.version}: {built} ({time.monotonic() - began_at:.0f} s)")


def say(line: str) -> None:
    """Tell what is going on."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


async def main() -> None:
    """Build what is missing, one after the other: each takes all cores."""
    provider = GoProvider(tools_directory(), os.environ, go=await find_go(os.environ))
    for tool in (CONSUL, NOMAD):
        await ensure_tool(provider, tool)


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except PrismError as error:
        sys.exit(
            f"error: {error.message}\nhint: {error.hint}"
            if error.hint
            else f"error: {error.message}"
        )

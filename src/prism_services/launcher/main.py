"""The command ``pattern-launcher``."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from prism_services.serving.entry import end_process, run_command

if TYPE_CHECKING:
    from collections.abc import Sequence


def main() -> NoReturn:
    """Run the command and end the process."""
    end_process(run_command(_launcher))


def _launcher(arguments: Sequence[str]) -> None:
    from prism_services.launcher.flags import parse

    options = parse(arguments)
    import asyncio

    from prism_services.launcher.serve import serve

    asyncio.run(serve(options))

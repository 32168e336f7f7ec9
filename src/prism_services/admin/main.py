"""The command ``prism-admin``."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from prism_services.serving.entry import end_process, run_command

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prism_services.admin.flags import ServeOptions


def main() -> NoReturn:
    """Run the command and end the process."""
    end_process(run_command(_admin))


def _admin(arguments: Sequence[str]) -> None:
    from prism_services.admin.flags import ServeOptions, parse

    options = parse(arguments)
    if isinstance(options, ServeOptions):
        _serve(options)
    else:
        from prism_services.admin.client import run

        run(options)


def _serve(options: ServeOptions) -> None:
    from prism_services.admin.database import DatabaseThread

    # The disk works while gRPC is imported.
    with DatabaseThread(options.database) as database:
        import asyncio

        from prism_services.admin.serve import serve

        asyncio.run(serve(options, database))

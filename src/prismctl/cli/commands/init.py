"""``prismctl dev init``: what shall be installed, as flags; `cli/initialising.py` does it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from prismctl.cli.command import Command, option
from prismctl.install.provider import ProviderName
from prismctl.install.tools import TOOLS, ToolName

if TYPE_CHECKING:
    from prismctl.cli.invocation import Invocation

_WHENCE = "Where tools come from"
_PROJECT = "A repository"


@click.command(
    cls=Command,
    outlives_readers=True,
    help="Make this machine ready, once: install what is missing of Nomad, Consul and Podman, create home with "
    "its catalog, and prove it by starting and stopping one service. What is there is left as it is; "
    "doing it again changes nothing, and carries on where an interrupted one ended.",
    short_help="Make this machine ready, once.",
    examples=[
        ("prismctl dev init", "install what is missing"),
        ("prismctl dev init --dry-run", "only show what would be done, with URLs and sizes"),
        ("prismctl dev init --yes", "without a question, as in a script"),
        ("prismctl dev init --without podman", "no containers wanted"),
        ("prismctl dev init --with kafka", "Kafka as a program of this machine"),
        ("prismctl dev init --provider go", "build Nomad and Consul with Go"),
        (
            "prismctl dev init --make-bundle tools.tar",
            "pack everything for a machine without network",
        ),
        ("prismctl dev init --from-bundle tools.tar", "install from it"),
        ("prismctl dev init --rollback nomad", "use the version that was in use before"),
        ("prismctl dev init --project", "write a prism.yaml for the repository one stands in"),
    ],
    has_stack=False,
)
@option(
    "--provider",
    type=click.Choice(
        ["auto", *(name.value for name in ProviderName if name is not ProviderName.BUNDLE)]
    ),
    default="auto",
    section=_WHENCE,
    help="Whom to have Nomad and Consul from.",
)
@option("--offline", is_flag=True, section=_WHENCE, help="Fetch nothing from anywhere.")
@option(
    "--from-bundle",
    metavar="FILE",
    section=_WHENCE,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Install from a file that --make-bundle wrote; needs no network.",
)
@option(
    "--from-dir",
    metavar="DIR",
    section=_WHENCE,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Install from a directory with release archives and their SHA256SUMS.",
)
@option(
    "--without",
    metavar="TOOL",
    multiple=True,
    type=click.Choice([tool.name.value for tool in TOOLS.values() if not tool.is_required]),
    help="Do not install this one.",
)
@option(
    "--with",
    "with_servers",
    metavar="SERVER",
    multiple=True,
    type=click.Choice(["kafka"]),
    help="Have this server as well, so that it runs without a container; Maven resolves it.",
)
@option("--dry-run", is_flag=True, help="Show what would be done and touch nothing.")
@option(
    "--make-bundle",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Pack what a machine without network needs into one file.",
)
@option(
    "--without-wheels",
    is_flag=True,
    help="Leave the wheels of prismctl out of the bundle: it is installed there already.",
)
@option(
    "--with-images",
    is_flag=True,
    help="Put the catalog's container images into the bundle, as far as Podman has them.",
)
@option(
    "--rollback",
    metavar="TOOL",
    type=click.Choice([tool.name.value for tool in TOOLS.values() if tool.is_required]),
    help="Use the version of a tool that was in use before.",
)
@option(
    "--project",
    metavar="[DIR]",
    is_flag=False,
    flag_value=".",
    type=click.Path(file_okay=False, path_type=Path),
    section=_PROJECT,
    help="Write a commented prism.yaml for a repository, and nothing else. What is found is offered: a compose file or "
    "a Procfile to import (--yes imports it), programs in build/binaries.",
)
def init(
    call: Invocation,
    *,
    project: Path | None,
    provider: str,
    offline: bool,
    from_bundle: Path | None,
    from_dir: Path | None,
    without: tuple[str, ...],
    with_servers: tuple[str, ...],
    dry_run: bool,
    make_bundle: Path | None,
    without_wheels: bool,
    with_images: bool,
    rollback: str | None,
) -> None:
    """Read the flags and do what they say."""
    if project is not None:
        from prismctl.cli.project_start import begin_project

        begin_project(call, project, is_trial=dry_run)
        return
    from prismctl.cli.initialising import go_back, initialise
    from prismctl.install.survey import Wanted

    if rollback is not None:
        go_back(call, rollback, is_trial=dry_run)
        return
    wanted = Wanted(
        provider=None if provider == "auto" else ProviderName(provider),
        is_offline=offline,
        bundle=from_bundle or from_dir,
        without=frozenset(ToolName(name) for name in without),
        has_kafka="kafka" in with_servers,
    )
    if make_bundle is not None:
        from prismctl.cli.packing import pack

        pack(
            call,
            wanted,
            make_bundle,
            is_trial=dry_run,
            has_wheels=not without_wheels,
            has_images=with_images,
        )
    else:
        initialise(call, wanted, is_trial=dry_run)

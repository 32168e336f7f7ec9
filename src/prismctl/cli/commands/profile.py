"""``prismctl dev profile``: saved selections, written, read and removed one at a time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from prismctl.cli.command import Command, Entry, Group, option
from prismctl.cli.completion import complete_profiles
from prismctl.cli.selection_flags import SelectionCommand, request_services

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prismctl.cli.invocation import Invocation

_WHAT = "What to save"


class _SaveCommand(SelectionCommand):
    """Has the flags of `start` for what a profile can hold."""

    flags = (
        "preset",
        "seed",
        "profile",
        "with_services",
        "without_services",
        "catalog_file",
        "persist",
    )


profile = Group(
    "profile",
    entries={
        "save": Entry(f"{__name__}:save", "Save a selection under a name."),
        "show": Entry(f"{__name__}:show", "Show a profile as it is written."),
        "delete": Entry(f"{__name__}:delete", "Remove a saved profile."),
    },
    help="Save selections of services, and what is different about each, under names. A profile is a YAML file in home's "
    "`profiles`, to be edited and shared; `prismctl dev profiles` lists them.",
    short_help="Save, show and delete profiles.",
    examples=[
        ("prismctl dev profile save mine --with redis --with nats", "a selection under a name"),
        ("prismctl dev profile save mine --from-running", "what runs now"),
        ("prismctl dev start --profile=mine", "start it later"),
        ("prismctl dev profile show mine", "the file"),
        ("prismctl dev profile delete mine", "it is gone"),
    ],
)


@click.command(
    cls=_SaveCommand,
    help="Save a selection under a name: what `prismctl dev start` would start with the same flags, dependencies included, "
    "or what runs now. Over an existing profile, a terminal is asked; elsewhere it needs `--yes`. Comments stay, and so "
    "do description and settings that are not given.",
    short_help="Save a selection under a name.",
    examples=[
        ("prismctl dev profile save mine --with redis --with nats", "a selection under a name"),
        ("prismctl dev profile save mine --from-running", "what runs now"),
        ("prismctl dev profile save team --profile ./team.yaml", "a file somebody shared"),
        ("prismctl dev profile save mine --profile mine --with kafka --yes", "one service more"),
        (
            "prismctl dev profile save mine --description 'orders and payments'",
            "only another description",
        ),
    ],
)
@click.argument("name", metavar="NAME", shell_complete=complete_profiles)
@option(
    "--from-running",
    is_flag=True,
    section=_WHAT,
    help="What runs now, with the settings of the profile it was started from.",
)
@option("--description", metavar="TEXT", section=_WHAT, help="What it is for, in one line.")
def save(
    call: Invocation,
    *,
    name: str,
    typed: Mapping[str, Any],
    from_running: bool,
    description: str | None,
) -> None:
    """Hand what was typed on."""
    from prismctl.cli.profile_changes import Typed, save_profile

    said = Typed(
        name=name,
        description=description,
        is_from_running=from_running,
        request=request_services(call, typed),
    )
    save_profile(call, said)


@click.command(
    cls=Command,
    help="Show a profile as it is written. With `-o json`, what it says, and which services it starts with the catalog "
    "in use, with the reason for each.",
    short_help="Show a profile as it is written.",
    examples=[
        ("prismctl dev profile show mine", "the file"),
        ("prismctl dev profile show mine > team.yaml", "to share it"),
        ("prismctl dev profile show ./team.yaml -o json", "what somebody else's would start"),
    ],
    has_stack=False,
)
@click.argument("name", metavar="NAME|FILE", shell_complete=complete_profiles)
def show(call: Invocation, name: str) -> None:
    """Print the file, or what it means."""
    from prismctl.cli.profile_listing import describe_profile
    from prismctl.files.profile_schema import ensure_profile_schema

    ensure_profile_schema(call.home)
    if call.is_json:
        call.write_json(describe_profile(call, name), is_pretty=call.is_on_terminal)
        return
    from prismctl.files.profiles import find_profile
    from prismctl.files.text import read_text
    from prismctl.present.profiles import text_lines

    text = read_text(find_profile(call.home, name, Path.cwd()))
    if call.is_on_terminal:
        call.write_lines(text_lines(text))
    else:
        call.write(text.removesuffix("\n"))
        call.flush()


@click.command(
    cls=Command,
    outlives_readers=True,
    help="Remove a saved profile. A terminal is asked; elsewhere it needs `--yes`. What runs is not touched.",
    short_help="Remove a saved profile.",
    examples=[
        ("prismctl dev profile delete mine", "asks, and says where it was"),
        ("prismctl dev profile delete mine --yes", "in a script"),
    ],
    has_stack=False,
)
@click.argument("name", metavar="NAME", shell_complete=complete_profiles)
def delete(call: Invocation, name: str) -> None:
    """Remove the file."""
    from prismctl.cli.profile_changes import remove_profile

    remove_profile(call, name)

"""`catalog import`: reads another tool's file, tells what it comes to, asks where it has to, and writes the catalog."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Final

import click

from prismctl.cli.keypress import ask_for_key
from prismctl.cli.terminal import width_of_stream
from prismctl.domain.counting import count_of
from prismctl.domain.importing.entry_text import render_entry
from prismctl.errors import ConfigError, ExitCode, PartialError, Problem
from prismctl.files.catalog_change import (
    Target,
    change_text,
    check_change,
    open_target,
    save_change,
)
from prismctl.files.foreign import load_foreign
from prismctl.present.importing import import_lines, remark_lines, render_import
from prismctl.present.question import Choice
from prismctl.present.text import line
from prismctl.present.units import list_of

if TYPE_CHECKING:
    from pathlib import Path

    from prismctl.cli.invocation import Invocation
    from prismctl.domain.importing.imported import Imported

ADDED: Final = "added"
REPLACED: Final = "replaced"
KEPT: Final = "kept"

_SHOWN: Final = 5
"""More names on one command line show nothing more."""
_CHOICES: Final = (
    Choice("r", "replace them"),
    Choice("k", "keep those of the catalog"),
    Choice("q", "write nothing"),
)


def import_services(call: Invocation, file: Path, *, into: Path | None, is_trial: bool) -> None:
    """Bring the services of a file into a catalog; with ``is_trial`` only show what they would be.

    Raises:
        ConfigError: the file, or the catalog, has mistakes, or services are there already and nobody can be asked.
        PartialError: it is done, and something was left out.
        PrismError: a file cannot be read or written.
        click.exceptions.Exit: somebody decided not to go on.
    """
    target = open_target(call.home, into)
    imported = load_foreign(file, catalog_directory=target.path.parent, is_shared=target.is_project)
    actions = _settle_names(call, imported, target, is_trial=is_trial)
    taken = [each.entry for each in imported.services if actions[each.name] != KEPT]
    changed = change_text(target, taken, origin=imported.file)
    check_change(call.home, target, changed)
    if not is_trial and taken:
        save_change(call.home, target, changed, entries=taken)
    document = render_import(
        imported, actions, into=target.shown, is_written=bool(taken) and not is_trial
    )
    left_out = len(imported.left_out) + sum(action == KEPT for action in actions.values())
    if call.is_json:
        call.write_json(document, is_pretty=call.is_on_terminal)
        if left_out:
            raise click.exceptions.Exit(ExitCode.PARTIAL)
        return
    if is_trial:
        entries = [each["entry"] for each in document["services"] if each["action"] != KEPT]
        call.write("\n".join(render_entry(entry) for entry in entries).rstrip("\n"))
        call.flush()
    else:
        call.write_lines(import_lines(document))
    remarks = remark_lines(document, width=width_of_stream(sys.stderr))
    if remarks:
        # Also under -q: nothing is left out without being told.
        call.show([(), *remarks])
    if is_trial:
        call.report([(), line("nothing was written (--dry-run)")])
    if left_out:
        words = "cannot be taken over" if is_trial else "could not be taken over; all else was"
        raise PartialError(
            f"{count_of(left_out, 'thing')} of {imported.file} {words}",
            hint=_writing_step(target, imported) if is_trial else _next_step(target, imported),
        )
    if not is_trial:
        call.report([(), line(_next_step(target, imported))])


def _writing_step(target: Target, imported: Imported) -> str:
    words = ["prismctl dev catalog import", shlex.quote(imported.file)]
    if not target.is_home:
        words.append(f"--into {shlex.quote(target.shown)}")
    return f"`{' '.join(words)}` writes what can"


def _next_step(target: Target, imported: Imported) -> str:
    words = ["prismctl dev start"]
    if not (target.is_home or target.is_project):
        words.append(f"--services {shlex.quote(target.shown)}")
    named = (imported.chosen or imported.services)[:_SHOWN]
    words += [f"--with {each.name}" for each in named]
    return f"`{' '.join(words)}` starts {'it' if len(named) == 1 else 'them'}"


def _settle_names(
    call: Invocation, imported: Imported, target: Target, *, is_trial: bool
) -> dict[str, str]:
    """What becomes of each service: added, replaced or kept.

    Raises:
        ConfigError: some are there already, and nobody can be asked.
        click.exceptions.Exit: somebody decided not to go on.
    """
    names = [each.name for each in imported.services]
    taken = [name for name in names if name in target.known]
    actions: dict[str, str] = {name: REPLACED if name in taken else ADDED for name in names}
    words = f"{target.shown} has {list_of(taken)} already" if taken else ""
    if is_trial and taken:
        call.report([line(f"{words}: to be replaced"), ()])
    if not taken or call.is_confirmed or is_trial:
        return actions
    if not call.can_ask:
        places = {each.name: each.place for each in imported.services}
        raise ConfigError(
            [
                Problem(
                    message=f"{name}: {target.shown} has a service of this name",
                    file=places[name].file,
                    line=places[name].line,
                    column=places[name].column,
                )
                for name in taken
            ],
            hint="add --yes to replace them, or --into FILE to have a catalog of its own",
        )
    call.show([line(words), ()])
    answer = ask_for_key(call, _CHOICES, declining="q")
    if answer == "q":
        call.show([line("nothing was written")])
        raise click.exceptions.Exit(ExitCode.FAILED)
    return {
        name: KEPT if action == REPLACED and answer == "k" else action
        for name, action in actions.items()
    }

"""`init --project`: looks at a repository, offers what is there, and writes its `prism.yaml`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from prismctl.cli.keypress import ask_for_key
from prismctl.cli.terminal import width_of_stream
from prismctl.domain.counting import count_of
from prismctl.domain.packaged import PACKAGED
from prismctl.domain.project_text import render_project
from prismctl.errors import ConfigError, ExitCode, PartialError, Problem
from prismctl.files.atomic import write_atomically
from prismctl.files.catalog_change import Target, check_change, choose_mode
from prismctl.files.foreign import find_foreign_files, load_foreign
from prismctl.files.paths import PROJECT_FILE_NAME
from prismctl.files.project import name_stack
from prismctl.files.text import name_for_people
from prismctl.machine import BINARIES_DIRECTORY
from prismctl.present.importing import remark_lines, render_import
from prismctl.present.question import Choice
from prismctl.present.text import Span, Tone, line

if TYPE_CHECKING:
    from prismctl.cli.invocation import Invocation
    from prismctl.domain.importing.imported import Imported

SCHEMA_VERSION: Final = 1
_IMPORT: Final = (
    Choice("y", "write its services into prism.yaml"),
    Choice("n", "leave it"),
    Choice("q", "write nothing"),
)
_REPLACE: Final = (Choice("y", "replace it"), Choice("n", "keep it"))


def begin_project(call: Invocation, directory: Path, *, is_trial: bool = False) -> None:
    """Write the project file of a directory; with ``is_trial`` only show it.

    Raises:
        ConfigError: the directory is no repository's, or a project file is there and nobody can be asked.
        PartialError: it is written, and something of an imported file was left out.
        PrismError: it cannot be written.
        click.exceptions.Exit: somebody decided not to go on.
    """
    place = directory.absolute()
    _refuse_what_is_no_repository(call, place)
    file = place / PROJECT_FILE_NAME
    if not is_trial:
        _settle_existing(call, file)
    found = find_foreign_files(place)
    imported = _offer_import(call, found, place, is_trial=is_trial)
    names = tuple(each.name for each in found if imported is None or each.name != _base(imported))
    binaries = _find_binaries(place)
    text = render_project(
        name_stack(place.name), imported=imported, foreign_files=names, binaries=binaries
    )
    target = Target(path=file.resolve(), text="", is_new=True, is_home=False, known=frozenset())
    check_change(call.home, target, text)
    if not is_trial:
        entries = [each.entry for each in imported.services] if imported is not None else []
        write_atomically(file.resolve(), text, mode=choose_mode(entries))
    _tell(call, file, text, imported, binaries, is_trial=is_trial)


def _refuse_what_is_no_repository(call: Invocation, place: Path) -> None:
    if not place.is_dir():
        raise ConfigError(
            [Problem(message="--project: there is no such directory", file=str(place))]
        )
    resolved = place.resolve()
    why = ""
    if resolved == Path(resolved.anchor):
        why = "is the top of everything: every directory would belong to the project"
    elif resolved == _user_home():
        why = "is a home directory: everything in it would belong to the project"
    elif resolved.is_relative_to(call.home.directory.resolve()):
        why = "is prismctl's own"
    if why:
        raise ConfigError(
            [Problem(message=f"--project: {place} {why}")],
            hint="go to the top of a repository, or name one: `prismctl dev init --project DIR`",
        )


def _user_home() -> Path | None:
    try:
        return Path.home().resolve()
    except RuntimeError:
        # An account without one.
        return None


def _settle_existing(call: Invocation, file: Path) -> None:
    if not (file.exists() or file.is_symlink()) or call.is_confirmed:
        return
    shown = name_for_people(file)
    if not call.can_ask:
        raise ConfigError(
            [Problem(message="is there already", file=shown)],
            hint="add --yes to replace it, or --dry-run to see what would be written",
        )
    call.show([line(f"{shown} is there already"), ()])
    if ask_for_key(call, _REPLACE, declining="n") != "y":
        call.show([line("nothing was written")])
        raise click.exceptions.Exit(ExitCode.FAILED)


def _offer_import(
    call: Invocation, found: list[Path], place: Path, *, is_trial: bool
) -> Imported | None:
    """What another tool's file comes to, where somebody wants it; the first one that is there."""
    if not found:
        return None
    if not (call.is_confirmed or (call.can_ask and not is_trial)):
        return None
    imported = load_foreign(found[0], catalog_directory=place, is_shared=True)
    if call.is_confirmed:
        return imported
    services = count_of(len(imported.services), "service")
    call.show([line(f"{imported.file} describes {services}"), ()])
    answer = ask_for_key(call, _IMPORT, declining="q")
    if answer == "q":
        call.show([line("nothing was written")])
        raise click.exceptions.Exit(ExitCode.FAILED)
    return imported if answer == "y" else None


def _base(imported: Imported) -> str:
    return Path(imported.file).name


def _find_binaries(place: Path) -> tuple[str, ...]:
    """Packaged services of which the repository builds a program itself."""
    directory = place / BINARIES_DIRECTORY
    return tuple(name for name in PACKAGED if (directory / name).is_file())


def _tell(
    call: Invocation,
    file: Path,
    text: str,
    imported: Imported | None,
    binaries: tuple[str, ...],
    *,
    is_trial: bool,
) -> None:
    shown = name_for_people(file)
    document = None
    if imported is not None:
        actions: dict[str, str] = {each.name: "added" for each in imported.services}
        document = render_import(imported, actions, into=shown, is_written=not is_trial)
    left_out = len(imported.left_out) if imported is not None else 0
    if call.is_json:
        answer: dict[str, Any] = {
            "schema": SCHEMA_VERSION,
            "file": shown,
            "stack": name_stack(file.parent.name),
            "written": not is_trial,
            "binaries": list(binaries),
            "import": document,
        }
        call.write_json(answer, is_pretty=call.is_on_terminal)
        if left_out:
            raise click.exceptions.Exit(ExitCode.PARTIAL)
        return
    if is_trial:
        call.write(text.rstrip("\n"))
        call.flush()
    else:
        stack = name_stack(file.parent.name)
        call.write_lines([line(Span(shown, Tone.STRONG), f" is written: stack {stack}")])
    remarks = remark_lines(document, width=width_of_stream(sys.stderr)) if document else []
    if remarks:
        call.show([(), *remarks])
    if left_out and imported is not None:
        raise PartialError(
            f"{count_of(left_out, 'thing')} of {imported.file} could not be taken over; all else was",
            hint="`prismctl dev start --dry-run` shows what would be started",
        )
    words = "nothing was written (--dry-run)" if is_trial else "`prismctl dev start` starts it"
    call.report([(), line(words)])

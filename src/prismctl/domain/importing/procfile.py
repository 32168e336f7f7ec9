"""A Procfile as entries of the catalog: a line a service, run as a program of this machine."""

from __future__ import annotations

import posixpath
import re
import shlex
from typing import TYPE_CHECKING, Final

from prismctl.domain.importing.draft import Draft, DraftPort
from prismctl.domain.importing.imported import (
    Imported,
    ImportedService,
    Remark,
    RemarkKind,
    SourceKind,
)
from prismctl.domain.importing.names import choose_names
from prismctl.domain.importing.paths import write_path
from prismctl.domain.importing.secret_names import describe_withheld, find_secrets, is_given_away
from prismctl.domain.importing.variables import DOTENV, escape
from prismctl.domain.problems import Place, Problems, shorten
from prismctl.domain.shape import VARIABLE_PATTERN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prismctl.domain.importing.reading import Around

FIRST_PORT: Final = 5000
"""What the first process gets as PORT from the tools that read Procfiles; each further one a hundred more."""
_STEP: Final = 100
_LINE: Final = re.compile(r"([A-Za-z0-9_-]+):\s*(\S.*)")
_SHELL: Final = re.compile(r"[$&|;<>()`*?~#\"'\\{}\[\]]|^\s*\w+=")
"""What only a shell understands."""
_WORDS_OF_COMPOSE: Final = ("version", "name", "volumes", "networks", "include")
_ONE_SHOTS: Final = ("release",)


def is_procfile(text: str) -> bool:
    """Whether a text is a Procfile rather than a compose file."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not lines or any(
        re.match(r"[\"']?services[\"']?\s*:\s*([#{&].*)?$", line) for line in lines
    ):
        return False
    if all(line.partition(":")[0] in _WORDS_OF_COMPOSE for line in lines):
        return False
    return _LINE.fullmatch(lines[0].rstrip()) is not None and not any(
        line[0].isspace() for line in lines
    )


def translate_procfile(text: str, file: str, directory: str, around: Around) -> Imported:
    """The processes of a Procfile as entries of a catalog.

    Args:
        text: of the file.
        file: as the user would name it.
        directory: where it lies, absolute; the processes run there.
        around: what it depends on besides itself.

    Raises:
        ConfigError: lines are no processes; all of them, each with its place.
    """
    lines = _read_lines(text, file)
    names = choose_names(lines)
    env = {
        key: escape(value)
        for key, value in around.variables.items()
        if re.fullmatch(VARIABLE_PATTERN, key)
    }
    remarks: list[Remark] = []
    if env:
        words = "what it says now is written into `env`; later changes are not seen"
        remarks.append(_remark("", DOTENV, words, Place(file)))
    secrets = find_secrets(env)
    for key in secrets if around.is_shared else ():
        if is_given_away(key, env[key]):
            env[key] = f"${{{key}}}"
            words = describe_withheld(key, DOTENV)
            remarks.append(_remark("", f"environment {key}", words, Place(file)))
    services = []
    for index, (name, (command, place)) in enumerate(lines.items()):
        draft = Draft(source_name=name, name=names[name], place=place, env=dict(env))
        draft.command = _split(command, directory, around.catalog_directory)
        draft.working_directory = write_path(directory, around.catalog_directory)
        draft.secrets = secrets
        if re.search(r"\$(PORT\b|\{PORT\b)", command):
            draft.ports = [DraftPort(FIRST_PORT + _STEP * index)]
        draft.one_shot = name in _ONE_SHOTS
        remarks += _describe(draft, command)
        entry = draft.entry(names)
        services.append(
            ImportedService(name=draft.name, source_name=name, place=place, entry=entry)
        )
    return Imported(
        kind=SourceKind.PROCFILE, file=file, services=tuple(services), remarks=tuple(remarks)
    )


def _read_lines(text: str, file: str) -> dict[str, tuple[str, Place]]:
    """Commands by the names of their processes.

    Raises:
        ConfigError: lines are no processes; all of them, each with its place.
    """
    problems = Problems()
    lines: dict[str, tuple[str, Place]] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line.rstrip())
        if match is None or "\0" in line:
            words = f"`{shorten(line)}` is no process; write `NAME: COMMAND`"
            problems.add(words, Place(file, number, 1))
        elif match[1] in lines:
            first = lines[match[1]][1].line
            words = f"{match[1]}: is there twice; first in line {first}"
            problems.add(words, Place(file, number, 1))
        else:
            lines[match[1]] = (match[2], Place(file, number, match.start(2) + 1))
    if not lines and not problems.found:
        problems.add("has no process; write `NAME: COMMAND`", Place(file, 1, 1))
    problems.raise_if_any()
    return lines


def _describe(draft: Draft, command: str) -> Iterator[Remark]:
    """What is worth knowing about one process."""
    name, place = draft.source_name, draft.place
    if draft.name != name:
        yield _remark(name, "name", f"is `{draft.name}` in the catalog", place)
    if draft.ports:
        yield _remark(name, "PORT", f"is {draft.ports[0].number}", place)
    if draft.one_shot:
        words = "is completed when it exits with 0; name it in `depends_on` of what waits for it"
        yield _remark(name, "release", words, place)
    foreign = _foreign_variables(command, draft.env)
    if foreign:
        words = f"{', '.join(foreign)}: services get from the shell only what `env` names"
        yield _remark(name, "variables", words, place)


def _remark(service: str, subject: str, message: str, place: Place) -> Remark:
    return Remark(
        kind=RemarkKind.CHANGED, service=service, subject=subject, message=message, place=place
    )


def _split(command: str, directory: str, catalog_directory: str) -> list[str]:
    """The words of a command; a shell's, where it takes one to understand it."""
    if _SHELL.search(command):
        return ["/bin/sh", "-c", escape(command)]
    words = shlex.split(command)
    program = words[0]
    if "/" in program and not program.startswith("/"):
        program = write_path(posixpath.join(directory, program), catalog_directory)
    return [program, *words[1:]]


def _foreign_variables(command: str, env: dict[str, str]) -> list[str]:
    """Variables that the command asks for and nobody gives it."""
    given = {*env, "PORT", "PATH", "HOME", "USER", "SHELL", "LANG", "TZ", "TMPDIR"}
    set_by_itself = set(re.findall(r"\b([A-Za-z_]\w*)=", command))
    asked = re.findall(r"\$\{?([A-Za-z_]\w*)", command)
    return [name for name in dict.fromkeys(asked) if name not in given | set_by_itself]

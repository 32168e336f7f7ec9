"""The parts of a native command line, and how they become one; pure but for the times of files."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from prismctl.runtime import first_run, from_template, write_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from prismctl.domain.plan import ServicePlan


class Launch(NamedTuple):
    """What is run for one instance, part by part."""

    program: str
    """The server's own, absolute."""
    command: tuple[str, ...]
    """The server, with the account it runs under."""
    init: tuple[str, ...] = ()
    """To its end, while the data directory is empty."""
    before: tuple[str, ...] = ()
    """Becomes what follows it, or refuses."""

    def render(self, data: str, files: Mapping[str, str]) -> tuple[str, ...]:
        """The whole command line."""
        words = self.command
        if self.init:
            script = render_script(first_run.__file__)
            words = (*script, data, str(len(self.init)), *self.init, *words)
        for path, text in files.items():
            words = (*render_script(write_file.__file__), path, text, *words)
        return (*self.before, *words)


def render_script(file: str) -> tuple[str, ...]:
    """The interpreter with one of our scripts, alone."""
    return (sys.executable, "-I", "-S", str(Path(file)))


def render_copy(
    service: ServicePlan, make: tuple[str, ...], data: str, templates: Path, *, madeby: str
) -> tuple[str, ...]:
    """The command that fills a data directory with a copy of what ``make`` makes, which is made once.

    Args:
        service: whose data it is.
        make: the command; it names the data directory.
        data: the data directory.
        templates: where what was made is kept.
        madeby: the program whose every change makes another template.
    """
    template = template_path(service, make, data, templates, madeby=madeby)
    syncs = "1" if service.persist else "0"
    return (*render_script(from_template.__file__), str(template), data, syncs, *make)


def template_path(
    service: ServicePlan, make: tuple[str, ...], data: str, templates: Path, *, madeby: str
) -> Path:
    """Where the template is, or will be."""
    words = [word.replace(data, "") for word in make]
    return templates / f"{service.driver}-{fingerprint([madeby], words)}"


def fingerprint(files: Iterable[str], words: Iterable[str]) -> str:
    """The same as long as the files are, and another one when one of them was changed or replaced."""
    digest = hashlib.sha256()
    for name in files:
        status = Path(name).resolve().stat()
        digest.update(f"{Path(name).resolve()}\0{status.st_mtime_ns}\0{status.st_size}\0".encode())
    for word in words:
        digest.update(f"{word}\0".encode())
    return digest.hexdigest()[:16]

"""Output in the reader's own program: a pager that is fed as it reads, or an editor with a file of its own."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from prismctl.errors import ConfigError, MissingToolError, PrismError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_PAGERS: Final = ("less", "more")
_EDITORS: Final = ("vi", "nano")
_LESS_OPTIONS: Final = "FRX"
"""As git has it: colours shown, what fits on the screen stays there."""


def page(texts: Iterable[str]) -> None:
    """Show texts in ``$PAGER``, ``less`` without one; who leaves it early has seen enough.

    Raises:
        PrismError: it cannot be run.
    """
    words = _find_program("PAGER", (), _PAGERS)
    environment = {"LESS": _LESS_OPTIONS, **os.environ}
    with _left_to_program():
        process = _start(words, environment, stdin=subprocess.PIPE)
        try:
            with process.stdin:  # type: ignore[union-attr] # a pipe was asked for
                for text in texts:
                    process.stdin.write(text.encode(errors="replace"))  # type: ignore[union-attr] # the same
        except BrokenPipeError:
            pass
        finally:
            process.wait()


def edit(texts: Iterable[str], name: str) -> None:
    """Open texts in ``$VISUAL`` or ``$EDITOR``, ``vi`` without them; the file is gone once that has ended.

    Raises:
        PrismError: it cannot be run, or failed.
    """
    words = _find_program("EDITOR", ("VISUAL",), _EDITORS)
    directory = Path(tempfile.mkdtemp(prefix="prism-"))
    try:
        file = directory / name
        with file.open("w", encoding="utf-8", errors="replace") as written:
            written.writelines(texts)
        with _left_to_program():
            code = _start((*words, str(file)), dict(os.environ), stdin=None).wait()
    finally:
        shutil.rmtree(directory)
    if code:
        raise PrismError(f"`{shlex.join(words)}` ended with {code}")


def _find_program(variable: str, before: tuple[str, ...], usual: tuple[str, ...]) -> list[str]:
    for name in (*before, variable):
        try:
            words = shlex.split(os.environ.get(name, ""))
        except ValueError as error:
            problem = Problem(message=f"{name}: `{os.environ[name]}` is not a command: {error}")
            raise ConfigError((problem,), hint=f"`unset {name}` takes the usual one") from error
        if words:
            return words
    found = next((program for program in usual if shutil.which(program)), None)
    if found is None:
        raise MissingToolError(
            f"neither {' nor '.join(usual)} is installed",
            hint=f"`export {variable}=…` names another",
        )
    return [found]


def _start(
    words: Iterable[str], environment: dict[str, str], *, stdin: int | None
) -> subprocess.Popen[bytes]:
    command = list(words)
    try:
        return subprocess.Popen(command, env=environment, stdin=stdin)
    except OSError as error:
        raise PrismError(
            f"cannot run `{shlex.join(command)}`: {(error.strerror or str(error)).lower()}"
        ) from error


@contextmanager
def _left_to_program() -> Iterator[None]:
    """Ctrl-C is for the program that has the terminal."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)

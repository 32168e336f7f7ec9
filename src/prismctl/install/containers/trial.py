"""Runs one container for real: of a program that Podman itself brings, or of an image at hand; nothing is pulled."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from prismctl.errors import PrismError
from prismctl.install.commands import finish, run_command, shorten_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from prismctl.install.commands import Answer

LABEL: Final = "prism.trial"
PATIENCE_SECONDS: Final = 30.0
"""For one container; it takes a third of a second where it works."""
_ASK_SECONDS: Final = 10.0
INITS: Final = (
    "/usr/bin/catatonit",
    "/usr/libexec/podman/catatonit",
    "/usr/lib/podman/catatonit",
    "/usr/libexec/catatonit/catatonit",
)
"""A small program that Podman runs as the first process of containers; it is linked with nothing."""
_LINKERS: Final = (b"ld-linux", b"ld-musl", b"ld64.so")
_HEAD_BYTES: Final = 4096
_MISSING_PROGRAM: Final = re.compile(
    r"attempted to invoke a command that was not found|executable file .* not found"
)
_NO_SUCH_PROGRAM: Final = {126, 127}
"""How a container ends that has no such program: it was started as far as that."""


class TrialState(StrEnum):
    """How a trial went."""

    WORKED = "worked"
    FAILED = "failed"
    NOT_TRIED = "not tried"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What came of running a container."""

    state: TrialState
    words: str = ""
    """What Podman said, or why it was not tried."""

    @property
    def has_worked(self) -> bool:
        """Whether the container ran."""
        return self.state is TrialState.WORKED


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What can be run."""

    arguments: tuple[str, ...]
    """Of ``podman run``, after the options."""
    may_lack_program: bool = False
    """Whether the program may be missing in it: nobody knows what is in somebody's image."""


async def try_container(
    path: Path,
    subject: Subject,
    environment: Mapping[str, str],
    *,
    has_network: bool = False,
    patience_seconds: float = PATIENCE_SECONDS,
) -> Trial:
    """Run one container to its end; nothing of it is left.

    Args:
        path: of Podman.
        subject: what is run.
        environment: Podman is run with.
        has_network: whether it gets the network that containers get.
        patience_seconds: how long it may take.
    """
    token = os.urandom(6).hex()
    options = (
        "run",
        "--rm",
        "--pull=never",
        f"--label={LABEL}={token}",
        *(() if has_network else ("--network=none",)),
    )
    try:
        answer = await run_command(
            (str(path), *options, *subject.arguments),
            environment=environment,
            timeout_seconds=patience_seconds,
        )
    except PrismError as error:
        return Trial(state=TrialState.FAILED, words=error.message)
    finally:
        await finish(_remove(path, token, environment))
    if answer.is_success or (subject.may_lack_program and _is_missing_program(answer)):
        return Trial(state=TrialState.WORKED)
    return Trial(state=TrialState.FAILED, words=_complaint(answer.lines))


@contextlib.contextmanager
def find_subject(
    images: Sequence[str], inits: Sequence[str], *, is_virtual: bool
) -> Iterator[Subject | None]:
    """Something to run, there as long as the context; ``None``: nothing is at hand.

    Args:
        images: at hand, by ID.
        inits: programs that can be run without one, by path.
        is_virtual: whether containers see no directory of this machine.
    """
    program = None if is_virtual else next(filter(_is_static, inits), None)
    if program is None:
        yield (
            Subject(
                arguments=("--entrypoint=/bin/true", images[0]),
                may_lack_program=True,
            )
            if images
            else None
        )
        return
    # In a place that any user of a container may enter, whatever home's permissions are.
    directory = Path(tempfile.mkdtemp(prefix="prismctl-trial-"))
    try:
        directory.chmod(0o755)
        shutil.copy(program, directory / "init")
        yield Subject(arguments=("--rootfs", str(directory), "/init", "--version"))
    finally:
        shutil.rmtree(directory, ignore_errors=True)


async def list_images(path: Path, environment: Mapping[str, str]) -> tuple[str, ...]:
    """The images at hand by ID, the smallest first."""
    try:
        answer = await run_command(
            (str(path), "images", "--format", "json"),
            environment=environment,
            timeout_seconds=_ASK_SECONDS,
        )
        images = json.loads(answer.output) if answer.is_success else []
    except (PrismError, ValueError):
        return ()
    found = [each for each in images or () if isinstance(each, dict) and each.get("Id")]
    found.sort(key=lambda image: int(image.get("Size") or 0))
    return tuple(str(image["Id"]) for image in found)


async def _remove(path: Path, token: str, environment: Mapping[str, str]) -> None:
    """Remove the container, should it still be there: one that could not be started stays."""
    with contextlib.suppress(PrismError):
        listed = await run_command(
            (str(path), "ps", "-aq", "--filter", f"label={LABEL}={token}"),
            environment=environment,
            timeout_seconds=_ASK_SECONDS,
        )
        if ids := listed.output.split():
            await run_command(
                (str(path), "rm", "-f", "-t", "0", *ids),
                environment=environment,
                timeout_seconds=_ASK_SECONDS,
            )


def _is_static(program: str) -> bool:
    try:
        with Path(program).open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return False
    return head.startswith(b"\x7fELF") and not any(linker in head for linker in _LINKERS)


def _is_missing_program(answer: Answer) -> bool:
    return answer.status in _NO_SUCH_PROGRAM and bool(_MISSING_PROGRAM.search(answer.complaint))


def _complaint(lines: Sequence[str]) -> str:
    errors = [line for line in lines if line.startswith("Error:")]
    last = (errors or list(lines) or ["it failed without a word"])[-1]
    # What another program has said is quoted in one line, of which the first part says what happened.
    return shorten_line(last.removeprefix("Error: ").partition("\\n")[0])

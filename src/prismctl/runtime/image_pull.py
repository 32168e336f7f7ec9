"""Pulls an image, and says in one sentence why that was not possible."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from prismctl.domain.containers import PODMAN, parse_image_name
from prismctl.domain.packaged import PACKAGED
from prismctl.errors import PrismError

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Callable

    from prismctl.domain.containers import ContainerTool

STALL_SECONDS: Final = 90.0
"""A client that says nothing and reads nothing for so long has come to a halt; Podman waits for over a minute where a
registry puts it off."""
SILENT_SECONDS: Final = 900.0
"""The same where nobody sees what is read: one layer may take that long, and nothing is said meanwhile."""
LOOK_SECONDS: Final = 5.0
"""How often it is asked what it has read."""
_IDLE_BYTES: Final = 1024
"""What a client reads in that time that only waits is less."""
_LONGEST_LINE: Final = 1 << 16


class _Reason(NamedTuple):
    """Why a pull fails, and by what it is known."""

    pattern: str
    """What clients say, as a regular expression."""
    meaning: str
    advice: str
    """What to do; ``{kind}``, ``{registry}`` and ``{full}`` stand for the client, the registry and the image."""
    is_its_name: bool = False
    """Another name could help."""


_REASONS: Final = (
    _Reason(
        pattern=r"manifest unknown|not found: manifest|manifest for .* not found|name unknown|repository .* not found"
        r"|pull access denied|requested access to the resource is denied|\bdenied: ",
        meaning="the registry has no such image, or shows it only to those who log in",
        advice="check its name in the catalog, or `{kind} login {registry}`",
        is_its_name=True,
    ),
    _Reason(
        pattern=r"unauthorized|authentication required|invalid username/password",
        meaning="the registry wants a login",
        advice="`{kind} login {registry}`",
    ),
    _Reason(
        pattern=r"toomanyrequests|too many requests|rate limit",
        meaning="the registry gives no more images to this address for a while",
        advice="`{kind} login {registry}` raises the limit; or wait",
    ),
    _Reason(
        pattern=r"unexpected HTTP status: 5\d\d|received unexpected HTTP status|internal server error"
        r"|service unavailable|bad gateway",
        meaning="the registry has trouble of its own",
        advice="try again, or start with `--runtime native`",
    ),
    _Reason(
        pattern=r"no matching manifest for|no image found in (?:image index|manifest list) for architecture",
        meaning="there is none for this machine's architecture",
        advice="name another image in the catalog, or start with `--runtime native`",
    ),
    _Reason(
        pattern=r"no such host|connection refused|i/o timeout|network is unreachable|connection reset"
        r"|TLS handshake timeout|context deadline exceeded|server misbehaving",
        meaning="the registry does not answer",
        advice="check the network and the proxy, or start with `--runtime native`",
    ),
    _Reason(
        # Podman runs as a user who is alone in its containers, until it meets an image with more users.
        pattern=r"insufficient UIDs or GIDs|no subuid ranges|no subgid ranges",
        meaning="this user has too few subordinate IDs (/etc/subuid, /etc/subgid) for the users in it",
        advice='`sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 "$(id -un)"`, '
        "then `podman system migrate`; or start with `--runtime native`",
    ),
    _Reason(
        pattern=r"no space left on device",
        meaning="the disk is full",
        advice="`{kind} system prune` removes what is not used",
    ),
    _Reason(
        pattern=r"did not resolve to an alias|short-name",
        meaning="no registry is named for short names",
        advice="`prismctl dev init`, or write the whole name in the catalog: {full}",
    ),
)


_HOPELESS: Final = re.compile(r"toomanyrequests|too many requests", re.IGNORECASE)
"""Said of a first try by a client that goes on for minutes, and fails all the same."""


async def pull_image(
    tool: ContainerTool, image: str, report: Callable[[str], None] = lambda _: None
) -> None:
    """Fetch an image from its registry.

    Args:
        tool: that pulls and keeps it.
        image: as the catalog names it.
        report: told the client's own lines, as they come.

    Raises:
        PrismError: it cannot be had; the message says why, in one sentence.
    """
    # Docker tells on its errors' stream how far it is.
    words = ("pull", "--", str(parse_image_name(image)))
    process = await _start_client(tool, *words, errors=subprocess.STDOUT)
    said: list[str] = []
    try:
        while line := await _next_line(process, image, is_seen=tool.kind == PODMAN):
            said.append(line.decode(errors="replace").strip())
            del said[:-20]
            report(said[-1])
            if _HOPELESS.search(said[-1]):
                raise explain_failure(tool, image, said)
        code = await process.wait()
    finally:
        if process.returncode is None:
            # It may have ended by itself, which is told here a moment later.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    if code:
        raise explain_failure(tool, image, said)


async def _start_client(tool: ContainerTool, *words: str, errors: int) -> Process:
    """A client that leads a process group, with what it says to be read.

    Raises:
        PrismError: it cannot be run.
    """
    try:
        return await asyncio.create_subprocess_exec(
            tool.program,
            *words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**os.environ, **tool.environment, "LC_ALL": "C"},
            cwd="/",
            limit=_LONGEST_LINE,
            process_group=0,
        )
    except OSError as error:
        raise PrismError(
            f"cannot run {tool.program}: {error.strerror}",
            hint="`prismctl dev doctor` looks at it; or start with `--runtime native`",
        ) from error


async def _next_line(process: Process, image: str, *, is_seen: bool) -> bytes:
    """What the client says next; empty at its end.

    Raises:
        PrismError: it has come to a halt.
    """
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    read = _count_read(process.pid) if is_seen else None
    bound = SILENT_SECONDS if read is None else STALL_SECONDS
    began = time.monotonic()
    while (quiet_seconds := time.monotonic() - began) < bound:
        try:
            async with asyncio.timeout(min(LOOK_SECONDS, bound - quiet_seconds)):
                return await process.stdout.readline()
        except TimeoutError:
            now = _count_read(process.pid) if is_seen else None
            if now is not None and now - (read or 0) > _IDLE_BYTES:
                began = time.monotonic()
            read = now
        except ValueError:
            # Longer than any line that means something, and dropped.
            continue
    raise PrismError(
        f"the pull of {image} came to a halt: nothing for {bound:g} s",
        hint="check the network, or start with `--runtime native`",
    )


def _count_read(pid: int) -> int | None:
    """How many bytes a process and its descendants have read so far; ``None``: nobody can tell."""
    try:
        facts = Path(f"/proc/{pid}/io").read_text(encoding="ascii").split()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        total = int(facts[facts.index("rchar:") + 1])
    except (OSError, ValueError):
        return None
    # A user's Podman goes on as a child that may do more.
    return total + sum(_count_read(int(child)) or 0 for child in children)


async def identify_image(tool: ContainerTool, image: str) -> str:
    """The ID of an image that is here, by which it can be removed whatever it is called then.

    Raises:
        PrismError: it is not here.
    """
    words = ("image", "inspect", "--format", "{{.Id}}", "--", str(parse_image_name(image)))
    process = await _start_client(tool, *words, errors=subprocess.DEVNULL)
    said, _ = await process.communicate()
    if process.returncode:
        raise PrismError(f"{tool.title} does not know the image {image}")
    return said.decode().strip()


def _name_substitute(image: str) -> str:
    """The image that ships for the same server, as one more piece of advice; empty: none does."""
    server = parse_image_name(image).repository.rpartition("/")[2]
    packaged = next((each for name, each in PACKAGED.items() if name == server), None)
    if packaged is None or packaged.container in {"", image}:
        return ""
    return f"; `{packaged.container}` is what prismctl has for {server} where the catalog names no `container`"


def explain_failure(tool: ContainerTool, image: str, said: list[str]) -> PrismError:
    """The error for a pull that failed with these words."""
    name = parse_image_name(image)
    words = " ".join(said)
    for reason in _REASONS:
        if re.search(reason.pattern, words, re.IGNORECASE):
            advice = reason.advice + (_name_substitute(image) if reason.is_its_name else "")
            hint = advice.format(kind=tool.kind, registry=name.registry, full=name)
            return PrismError(f"cannot pull {image}: {reason.meaning}", hint=hint)
    errors = [line for line in said if line.startswith("Error")] or said[-1:]
    last = errors[-1].removeprefix("Error: ") if errors else "it does not say why"
    return PrismError(
        f"cannot pull {image}: {last}", hint=f"`{tool.kind} pull {name}` by hand shows more"
    )

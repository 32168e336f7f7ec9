"""Adds services for a page, by having the command do it: files are read and plans are made outside of the daemon.

`docs/decisions/0012-the-daemon-serves-its-page.md` says why.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from prismctl.daemon.http import Answer, RequestError, Stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from prismctl.daemon.http import Request
    from prismctl.daemon.stack import Stack

    Told = asyncio.Queue[dict[str, Any] | None]
    """What a command says; ``None`` is the end."""

MAX_COMMANDS: Final = 4
"""How many run at once."""
MAX_NAMES: Final = 50
LIST_SECONDS: Final = 30.0
WAIT_SECONDS: Final = 600
"""How long what is added may take to come up: an image may have to be fetched."""
_MAX_LINE_BYTES: Final = 4 << 20
_MAX_SAID_BYTES: Final = 1 << 16
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,100}")
"""Never an option of the command."""


class Adding:
    """Runs the commands that list and add services of one stack."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._works: set[asyncio.Task[None]] = set()

    async def list_addable(self) -> Answer:
        """What could be added, as ``prismctl dev add --list -o json`` says it.

        Raises:
            RequestError: too much is being added already, or that takes too long.
        """
        work, told = self._begin(["--list"])
        try:
            async with asyncio.timeout(LIST_SECONDS):
                documents = [document async for document in _listen(told)]
        except TimeoutError:
            raise RequestError(
                504, f"the catalog could not be looked at within {LIST_SECONDS:g} s"
            ) from None
        finally:
            work.cancel()
        last = next((each for each in documents if "note" not in each), {})
        error = last.get("error")
        if error is not None:
            problems = [str(each["message"]) for each in error.get("problems") or ()]
            raise RequestError(
                409, "; ".join(problems) or str(error["message"]), hint=str(error["hint"])
            )
        return Answer(document={"services": last.get("services", [])})

    def add(self, request: Request) -> Stream:
        """Add services: what ``prismctl dev add -o json`` says, line by line; it goes on when nobody listens.

        Raises:
            RequestError: what was sent names no services, or too much is being added already.
        """
        body = request.json()
        names = body.get("services")
        if not isinstance(names, list) or not 0 < len(names) <= MAX_NAMES:
            raise RequestError(400, "`services` is not a list of names")
        for name in names:
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise RequestError(400, "`services` has what is not a name")
        options = ["--wait-timeout", f"{WAIT_SECONDS}s"]
        if body.get("auto_ports") is True:
            options.append("--auto-ports")
        _, told = self._begin([*options, "--", *names])
        return Stream(documents=_listen(told))

    def _begin(self, words: Sequence[str]) -> tuple[asyncio.Task[None], Told]:
        """Have the command run, as no part of whoever listens: a page that goes away changes nothing."""
        if len(self._works) >= MAX_COMMANDS:
            raise RequestError(503, f"{MAX_COMMANDS} other requests to add something are under way")
        told: Told = asyncio.Queue()
        work = asyncio.get_running_loop().create_task(self._carry_out(words, told), name="add")
        self._works.add(work)
        work.add_done_callback(self._works.discard)
        return work, told

    async def _carry_out(self, words: Sequence[str], told: Told) -> None:
        # Needed only here.
        from prismctl.install.child import end_group, read_output, start_child

        try:
            process = await start_child(
                *self._command(words),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=self._environment(),
                cwd=self._directory(),
                limit=_MAX_LINE_BYTES,
                start_new_session=True,
            )
        except OSError as error:
            told.put_nowait(_error(f"`prismctl` cannot be run: {os.strerror(error.errno or 0)}"))
            told.put_nowait(None)
            return
        saying = asyncio.ensure_future(read_output(process.stderr, max_bytes=_MAX_SAID_BYTES))
        is_over = False
        try:
            if process.stdout is None:
                raise AssertionError("it is a pipe")
            async for line in process.stdout:
                document = json.loads(line)
                is_over = "result" in document or "error" in document or "services" in document
                told.put_nowait(document)
            for words_said in (await saying).splitlines():
                told.put_nowait({"note": words_said})
            if not is_over:
                told.put_nowait(_error(f"the command ended with code {await process.wait()}"))
        except ValueError as error:
            told.put_nowait(_error(f"the command said what is no JSON: {error}"))
        finally:
            saying.cancel()
            await end_group(process)
            told.put_nowait(None)

    def _command(self, words: Sequence[str]) -> list[str]:
        program = [sys.executable, "-P", "-m", "prismctl", "dev", "add"]
        return [*program, "-o", "json", "--stack", self._stack.paths.name, *words]

    def _environment(self) -> dict[str, str]:
        home = self._stack.paths.directory.parent.parent
        return {**os.environ, "PRISM_HOME": str(home)}

    def _directory(self) -> str:
        """Where the stack was asked for: paths of its files start there."""
        plan = self._stack.monitor.plan
        asked = plan.asked.directory if plan is not None and plan.asked is not None else ""
        return asked if asked and Path(asked).is_dir() else "/"


async def _listen(told: Told) -> AsyncIterator[dict[str, Any]]:
    while (document := await told.get()) is not None:
        yield document


def _error(message: str) -> dict[str, Any]:
    return {"error": {"message": message, "hint": ""}}

"""Builds Nomad and Consul with a Go toolchain, for machines that reach a Go module proxy but no release.

Each is an ordinary dependency of a small module under ``toolchain/`` whose ``go.sum`` pins everything that is built
in. What was built is kept beside every home, as NAME-VERSION-HASH (HASH: of go.sum), so that it is built once a machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
import shutil
import signal
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from prismctl.errors import PrismError, UnavailableError
from prismctl.files.atomic import describe_way_out
from prismctl.install.asking_versions import ask_version
from prismctl.install.build_lock import hold_lock
from prismctl.install.child import start_child
from prismctl.install.provider import Offer, Progress, Provided, ProviderName, Unit
from prismctl.install.tools import ToolName
from prismctl.install.versions import Version, parse_version

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from prismctl.install.tools import Tool

_PACKAGED: Final = Path(__file__).parent / "toolchain"
_CHECKED_OUT: Final = Path(__file__).parents[3] / "toolchain"
TOOLCHAIN: Final = _PACKAGED if _PACKAGED.is_dir() else _CHECKED_OUT
"""Where the wrapper modules are: packaged in an installation, at the top of a checkout."""

_TAGS: Final = {ToolName.NOMAD: "ui codegen_generated release hashicorpmetrics"}
"""Nomad's own release build sets them; without `ui` it has none."""
_COLD_BUILD: Final = (
    "building takes up to ten minutes and about 7 GB of Go's own caches the first time"
)
_LAST_WORDS: Final = 5
_INTERRUPT_SECONDS: Final = 5.0
_VERSION_PATIENCE_SECONDS: Final = 10.0
_HASH_CHUNK_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Go:
    """A Go toolchain on this machine."""

    path: Path
    version: Version


async def find_go(environment: Mapping[str, str]) -> Go | None:
    """The Go toolchain on PATH; ``None``: there is none that says its version."""
    found = shutil.which("go", path=environment.get("PATH", ""))
    if found is None:
        return None
    try:
        version = await ask_version(
            Path(found), ("version",), timeout_seconds=_VERSION_PATIENCE_SECONDS
        )
    except PrismError:
        return None
    return Go(path=Path(found), version=version)


class GoProvider:
    """Builds the versions that ``toolchain/`` pins."""

    name = ProviderName.GO

    def __init__(
        self,
        cache: Path,
        environment: Mapping[str, str],
        *,
        go: Go | None,
        toolchain: Path = TOOLCHAIN,
    ) -> None:
        """Remember where to build from and to.

        Args:
            cache: what was built is kept here.
            environment: for Go: its proxy, its caches.
            go: the toolchain; ``None`` where there is none.
            toolchain: the wrapper modules, one directory a tool.
        """
        self._cache = cache
        self._environment = {
            **environment,
            # A newer toolchain would be fetched without a word; and nothing here needs a C compiler.
            "GOTOOLCHAIN": "local",
            "GOWORK": "off",
            "GOFLAGS": "",
            "CGO_ENABLED": "0",
        }
        self._go = go
        self._toolchain = toolchain

    async def offer(self, tool: Tool, version: Version) -> Offer:
        """The module that would be built; nothing is asked of the network.

        Raises:
            UnavailableError: another version than the pinned one, no Go, or one that is too old.
        """
        module = self._module(tool)
        pinned, needed = _read_module(module / "go.mod", _package(tool))
        if version != pinned:
            raise UnavailableError(
                f"only {tool.title} {pinned} can be built with Go, not {version}",
                hint="leave the version out, or use `--provider release`",
            )
        is_built = self.built_file(tool, version).exists()
        if not is_built:
            self._require_go(tool, needed)
        return Offer(
            tool=tool.name,
            version=version,
            provider=self.name,
            source=f"{_package(tool)}@v{version}",
            licence=tool.licence,
            command=() if is_built else self._command(tool, Path(f"{tool.name}-{version}")),
            warning="" if is_built else _COLD_BUILD,
        )

    async def provide(
        self, offer: Offer, workspace: Path, report: Callable[[Progress], None]
    ) -> Provided:
        """Build it where it has not been built yet, and copy it into the workspace.

        Raises:
            PrismError: it could not be built, or the disk is full.
        """
        from prismctl.install.tools import TOOLS

        tool = TOOLS[offer.tool]
        was_there = self.built_file(tool, offer.version).exists()
        built = await self.build(tool, offer.version, report)
        copy = workspace / built.name
        try:
            sha256 = await asyncio.to_thread(_copy, built, copy)
        except OSError as error:
            raise PrismError(
                f"cannot write {copy}: {error.strerror}", hint=describe_way_out(error, copy)
            ) from error
        by = f"Go {self._go.version}" if self._go else "Go"
        return Provided(
            path=copy,
            sha256=sha256,
            verified=f"built here with {by}, every module checked against go.sum",
            created=() if was_there else (built,),
        )

    def built_file(self, tool: Tool, version: Version) -> Path:
        """Where the built program is kept; its name changes whenever anything that is built in does."""
        pins = (self._module(tool) / "go.sum").read_bytes()
        return self._cache / f"{tool.name}-{version}-{hashlib.sha256(pins).hexdigest()[:12]}"

    async def build(self, tool: Tool, version: Version, report: Callable[[Progress], None]) -> Path:
        """The built program in the cache; a second caller waits for the first.

        Raises:
            PrismError: it could not be built, or what was built does not run.
        """
        target = self.built_file(tool, version)
        if target.exists():
            return target
        try:
            self._cache.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise PrismError(
                f"cannot create {self._cache}: {error.strerror}",
                hint="point PRISM_TOOLS_DIR at a directory that can be written",
            ) from error
        async with hold_lock(self._cache / f".{tool.name}.lock"):
            if not target.exists():
                await self._build(tool, version, target, report)
        return target

    async def _build(
        self, tool: Tool, version: Version, target: Path, report: Callable[[Progress], None]
    ) -> None:
        self._require_go(tool, _read_module(self._module(tool) / "go.mod", _package(tool))[1])
        for leftover in target.parent.glob(f".{tool.name}-*.building"):
            # Of a build that was killed; the lock says that nobody is at it.
            leftover.unlink(missing_ok=True)
        temporary = target.with_name(f".{target.name}.building")
        try:
            total = await self._count_packages(tool, report)
            done = 0
            report(Progress(done=done, total=total, unit=Unit.PACKAGES))
            async for _ in self._run(tool, self._command(tool, temporary)):
                done += 1
                report(Progress(done=min(done, total), total=total, unit=Unit.PACKAGES))
            said = await ask_version(
                temporary, tool.version_arguments, timeout_seconds=_VERSION_PATIENCE_SECONDS
            )
            if said != version:
                raise PrismError(
                    f"what was built says that it is {tool.title} {said}, not {version}"
                )
            temporary.replace(target)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()

    async def _count_packages(self, tool: Tool, report: Callable[[Progress], None]) -> int:
        """How many packages have to be compiled; fetches the modules on the way."""
        report(Progress(done=0, total=None, unit=Unit.PACKAGES))
        listed = (
            *self._start_of_command(tool, "list"),
            "-deps",
            "-f",
            "{{if .Stale}}{{.ImportPath}}{{end}}",
            _package(tool),
        )
        return sum([1 async for _ in self._run(tool, listed)])

    def _start_of_command(self, tool: Tool, verb: str) -> tuple[str, ...]:
        tags = _TAGS.get(tool.name)
        go = str(self._go.path) if self._go else "go"
        return (
            go,
            verb,
            "-mod=readonly",
            "-trimpath",
            "-ldflags",
            "-s -w",
            *(("-tags", tags) if tags else ()),
        )

    def _command(self, tool: Tool, output: Path) -> tuple[str, ...]:
        return (*self._start_of_command(tool, "build"), "-v", "-o", str(output), _package(tool))

    async def _run(self, tool: Tool, command: tuple[str, ...]) -> AsyncIterator[str]:
        """The package names that a Go command prints, as it prints them.

        Raises:
            UnavailableError: a module could not be fetched.
            PrismError: it failed otherwise.
        """
        process = await start_child(
            *command,
            cwd=self._module(tool),
            env=self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            # Compilers and linkers end with it.
            start_new_session=True,
        )
        assert process.stdout is not None  # noqa: S101 - it was asked for
        last: deque[str] = deque(maxlen=_LAST_WORDS)
        try:
            async for raw in process.stdout:
                words = raw.decode(errors="replace").strip()
                if _is_package(words):
                    yield words
                elif words:
                    last.append(words)
            code = await process.wait()
        finally:
            await _end(process)
        if code != 0:
            said = "; ".join(last) or f"go ended with {code}"
            if _is_about_the_network(said):
                raise UnavailableError(
                    f"a Go module of {tool.title} cannot be fetched: {said}",
                    hint="`go env GOPROXY` says from where; behind a proxy, set HTTPS_PROXY",
                )
            raise PrismError(f"{tool.title} could not be built: {said}")

    def _module(self, tool: Tool) -> Path:
        module = self._toolchain / tool.name
        if not (module / "go.mod").is_file():
            raise UnavailableError(f"{tool.title} cannot be built with Go: there is no {module}")
        return module

    def _require_go(self, tool: Tool, needed: Version) -> None:
        if self._go is None or self._go.version < needed:
            found = (
                f"Go {self._go.version} at {self._go.path} is too old"
                if self._go
                else "there is no Go"
            )
            raise UnavailableError(
                f"{tool.title} cannot be built: {found}",
                hint=f"install Go {needed} or newer from https://go.dev/dl/",
            )


def _package(tool: Tool) -> str:
    return f"github.com/hashicorp/{tool.name}"


def _read_module(file: Path, package: str) -> tuple[Version, Version]:
    """The pinned version of a package, and the Go version that its wrapper needs."""
    text = file.read_text(encoding="utf-8")
    pinned = re.search(rf"{re.escape(package)} (v\S+)", text)
    needed = re.search(r"^go (\S+)$", text, re.MULTILINE)
    versions = [parse_version(found[1]) if found else None for found in (pinned, needed)]
    if versions[0] is None or versions[1] is None:
        raise PrismError(f"{file} does not say which {package} and which Go it wants")
    return versions[0], versions[1]


def _is_package(words: str) -> bool:
    return bool(re.fullmatch(r"[\w.~-]+(/[\w.~-]+)*", words))


def _is_about_the_network(said: str) -> bool:
    return any(
        sign in said
        for sign in ("dial tcp", "no such host", "proxyconnect", "i/o timeout", "x509:")
    )


async def _end(process: asyncio.subprocess.Process) -> None:
    """End Go and everything it started; nothing when it has ended."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_INTERRUPT_SECONDS):
            await process.wait()
    # A compiler that was being started just then has not heard of it.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


def _copy(source: Path, target: Path) -> str:
    """Copy a program, closed to others; the SHA-256 of what was copied."""
    digest = hashlib.sha256()
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with source.open("rb") as reader, temporary.open("wb") as writer:
            while chunk := reader.read(_HASH_CHUNK_BYTES):
                digest.update(chunk)
                writer.write(chunk)
        temporary.chmod(0o700)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return digest.hexdigest()

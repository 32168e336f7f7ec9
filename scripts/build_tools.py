"""Builds Nomad and Consul from the Go module proxy, once a machine: `make tools`.

Each is an ordinary dependency of a small module under toolchain/. The result is kept outside the checkout, in
$PRISM_TOOLS_DIR or ~/.cache/prismctl/tools, as NAME-VERSION-HASH (HASH: of go.sum) with NAME pointing at it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

TOOLCHAIN = Path(__file__).resolve().parent.parent / "toolchain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One program to build."""

    name: str
    package: str
    tags: str = ""

    @property
    def module(self) -> Path:
        """The directory of its wrapper module."""
        return TOOLCHAIN / self.name

    @property
    def version(self) -> str:
        """The version that the wrapper module requires, without the ``v``."""
        required = (self.module / "go.mod").read_text(encoding="utf-8")
        found = re.search(rf"{re.escape(self.package)} v(\S+)", required)
        if found is None:
            sys.exit(f"error: {self.module / 'go.mod'} does not require {self.package}")
        return found[1]

    @property
    def file_name(self) -> str:
        """Changes whenever anything that is built in does."""
        content = (self.module / "go.sum").read_bytes()
        return f"{self.name}-{self.version}-{hashlib.sha256(content).hexdigest()[:12]}"

    def command(self, output: Path) -> list[str]:
        """How it is built."""
        tags = ["-tags", self.tags] if self.tags else []
        flags = ["-mod=readonly", "-trimpath", "-ldflags", "-s -w", *tags]
        return ["go", "build", *flags, "-o", str(output), self.package]


TOOLS = (
    Tool(name="consul", package="github.com/hashicorp/consul"),
    Tool(
        name="nomad",
        package="github.com/hashicorp/nomad",
        tags="ui codegen_generated release hashicorpmetrics",
    ),
)


def tools_directory() -> Path:
    """Where the programs are kept."""
    chosen = os.environ.get("PRISM_TOOLS_DIR")
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(chosen) if chosen else Path(cache) / "prismctl" / "tools"


def ensure_tool(tool: Tool, directory: Path) -> None:
    """Have one program in the directory; built under a name of its own and renamed when it runs."""
    target = directory / tool.file_name
    if target.exists():
        report(f"{tool.name} {tool.version}: {target}")
    else:
        build(tool, target)
    link = directory / f".{tool.name}.{os.getpid()}"
    link.unlink(missing_ok=True)
    link.symlink_to(target.name)
    link.replace(directory / tool.name)


def build(tool: Tool, target: Path) -> None:
    """Compile one program; minutes the first time, seconds when Go's own cache is warm."""
    if shutil.which("go") is None:
        report(
            "error: Go is not installed\n\nhint: install Go 1.25.8 or newer from https://go.dev/dl/"
        )
        sys.exit(3)
    report(f"{tool.name} {tool.version}: building (up to ten minutes the first time)")
    began_at = time.monotonic()
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    environment = {**os.environ, "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}
    try:
        built = subprocess.run(
            tool.command(temporary), cwd=tool.module, env=environment, check=False
        )
        if built.returncode != 0:
            sys.exit(f"error: {tool.name} could not be built: go said why above")
        subprocess.run([temporary, "version"], check=True, stdout=subprocess.DEVNULL)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    report(f"{tool.name} {tool.version}: built in {time.monotonic() - began_at:.0f} s: {target}")


def report(line: str) -> None:
    """Say what is going on."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def main() -> None:
    """Build what is missing; a second caller waits for the first."""
    directory = tools_directory()
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / ".lock").open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report("somebody else is building; waiting")
            fcntl.flock(lock, fcntl.LOCK_EX)
        for tool in TOOLS:
            ensure_tool(tool, directory)


if __name__ == "__main__":
    main()

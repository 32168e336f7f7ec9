"""A Podman for tests: a real process that has the limits, runtimes and images a test gives it."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

RECORDINGS = Path(__file__).parent / "recordings"
TOOLS = ("cat", "grep", "sleep", "env", "mv")

PODMAN = """#!/bin/sh
echo "podman $*" >> "$DESK/log"
settings="${CONTAINERS_CONF_OVERRIDE:-$CONTAINERS_CONF}"
has() { [ -n "$settings" ] && grep -q "$1" "$settings"; }
case "$1" in
  info) . "$DESK/info" ;;
  machine) cat "$DESK/machines" ;;
  images) cat "$DESK/images" ;;
  ps) cat "$DESK/containers" ;;
  rm) : > "$DESK/containers" ;;
  run) . "$DESK/run" ;;
esac
"""
LIMITED_HYBRID = """
has default_ulimits || { echo 'Error: crun: setrlimit `RLIMIT_NOFILE`: Operation not permitted: OCI permission denied' >&2; exit 126; }
has 'runtime = "runc"' || { echo 'Error: OCI runtime error: crun: cgroups in hybrid mode not supported, drop all controllers from cgroupv2' >&2; exit 126; }
"""
"""What a root without the right to raise limits meets where both versions of cgroups are mounted."""


@dataclass
class PodmanDesk:
    """One directory with all of it."""

    directory: Path

    def __post_init__(self) -> None:
        (self.directory / "bin").mkdir(parents=True)
        for name in TOOLS:
            (self.directory / "bin" / name).symlink_to(shutil.which(name) or name)
        for name in ("crun", "runc"):
            self.program(name, "#!/bin/sh\n")
        self.path = self.program("podman", PODMAN)
        self.inform()
        self.write("info", 'cat "$DESK/information"')
        self.write("machines", "[]")
        self.write("images", json.dumps([{"Id": "big", "Size": 9}, {"Id": "small", "Size": 1}]))
        self.write("containers", "")
        self.write("run", "true")

    def write(self, name: str, content: str) -> None:
        (self.directory / name).write_text(content)

    def program(self, name: str, script: str) -> Path:
        path = self.directory / "bin" / name
        path.write_text(script)
        path.chmod(0o755)
        return path

    def inform(self, *, registries: tuple[str, ...] = (), **host: Any) -> None:
        """What `podman info` says, beside what it said on a real machine."""
        document = json.loads((RECORDINGS / "podman-info-rootful.json").read_text())
        version = host.pop("version", None)
        driver = host.pop("driver", None)
        document["host"] |= host
        if registries:
            document["registries"] = {"search": list(registries)}
        if version:
            document["version"]["Version"] = version
        if driver:
            document["store"]["graphDriverName"] = driver
        self.write("information", json.dumps(document))

    @property
    def environment(self) -> Mapping[str, str]:
        return {
            "PATH": str(self.directory / "bin"),
            "DESK": str(self.directory),
            "HOME": str(self.directory),
        }

    @property
    def log(self) -> list[str]:
        try:
            return (self.directory / "log").read_text().splitlines()
        except FileNotFoundError:
            return []

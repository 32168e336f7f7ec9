"""A Podman for tests: a real process that has the limits, runtimes and images a test gives it."""

from __future__ import annotations

import json
from typing import Any

from tests.install.program_desk import RECORDINGS, ProgramDesk

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


class PodmanDesk(ProgramDesk):
    """A machine with Podman and both runtimes."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("crun", "runc"):
            self.program(name, "#!/bin/sh\n")
        self.path = self.program("podman", PODMAN)
        self.inform()
        self.write("info", 'cat "$DESK/information"')
        self.write("machines", "[]")
        self.write("images", json.dumps([{"Id": "big", "Size": 9}, {"Id": "small", "Size": 1}]))
        self.write("containers", "")
        self.write("run", "true")

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

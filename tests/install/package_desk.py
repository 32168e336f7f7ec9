"""Package managers for tests: real processes on a PATH of their own, which behave as they are told."""

from __future__ import annotations

from prismctl.install.package_managers.apt import Apt
from prismctl.install.package_managers.rights import Rights
from prismctl.install.package_managers.transaction import Patience
from prismctl.install.packages import PackageProvider
from tests.install.program_desk import RECORDINGS, ProgramDesk

APT_GET = """#!/bin/sh
echo "apt-get $*" >> "$DESK/log"
case "$*" in
  indextargets*) cat "$DESK/lists"; exit 0 ;;
  "-s install"*) cat "$DESK/simulation"; exit 0 ;;
  --print-uris*) cat "$DESK/uris"; exit 0 ;;
  update*) . "$DESK/update"; exit ;;
esac
. "$DESK/install"
"""
APT_CACHE = '#!/bin/sh\ncat "$DESK/policy"\n'
DPKG_QUERY = '#!/bin/sh\ncat "$DESK/packages"\n'
SUDO = """#!/bin/sh
echo "sudo $*" >> "$DESK/log"
[ "$1" = -n ] && shift
[ -e "$DESK/needs-password" ] && { echo "sudo: a password is required" >&2; exit 1; }
[ "$1" = -v ] && exit 0
exec "$@"
"""
POLICY = """podman:
  Installed: (none)
  Candidate: {version}
  Version table:
crun:
  Installed: (none)
  Candidate: 1.8.1-1
  Version table:
runc:
  Installed: (none)
  Candidate: (none)
  Version table:
"""
WORKS = """cat "$DESK/recording"
printf 'ii  podman\\nii  conmon:amd64\\n' >> "$DESK/packages"
printf '#!/bin/sh\\necho podman version 4.3.1\\n' > "$DESK/bin/podman"
chmod +x "$DESK/bin/podman"
"""


class PackageDesk(ProgramDesk):
    """A machine with apt."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, script in (
            ("apt-get", APT_GET),
            ("apt-cache", APT_CACHE),
            ("dpkg-query", DPKG_QUERY),
        ):
            self.program(name, script)
        self.write("lists", "/var/lib/apt/lists/archive_Packages\n")
        self.write("policy", POLICY.format(version="4.3.1+ds1-8+deb12u1"))
        self.write("simulation", "Inst podman (4.3.1 Archive [amd64])\nInst conmon (2.1 Archive)\n")
        self.write("uris", "'http://archive.example/podman.deb' podman.deb 1000 MD5Sum:00\n")
        self.write("packages", "ii  login\nii  passwd\n")
        self.write("update", "true")
        self.write("install", WORKS)
        self.write("recording", (RECORDINGS / "apt-installation.txt").read_text())

    def provider(
        self, *, is_root: bool = True, silence_seconds: float = 20.0, stop_seconds: float = 20.0
    ) -> PackageProvider:
        sudo = "" if is_root else str(self.program("sudo", SUDO))
        return PackageProvider(
            Apt(environment=self.environment, is_root=is_root),
            self.environment,
            Rights(is_root=is_root, sudo=sudo),
            patience=Patience(silence_seconds=silence_seconds, stop_seconds=stop_seconds),
        )

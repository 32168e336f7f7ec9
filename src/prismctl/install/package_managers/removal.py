"""How each package manager removes what it has installed; said without asking for any of them, and nothing is run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from prismctl.install.provider import ProviderName

if TYPE_CHECKING:
    from prismctl.install.manifest import InstalledPackages

_COMMANDS: Final[dict[str, tuple[str, ...]]] = {
    # `apt-get remove` would take along whatever has come to depend on them since; dpkg and rpm refuse.
    ProviderName.APT: ("dpkg", "--purge"),
    ProviderName.DNF: ("rpm", "--erase"),
    ProviderName.BREW: ("brew", "uninstall"),
}
_PACKAGE: Final = re.compile(r"[A-Za-z0-9][\w.+:@/-]*")


def can_remove(packages: InstalledPackages) -> bool:
    """Whether there is a command for it; what is handed to one must not be taken for an option of it."""
    return packages.manager in _COMMANDS and all(map(_PACKAGE.fullmatch, packages.names))


def removal_command(packages: InstalledPackages) -> tuple[str, ...]:
    """The command that removes packages, and refuses where something else needs them by now."""
    return (*_COMMANDS[packages.manager], *packages.names)


def needs_root(packages: InstalledPackages) -> bool:
    """Whether only root can remove them."""
    return packages.manager != ProviderName.BREW

"""Root's rights for a package manager: whether they are there, and how `sudo` is asked for them."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from prismctl.errors import PrismError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ANSWER_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """How somebody becomes root here."""

    is_root: bool
    sudo: str = ""
    """Path of `sudo`; empty where there is none."""

    def show(self, command: Sequence[str]) -> tuple[str, ...]:
        """A command with what gives it the rights, as it would be typed.

        Raises:
            UnavailableError: nobody here can become root.
        """
        if self.is_root:
            return tuple(command)
        if not self.sudo:
            raise UnavailableError(
                f"`{command[0]}` needs root's rights, and there is no `sudo` here",
                hint=f"as root: `{' '.join(command)}`",
            )
        return ("sudo", *command)

    def needs_password(self, environment: Mapping[str, str]) -> bool:
        """Whether `sudo` would ask for a password now."""
        if self.is_root or not self.sudo:
            return False
        try:
            answer = subprocess.run(
                (self.sudo, "-n", "true"),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                env=dict(environment),
                timeout=_ANSWER_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return True
        return answer.returncode != 0

    def authenticate(self, environment: Mapping[str, str]) -> None:
        """Let `sudo` ask for the password on this terminal, and remember it for a while.

        Raises:
            PrismError: it was not given, or did not help.
        """
        if self.is_root or not self.sudo:
            return
        answer = subprocess.run((self.sudo, "-v"), env=dict(environment), check=False)
        if answer.returncode != 0:
            raise PrismError(
                "`sudo` did not give root's rights",
                hint="`sudo -l` shows what you may do with it",
            )


def find_rights(environment: Mapping[str, str]) -> Rights:
    """How this process could become root."""
    return Rights(
        is_root=os.geteuid() == 0, sudo=shutil.which("sudo", path=environment.get("PATH", "")) or ""
    )

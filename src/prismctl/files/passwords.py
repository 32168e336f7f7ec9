"""The passwords of one stack's servers: made once, kept in ``run/STACK/secrets.json`` (0600), the same for every start."""

from __future__ import annotations

import json
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from prismctl.errors import PrismError
from prismctl.files.atomic import describe_way_out, write_atomically
from prismctl.files.locks import holding_directory

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from prismctl.files.paths import StackPaths

PASSWORD_BYTES: Final = 18
"""Written in the alphabet of URLs, these are `PASSWORD_LETTERS`."""
PASSWORD_LETTERS: Final = 24


class Passwords:
    """Gives each server that asks for one its password.

    Args:
        paths: of the stack.
        saves: ``False``: nothing is written, and a password that is not there yet is good for this call only.
    """

    def __init__(self, paths: StackPaths, *, saves: bool) -> None:
        self._paths = paths
        self._saves = saves
        self._known: dict[str, str] | None = None

    def find(self, service: str) -> str:
        """The password of a server; made now if it has none.

        Raises:
            PrismError: the file cannot be read or written.
        """
        if self._known is None:
            self._known = load_passwords(self._paths)
        if service not in self._known:
            self._known = self._add(service)
        return self._known[service]

    def _add(self, service: str) -> dict[str, str]:
        if not self._saves:
            return {**(self._known or {}), service: make_password()}
        with _lock(self._paths):
            # Another start may have been quicker, and its plan has the password that it made.
            known = load_passwords(self._paths)
            if service not in known:
                known[service] = make_password()
                write_atomically(self._paths.secrets, json.dumps(known, indent=1) + "\n")
        return known


def adopt_passwords(paths: StackPaths, passwords: Mapping[str, str]) -> None:
    """Take over the passwords that are inside data which comes from elsewhere.

    Raises:
        PrismError: the file cannot be read or written.
    """
    if not passwords:
        return
    with _lock(paths):
        known = {**load_passwords(paths), **passwords}
        write_atomically(paths.secrets, json.dumps(known, indent=1) + "\n")


def make_password() -> str:
    """A new password, which needs no quoting in a URL or a shell."""
    while True:
        password = secrets.token_urlsafe(PASSWORD_BYTES)
        # Some programs take what begins with a dash for an option.
        if not password.startswith("-"):
            return password


def load_passwords(paths: StackPaths) -> dict[str, str]:
    """The passwords that were made so far, by service.

    Raises:
        PrismError: the file is there and cannot be read; making new ones would lock somebody out of kept data.
    """
    try:
        document = json.loads(paths.secrets.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise PrismError(
            f"cannot read {paths.secrets}: {getattr(error, 'strerror', None) or error}",
            hint=f"make it readable, or remove it together with the data in {paths.data}",
        ) from error
    if not isinstance(document, dict) or not all(
        isinstance(value, str) for value in document.values()
    ):
        raise PrismError(
            f"{paths.secrets} does not hold passwords by service",
            hint=f"remove it together with the data in {paths.data}",
        )
    return document


@contextmanager
def _lock(paths: StackPaths) -> Iterator[None]:
    """Between two starts of one stack at the same moment.

    Raises:
        PrismError: the directory cannot be written.
    """
    place: Path = paths.directory
    try:
        place.parent.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for directory in (place.parent, place):
            directory.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise PrismError(
            f"cannot write {error.filename or place}: {error.strerror}",
            hint=describe_way_out(error, place),
        ) from error
    with holding_directory(place):
        yield

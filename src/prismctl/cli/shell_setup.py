"""Where shells look for completion, and putting it there: a file of ours, and where that is needed a line in theirs.

A start file is somebody's own: one marked line is added to it, found again by its mark, and taken out again; all
else in it stays as it is, to the byte.
"""

from __future__ import annotations

import contextlib
import shlex
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from prismctl.errors import PrismError
from prismctl.files.atomic import write_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping

MARK: Final = "# prismctl completion"
_PROGRAM: Final = "prismctl"
_MODE: Final = 0o644
_BASH_COMPLETION: Final = (
    "/usr/share/bash-completion/bash_completion",
    "/opt/homebrew/etc/profile.d/bash_completion.sh",
    "/usr/local/etc/profile.d/bash_completion.sh",
)
"""One of these makes bash look for files by itself."""


class Places(NamedTuple):
    """Where completion for one shell goes."""

    script: Path
    start_file: Path | None
    """What has to read the script; ``None`` where the shell finds it by itself."""
    former_script: Path | None = None
    """Where the script was put once, and is taken away from."""


class Change(NamedTuple):
    """What becomes of one file."""

    path: Path
    verb: str = ""
    """``write``, ``add a line to``, …; empty: it is as it should be."""
    done: str = ""
    """The same, when it is done."""
    detail: str = ""


def find_places(
    shell: str,
    environment: Mapping[str, str],
    user: Path,
    home: Path,
    *,
    looks_itself: bool | None = None,
) -> Places:
    """Where completion goes.

    Args:
        shell: ``bash``, ``zsh`` or ``fish``.
        environment: of whoever asks; the shells' own variables are obeyed.
        user: their home directory.
        home: prismctl's own, where nothing is put: a shell would go on reading a script of one that was for a trial.
        looks_itself: whether bash reads files of its completion package; else that is looked for.
    """
    if shell == "fish":
        configuration = _find_base(environment, "XDG_CONFIG_HOME", user / ".config")
        return Places(configuration / "fish" / "completions" / f"{_PROGRAM}.fish", None)
    data = _find_base(environment, "XDG_DATA_HOME", user / ".local" / "share")
    if shell == "zsh":
        start_file = Path(environment.get("ZDOTDIR") or user) / ".zshrc"
        former = home / "completion" / f"{_PROGRAM}.zsh"
        return Places(data / _PROGRAM / "completion.zsh", start_file, former)
    if looks_itself is None:
        looks_itself = any(Path(path).exists() for path in _BASH_COMPLETION)
    script = data / "bash-completion" / "completions" / _PROGRAM
    return Places(script, None if looks_itself else user / ".bashrc")


def add_completion(places: Places, script: str, *, is_trial: bool) -> list[Change]:
    """Have the shell find the script; what is there already is left alone.

    Raises:
        PrismError: a file cannot be read or written, or its path cannot stand in a line of a start file.
    """
    # Refused before anything is written.
    wanted = _reading_line(places.script) if places.start_file is not None else ""
    changes = []
    if _read(places.script) == script:
        changes.append(Change(places.script))
    else:
        changes.append(Change(places.script, "write", "wrote"))
        if not is_trial:
            _write(places.script, script)
    if places.start_file is not None:
        changes.append(_put_line(places.start_file, wanted, is_trial=is_trial))
    return changes + _remove_former(places, is_trial=is_trial)


def remove_completion(places: Places, *, is_trial: bool) -> list[Change]:
    """Take away what `add_completion` has put there; what is not there is passed over.

    Raises:
        PrismError: a file cannot be read, written or removed.
    """
    changes = _remove_script(places.script, is_trial=is_trial)
    changes += _remove_former(places, is_trial=is_trial)
    start_file = places.start_file
    before = _read(start_file) if start_file is not None else None
    if start_file is not None and before is not None:
        after = _without_mark(before)
        if after != before:
            changes.append(Change(start_file, "take our line out of", "took our line out of"))
            if not is_trial:
                _write(start_file, after)
    return changes


def _find_base(environment: Mapping[str, str], variable: str, default: Path) -> Path:
    """A base directory as the XDG specification has it: a relative one does not count."""
    chosen = Path(environment.get(variable) or default)
    return chosen if chosen.is_absolute() else default


def _reading_line(script: Path) -> str:
    """What a start file needs to read the script.

    Raises:
        PrismError: the path has a line break in it.
    """
    path = str(script)
    if path.splitlines() != [path]:
        raise PrismError(
            f"the path {path!r} has a line break in it: no start file can name it in one line",
            hint="point XDG_DATA_HOME at another directory",
        )
    quoted = shlex.quote(path)
    return f"[ -r {quoted} ] && . {quoted}  {MARK}"


def _remove_script(script: Path, *, is_trial: bool) -> list[Change]:
    if not script.exists():
        return []
    if not is_trial:
        try:
            script.unlink()
        except OSError as error:
            raise _failure("remove", script, error) from error
    return [Change(script, "remove", "removed")]


def _remove_former(places: Places, *, is_trial: bool) -> list[Change]:
    """Take away the script of an earlier version, with its directory."""
    if places.former_script is None:
        return []
    changes = _remove_script(places.former_script, is_trial=is_trial)
    if changes and not is_trial:
        # Kept where something else is in it.
        with contextlib.suppress(OSError):
            places.former_script.parent.rmdir()
    return changes


def _put_line(start_file: Path, wanted: str, *, is_trial: bool) -> Change:
    """The one line that reads the script: an old one, of another place, gives way to it."""
    before = _read(start_file) or ""
    if [each for each in before.splitlines() if each.endswith(MARK)] == [wanted]:
        return Change(start_file)
    kept = _without_mark(before)
    separator = "" if not kept or kept.endswith("\n") else "\n"
    if not is_trial:
        _write(start_file, f"{kept}{separator}{wanted}\n")
    return Change(start_file, "add a line to", "added a line to", wanted)


def _without_mark(text: str) -> str:
    return "".join(
        each for each in text.splitlines(keepends=True) if not each.rstrip("\r\n").endswith(MARK)
    )


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _failure("read", path, error) from error


def _write(path: Path, text: str) -> None:
    """Whole or not at all; a link is followed, and the mode of what is there stays."""
    place = path.resolve()
    try:
        # A shell runs what is there: not even under a weak umask may others put something into it.
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = stat.S_IMODE(place.stat().st_mode) if place.exists() else _MODE
    except OSError as error:
        raise _failure("write", path, error) from error
    write_atomically(place, text.encode("utf-8", "surrogateescape"), mode=mode)


def _failure(verb: str, path: Path, error: OSError) -> PrismError:
    return PrismError(
        f"cannot {verb} {path}: {error.strerror}",
        hint="`prismctl completion show` prints the script, to be put anywhere else",
    )

"""The files that services are made from: says which of them have changed, also of those that are yet to come."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Final

from prismctl.domain.reloading import is_noise, is_noisy_directory
from prismctl.machine.inotify import Inotify

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prismctl.machine.inotify import DirectoryChange

MAX_DIRECTORIES: Final = 8192
"""Each takes about a kilobyte of the kernel's; a user has a fixed number of them for everything."""
_FULL: Final = ""
"""In place of a path, where no more can be looked at."""


class SourceTree:
    """Files and directories, each with all in it; what is not there yet is waited for.

    Args:
        roots: absolute.
        excluded: a directory that is never looked into: what services themselves write.
        max_directories: how many are looked at.
    """

    def __init__(
        self, roots: Iterable[str], *, excluded: str, max_directories: int = MAX_DIRECTORIES
    ) -> None:
        """Look at nothing yet.

        Raises:
            OSError: the system allows no more of these.
        """
        self._roots = tuple(dict.fromkeys(roots))
        self._excluded = excluded
        self._max_directories = max_directories
        self._inotify = Inotify()
        self._is_there = dict.fromkeys(self._roots, False)
        self.problems: dict[str, str] = {}
        """What cannot be looked at, by path, in words."""

    def fileno(self) -> int:
        """Readable once something has changed."""
        return self._inotify.fileno()

    def __len__(self) -> int:
        """How many directories are looked at."""
        return len(self._inotify)

    def scan(self, roots: Iterable[str] = ()) -> list[str]:
        """Begin to look at all that is there, or at some roots; the files of those that have appeared since."""
        appeared: list[str] = []
        for root in roots or self._roots:
            self._look_along_the_way(root)
            was_there, self._is_there[root] = self._is_there[root], os.path.lexists(root)
            if not self._is_there[root]:
                continue
            found = list(self._look_into(root))
            if not was_there:
                appeared += found or [root]
        return appeared

    def read(self) -> list[str]:
        """The files that have changed since; never waits."""
        changes, is_complete = self._inotify.read()
        if not is_complete:
            # What was lost could have been anything.
            self.scan()
            return list(self._roots)
        found: dict[str, None] = {}
        moved: dict[str, None] = {}
        for change in changes:
            moved |= dict.fromkeys(self._find_roots_behind(change.path))
            if change.is_directory and not change.is_new:
                self._inotify.forget(change.path)
            if self._is_wanted(change.path):
                found |= dict.fromkeys(self._find_changed(change))
        if moved:
            found |= dict.fromkeys(self.scan(moved))
        return list(found)

    def close(self) -> None:
        """Look at nothing any more."""
        self._inotify.close()

    def _find_changed(self, change: DirectoryChange) -> Iterable[str]:
        """The files that a change in a directory is about."""
        if change.is_directory:
            return self._look_into(change.path) if change.is_new else (change.path,)
        return (change.path,) if not change.is_begun or _is_whole(change.path) else ()

    def _find_roots_behind(self, path: str) -> list[str]:
        """The roots that have come or gone with a path: it is one, or on the way to it."""
        return [root for root in self._roots if root == path or root.startswith(f"{path}/")]

    def _is_wanted(self, path: str) -> bool:
        """Whether a path belongs to a root, and nothing on the way to it is noise."""
        for root in self._roots:
            if path == root:
                return True
            if path.startswith(f"{root.rstrip('/')}/"):
                *directories, name = path[len(root) :].strip("/").split("/")
                is_loud = is_noise(name) or any(map(is_noisy_directory, (*directories, name)))
                if not is_loud and not f"{path}/".startswith(f"{self._excluded}/"):
                    return True
        return False

    def _look_along_the_way(self, root: str) -> None:
        """Look at the directory that a root is in, or that it will appear in once those between are made."""
        directory = os.path.dirname(root)  # noqa: PTH120 - texts throughout
        while directory != "/" and not os.path.isdir(directory):  # noqa: PTH112 - the same
            directory = os.path.dirname(directory)  # noqa: PTH120 - the same
        self._add(directory)

    def _look_into(self, path: str) -> Iterator[str]:
        """Look at a directory and all in it; the files that are there."""
        if not os.path.isdir(path):  # noqa: PTH112 - texts throughout
            yield path
            return
        waiting = [path]
        while waiting:
            directory = waiting.pop()
            if f"{directory}/".startswith(f"{self._excluded}/"):
                continue
            # What is made from now on is told, so that nothing falls between the two.
            if self._add(directory):
                files, directories = _list(directory)
                waiting += directories
                yield from files
            elif _FULL in self.problems:
                return

    def _add(self, directory: str) -> bool:
        """Whether a directory is looked at."""
        if len(self._inotify) >= self._max_directories and directory not in self._inotify:
            words = f"there are more than {self._max_directories} directories: changes in {directory} and others are not seen"
            self.problems.setdefault(_FULL, words)
            return False
        try:
            self._inotify.add(directory)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                words = (
                    f"the system lets this user look at no more directories: changes in {directory} and others are "
                    "not seen; `sysctl fs.inotify.max_user_watches` says how many"
                )
                self.problems.setdefault(_FULL, words)
            elif error.errno not in {errno.ENOENT, errno.ENOTDIR}:
                self.problems[directory] = f"{directory}: {os.strerror(error.errno or 0).lower()}"
            return False
        return True


def _list(directory: str) -> tuple[list[str], list[str]]:
    """The files and the directories in one that somebody may edit; nothing of one that is gone."""
    files: list[str] = []
    directories: list[str] = []
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    directories += [] if is_noisy_directory(entry.name) else [entry.path]
                elif not is_noise(entry.name):
                    files.append(entry.path)
    except OSError:
        return [], []
    return files, directories


def _is_whole(path: str) -> bool:
    """Whether what was just made is complete at once: a link; a file's writer tells of its end."""
    try:
        status = os.lstat(path)
    except OSError:
        return False
    return os.path.islink(path) or status.st_nlink > 1  # noqa: PTH114 - texts throughout

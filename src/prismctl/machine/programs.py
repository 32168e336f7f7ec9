"""Tools and programs: where they are, and which are passed over because others could have put them there."""

from __future__ import annotations

import glob
import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from prismctl.accounts import user_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


BINARIES_DIRECTORY: Final = Path("build", "binaries")
"""Where a project puts the Prism programs that it builds itself."""

_OWN_PACKAGES: Final = (b"prism_services", b"prismctl")


_SCRIPT_HEAD_BYTES: Final = 1024


_NAMED_BY: Final = {"kafka-server-start.sh": "KAFKA_HOME", "java": "JAVA_HOME"}
"""Programs for which a variable names the installation that is meant."""


_POSTGRES_PLACES: Final = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
)


SERVER_PLACES: Final = {
    "postgres": _POSTGRES_PLACES,
    "initdb": _POSTGRES_PLACES,
    # On nobody's PATH but root's.
    "nats-server": ("/usr/sbin", "/usr/local/sbin"),
    "kafka-server-start.sh": (
        "{tools}/kafka/bin",
        "/opt/kafka/bin",
        "/opt/homebrew/opt/kafka/libexec/bin",
        "/usr/local/opt/kafka/libexec/bin",
    ),
    "java": (
        "/usr/lib/jvm/default-java/bin",
        "/opt/homebrew/opt/openjdk/bin",
        "/usr/local/opt/openjdk/bin",
    ),
}
"""Where servers are that PATH does not know: packages of Debian and Red Hat, Homebrew, and what init has brought."""


class Tool(NamedTuple):
    """A tool that was found."""

    path: str
    """Absolute."""
    origin: str
    """Where it came from, in words."""


class Skipped(NamedTuple):
    """A program that is as good as not there, because somebody else could have us run something by it."""

    path: str
    culprit: str
    """The program or the directory that somebody else can change."""
    owner: str = ""
    """To whom the culprit belongs, where that is the reason; empty: everybody can write to it."""


def find_tool(
    name: str, home_tools: Path, environment: Mapping[str, str] = os.environ
) -> Tool | None:
    """Nomad, Consul or another tool: the one that init installed, the one in the cache, or the one on PATH.

    One that others could have put there or could change is as good as not there.

    Args:
        name: of the program.
        home_tools: the ``bin`` of the home.
        environment: says where the cache is (``PRISM_TOOLS_DIR``) and what PATH is.
    """
    for path, origin in _tool_places(name, home_tools, environment):
        if is_program(path) and is_safe(path, judges_owner=True):
            return Tool(str(path), origin)
    found = _search_path(name, environment)
    return Tool(found, "on PATH") if found else None


def find_skipped_tools(
    name: str, home_tools: Path, environment: Mapping[str, str] = os.environ
) -> list[Skipped]:
    """What `find_tool` passes over before it comes to the one it takes."""
    places = [path for path, _ in _tool_places(name, home_tools, environment)]
    return _find_skipped(name, places, environment)


def find_skipped_programs(
    name: str, project_directory: Path, environment: Mapping[str, str] = os.environ
) -> list[Skipped]:
    """What a service is not run by, of ``build/binaries`` and of PATH, before the one that it is."""
    return _find_skipped(name, [project_directory / BINARIES_DIRECTORY / name], environment)


def _tool_places(
    name: str, home_tools: Path, environment: Mapping[str, str]
) -> tuple[tuple[Path, str], ...]:
    return (
        (home_tools / name, "installed by init"),
        (tools_directory(environment) / name, "built on this machine"),
    )


def _find_skipped(name: str, own: list[Path], environment: Mapping[str, str]) -> list[Skipped]:
    skipped: list[Skipped] = []
    candidates = [(path, True) for path in own]
    candidates += [(path, False) for path in _path_candidates(name, environment)]
    for path, judges_owner in candidates:
        if not is_program(path):
            continue
        danger = _find_danger(path, judges_owner=judges_owner)
        if danger is None:
            break
        skipped.append(danger)
    return skipped


def tools_directory(environment: Mapping[str, str] = os.environ) -> Path:
    """Where tools that were built once for this machine are kept, beside every home."""
    chosen = environment.get("PRISM_TOOLS_DIR")
    if chosen:
        return Path(chosen).expanduser().absolute()
    cache = environment.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else _home(environment) / ".cache") / "prismctl" / "tools"


def find_program(name: str, environment: Mapping[str, str] = os.environ) -> str:
    """The absolute path of a program, empty where there is none; commands of this very package don't count."""
    if "/" in name:
        return name if is_program(Path(name)) else ""
    named = _search_named(name, environment)
    if named:
        return named
    return _search_path(name, environment, skips_own=True) or _search_places(name, environment)


def _search_named(name: str, environment: Mapping[str, str]) -> str:
    """A program in the installation that a variable points to; that goes before PATH."""
    home = environment.get(_NAMED_BY.get(name, ""), "")
    if not os.path.isabs(home):  # noqa: PTH117 - a string, and mostly an empty one
        return ""
    program = Path(home, "bin", name)
    return str(program) if is_program(program) and is_safe(program, judges_owner=False) else ""


def _search_places(name: str, environment: Mapping[str, str]) -> str:
    """A server where packages put it without putting it on PATH; the newest, where there are several."""
    tools = tools_directory(environment)
    for place in SERVER_PLACES.get(name, ()):
        pattern = place.format(tools=glob.escape(str(tools)))
        for directory in sorted(glob.glob(pattern), key=_newest_last, reverse=True):  # noqa: PTH207 - absolute
            program = Path(directory, name)
            is_in_tools = program.is_relative_to(tools)
            if is_program(program) and is_safe(program, judges_owner=is_in_tools):
                return str(program)
    return ""


def _newest_last(path: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", path)]


def is_own_script(path: str) -> bool:
    """Whether a program is one of the commands that this package installs."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - a path that is only ever a string here
            head = file.read(_SCRIPT_HEAD_BYTES)
    except OSError:
        return False
    return head.startswith(b"#!") and any(
        b"from " + package in head or b"import " + package in head for package in _OWN_PACKAGES
    )


def is_program(path: Path) -> bool:
    """Whether there is something that can be run."""
    try:
        return path.is_file() and os.access(path, os.X_OK)
    except PermissionError:
        # What lies in a directory that is closed to us cannot be run either.
        return False


def is_safe(path: Path, *, judges_owner: bool) -> bool:
    """Whether nobody else can have a program run as us: neither by changing it nor by putting one in its place.

    Args:
        path: of the program.
        judges_owner: only what belongs to us or to root will do; on PATH it is the user who chose the directories.
    """
    return _find_danger(path, judges_owner=judges_owner) is None


def _find_danger(path: Path, *, judges_owner: bool) -> Skipped | None:
    """By what somebody else can have a program run as us; ``None``: by nothing."""
    program = os.path.realpath(path)
    own = os.geteuid()
    # The directories last: a program that everybody can change is the plainer thing to be told.
    for each in (program, os.path.dirname(program), os.path.dirname(path)):  # noqa: PTH120 - strings do
        try:
            status = os.stat(each)  # noqa: PTH116 - likewise
        except OSError:
            return Skipped(str(path), each)
        if status.st_mode & stat.S_IWOTH:
            return Skipped(str(path), each)
        if judges_owner and status.st_uid not in {own, 0}:
            return Skipped(str(path), each, user_name(status.st_uid))
    return _find_foreign_link(path, own) if judges_owner else None


def _find_foreign_link(path: Path, own: int) -> Skipped | None:
    """A link on the way that somebody else can point elsewhere, once it is seen that it points to a program of ours."""
    for each in (path, *path.parents):
        try:
            status = each.lstat()
        except OSError:
            return Skipped(str(path), str(each))
        if stat.S_ISLNK(status.st_mode) and status.st_uid not in {own, 0}:
            return Skipped(str(path), str(each), user_name(status.st_uid))
    return None


def _home(environment: Mapping[str, str]) -> Path:
    home = environment.get("HOME")
    return Path(home) if home else Path.home()


def _search_path(name: str, environment: Mapping[str, str], *, skips_own: bool = False) -> str:
    for candidate in _path_candidates(name, environment):
        if is_program(candidate) and is_safe(candidate, judges_owner=False):
            path = str(candidate)
            if not (skips_own and is_own_script(path)):
                return path
    return ""


def _path_candidates(name: str, environment: Mapping[str, str]) -> Iterator[Path]:
    for directory in environment.get("PATH", os.defpath).split(os.pathsep):
        # An empty or relative entry would mean the working directory; what is found there changes with a `cd`.
        if os.path.isabs(directory):  # noqa: PTH117 - entries are strings, and many
            yield Path(directory, name)

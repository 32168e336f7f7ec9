"""Where everything lives: the only module that knows directories, file names and their variables.

Standard library only and cheap to import, because `status` and completion need it.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from prismctl.errors import PrismError
from prismctl.files.atomic import describe_way_out

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_SOCKET_PATH_BYTES: Final = 103
"""Unix socket paths are limited to 104 bytes on macOS and 108 on Linux, the terminating zero included."""
_LONGEST_SOCKET: Final = "nomad/plugin4294967295"
"""What is longest of what is put below a socket directory."""

PROJECT_FILE_NAME: Final = "prism.yaml"


@dataclass(frozen=True, slots=True)
class Home:
    """The directory that holds all that prismctl keeps for one person."""

    directory: Path

    @property
    def catalog(self) -> Path:
        """The user's catalog, generated once."""
        return self.directory / "services.yaml"

    @property
    def settings(self) -> Path:
        """The user's settings."""
        return self.directory / "config.yaml"

    @property
    def profiles(self) -> Path:
        """Saved selections, a file each."""
        return self.directory / "profiles"

    @property
    def tools(self) -> Path:
        """Installed programs: ``NAME-VERSION``, and ``NAME`` pointing at the one in use."""
        return self.directory / "bin"

    @property
    def manifest(self) -> Path:
        """What was put into this home, and onto the machine for it."""
        return self.directory / "manifest.json"

    @property
    def history(self) -> Path:
        """What past starts took (0600); see `files/history.py`."""
        return self.directory / "history.db"

    @property
    def history_journal(self) -> Path:
        """Beside it while it is written, and after a write that was killed: what the next one undoes it with."""
        return self.directory / "history.db-journal"

    @property
    def damaged_history(self) -> Path:
        """The last one that could not be read."""
        return self.directory / "history.db.damaged"

    @property
    def init_lock(self) -> Path:
        """Held by whoever puts something into this home or takes it away."""
        return self.directory / "init.lock"

    @property
    def downloads(self) -> Path:
        """What is being installed: fetched in part, or not verified yet; never on anybody's path."""
        return self.directory / "downloads"

    @property
    def cache(self) -> Path:
        """What can be made anew at any time, kept to be faster."""
        return self.directory / "cache"

    @property
    def snapshots(self) -> Path:
        """Copies of services' data, a directory for each stack."""
        return self.directory / "snapshots"

    @property
    def stacks(self) -> Path:
        """One directory a stack."""
        return self.directory / "run"

    def stack(self, name: str) -> StackPaths:
        """The paths of one stack."""
        return StackPaths(self.stacks / name, name)


@dataclass(frozen=True, slots=True)
class StackPaths:
    """Everything one running stack keeps on disk, under ``run/STACK/``."""

    directory: Path
    name: str

    @property
    def home(self) -> Home:
        """The one that it is a stack of."""
        return Home(self.directory.parent.parent)

    @property
    def plan(self) -> Path:
        """The applied plan, secrets included (0600)."""
        return self.directory / "plan.json"

    @property
    def state(self) -> Path:
        """What the daemon has to remember across its own death (0600)."""
        return self.directory / "state.json"

    @property
    def daemon_lock(self) -> Path:
        """Held by the daemon as long as it lives; free means that none does."""
        return self.directory / "daemon.lock"

    @property
    def keeper_lock(self) -> Path:
        """Held by the keeper as long as it lives."""
        return self.directory / "keeper.lock"

    @property
    def daemon_log(self) -> Path:
        """What the daemon has to say about itself."""
        return self.directory / "daemon.log"

    @property
    def keeper_log(self) -> Path:
        """What the keeper has to say about itself."""
        return self.directory / "keeper.log"

    @property
    def events(self) -> Path:
        """The stack's events, one JSON object a line."""
        return self.directory / "events.ndjson"

    @property
    def logs(self) -> Path:
        """Output of services and agents, ``SERVICE#REPLICA.log`` and ``AGENT.log``."""
        return self.directory / "logs"

    @property
    def data(self) -> Path:
        """Data directories of the services, one each."""
        return self.directory / "data"

    @property
    def snapshots(self) -> Path:
        """Copies of the services' data, which outlive the stack: in home, beside all stacks."""
        return self.directory.parent.parent / "snapshots" / self.name

    @property
    def secrets(self) -> Path:
        """The passwords that were made for the stack's servers (0600)."""
        return self.directory / "secrets.json"

    @property
    def log_copy(self) -> Path:
        """How far the copy of the logs to a file of somebody's own has come (0600)."""
        return self.directory / "log-copy.json"

    @property
    def hidden(self) -> Path:
        """The values that are hidden in what is shown of the logs, as long as there are logs (0600)."""
        return self.directory / "hidden.json"

    @property
    def dashboard_place(self) -> Path:
        """Where the stack's page is served."""
        return self.directory / "dashboard.json"

    @property
    def dashboard_token(self) -> Path:
        """Lets somebody in to the stack's page (0600); made anew for each run."""
        return self.directory / "dashboard-token"

    def data_of(self, service: str, replica: int) -> Path:
        """What one instance stores."""
        return self.data / (service if replica == 0 else f"{service}#{replica}")

    @property
    def environments(self) -> Path:
        """Environment files of services (0600), for engines that must not see them."""
        return self.directory / "environments"

    @property
    def containers(self) -> Path:
        """What is known of the stack's containers while they run, and what runs them."""
        return self.directory / "containers"

    @property
    def servers(self) -> Path:
        """What servers need once a home, to be copied or read by every stack; can be made anew."""
        return self.home.cache / "servers"

    @property
    def agents(self) -> Path:
        """Configuration, tokens (0600) and data of the engine's agents."""
        return self.directory / "agents"

    @property
    def socket_pointer(self) -> Path:
        """Says where the sockets are; written once, so that every shell finds the same ones."""
        return self.directory / "sockets"

    @property
    def socket_directory(self) -> Path:
        """Where the sockets are: here, or in a short place when the path would be too long for a socket."""
        try:
            recorded = self.socket_pointer.read_text(encoding="utf-8").strip()
        except OSError:
            recorded = ""
        return Path(recorded) if recorded else choose_socket_directory(self.directory)

    @property
    def daemon_socket(self) -> Path:
        """The daemon's API (0600)."""
        return self.socket_directory / "daemon.sock"

    @property
    def keeper_socket(self) -> Path:
        """The keeper's protocol (0600)."""
        return self.socket_directory / "keeper.sock"

    @property
    def plugin_sockets(self) -> Path:
        """Where Nomad and its own helpers talk; made and removed with Nomad."""
        return self.socket_directory / "nomad"

    @property
    def keeper_id(self) -> str:
        """What everything started for this stack is marked with; the same for every keeper it ever has."""
        import hashlib

        return f"prism-{hashlib.sha256(os.fsencode(os.path.realpath(self.directory))).hexdigest()[:16]}"

    def log(self, key: str) -> Path:
        """The output of one instance (``redis#0``) or agent (``nomad``)."""
        return self.logs / f"{key}.log"

    def ensure(self) -> None:
        """Create the directories, closed to others, and settle where the sockets are.

        A home that was made with the rights of a umask, by whoever, is closed too.

        Raises:
            PrismError: home cannot be written, or a shared place is somebody else's.
        """
        home, stacks = self.directory.parent.parent, self.directory.parent
        try:
            home.mkdir(mode=0o700, parents=True, exist_ok=True)
            _close_home(home)
            own = (self.directory, self.logs, self.data, self.environments, self.agents)
            for directory in (stacks, *own):
                directory.mkdir(mode=0o700, exist_ok=True)
            if not self.socket_pointer.exists():
                sockets = choose_socket_directory(self.directory)
                ensure_private_directory(sockets)
                temporary = self.socket_pointer.with_suffix(f".{os.urandom(6).hex()}")
                temporary.touch(mode=0o600, exist_ok=False)
                temporary.write_text(f"{sockets}\n", encoding="utf-8")
                temporary.replace(self.socket_pointer)
            else:
                ensure_private_directory(self.socket_directory)
        except OSError as error:
            raise PrismError(
                f"cannot write {error.filename or self.directory}: {error.strerror}",
                hint=describe_way_out(error, stacks),
            ) from error


def _close_home(home: Path) -> None:
    """Take others' permissions off a home of ours; a place that others need is left to `doctor`, which tells why."""
    if not home.stat().st_mode & 0o077:
        return
    # Rarely needed.
    from prismctl.files.closing import close_to_others, find_obstacle

    if not find_obstacle(home):
        close_to_others(home)


def find_home(environment: Mapping[str, str] = os.environ) -> Home:
    """``$PRISM_HOME``, else ``~/.prism``; always absolute, nothing is created."""
    chosen = environment.get("PRISM_HOME")
    return Home(Path(chosen).expanduser().absolute() if chosen else Path.home() / ".prism")


def choose_socket_directory(stack_directory: Path) -> Path:
    """The stack's own directory where the path is short enough, else a private one named by its hash."""
    longest = len(os.fsencode(stack_directory / _LONGEST_SOCKET))
    if longest <= MAX_SOCKET_PATH_BYTES:
        return stack_directory
    # Slow to import, and rarely needed: `status` has no time for it.
    import tempfile

    own, shared = _name_short_places(stack_directory)
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and len(runtime) + len(f"/{own}/{_LONGEST_SOCKET}") <= MAX_SOCKET_PATH_BYTES:
        return Path(runtime) / own
    return Path(tempfile.gettempdir()) / shared


def is_short_place(place: Path, stack_directory: Path) -> bool:
    """Whether a directory is called what `choose_socket_directory` calls a stack's, wherever it is."""
    return place.name in _name_short_places(stack_directory)


def _name_short_places(stack_directory: Path) -> tuple[str, str]:
    """What a stack's short place is called in a directory of the user's own, and in one that all share."""
    # As slow to import.
    import hashlib

    name = hashlib.sha256(os.fsencode(stack_directory)).hexdigest()[:16]
    return f"prismctl-{name}", f"prismctl-{os.getuid()}-{name}"


def ensure_private_directory(directory: Path) -> None:
    """Create a directory only we can enter; refuse one that somebody else made first.

    Raises:
        PrismError: it is a link, or belongs to another user, or others can enter it.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = directory.lstat()
    is_ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()
    if not is_ours:
        raise PrismError(
            f"{directory} belongs to somebody else",
            hint=f"remove {directory}, or set XDG_RUNTIME_DIR to a directory of yours",
        )
    if status.st_mode & 0o077:
        directory.chmod(0o700)


def find_project_file(start: Path) -> Path | None:
    """The nearest ``prism.yaml`` in a directory or above it.

    Raises:
        PrismError: somebody else put it there or may change it; what it says would be run as us.
    """
    for directory in (start, *start.parents):
        candidate = directory / PROJECT_FILE_NAME
        if candidate.is_file():
            _refuse_foreign(candidate)
            return candidate
    return None


def _refuse_foreign(file: Path) -> None:
    try:
        # A link is judged with what it leads to: the one who made it chose where the project is.
        seen = (file.lstat(), file.stat())
        is_shared = bool(file.parent.stat().st_mode & stat.S_IWOTH)
    except OSError as error:
        raise PrismError(f"cannot look at {file}: {error.strerror}") from error
    ours = _find_own_ids()
    stranger = next((each.st_uid for each in seen if each.st_uid not in {*ours, 0}), None)
    if stranger is not None:
        # What a link leads to is changed without the option, and the link itself with it.
        option = "-h " if seen[1].st_uid in {*ours, 0} else ""
        from prismctl.accounts import user_name

        raise PrismError(
            f"{file} belongs to {user_name(stranger)}: what it describes is not run as you",
            hint=f"read it; if you trust it, `sudo chown {option}{user_name(os.geteuid())} {_quote(file)}`",
        )
    if seen[1].st_mode & stat.S_IWOTH:
        raise PrismError(
            f"{file} can be changed by everybody: what it describes is not run as you",
            hint=f"read it; if you trust it, `chmod o-w {_quote(file)}`",
        )
    if is_shared and any(each.st_uid not in ours for each in seen):
        raise PrismError(
            f"{file} is not yours, and lies in a directory that everybody can write: it is not used",
            hint=f"move it, or work in a directory that is not below {file.parent}",
        )


def _quote(file: Path) -> str:
    # Needed for a refusal only.
    import shlex

    return shlex.quote(str(file))


def _find_own_ids() -> set[int]:
    """Who we are; under `sudo`, also who called it: that one's files are as much ours."""
    own = os.geteuid()
    caller = os.environ.get("SUDO_UID", "")
    return {own, int(caller)} if own == 0 and caller.isdecimal() else {own}

"""The daemon's socket from the other side: what every command asks, with the standard library only.

A stack is in one of four conditions (`find_condition`). Requests connect to a daemon that answers; where only
the keeper lives (the daemon was killed a moment ago, or sent away), they wait for the keeper to start it again
and start one themselves when it does not. Nothing here starts a stack that is stopped: `start_daemon` does.
"""

from __future__ import annotations

import json
import os
import select
import socket
import struct
import sys
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from prismctl.errors import DeadlineError, ExitCode, PrismError, RejectedError, UnavailableError

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Sequence
    from typing import BinaryIO

    from prismctl.files.paths import StackPaths

ANSWER_SECONDS: Final = 15.0
"""How long a plain answer may take; streams may be silent for ever."""
RETURN_SECONDS: Final = 2.0
"""How long the keeper has to start a daemon that was killed, before one is started from here."""
START_SECONDS: Final = 20.0
"""How long a daemon may take to listen; it needs a few tenths of one second."""

_KEEPER_MARKS: Final = frozenset({"PRISM_KEEPER", "PRISM_PROCESS"})
_POLL_SECONDS: Final = 0.01
_FIRST_ERROR_STATUS: Final = 400


class StackCondition(StrEnum):
    """What there is of a stack, told by who answers."""

    STOPPED = "stopped"
    RUNNING = "running"
    UNATTENDED = "unattended"
    """The keeper lives and its daemon does not: the services run."""
    LEFT_BEHIND = "left-behind"
    """A plan was applied, and neither keeper nor daemon lives: `sweep` ends what is left."""


def is_running(paths: StackPaths) -> bool:
    """Whether a daemon answers."""
    return _answers(paths.daemon_socket)


def find_condition(paths: StackPaths) -> StackCondition:
    """What there is of a stack; costs two connection attempts at most."""
    if _answers(paths.daemon_socket):
        return StackCondition.RUNNING
    if _answers(paths.keeper_socket):
        return StackCondition.UNATTENDED
    return StackCondition.LEFT_BEHIND if _has_plan(paths) else StackCondition.STOPPED


def _has_plan(paths: StackPaths) -> bool:
    try:
        return paths.plan.exists()
    except PermissionError as error:
        raise PrismError(
            f"cannot look into {paths.directory}: {error.strerror}",
            hint="it belongs to somebody else; point PRISM_HOME to a home of your own",
        ) from error


def has_daemon_ended(paths: StackPaths) -> bool:
    """Whether no process holds the daemon's lock: one that ends lets go of its socket a little earlier."""
    import fcntl

    try:
        descriptor = os.open(paths.daemon_lock, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


class NotFoundError(RejectedError):
    """There is no such thing in the stack as it is."""

    code = "not-found"


class StackClient:
    """Requests to the daemon of one stack; each has a connection of its own.

    Every method raises `UnavailableError` when no daemon answers, and what the daemon refuses with otherwise.
    """

    def __init__(self, paths: StackPaths) -> None:
        self._paths = paths

    def ping(self) -> dict[str, Any]:
        """Who answers: ``pid``, ``version``, ``api``, ``stack``."""
        return self._ask("GET", "/v1/ping")

    def status(self) -> dict[str, Any]:
        """The status document."""
        return self._ask("GET", "/v1/status")

    def watch_status(self) -> Iterator[dict[str, Any]]:
        """The status document now, then again after each change."""
        return self._stream("GET", "/v1/status/watch")

    def plan(self) -> dict[str, Any] | None:
        """The applied plan in its JSON form, secrets included; ``None`` when there is none."""
        try:
            return self._ask("GET", "/v1/plan")
        except NotFoundError:
            return None

    def events(self, after: int = 0, *, follow: bool = False) -> Iterator[dict[str, Any]]:
        """Events with a higher sequence, then (with ``follow``) each as it happens."""
        return self._stream("GET", f"/v1/events?after={after}&follow={int(follow)}")

    def logs(
        self,
        services: Sequence[str] = (),
        *,
        tail: int | None = None,
        since: float | None = None,
        follow: bool = False,
    ) -> Iterator[dict[str, Any]]:
        """Log lines in order of time; ``tail`` counts for each instance, ``since`` in seconds since the epoch."""
        from urllib.parse import urlencode

        query = [("service", name) for name in services]
        if tail is not None:
            query.append(("tail", str(tail)))
        if since is not None:
            query.append(("since", f"{since:.6f}"))
        if follow:
            query.append(("follow", "1"))
        return self._stream("GET", f"/v1/logs?{urlencode(query)}")

    def environment(self) -> dict[str, str]:
        """Endpoints and credentials of the stack, by variable."""
        variables: dict[str, str] = self._ask("GET", "/v1/environment")["variables"]
        return variables

    def warm(self, engine: str) -> None:
        """Bring the engine's agents up; returns at once, what becomes of it is told by events."""
        self._ask("POST", "/v1/warm", {"engine": engine})

    def apply(
        self,
        plan: dict[str, Any],
        began_at: float,
        on_failure: str = "keep",
        *,
        log_file: str = "",
    ) -> Iterator[dict[str, Any]]:
        """Make the stack what the plan says: ``{"event": …}`` as they happen, at last ``{"result": …}``.

        Giving up the iteration does not undo anything.
        """
        body = {"plan": plan, "began_at": began_at, "on_failure": on_failure}
        if log_file:
            body["log_file"] = log_file
        return self._operate("/v1/apply", body)

    def restart(self, services: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
        """Restart the named services, or all; the stream is that of `apply`."""
        return self._operate("/v1/restart", {"services": list(services)})

    def stop(self, *, kill: bool = False) -> Iterator[dict[str, Any]]:
        """Take everything down, the daemon at last; the stream is that of `apply`."""
        yield from self._operate("/v1/stop", {"kill": kill})
        _wait_until_free(self._paths.daemon_lock)
        _reap()

    def login(self, ui: str) -> str:
        """An address at which a user interface of the engine is open and logged in."""
        url: str = self._ask("POST", "/v1/login", {"ui": ui})["url"]
        return url

    def _operate(self, target: str, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        is_over = False
        for item in self._stream("POST", target, body):
            if "error" in item:
                raise _as_error(item["error"], ExitCode.FAILED)
            is_over = "result" in item
            yield item
        if not is_over:
            raise UnavailableError(
                "the daemon ended in the middle of the operation",
                hint="`prismctl dev status` says how things are; the same command again goes on",
            )

    def _ask(self, method: str, target: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        try:
            try:
                answer = self._exchange(method, target, body)
            except ConnectionError:
                # A daemon that was killed a moment ago still took the connection; asking twice changes nothing.
                if method != "GET":
                    raise
                answer = self._exchange(method, target, body)
        except OSError as error:
            raise self._lost(error) from error
        document = json.loads(answer)
        if not isinstance(document, dict):
            raise UnavailableError(f"the daemon of stack `{self._paths.name}` answered nonsense")
        return document

    def _exchange(self, method: str, target: str, body: dict[str, Any] | None) -> bytes:
        with self._connect() as connection, connection.makefile("rb") as reader:
            connection.settimeout(ANSWER_SECONDS)
            _send(connection, method, target, body)
            return _read_answer(reader)

    def _stream(
        self, method: str, target: str, body: dict[str, Any] | None = None
    ) -> Iterator[dict[str, Any]]:
        with self._connect() as connection, connection.makefile("rb") as reader:
            try:
                connection.settimeout(ANSWER_SECONDS)
                _send(connection, method, target, body)
                status, headers = _read_head(reader)
                if status >= _FIRST_ERROR_STATUS:
                    raise _decode_refusal(status, _read_body(reader, headers))
                connection.settimeout(None)
                for chunk in _read_chunks(reader):
                    for line in chunk.splitlines():
                        yield json.loads(line)
            except OSError as error:
                raise self._lost(error) from error

    def _connect(self) -> socket.socket:
        connection = _connect(self._paths.daemon_socket)
        if connection is not None:
            self._refuse_suspended(connection)
            return connection
        if _answers(self._paths.keeper_socket):
            connection = _poll_connect(self._paths.daemon_socket, RETURN_SECONDS)
            if connection is None:
                start_daemon(self._paths).wait()
                connection = _poll_connect(self._paths.daemon_socket, RETURN_SECONDS)
        if connection is not None:
            return connection
        if _has_plan(self._paths):
            raise UnavailableError(
                f"the daemon and the keeper of stack `{self._paths.name}` were killed",
                hint="`prismctl dev stop` ends what is left, `prismctl dev start` starts again",
            )
        raise UnavailableError(
            f"no stack `{self._paths.name}` is running", hint="`prismctl dev start` starts one"
        )

    def _refuse_suspended(self, connection: socket.socket) -> None:
        """Say at once what would otherwise be a long silence: the kernel accepts for a daemon that is suspended."""
        pid = _read_listener_pid(connection)
        if pid and _is_suspended(pid):
            connection.close()
            raise UnavailableError(
                f"the daemon of stack `{self._paths.name}` is suspended (PID {pid}); its services run on",
                hint=f"`kill -CONT {pid}` lets it go on",
            )

    def _lost(self, error: OSError) -> UnavailableError:
        reason = "no answer in time" if isinstance(error, TimeoutError) else str(error)
        return UnavailableError(
            f"the daemon of stack `{self._paths.name}` does not answer: {reason}",
            hint=f"`cat {self._paths.daemon_log}` shows what it said",
        )


@dataclass(slots=True)
class StartingDaemon:
    """A daemon on its way; whoever started it can do something else meanwhile."""

    paths: StackPaths
    _pipe: int
    _is_over: bool = False
    _error: PrismError | None = None

    def wait(self, timeout_seconds: float = START_SECONDS) -> None:
        """Return once a daemon listens: this one, or the one that was faster.

        Waiting again, after it is over or after an interrupt, has the same end.

        Raises:
            UnavailableError: it ended before it listened; the message says why.
            DeadlineError: it did not say anything in time.
        """
        if not self._is_over:
            deadline = time.monotonic() + timeout_seconds
            said = _read_line(self._pipe, deadline)
            os.close(self._pipe)
            self._is_over = True
            try:
                self._conclude(said, deadline, timeout_seconds)
            except PrismError as error:
                self._error = error
        if self._error is not None:
            raise self._error

    def _conclude(self, said: str, deadline: float, timeout_seconds: float) -> None:
        word, _, rest = said.partition(" ")
        if word == "ready":
            return
        if word == "held":
            winner = _poll_connect(self.paths.daemon_socket, deadline - time.monotonic())
            if winner is not None:
                winner.close()
                return
        hint = f"`cat {self.paths.daemon_log}` shows what it said"
        if time.monotonic() >= deadline:
            raise DeadlineError(
                f"the daemon did not listen within {timeout_seconds:g} s", hint=hint
            )
        _reap()
        raise UnavailableError(rest or "the daemon ended before it listened", hint=hint)


def start_daemon(paths: StackPaths, engine_hint: str = "") -> StartingDaemon:
    """Start the keeper and the daemon of a stack side by side, without waiting for either.

    With ``engine_hint`` the daemon brings that engine's agents up at once. Both outlive this process.

    Raises:
        PrismError: home cannot be written, or nothing can be started.
    """
    import subprocess

    paths.ensure()
    environment = {name: text for name, text in os.environ.items() if name not in _KEEPER_MARKS}
    keeper_said, keeper_says = os.pipe()
    daemon_said, daemon_says = os.pipe()
    home = paths.directory.parent.parent
    daemon = [sys.executable, "-P", "-m", "prismctl.daemon", "--home", str(home)]
    daemon += ["--stack", paths.name, "--ready-fd", str(daemon_says)]
    daemon += ["--engine", engine_hint] if engine_hint else []
    handed_over = [daemon_says]
    try:
        if not _answers(paths.keeper_socket):
            keeper = [*_keeper_argv(paths), "--ready-fd", str(keeper_says)]
            _spawn(subprocess, keeper, environment, paths.keeper_log, (keeper_says,))
            daemon += ["--keeper-fd", str(keeper_said)]
            handed_over.append(keeper_said)
        _spawn(subprocess, daemon, environment, paths.daemon_log, tuple(handed_over))
    except OSError as error:
        os.close(daemon_said)
        raise PrismError(
            f"cannot start the daemon: {(error.strerror or str(error)).lower()}"
        ) from error
    finally:
        for descriptor in (keeper_said, keeper_says, daemon_says):
            os.close(descriptor)
    return StartingDaemon(paths, daemon_said)


def sweep(paths: StackPaths) -> dict[str, Any]:
    """End what a killed stack left behind and remove its plan; nothing that this home did not start is touched.

    The answer is ``{"processes": [{"pid", "key", "command"}…], "sockets": [PATH…], "plan": bool}``.

    Raises:
        RejectedError: the stack is not left behind but runs.
        PrismError: something could not be ended.
    """
    import subprocess

    home = paths.directory.parent.parent
    argv = [sys.executable, "-P", "-m", "prismctl.daemon", "--sweep"]
    argv += ["--home", str(home), "--stack", paths.name]
    environment = {name: text for name, text in os.environ.items() if name not in _KEEPER_MARKS}
    done = subprocess.run(argv, capture_output=True, env=environment, cwd="/", check=False)
    try:
        document = json.loads(done.stdout)
    except ValueError as error:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise PrismError(f"the sweep failed: {said[-1] if said else 'it said nothing'}") from error
    if "error" in document:
        raise _as_error(document["error"], ExitCode.FAILED)
    swept: dict[str, Any] = document
    return swept


_children: list[subprocess.Popen[bytes]] = []


def _spawn(
    module: Any,
    argv: list[str],
    environment: dict[str, str],
    log: Path,
    descriptors: tuple[int, ...],
) -> None:
    with log.open("ab") as output:
        log.chmod(0o600)
        child = module.Popen(
            argv,
            stdin=module.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            cwd="/",
            pass_fds=descriptors,
            start_new_session=True,
        )
    _children.append(child)


def _wait_until_free(lock: Path) -> None:
    """Return once the daemon that said its last word is gone, and its lock with it; nothing notifies."""
    import fcntl

    deadline = time.monotonic() + RETURN_SECONDS
    try:
        descriptor = os.open(lock, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return
    try:
        while time.monotonic() < deadline:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                time.sleep(_POLL_SECONDS)
            else:
                return
    finally:
        os.close(descriptor)


def _reap() -> None:
    """Take note of started processes that have ended, so that a long-lived caller keeps no zombies."""
    _children[:] = [child for child in _children if child.poll() is None]


def _keeper_argv(paths: StackPaths) -> list[str]:
    """By path and without ``site``, which halves its start-up time."""
    program = Path(__file__).parent / "keeper" / "__main__.py"
    argv = [sys.executable, "-I", "-S", str(program), "--socket", str(paths.keeper_socket)]
    argv += ["--lock", str(paths.keeper_lock), "--id", paths.keeper_id]
    return [*argv, "--log", str(paths.keeper_log)]


def _connect(path: Path) -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(str(path))
    except OSError:
        connection.close()
        return None
    return connection


def _read_listener_pid(connection: socket.socket) -> int:
    """Who listens at the other end; 0 where the system does not tell."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return 0
    credentials = connection.getsockopt(socket.SOL_SOCKET, option, struct.calcsize("3i"))
    return int(struct.unpack("3i", credentials)[0])


def _is_suspended(pid: int) -> bool:
    try:
        facts = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False
    return facts.rpartition(b")")[2].split()[0] == b"T"


def _answers(path: Path) -> bool:
    connection = _connect(path)
    if connection is None:
        return False
    connection.close()
    return True


def _poll_connect(path: Path, seconds: float) -> socket.socket | None:
    """Try until somebody listens; nothing could notify about that."""
    deadline = time.monotonic() + seconds
    while (connection := _connect(path)) is None:
        if time.monotonic() >= deadline:
            return None
        time.sleep(_POLL_SECONDS)
    return connection


def _send(connection: socket.socket, method: str, target: str, body: dict[str, Any] | None) -> None:
    data = b"" if body is None else json.dumps(body).encode()
    head = f"{method} {target} HTTP/1.1\r\nHost: prism\r\nConnection: close\r\n"
    if body is not None:
        head += f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n"
    connection.sendall(head.encode() + b"\r\n" + data)


def _read_answer(reader: BinaryIO) -> bytes:
    status, headers = _read_head(reader)
    body = _read_body(reader, headers)
    if status >= _FIRST_ERROR_STATUS:
        raise _decode_refusal(status, body)
    return body


def _read_head(reader: BinaryIO) -> tuple[int, dict[str, str]]:
    words = reader.readline().split()
    if len(words) < 2 or not words[1].isdigit():  # noqa: PLR2004 - the protocol and the status
        raise ConnectionResetError("it hung up")
    headers: dict[str, str] = {}
    for line in iter(reader.readline, b"\r\n"):
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon:
            raise ConnectionResetError("it hung up")
        headers[name.lower()] = value.strip()
    return int(words[1]), headers


def _read_body(reader: BinaryIO, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding") == "chunked":
        return b"".join(_read_chunks(reader))
    wanted = int(headers.get("content-length", "0"))
    body = reader.read(wanted)
    if len(body) != wanted:
        raise ConnectionResetError("it hung up")
    return body


def _read_chunks(reader: BinaryIO) -> Iterator[bytes]:
    """The chunks of a stream, each a number of whole lines; a stream that is cut ends without its end."""
    while size := int(reader.readline() or b"0", 16):
        chunk = reader.read(size)
        if len(chunk) != size:
            return
        reader.readline()
        yield chunk


def _decode_refusal(status: int, body: bytes) -> PrismError:
    try:
        error = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError):
        return RejectedError(f"the daemon refused with status {status}")
    return _as_error(error, ExitCode.REJECTED)


def _as_error(error: dict[str, Any], otherwise: ExitCode) -> PrismError:
    """The error of our tree that the daemon's words stand for."""
    import prismctl.errors as tree

    kinds: list[type[PrismError]] = [
        PrismError,
        tree.MissingToolError,
        tree.UnavailableError,
        tree.RejectedError,
        NotFoundError,
        tree.DeadlineError,
        tree.PartialError,
    ]
    fallback = RejectedError if otherwise is ExitCode.REJECTED else PrismError
    kind = next((kind for kind in kinds if kind.code == error.get("code")), fallback)
    return kind(str(error.get("message")), hint=str(error.get("hint") or ""))


def _read_line(descriptor: int, deadline: float) -> str:
    """What comes until the end of the line, of the pipe, or of the time."""
    said = b""
    while not said.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([descriptor], [], [], left)[0]:
            break
        part = os.read(descriptor, 4096)
        if not part:
            break
        said += part
    return said.decode(errors="replace").strip()

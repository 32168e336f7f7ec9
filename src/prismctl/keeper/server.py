"""Takes requests from the socket, answers them, and tells the watchers what happens."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any, Final

from prismctl.keeper.connection import Connection, read_peer
from prismctl.keeper.protocol import PROTOCOL_VERSION, spec_from_json, status_to_json
from prismctl.keeper.supervisor import Refusal

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from prismctl.keeper.daemon_watch import DaemonWatch
    from prismctl.keeper.kept import KeptProcess
    from prismctl.keeper.loop import Loop
    from prismctl.keeper.supervisor import Supervisor

MAX_CONNECTIONS: Final = 64
FAREWELL_SECONDS: Final = 1.0
"""How long a client has to take its last reply when the keeper ends."""
_ACCEPT_AGAIN_SECONDS: Final = 0.2


class Server:
    """All connections; requests end up in the supervisor and the daemon watch."""

    def __init__(
        self,
        listening: socket.socket,
        *,
        loop: Loop,
        daemon: DaemonWatch,
        keeper_id: str,
        note: Callable[[str], None],
    ) -> None:
        self._listening = listening
        self._loop = loop
        self._daemon = daemon
        self._keeper_id = keeper_id
        self._note = note
        self._connections: list[Connection] = []
        self._supervisor: Supervisor | None = None
        self._on_shutdown: Callable[[str], None] = lambda _left: None
        self._requests: dict[str, Callable[[Connection, dict[str, Any]], None]] = {
            "hello": self._hello,
            "spawn": self._spawn,
            "stop": self._stop,
            "restart": self._restart,
            "signal": self._signal,
            "list": self._list,
            "watch": self._watch,
            "forget": self._forget,
            "shutdown": self._shutdown,
            "goodbye": self._goodbye,
        }

    def serve(self, supervisor: Supervisor, *, on_shutdown: Callable[[str], None]) -> None:
        """Begin to accept; ``on_shutdown`` is called with what is left once a shutdown is through."""
        self._supervisor = supervisor
        self._on_shutdown = on_shutdown
        self._loop.watch(self._listening.fileno(), self._accept)

    def broadcast(self, event: dict[str, Any]) -> None:
        """Tell every watcher."""
        line = json.dumps(event, separators=(",", ":")).encode() + b"\n"
        for connection in [each for each in self._connections if each.is_watching]:
            connection.send_line(line)

    def shut_down(self, *, kill: bool = False) -> None:
        """End everything and then the keeper, because a signal asked for it."""
        self._daemon.stand_down()
        self._supervisor_here.shutdown(self._on_shutdown, kill=kill)

    def close(self) -> None:
        """Send what is not sent yet and end every connection."""
        end = time.monotonic() + FAREWELL_SECONDS
        for connection in list(self._connections):
            connection.flush_and_end(max(0.01, end - time.monotonic()))
        self._listening.close()

    @property
    def _supervisor_here(self) -> Supervisor:
        assert self._supervisor is not None  # noqa: S101 - `serve` comes first
        return self._supervisor

    def _accept(self) -> None:
        try:
            connected, _ = self._listening.accept()
        except BlockingIOError:
            return
        except OSError as error:
            # No descriptors left: without a pause this would be asked again at once, for ever.
            self._note(f"cannot accept: {error.strerror}")
            self._loop.unwatch(self._listening.fileno())
            self._loop.call_at(
                time.monotonic() + _ACCEPT_AGAIN_SECONDS,
                lambda: self._loop.watch(self._listening.fileno(), self._accept),
            )
            return
        try:
            uid, _ = read_peer(connected)
        except OSError:
            connected.close()
            return
        if uid != os.getuid() or len(self._connections) >= MAX_CONNECTIONS:
            self._note(f"refused a connection of user {uid}, {len(self._connections)} are open")
            connected.close()
            return
        self._connections.append(
            Connection(connected, self._loop, on_request=self._handle, on_end=self._ended)
        )

    def _ended(self, connection: Connection) -> None:
        self._connections.remove(connection)
        if connection.end_reason:
            self._note(f"ended the connection of {connection.peer_pid}: {connection.end_reason}")
        self._daemon.connection_ended(connection)

    def _handle(self, connection: Connection, request: dict[str, Any]) -> None:
        wanted = request.get("do")
        handle = self._requests.get(wanted) if isinstance(wanted, str) else None
        if handle is None:
            _refuse(connection, request, f"unknown request {wanted!r:.80}")
            return
        try:
            handle(connection, request)
        except (Refusal, ValueError) as error:
            _refuse(connection, request, str(error))

    def _hello(self, connection: Connection, request: dict[str, Any]) -> None:
        protocol = request.get("protocol", PROTOCOL_VERSION)
        if protocol != PROTOCOL_VERSION:
            raise Refusal(f"protocol {protocol!r:.20} is not spoken here, {PROTOCOL_VERSION} is")
        if request.get("daemon") is not None:
            self._daemon.introduce(connection, request["daemon"])
        _reply(
            connection,
            request,
            pid=os.getpid(),
            keeper=self._keeper_id,
            protocol=PROTOCOL_VERSION,
            processes=self._supervisor_here.statuses(),
        )

    def _spawn(self, connection: Connection, request: dict[str, Any]) -> None:
        spec = spec_from_json(request.get("process"))
        self._supervisor_here.spawn(spec, _status_reply(connection, request))

    def _stop(self, connection: Connection, request: dict[str, Any]) -> None:
        answer = _ending_reply(connection, request)
        self._supervisor_here.stop(_key(request), answer, kill=_flag(request, "kill"))

    def _restart(self, connection: Connection, request: dict[str, Any]) -> None:
        self._supervisor_here.restart(_key(request), _ending_reply(connection, request))

    def _signal(self, connection: Connection, request: dict[str, Any]) -> None:
        number = request.get("signal")
        if type(number) is not int or not 1 <= number <= 64:  # noqa: PLR2004 - Linux has 64 signals
            raise ValueError(f"signal is not possible: {number!r:.80}")
        self._supervisor_here.signal(_key(request), number)
        _reply(connection, request)

    def _list(self, connection: Connection, request: dict[str, Any]) -> None:
        _reply(connection, request, processes=self._supervisor_here.statuses())

    def _watch(self, connection: Connection, request: dict[str, Any]) -> None:
        _reply(connection, request, processes=self._supervisor_here.statuses())
        connection.is_watching = True

    def _forget(self, connection: Connection, request: dict[str, Any]) -> None:
        self._supervisor_here.forget(_key(request))
        _reply(connection, request)

    def _goodbye(self, connection: Connection, request: dict[str, Any]) -> None:
        self._daemon.stand_down()
        _reply(connection, request)

    def _shutdown(self, connection: Connection, request: dict[str, Any]) -> None:
        def answer(left: str) -> None:
            if left:
                _refuse_stuck(connection, request, left)
            else:
                _reply(connection, request)
            self._on_shutdown(left)

        kill = _flag(request, "kill")
        self._daemon.stand_down()
        self._supervisor_here.shutdown(answer, kill=kill)


def _reply(connection: Connection, request: dict[str, Any], **fields: Any) -> None:
    connection.send({"id": request.get("id"), "ok": True, **fields})


def _refuse(connection: Connection, request: dict[str, Any], error: str, *, hint: str = "") -> None:
    answer = {"id": request.get("id"), "ok": False, "error": error}
    connection.send({**answer, "hint": hint} if hint else answer)


def _refuse_stuck(connection: Connection, request: dict[str, Any], left: str) -> None:
    """Say what survived SIGKILL, each as `tree.describe` does."""
    pids = ",".join(word for word in left.split() if word.isdigit())
    hint = f"`ps -o pid,stat,wchan,args -p {pids}` shows what holds it; the same command again tries again"
    _refuse(connection, request, f"not even SIGKILL ends {left}", hint=hint)


def _status_reply(connection: Connection, request: dict[str, Any]) -> Callable[[KeptProcess], None]:
    return lambda kept: _reply(connection, request, status=status_to_json(kept.status))


def _ending_reply(connection: Connection, request: dict[str, Any]) -> Callable[[KeptProcess], None]:
    def answer(kept: KeptProcess) -> None:
        if kept.stuck:
            _refuse_stuck(connection, request, kept.stuck)
        else:
            _reply(connection, request, status=status_to_json(kept.status))

    return answer


def _key(request: dict[str, Any]) -> str:
    key = request.get("key")
    if not isinstance(key, str):
        raise ValueError("key is not a string")  # noqa: TRY004 - a wire form that is wrong, not a caller
    return key


def _flag(request: dict[str, Any], name: str) -> bool:
    value = request.get(name, False)
    if not isinstance(value, bool):
        raise ValueError(f"{name} is not true or false")  # noqa: TRY004 - as above
    return value

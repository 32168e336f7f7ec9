"""Requests to the daemon of one stack, over its socket."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from prismctl.client.condition import await_end_of_daemon, has_plan
from prismctl.client.http import (
    FIRST_ERROR_STATUS,
    NotFoundError,
    as_error,
    decode_refusal,
    read_answer,
    read_body,
    read_chunks,
    read_head,
    send,
)
from prismctl.client.launch import reap, start_daemon
from prismctl.client.sockets import (
    answers,
    connect,
    is_suspended,
    poll_connect,
    read_listener_pid,
)
from prismctl.errors import ExitCode, UnavailableError

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Mapping, Sequence

    from prismctl.client.hangup import Hangup
    from prismctl.files.paths import StackPaths

ANSWER_SECONDS: Final = 15.0
"""How long a plain answer may take; streams may be silent for ever."""
RETURN_SECONDS: Final = 2.0
"""How long the keeper has to start a daemon that was killed, before one is started from here."""


class StackClient:
    """Requests to the daemon of one stack; each has a connection of its own.

    Every method raises `UnavailableError` when no daemon answers, and what the daemon refuses with otherwise.
    """

    def __init__(self, paths: StackPaths) -> None:
        self._paths = paths

    def ping(self) -> dict[str, Any]:
        """Who answers: ``pid``, ``version``, ``api``, ``stack``."""
        return self._ask("GET", "/v1/ping")

    def status(self, *, shows_secrets: bool = False) -> dict[str, Any]:
        """The status document; with secrets, each service has its ``endpoints`` in it."""
        return self._ask("GET", "/v1/status?secrets=1" if shows_secrets else "/v1/status")

    def watch_status(
        self, *, hangup: Hangup | None = None, silence_seconds: float | None = None
    ) -> Iterator[dict[str, Any]]:
        """The status document now, then again after each change.

        Args:
            hangup: ends it from another thread.
            silence_seconds: how long nothing may come until it counts as lost; ``None``: for ever.
        """
        return self._stream(
            "GET", "/v1/status/watch", hangup=hangup, silence_seconds=silence_seconds
        )

    def metrics_page(self) -> str:
        """The whole stack as Prometheus reads it."""
        return self._exchange("GET", "/v1/metrics", None).decode()

    def figure_history(
        self, services: Sequence[str] = (), *, seconds: float | None = None
    ) -> dict[str, dict[str, list[Any]]]:
        """The figures of the last minutes by service, a list each; of all services when none is named."""
        from urllib.parse import urlencode

        query: list[tuple[str, str]] = [("service", name) for name in services]
        if seconds is not None:
            query.append(("seconds", str(seconds)))
        document = self._ask("GET", f"/v1/metrics/history?{urlencode(query)}")
        found: dict[str, dict[str, list[Any]]] = document["services"]
        return found

    def plan(self) -> dict[str, Any] | None:
        """The applied plan in its JSON form, secrets included; ``None`` when there is none."""
        try:
            return self._ask("GET", "/v1/plan")
        except NotFoundError:
            return None

    def start_report(self) -> dict[str, Any] | None:
        """What the start of the running stack took; ``None`` when it is not up, or not all of it came up."""
        try:
            return self._ask("GET", "/v1/start")
        except NotFoundError:
            return None

    def metrics_history(self, seconds: float = 600.0) -> dict[str, Any]:
        """What was measured of each service lately: ``services``, by name lists that belong together."""
        return self._ask("GET", f"/v1/metrics/history?seconds={seconds:g}")

    def events(self, after: int = 0, *, follow: bool = False) -> Iterator[dict[str, Any]]:
        """Events with a higher sequence, then (with ``follow``) each as it happens."""
        return self._stream("GET", f"/v1/events?after={after}&follow={int(follow)}")

    def logs(
        self,
        services: Sequence[str] = (),
        *,
        tail: int | None = None,
        since: float | None = None,
        after: Mapping[str, str] | None = None,
        follow: bool = False,
        hangup: Hangup | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Log lines in order of time.

        Args:
            services: none means all.
            tail: only so many of the last lines of each instance.
            since: only lines after this moment, in seconds since the epoch.
            after: for some instances (`SERVICE#REPLICA`), only lines after the one of this sequence, in place of both.
            follow: go on with what is printed from now on.
            hangup: ends it from another thread.
        """
        for bundle in self.log_bundles(
            services, tail=tail, since=since, after=after, follow=follow, hangup=hangup
        ):
            yield from bundle

    def log_bundles(
        self,
        services: Sequence[str] = (),
        *,
        tail: int | None = None,
        since: float | None = None,
        after: Mapping[str, str] | None = None,
        newest: int | None = None,
        follow: bool = False,
        hangup: Hangup | None = None,
    ) -> Iterator[list[dict[str, Any]]]:
        """The same lines, as many at once as there are.

        ``newest`` leaves out all but so many of each instance; how many those were is told in their place.
        """
        from urllib.parse import urlencode

        query = [("service", name) for name in services]
        if tail is not None:
            query.append(("tail", str(tail)))
        if since is not None:
            query.append(("since", f"{since:.6f}"))
        if newest is not None:
            query.append(("newest", str(newest)))
        query += [("after", f"{key}={sequence}") for key, sequence in (after or {}).items()]
        if follow:
            query.append(("follow", "1"))
        target = f"/v1/logs?{urlencode(query)}"
        for chunk in self._stream_chunks("GET", target, hangup=hangup):
            # Whole lines, and JSON has no line ends of its own: in one go they take half the time.
            yield json.loads(b"[%s]" % chunk.rstrip().replace(b"\n", b","))

    def environment(self) -> dict[str, str]:
        """Endpoints and credentials of the stack, by variable."""
        variables: dict[str, str] = self._ask("GET", "/v1/environment")["variables"]
        return variables

    def warm(self, engine: str) -> None:
        """Bring the engine's agents up; returns at once, what becomes of it is told by events."""
        self._ask("POST", "/v1/warm", {"engine": engine})

    def hold_warm(self, engine: str) -> Iterator[dict[str, Any]]:
        """Have the engine's agents up while this is read: events as they happen.

        Where the reader goes away and no plan was applied, everything is taken down at once.
        """
        return self._stream("POST", "/v1/warm", {"engine": engine, "held": True})

    def apply(
        self,
        plan: dict[str, Any],
        began_at: float,
        on_failure: str = "keep",
        *,
        log_file: str = "",
        dashboard_port: int | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Make the stack what the plan says: ``{"event": …}`` as they happen, at last ``{"result": …}``.

        Giving up the iteration does not undo anything.
        """
        body: dict[str, Any] = {"plan": plan, "began_at": began_at, "on_failure": on_failure}
        if log_file:
            body["log_file"] = log_file
        if dashboard_port is not None:
            body["dashboard_port"] = dashboard_port
        return self._operate("/v1/apply", body)

    def add(self, addition: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Run the services of a plan beside those that run; the stream is that of `apply`."""
        return self._operate("/v1/add", {"plan": addition})

    def remove(
        self, services: Sequence[str], *, cascade: bool = False, dependencies: bool = False
    ) -> Iterator[dict[str, Any]]:
        """Take services out of the stack; the stream is that of `apply`.

        With ``cascade`` what needs them goes as well, with ``dependencies`` what came along only for them.
        """
        body = {"services": list(services), "cascade": cascade, "dependencies": dependencies}
        return self._operate("/v1/remove", body)

    def scale(self, service: str, replicas: int) -> Iterator[dict[str, Any]]:
        """Have a service run in another number of instances; the stream is that of `apply`."""
        return self._operate("/v1/scale", {"service": service, "replicas": replicas})

    def restart(self, services: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
        """Restart the named services, or all; the stream is that of `apply`."""
        return self._operate("/v1/restart", {"services": list(services)})

    def reset_data(self, services: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Have services begin without data; the stream is that of `apply`."""
        return self._operate("/v1/data/reset", {"services": list(services)})

    def restore_data(
        self, services: Sequence[str], *, name: str = "", is_previous: bool = False
    ) -> Iterator[dict[str, Any]]:
        """Put data of a snapshot, or what was put aside, in place; the stream is that of `apply`."""
        body = {"services": list(services), "name": name, "previous": is_previous}
        return self._operate("/v1/data/restore", body)

    def take_snapshot(
        self,
        services: Sequence[str],
        *,
        name: str,
        replaces: bool = False,
        removes: Sequence[str] = (),
    ) -> Iterator[dict[str, Any]]:
        """Copy the data of services, which stand still meanwhile; the stream is that of `apply`."""
        body = {"services": list(services), "name": name}
        return self._operate(
            "/v1/data/snapshot", {**body, "replaces": replaces, "removes": list(removes)}
        )

    def stop(self, *, kill: bool = False, only_unclaimed: bool = False) -> Iterator[dict[str, Any]]:
        """Take everything down, the daemon at last; the stream is that of `apply`.

        Args:
            kill: at once, without asking anything to end.
            only_unclaimed: only while no plan was applied, and nobody else is choosing one.

        Raises:
            RejectedError: somebody wants it to run.
        """
        body = {"kill": kill}
        yield from self._operate(
            "/v1/stop", {**body, "only_unclaimed": True} if only_unclaimed else body
        )
        await_end_of_daemon(self._paths)
        reap()

    def dashboard_link(self, *, is_good_once: bool = False) -> str:
        """The address of the page in the browser, with what lets somebody in.

        Args:
            is_good_once: whether it is good for the first who follows it, within a minute, instead of for everybody.

        Raises:
            NotFoundError: no page is served.
        """
        target = "/v1/dashboard?once=1" if is_good_once else "/v1/dashboard"
        url: str = self._ask("GET", target)["url"]
        return url

    def dashboard(self) -> dict[str, str]:
        """The same as ``url``, and as ``obstacle`` why it is not where it was wanted; empty where it is.

        Raises:
            NotFoundError: no page is served.
        """
        return self._ask("GET", "/v1/dashboard")

    def login(self, ui: str) -> str:
        """An address at which a user interface of the engine is open and logged in."""
        url: str = self._ask("POST", "/v1/login", {"ui": ui})["url"]
        return url

    def _operate(self, target: str, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        is_over = False
        for item in self._stream("POST", target, body):
            if "error" in item:
                raise as_error(item["error"], ExitCode.FAILED)
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
            send(connection, method, target, body)
            return read_answer(reader)

    def _stream(
        self,
        method: str,
        target: str,
        body: dict[str, Any] | None = None,
        *,
        hangup: Hangup | None = None,
        silence_seconds: float | None = None,
    ) -> Iterator[dict[str, Any]]:
        chunks = self._stream_chunks(
            method, target, body, hangup=hangup, silence_seconds=silence_seconds
        )
        for chunk in chunks:
            for line in chunk.splitlines():
                yield json.loads(line)

    def _stream_chunks(
        self,
        method: str,
        target: str,
        body: dict[str, Any] | None = None,
        *,
        hangup: Hangup | None = None,
        silence_seconds: float | None = None,
    ) -> Iterator[bytes]:
        with self._connect() as connection, connection.makefile("rb") as reader:
            if hangup is not None:
                hangup.watch_over(connection)
            try:
                connection.settimeout(ANSWER_SECONDS)
                send(connection, method, target, body)
                status, headers = read_head(reader)
                if status >= FIRST_ERROR_STATUS:
                    raise decode_refusal(status, read_body(reader, headers))
                connection.settimeout(silence_seconds)
                yield from read_chunks(reader)
            except OSError as error:
                raise self._lost(error) from error

    def _connect(self) -> socket.socket:
        connection = connect(self._paths.daemon_socket)
        if connection is not None:
            self._refuse_suspended(connection)
            return connection
        if answers(self._paths.keeper_socket):
            connection = poll_connect(self._paths.daemon_socket, RETURN_SECONDS)
            if connection is None:
                start_daemon(self._paths).wait()
                connection = poll_connect(self._paths.daemon_socket, RETURN_SECONDS)
        if connection is not None:
            return connection
        if has_plan(self._paths):
            raise UnavailableError(
                f"the daemon and the keeper of stack `{self._paths.name}` were killed",
                hint="`prismctl dev stop` ends what is left, `prismctl dev start` starts again",
            )
        raise UnavailableError(
            f"no stack `{self._paths.name}` is running", hint="`prismctl dev start` starts one"
        )

    def _refuse_suspended(self, connection: socket.socket) -> None:
        """Say at once what would otherwise be a long silence: the kernel accepts for a daemon that is suspended."""
        pid = read_listener_pid(connection)
        if pid and is_suspended(pid):
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

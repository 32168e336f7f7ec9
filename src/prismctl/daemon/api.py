"""The daemon's API: which request is answered by what; ``docs/reference/daemon-api.md`` is the same table."""

from __future__ import annotations

import asyncio
import os
import re
import time
from typing import TYPE_CHECKING, Any, Final

from prismctl import __version__
from prismctl.daemon.environment import render_environment_of_stack
from prismctl.daemon.figure_history import HISTORY_SECONDS
from prismctl.daemon.http import Answer, Content, Reply, Request, RequestError, Stream
from prismctl.daemon.operations.apply import apply, subject_of
from prismctl.daemon.operations.change import add, remove, scale
from prismctl.daemon.operations.data import reset, restore, take_snapshot
from prismctl.daemon.operations.queue import WARM
from prismctl.daemon.operations.restart import restart
from prismctl.daemon.operations.stop import stop
from prismctl.domain.endpoints import render_endpoints
from prismctl.domain.events import event_to_json
from prismctl.domain.exposition import CONTENT_TYPE
from prismctl.domain.plan import EngineName, FailurePolicy, plan_from_json, plan_to_json
from prismctl.domain.snapshot import render_status
from prismctl.domain.stack_metrics import render_stack_metrics
from prismctl.domain.start_report import render_report
from prismctl.errors import RejectedError
from prismctl.files.log_line import render_lines
from prismctl.files.logs import LogFollower, find_logs, part_lines

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from prismctl.daemon.operations.queue import Operation
    from prismctl.daemon.stack import Stack
    from prismctl.domain.plan import StackPlan
    from prismctl.files.log_line import LogLine

API_VERSION: Final = 1
LOG_POLL_SECONDS: Final = 0.05
"""Log files are written by the keeper; while somebody follows them they are looked at this often."""
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
STATUS_SECONDS: Final = 0.05
"""A status stream says no more than one document in this time."""


class Api:
    """Answers the requests of one stack's clients."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._routes: dict[tuple[str, str], Callable[[Request], Awaitable[Reply]]] = {
            ("GET", "/v1/ping"): self._ping,
            ("GET", "/v1/status"): self._status,
            ("GET", "/v1/status/watch"): self._watch_status,
            ("GET", "/v1/metrics"): self._metrics,
            ("GET", "/v1/metrics/history"): self._metrics_history,
            ("GET", "/v1/plan"): self._plan,
            ("GET", "/v1/start"): self._start,
            ("GET", "/v1/events"): self._events,
            ("GET", "/v1/logs"): self._logs,
            ("GET", "/v1/environment"): self._environment,
            ("GET", "/v1/dashboard"): self._dashboard,
            ("GET", "/v1/failure"): self._failure,
            ("POST", "/v1/warm"): self._warm,
            ("POST", "/v1/apply"): self._apply,
            ("POST", "/v1/add"): self._add,
            ("POST", "/v1/remove"): self._remove,
            ("POST", "/v1/scale"): self._scale,
            ("POST", "/v1/restart"): self._restart,
            ("POST", "/v1/stop"): self._stop,
            ("POST", "/v1/login"): self._login,
            ("POST", "/v1/data/reset"): self._reset_data,
            ("POST", "/v1/data/restore"): self._restore_data,
            ("POST", "/v1/data/snapshot"): self._take_snapshot,
        }

    async def handle(self, request: Request) -> Reply:
        """The answer to one request.

        Raises:
            PrismError: it is refused.
        """
        handler = self._routes.get((request.method, request.path))
        if handler is not None:
            return await handler(request)
        methods = [method for method, path in self._routes if path == request.path]
        if methods:
            raise RequestError(405, f"{request.path} takes {' or '.join(methods)}")
        raise RequestError(404, f"there is no {request.path}")

    async def _ping(self, _: Request) -> Answer:
        return Answer(
            document={
                "pid": os.getpid(),
                "version": __version__,
                "api": API_VERSION,
                "stack": self._stack.paths.name,
            }
        )

    async def _status(self, request: Request) -> Answer:
        await self._stack.usage.freshen()
        document = render_status(self._stack.monitor.refresh(), time.time())
        plan = self._stack.monitor.plan
        if _flag(request, "secrets") and plan is not None:
            endpoints = {service.name: render_endpoints(service) for service in plan.services}
            for service in document["services"]:
                service["endpoints"] = endpoints.get(service["name"], {})
        return Answer(document=document)

    async def _watch_status(self, _: Request) -> Stream:
        return Stream(documents=self._follow_status())

    async def _follow_status(self) -> AsyncIterator[dict[str, Any]]:
        self._stack.usage.refresh()
        self._stack.usage.note_watcher()
        self._stack.monitor.refresh()
        async for snapshot in self._stack.monitor.snapshots.watch():
            yield render_status(snapshot, time.time())
            await asyncio.sleep(STATUS_SECONDS)

    async def _metrics(self, _: Request) -> Content:
        await self._stack.usage.freshen()
        page = render_stack_metrics(self._stack.monitor.refresh(), time.time())
        return Content(body=page.encode(), kind=CONTENT_TYPE)

    async def _metrics_history(self, request: Request) -> Answer:
        seconds = _number(request, "seconds")
        return Answer(
            document={
                "services": self._stack.figures.render(
                    time.time(),
                    seconds=HISTORY_SECONDS if seconds is None else seconds,
                    names=request.query.get("service", []),
                )
            }
        )

    async def _plan(self, _: Request) -> Answer:
        plan = self._stack.monitor.plan
        if plan is None:
            raise RequestError(404, "no plan has been applied")
        return Answer(document=plan_to_json(plan))

    async def _start(self, _: Request) -> Answer:
        report = await self._stack.starts.report()
        if report is None:
            raise RequestError(
                404, "there is no start to report on: it is not up yet, or not all of it came up"
            )
        return Answer(document=render_report(report))

    async def _events(self, request: Request) -> Stream:
        after = _number(request, "after") or 0
        return Stream(documents=self._tell_events(int(after), is_followed=_flag(request, "follow")))

    async def _tell_events(self, after: int, *, is_followed: bool) -> AsyncIterator[dict[str, Any]]:
        if not is_followed:
            for event in self._stack.events.after(after):
                yield event_to_json(event)
            return
        async for event in self._stack.events.follow(after):
            yield event_to_json(event)

    async def _logs(self, request: Request) -> Stream:
        tail, newest = _number(request, "tail"), _number(request, "newest")
        services = request.query.get("service", [])
        try:
            follower = LogFollower(
                find_logs(self._stack.paths.logs, services),
                tail=None if tail is None else int(tail),
                since=_number(request, "since"),
                after=_positions(request),
                redactor=self._stack.redactor,
            )
            if newest is not None:
                follower.skip_to_tail(int(newest))
        except ValueError as error:
            raise RequestError(400, f"`after` has what is no sequence: {error}") from error
        lines = self._tell_logs(follower, services, is_followed=_flag(request, "follow"))
        return Stream(documents=lines, render=render_lines)

    async def _tell_logs(
        self, follower: LogFollower, services: list[str], *, is_followed: bool
    ) -> AsyncIterator[list[LogLine]]:
        with follower:
            for bundle in part_lines(follower.read_history()):
                yield bundle
                # Others have their turn, however much there is.
                await asyncio.sleep(0)
            while is_followed:
                lines = follower.read_new()
                for bundle in part_lines(lines):
                    yield bundle
                    await asyncio.sleep(0)
                if not lines:
                    await asyncio.sleep(LOG_POLL_SECONDS)
                    follower.include(find_logs(self._stack.paths.logs, services))

    async def _environment(self, _: Request) -> Answer:
        return Answer(document={"variables": render_environment_of_stack(self._stack)})

    async def _failure(self, request: Request) -> Answer:
        # Needed only when something failed.
        from prismctl.daemon.failure_card import render_card

        name = request.one("service")
        try:
            return Answer(document=render_card(self._stack, name))
        except KeyError:
            raise RequestError(404, f"there is no service `{name}`") from None

    async def _dashboard(self, request: Request) -> Answer:
        dashboard = self._stack.dashboard
        link = dashboard.make_link_for_once() if _flag(request, "once") else dashboard.link
        if not link:
            raise RequestError(404, "no web dashboard is served")
        return Answer(document={"url": link, "obstacle": dashboard.obstacle})

    async def _warm(self, request: Request) -> Reply:
        name = _engine_name(request.json().get("engine"))
        plan = self._stack.monitor.plan
        if plan is not None and plan.engine is not name:
            raise RejectedError(f"the stack runs on {plan.engine}")
        subject = f"{WARM}{name}"
        if self._stack.operations.find(subject) is None:
            self._stack.operations.start(subject, lambda: self._stack.warm(name))
        if request.json().get("held"):
            return Stream(documents=self._hold(name))
        return Answer(document={"engine": name.value})

    async def _hold(self, name: EngineName) -> AsyncIterator[dict[str, Any]]:
        """The engine, then events; the agents stay up while they are listened to."""
        self._stack.idleness.chooser_came()
        try:
            yield {"engine": name.value}
            async for event in self._stack.events.follow(self._stack.events.last_sequence):
                yield event_to_json(event)
        finally:
            self._stack.idleness.chooser_went()

    async def _apply(self, request: Request) -> Stream:
        body = request.json()
        self._read_plan(body)
        try:
            began_at = float(body.get("began_at") or time.time())
            on_failure = FailurePolicy(body.get("on_failure") or FailurePolicy.KEEP)
            log_file = str(body.get("log_file") or "")
            dashboard_port = int(body.get("dashboard_port") or 0)
        except (TypeError, ValueError) as error:
            raise RequestError(400, f"this is not a plan: {error!r}") from error
        if dashboard_port:
            self._stack.dashboard.want(dashboard_port)
        return self._operate(
            subject_of(body["plan"]),
            lambda: apply(
                self._stack,
                body["plan"],
                began_at=began_at,
                on_failure=on_failure,
                log_file=log_file,
            ),
        )

    async def _add(self, request: Request) -> Stream:
        body = request.json()
        addition = self._read_plan(body)
        if not addition.services:
            raise RequestError(400, "`plan` has no services")
        subject = f"add {subject_of(body['plan'])}"
        return self._operate(subject, lambda: add(self._stack, addition))

    async def _remove(self, request: Request) -> Stream:
        body = request.json()
        names = _names(body, "services")
        if not names:
            raise RequestError(400, "`services` names nothing")
        cascade, takes = bool(body.get("cascade")), bool(body.get("dependencies"))
        return self._operate(
            f"remove {' '.join(names)} {cascade} {takes}",
            lambda: remove(self._stack, names, cascade=cascade, takes_dependencies=takes),
        )

    async def _scale(self, request: Request) -> Stream:
        body = request.json()
        name, replicas = body.get("service"), body.get("replicas")
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise RequestError(400, "`service` is not a name")
        if not isinstance(replicas, int) or isinstance(replicas, bool):
            raise RequestError(400, "`replicas` is not a whole number")
        return self._operate(f"scale {name} {replicas}", lambda: scale(self._stack, name, replicas))

    def _read_plan(self, body: dict[str, Any]) -> StackPlan:
        try:
            plan = plan_from_json(body["plan"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RequestError(400, f"this is not a plan: {error!r}") from error
        if plan.stack != self._stack.paths.name:
            raise RequestError(400, f"the plan is for stack `{plan.stack}`")
        return plan

    def _operate(self, subject: str, work: Callable[[], Awaitable[dict[str, Any]]]) -> Stream:
        """Follow an operation that is begun, or the one about the same that is being carried out."""
        after = self._stack.events.last_sequence
        operations = self._stack.operations
        operation = operations.find(subject) or operations.start(subject, work)
        return self._follow_operation(operation, after)

    async def _restart(self, request: Request) -> Stream:
        names = _names(request.json(), "services")
        after = self._stack.events.last_sequence
        operation = self._stack.operations.start(
            f"restart {' '.join(names)}", lambda: restart(self._stack, names)
        )
        return self._follow_operation(operation, after)

    async def _stop(self, request: Request) -> Stream:
        kill = bool(request.json().get("kill"))
        after = self._stack.events.last_sequence
        operations = self._stack.operations
        subject = "kill" if kill else "stop"
        operation = operations.find(subject)
        if operation is None and not kill:
            # What is already being killed is not stopped more gently.
            operation = operations.find("kill")
        if operation is None:
            if request.json().get("only_unclaimed"):
                self._refuse_claimed()
            operation = operations.start_instead(subject, lambda: stop(self._stack, kill=kill))
        return self._follow_operation(operation, after)

    def _refuse_claimed(self) -> None:
        if not self._stack.idleness.is_unclaimed:
            raise RejectedError("a plan was applied meanwhile; the stack runs on")
        if self._stack.idleness.choosers > 1:
            raise RejectedError("somebody else is choosing; the engine stays up")

    async def _login(self, request: Request) -> Answer:
        engine = self._stack.engine
        if engine is None:
            raise RejectedError(
                "nothing runs that one could log in to",
                hint="`prismctl dev start` starts the stack",
            )
        return Answer(document={"url": await engine.login_url(str(request.json().get("ui") or ""))})

    async def _reset_data(self, request: Request) -> Stream:
        names = _names(request.json(), "services")
        if not names:
            raise RequestError(400, "`services` names nothing")
        return self._change_data(f"reset {' '.join(names)}", lambda: reset(self._stack, names))

    async def _restore_data(self, request: Request) -> Stream:
        body = request.json()
        names = _names(body, "services")
        snapshot = str(body.get("name") or "")
        is_previous = bool(body.get("previous"))
        return self._change_data(
            f"restore {snapshot or is_previous} {' '.join(names)}",
            lambda: restore(self._stack, names, snapshot=snapshot, is_previous=is_previous),
        )

    async def _take_snapshot(self, request: Request) -> Stream:
        body = request.json()
        names, removes = _names(body, "services"), _names(body, "removes")
        name = str(body.get("name") or "")
        return self._change_data(
            f"snapshot {name} {' '.join(names)}",
            lambda: take_snapshot(
                self._stack,
                names,
                name=name,
                replaces=bool(body.get("replaces")),
                removes=removes,
            ),
        )

    def _change_data(self, subject: str, work: Callable[[], Awaitable[dict[str, Any]]]) -> Stream:
        after = self._stack.events.last_sequence
        return self._follow_operation(self._stack.operations.start(subject, work), after)

    def _follow_operation(self, operation: Operation, after: int) -> Stream:
        return Stream(documents=self._stack.operations.tell(operation, after))


def _engine_name(value: object) -> EngineName:
    try:
        return EngineName(str(value))
    except ValueError as error:
        raise RequestError(
            400, f"no engine is called `{value}`", hint=f"engines are {', '.join(EngineName)}"
        ) from error


def _names(body: dict[str, Any], key: str) -> list[str]:
    names = body.get(key) or []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise RequestError(400, f"`{key}` is not a list of names")
    # They become names of directories.
    strange = [name for name in names if not _NAME.fullmatch(name)]
    if strange:
        raise RequestError(400, f"`{strange[0]}` is not a name")
    return names


def _positions(request: Request) -> dict[str, str]:
    """The sequences of ``after``, by instance: ``SERVICE#REPLICA=SEQUENCE``, as often as there are instances."""
    pairs = [text.partition("=") for text in request.query.get("after", [])]
    return {key: sequence for key, _, sequence in pairs}


def _number(request: Request, name: str) -> float | None:
    text = request.one(name)
    if not text:
        return None
    try:
        return float(text)
    except ValueError as error:
        raise RequestError(400, f"`{name}` is not a number: {text}") from error


def _flag(request: Request, name: str) -> bool:
    return request.one(name, "0") in {"1", "true"}

"""Commands that change something, told to a peer that speaks the daemon's protocol: start on a running stack, restart, stop."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from prismctl.cli.commands.start import split_service_options
from prismctl.cli.process_clock import process_began_at
from prismctl.cli.ticking import tick
from prismctl.domain.plan import plan_to_json
from prismctl.errors import ConfigError, PrismError
from prismctl.files.paths import Home
from prismctl.planning import PlanRequest, make_plan

if TYPE_CHECKING:
    from collections.abc import Iterator


def event(
    kind: str, service: str, message: str = "", *, at: float = 0.0, **details: Any
) -> dict[str, Any]:
    return {
        "event": {
            "sequence": 1,
            "time": at,
            "kind": kind,
            "service": service,
            "instance": 0,
            "message": message,
            "details": details,
        }
    }


def result(outcome: str, status: Any, *, failed: Any = (), skipped: Any = ()) -> dict[str, Any]:
    return {
        "result": {
            "outcome": outcome,
            "failed": list(failed),
            "skipped": list(skipped),
            "status": status,
        }
    }


@pytest.fixture
def minimal_plan(tmp_path: Path, home: Home) -> dict[str, Any]:
    del home
    plan = make_plan(
        PlanRequest(engine="local", is_trial=True, auto_ports=True),
        home=Home(tmp_path / "home"),
        environment={"PATH": "/usr/bin:/bin"},
        working_directory=tmp_path,
    )
    return plan_to_json(plan)


START = ("dev", "start", "--engine", "local", "--auto-ports")


def test_a_start_tells_the_plan_with_reasons_then_events_then_done(
    prismctl: Any, daemon: Any, make_status: Any, make_service: Any
) -> None:
    status = make_status(make_service("memstore"), ready_seconds=2.94)
    daemon.operation = [
        event("component.ready", "consul", seconds=0.13),
        event("service.starting", "memstore", at=10.0),
        event("service.healthy", "memstore", at=10.11, seconds=3.0),
        result("ready", status),
    ]
    answer = prismctl(*START)
    assert (answer.code, answer.err) == (0, "")
    rows = answer.out.splitlines()
    assert rows[0] == "start    stack=default engine=local origin=minimal services=3"
    assert any(
        row.startswith("plan     prism-admin source=required runtime=builtin") for row in rows
    )
    assert rows[-3:] == [
        "ready    consul 0.13s",
        "healthy  memstore 0.11s",
        "done     stack=default ready_in=2.9s",
    ]


def test_a_start_as_json_is_plan_events_and_result(prismctl: Any, daemon: Any) -> None:
    daemon.operation = [event("service.healthy", "memstore"), result("ready", daemon.status)]
    lines = prismctl(*START, "-o", "json").lines
    assert [list(line) for line in lines] == [["plan"], ["event"], ["result"]]
    assert lines[0]["plan"]["services"][0]["source"] == "required"
    assert "env" not in json.dumps(lines[0])
    assert lines[2]["result"]["status"] == daemon.status


def test_the_plan_that_is_shown_is_the_plan_that_is_applied(prismctl: Any, daemon: Any) -> None:
    daemon.operation = [result("ready", daemon.status)]
    shown = prismctl(*START, "--without-memstore", "-o", "json")
    (applied,) = [body for _, path, body in daemon.requests if path == "/v1/apply"]
    names = [each["name"] for each in applied["plan"]["services"]]
    assert names == [each["name"] for each in shown.lines[0]["plan"]["services"]]
    assert "memstore" not in names


def test_a_start_says_what_it_was_asked_to_the_daemon(prismctl: Any, daemon: Any) -> None:
    daemon.operation = [result("ready", daemon.status)]
    prismctl(*START, "--on-failure", "stop", "--log-file", "all.log")
    (body,) = [body for _, path, body in daemon.requests if path == "/v1/apply"]
    assert body["on_failure"] == "stop"
    assert body["log_file"] == str(Path("all.log").absolute())
    assert abs(body["began_at"] - process_began_at()) < 1


def test_quiet_says_nothing_when_all_is_well(prismctl: Any, daemon: Any) -> None:
    daemon.operation = [event("service.healthy", "memstore"), result("ready", daemon.status)]
    answer = prismctl(*START, "-q")
    assert (answer.code, answer.out, answer.err) == (0, "", "")


def test_the_same_plan_again_changes_nothing(
    prismctl: Any, daemon: Any, minimal_plan: dict[str, Any]
) -> None:
    daemon.plan = minimal_plan
    answer = prismctl("dev", "start")
    assert answer.code == 0
    assert "already runs this plan" in answer.out
    assert not [path for _, path, _ in daemon.requests if path == "/v1/apply"]


def test_a_plain_start_keeps_the_selection_that_runs(
    prismctl: Any, daemon: Any, minimal_plan: dict[str, Any]
) -> None:
    daemon.plan = {**minimal_plan, "origin": "something else"}
    daemon.status["state"] = "degraded"
    daemon.operation = [result("ready", daemon.status)]
    assert prismctl("dev", "start").code == 0
    (body,) = [body for _, path, body in daemon.requests if path == "/v1/apply"]
    assert body["plan"]["origin"] == "something else"


def test_some_that_failed_are_7_with_a_card_each(
    prismctl: Any, daemon: Any, make_status: Any, make_service: Any
) -> None:
    status = make_status(
        make_service("memstore"),
        make_service("nats", "failed", reason="exited with code 1"),
        make_service("worker", "waiting", depends_on=["nats"]),
        state="degraded",
    )
    daemon.operation = [
        event("service.failed", "nats", "exited with code 1"),
        result("partial", status, failed=["nats"], skipped=["worker"]),
    ]
    answer = prismctl(*START)
    assert answer.code == 7
    assert "✗ nats failed: exited with code 1" in answer.err
    assert "error: 1 of 3 services failed: nats; not started because of that: worker" in answer.err
    assert "failed   nats exited with code 1" in answer.out


def test_a_held_port_is_said_once_however_often_the_service_is_tried_again(
    prismctl: Any, daemon: Any, make_status: Any, make_service: Any
) -> None:
    held = "port 6379 is in use by python3 (PID 7)"
    tries = [
        each
        for number in range(7)
        for each in (
            event("service.exited", "redis", held),
            event("service.unhealthy", "redis", f"{held}, next try in {number / 2:.1f} s"),
        )
    ]
    status = make_status(make_service("redis"))
    up = event("service.healthy", "redis")
    again = event("service.unhealthy", "redis", held)
    daemon.operation = [*tries, up, again, up, result("ready", status)]
    daemon.status = status
    answer = prismctl(*START)
    assert answer.out.count(held) == 2
    assert "exited   redis port 6379" in answer.out
    verbose = prismctl(*START, "-v")
    assert verbose.out.count(held) == 15


def test_a_failed_start_is_1(
    prismctl: Any, daemon: Any, make_status: Any, make_service: Any
) -> None:
    status = make_status(make_service("nats", "failed"), state="stopped")
    daemon.operation = [result("failed", status, failed=["nats"])]
    answer = prismctl(*START, "--on-failure=stop", "-o", "json")
    assert answer.code == 1
    assert list(answer.lines[-2]) == ["result"]
    assert answer.lines[-1]["error"]["message"].endswith("everything was stopped again")
    assert answer.err == ""


def test_not_ready_in_time_is_6_and_names_the_culprit(
    prismctl: Any, daemon: Any, make_status: Any, make_service: Any
) -> None:
    daemon.status = make_status(
        make_service("memstore", "starting", reason="connection refused"), state="starting"
    )
    daemon.operation = [event("service.starting", "memstore")]
    answer = prismctl(*START, "--wait-timeout", "0.05")
    assert answer.code == 6
    assert "error: memstore was not ready within 0.05 s: connection refused" in answer.err


def test_a_start_that_only_fetched_images_in_its_time_says_so_and_not_that_services_wait(
    prismctl: Any, daemon: Any, make_status: Any, make_service: Any
) -> None:
    waiting = make_service("prism-admin", "waiting"), make_service("memstore", "waiting")
    daemon.status = make_status(*waiting, state="starting")
    pulling = "pulling docker.io/library/memstore:1 from docker.io"
    daemon.operation = [event("image.pulling", "memstore", pulling)]
    answer = prismctl(*START, "--wait-timeout", "1.5")
    assert answer.code == 6
    assert f"memstore: {pulling}" in answer.err


def test_what_the_daemon_refuses_is_told_in_its_words(prismctl: Any, daemon: Any) -> None:
    daemon.refusal = (400, {"error": {"code": "failed", "message": "no room", "hint": "make room"}})
    answer = prismctl(*START)
    assert answer.code == 1
    assert answer.err == "error: no room\n\nhint: make room\n"


def test_a_restart_names_what_it_restarted(prismctl: Any, daemon: Any) -> None:
    daemon.operation = [event("service.healthy", "redis"), result("ready", daemon.status)]
    answer = prismctl("dev", "restart", "redis")
    assert answer.code == 0
    assert answer.out.splitlines()[-1].startswith("restarted redis in ")
    assert daemon.requests[-1][2] == {"services": ["redis"]}


def test_a_restart_of_a_service_that_is_not_there_is_refused(prismctl: Any, daemon: Any) -> None:
    answer = prismctl("dev", "restart", "rediss", "launcher")
    assert answer.code == 2
    assert "did you mean `redis`?" in answer.err
    assert "pattern-launcher is not in stack `default`" in answer.err
    assert not [path for _, path, _ in daemon.requests if path == "/v1/restart"]


def test_a_stop_says_what_was_stopped(prismctl: Any, daemon: Any) -> None:
    daemon.status["components"] = {"consul": "ready"}
    answer = prismctl("dev", "stop")
    assert answer.code == 0
    assert answer.out.startswith("stopped default in 0.")
    assert answer.out.endswith("2 services, Consul. Nothing is left running.\n")


def test_stopping_what_does_not_run_is_fine(prismctl: Any) -> None:
    answer = prismctl("dev", "stop")
    assert (answer.code, answer.out) == (0, "nothing is running in stack default\n")
    assert prismctl("dev", "stop", "-o", "json").document["stopped"] == []


def test_a_dry_run_touches_nothing(prismctl: Any, home: Home) -> None:
    answer = prismctl(*START, "--dry-run", "-o", "json")
    assert answer.code == 0
    assert next(each["name"] for each in answer.document["services"]) == "prism-admin"
    assert not home.directory.exists()


def test_a_start_that_cannot_have_a_container_names_the_option_that_does_without(
    prismctl: Any, tmp_path: Path
) -> None:
    box = {"name": "box", "default": True, "container": "localhost/nowhere:1", "command": ["sleep"]}
    catalog = tmp_path / "mine.yaml"
    catalog.write_text(json.dumps({"core": False, "services": [box]}), encoding="utf-8")
    words = (*("dev", "start", "--engine=local", "--dry-run"), f"--services={catalog}")

    refused = prismctl(*words, "--runtime=container")
    assert refused.code == 3
    assert "`--runtime native` runs `sleep` instead" in refused.err

    (planned,) = prismctl(*words, "--runtime", "native", "-o", "json").document["services"]
    assert (planned["runtime"], planned["runtime_reason"]) == ("native", "asked for")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["--with-redis"], ["--with", "redis"]),
        (["--without-nats", "-q"], ["--without", "nats", "-q"]),
        (["--with", "redis"], ["--with", "redis"]),
        (["--with=redis"], ["--with=redis"]),
        (["--", "--with-redis"], ["--", "--with-redis"]),
    ],
)
def test_names_are_split_off_with_and_without(typed: list[str], meant: list[str]) -> None:
    assert split_service_options(typed) == meant


def test_a_value_after_a_service_flag_is_impossible() -> None:
    with pytest.raises(ConfigError):
        split_service_options(["--with-redis=false"])


def test_a_silent_stream_ticks_and_ends_at_its_deadline() -> None:
    def silent() -> Iterator[dict[str, Any]]:
        yield {"a": 1}
        while True:
            time.sleep(0.001)
            if deadline < time.monotonic() - 1:
                return

    deadline = time.monotonic() + 0.05
    messages = list(tick(silent(), seconds=0.01, deadline=deadline))
    assert messages[0] == {"a": 1}
    assert None in messages


def test_what_a_stream_raises_is_raised_to_its_reader() -> None:
    def broken() -> Iterator[dict[str, Any]]:
        yield {"a": 1}
        raise PrismError("gone")

    stream = tick(broken(), seconds=1)
    assert next(stream) == {"a": 1}
    with pytest.raises(PrismError, match="gone"):
        next(stream)

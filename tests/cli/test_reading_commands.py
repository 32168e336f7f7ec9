"""Commands that only look: status, logs, events, env, ui, wait."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from prismctl.files.paths import Home


def entry(text: str, service: str = "redis", second: int = 0) -> dict[str, Any]:
    return {
        "time": f"2026-01-02T03:04:{second:02d}.000000000Z",
        "service": service,
        "replica": 0,
        "stream": "stdout",
        "text": text,
    }


def test_a_stack_that_does_not_run_is_stopped_and_that_is_no_error(
    prismctl: Any, home: Home
) -> None:
    answer = prismctl("dev", "status")
    assert answer.code == 0
    assert answer.document["state"] == "stopped"
    assert answer.document["services"] == []
    assert not home.directory.exists()


def test_a_stack_that_was_killed_is_stopped_with_a_note(prismctl: Any, home: Home) -> None:
    paths = home.stack("default")
    paths.ensure()
    paths.plan.write_text("{}")
    answer = prismctl("dev", "status", "-o", "json")
    assert answer.document["state"] == "stopped"
    assert "without being stopped" in answer.document["notes"][0]


def test_status_is_json_in_a_pipe_and_a_table_when_text_is_asked_for(
    prismctl: Any, daemon: Any
) -> None:
    assert prismctl("dev", "status").document == daemon.status
    table = prismctl("dev", "status", "-o", "text").out
    assert table.startswith("default · running")
    assert "● redis" in table


def test_a_stack_is_chosen_by_flag_and_by_variable(
    prismctl: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert prismctl("dev", "status", "--stack", "two").document["stack"] == "two"
    monkeypatch.setenv("PRISM_STACK", "three")
    assert prismctl("dev", "status").document["stack"] == "three"


@pytest.mark.parametrize("name", ["../etc", "a/b", "UPPER", "-x", "a b", "ü"])
def test_a_stack_name_that_could_leave_home_is_refused(prismctl: Any, name: str) -> None:
    answer = prismctl("dev", "status", f"--stack={name}")
    assert answer.code == 2
    assert "cannot be the name of a stack" in answer.err


def test_an_empty_stack_name_is_not_taken_for_the_default_stack(prismctl: Any) -> None:
    answer = prismctl("dev", "stop", "--stack", "")
    assert answer.code == 2
    assert "--stack: the name is empty" in answer.err


def test_a_project_gives_its_stack_a_name(prismctl: Any) -> None:
    Path("prism.yaml").write_text("stack: mine\n")
    assert prismctl("dev", "status").document["stack"] == "mine"


def test_logs_of_several_services_carry_aligned_names(
    prismctl: Any, daemon: Any, home: Home
) -> None:
    for name in ("redis", "prism-admin"):
        home.stack("default").log(f"{name}#0").touch()
    daemon.logs = [entry("one"), entry("two", "prism-admin", 1)]
    rows = prismctl("dev", "logs").out.splitlines()
    assert rows[0].index("one") == rows[1].index("two")
    assert rows[0].startswith("redis")


def test_logs_of_one_service_are_asked_for_by_short_name(prismctl: Any, daemon: Any) -> None:
    daemon.plan = None
    (Path.cwd().parent / "home/run/default/logs/prism-admin#0.log").write_text("")
    daemon.logs = [entry("one"), entry("two", "prism-admin", 1)]
    assert prismctl("dev", "logs", "admin").out.endswith("two\n")
    assert "service=prism-admin" in daemon.requests[-1][1]


def test_logs_as_json_are_the_lines_of_the_api_with_what_is_read_out_of_them(
    prismctl: Any, daemon: Any
) -> None:
    structured = '{"level":"warn","msg":"slow","ms":12}'
    daemon.logs = [entry("\x1b[31mred"), entry(structured)]
    first, second = prismctl("dev", "logs", "-o", "json").lines
    assert first == {**daemon.logs[0], "level": None, "fields": None}
    fields = {"level": "warn", "msg": "slow", "ms": 12}
    assert second == {**daemon.logs[1], "level": "warn", "fields": fields}


def test_what_a_service_prints_cannot_steer_the_terminal(prismctl: Any, daemon: Any) -> None:
    daemon.logs = [entry("\x1b[2J\x1b]0;title\x07\rgone")]
    assert "\x1b" not in prismctl("dev", "logs").out


def test_filters_are_applied_before_the_tail(prismctl: Any, daemon: Any) -> None:
    daemon.logs = [
        entry(text, second=at)
        for at, text in enumerate(["ERROR a", "INFO b", "ERROR c", "INFO d", "INFO e"])
    ]
    found = prismctl("dev", "logs", "--level", "error", "--tail", "1", "-o", "json").lines
    assert [line["text"] for line in found] == ["ERROR c"]
    found = prismctl("dev", "logs", "--grep", "a|b", "-o", "json").lines
    assert [line["text"] for line in found] == ["ERROR a", "INFO b"]


def test_an_impossible_pattern_is_a_usage_error(prismctl: Any) -> None:
    answer = prismctl("dev", "logs", "--grep", "(")
    assert answer.code == 2
    assert "--grep: `(` is not a regular expression" in answer.err


@pytest.mark.parametrize("text", ["10s", "5m", "2h", "1h30m", "2026-01-02T03:04:05Z"])
def test_since_takes_spans_and_moments(prismctl: Any, daemon: Any, text: str) -> None:
    assert prismctl("dev", "logs", "--since", text).code == 0
    assert "since=" in daemon.requests[-1][1]


@pytest.mark.parametrize("text", ["", "yesterday", "10", "5 m", "-3s"])
def test_since_refuses_what_is_no_time(prismctl: Any, text: str) -> None:
    answer = prismctl("dev", "logs", f"--since={text}")
    assert answer.code == (0 if not text else 2)


def test_logs_of_a_stopped_stack_are_read_from_its_files(prismctl: Any, home: Home) -> None:
    paths = home.stack("default")
    paths.ensure()
    paths.log("redis#0").write_text("2026-01-02T03:04:05.678901234Z stdout F bye\n")
    assert prismctl("dev", "logs", "redis").out.endswith("  bye\n")


def test_an_unknown_service_gets_the_nearest_name(prismctl: Any, home: Home) -> None:
    paths = home.stack("default")
    paths.ensure()
    paths.log("redis#0").write_text("")
    answer = prismctl("dev", "logs", "rediss")
    assert answer.code == 2
    assert "did you mean `redis`?" in answer.err


def test_events_are_one_json_object_a_line(prismctl: Any, daemon: Any) -> None:
    daemon.events = [
        {"sequence": 1, "time": 1.0, "kind": "service.healthy", "service": "redis",
         "instance": 0, "message": "", "details": {}}
    ]  # fmt: skip
    assert prismctl("dev", "events").lines == daemon.events
    assert "healthy  redis" in prismctl("dev", "events", "-o", "text").out


def test_events_of_a_stopped_stack_are_read_from_its_file(prismctl: Any, home: Home) -> None:
    paths = home.stack("default")
    paths.ensure()
    paths.events.write_text('{"sequence": 1}\n{"seq')
    assert prismctl("dev", "events").lines == [{"sequence": 1}]


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("sh", "export REDIS_URL='a b'\"'\"'c'"),
        ("fish", "set -gx REDIS_URL 'a b\\'c';"),
        ("dotenv", 'REDIS_URL="a b\'c"'),
        ("direnv", 'eval "$(prismctl dev env)"'),
    ],
)
def test_the_environment_is_written_for_its_reader(
    prismctl: Any, daemon: Any, form: str, expected: str
) -> None:
    del daemon
    assert expected in prismctl("dev", "env", "--format", form).out.splitlines()


def test_the_environment_as_json(prismctl: Any, daemon: Any) -> None:
    del daemon
    assert prismctl("dev", "env", "--format", "json").document["NOMAD_ADDR"] == "http://x"


def test_what_needs_a_running_stack_says_how_to_start_it(prismctl: Any) -> None:
    for command in (["env"], ["wait"], ["restart"], ["ui", "nomad"]):
        answer = prismctl("dev", *command)
        assert answer.code == 4
        assert "no stack `default` is running" in answer.err
        assert "prismctl dev start" in answer.err
        assert answer.out == ""


def test_a_ui_is_printed_and_no_browser_opened_in_a_pipe(prismctl: Any, daemon: Any) -> None:
    del daemon
    assert prismctl("dev", "ui", "nomad").out == "http://127.0.0.1:1/?ui=nomad\n"


def test_waiting_ends_when_all_is_healthy(
    prismctl: Any, daemon: Any, make_status: Any, make_service: Any
) -> None:
    daemon.watched = [daemon.status]
    daemon.status = make_status(make_service("redis", "starting"))
    answer = prismctl("dev", "wait")
    assert (answer.code, answer.out) == (0, "healthy  2 services\n")


def test_waiting_in_vain_names_the_culprit_and_its_last_words(
    prismctl: Any, daemon: Any, home: Home, make_status: Any, make_service: Any
) -> None:
    daemon.status = make_status(
        make_service("redis", "starting", reason="connection refused"),
        make_service("worker", "waiting", depends_on=["redis"]),
    )
    home.stack("default").log("redis#0").write_text(
        "2026-01-02T03:04:05.678901234Z stderr F no memory\n"
    )
    answer = prismctl("dev", "wait", "--timeout", "0.05")
    assert answer.code == 6
    assert "error: redis was not ready within 0.05 s: connection refused" in answer.err
    assert "no memory" in answer.err
    assert "what needs it   ○ worker waiting" in answer.err


def test_waiting_in_vain_for_several_names_all_of_them(
    prismctl: Any, daemon: Any, make_status: Any, make_service: Any
) -> None:
    daemon.status = make_status(
        make_service("nats", "unhealthy", reason="does not answer"),
        make_service("redis", "stopping", last_error="exited with code 1"),
        make_service("postgres", "starting", reason="connection refused"),
        make_service("worker", "waiting", depends_on=["postgres"]),
    )
    answer = prismctl("dev", "wait", "--timeout", "0.05")
    assert answer.code == 6
    assert (
        "error: postgres, nats, redis were not ready within 0.05 s: "
        "postgres: connection refused; nats: does not answer; redis: stopping" in answer.err
    )
    assert answer.err.count("what to try") == 1


def test_waiting_for_what_failed_ends_at_once(
    prismctl: Any, daemon: Any, make_status: Any, make_service: Any
) -> None:
    daemon.status = make_status(make_service("redis"), make_service("nats", "failed"))
    assert prismctl("dev", "wait", "redis").code == 0
    answer = prismctl("dev", "wait", "-o", "json")
    assert answer.code == 1
    assert answer.document["error"]["message"] == "nats failed"


@pytest.fixture
def four_services(daemon: Any, home: Home, make_status: Any, make_service: Any) -> None:
    """A stack that runs redis, admin, launcher and keyvalue, all of which have a log."""
    names = ("redis", "prism-admin", "pattern-launcher", "keyvalue-runner")
    daemon.status = make_status(*map(make_service, names))
    logs = home.stack("default").logs
    logs.mkdir(parents=True, exist_ok=True)
    for name in names:
        (logs / f"{name}#0.log").touch()


@pytest.mark.usefixtures("four_services")
@pytest.mark.parametrize("command", ["wait", "restart", "logs"])
@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("rediss", "unknown service `rediss`; did you mean `redis`?"),
        ("admn", "unknown service `admn`; did you mean `admin`?"),
        ("prism-admni", "unknown service `prism-admni`; did you mean `prism-admin`?"),
        ("lancher", "unknown service `lancher`; did you mean `launcher`?"),
        ("keyvlaue", "unknown service `keyvlaue`; did you mean `keyvalue`?"),
        ("xyz", "unknown service `xyz`; known: "),
        ("postgres", "postgres is not in stack `default`"),
    ],
)
def test_a_word_that_names_nothing_of_the_running_stack_gets_the_nearest(
    prismctl: Any, command: str, word: str, said: str
) -> None:
    answer = prismctl("dev", command, word)
    assert answer.code == 2
    assert answer.err.startswith(f"error: {said}")
    assert answer.err.endswith("hint: `prismctl dev status` shows the names\n")


def test_waiting_for_a_service_begins_before_the_plan_is_there(
    prismctl: Any, daemon: Any, make_status: Any, make_service: Any
) -> None:
    daemon.status = make_status(state="starting")
    daemon.watched = [make_status(make_service("redis", "starting"), state="starting")]
    daemon.watched += [make_status(make_service("redis"))]
    answer = prismctl("dev", "wait", "redis")
    assert (answer.code, answer.err) == (0, "")
    daemon.watched = [make_status(make_service("redis", "starting"), state="starting")]
    answer = prismctl("dev", "wait", "rediss")
    assert answer.code == 2
    assert "did you mean `redis`?" in answer.err


def test_a_refusal_keeps_its_words(prismctl: Any, daemon: Any) -> None:
    daemon.refusal = (
        409,
        {"error": {"code": "rejected", "message": "no such UI", "hint": "try x"}},
    )
    answer = prismctl("dev", "ui", "nomad", "-o", "json")
    assert answer.code == 5
    assert answer.document == {
        "error": {"code": "rejected", "message": "no such UI", "hint": "try x", "problems": []}
    }


def test_version_lists_every_tool_whether_installed_or_not(prismctl: Any) -> None:
    tools = {
        tool["name"]: tool for tool in prismctl("dev", "version", "-o", "json").document["tools"]
    }
    assert {"prismctl", "python", "nomad", "consul", "podman"} <= set(tools)
    assert json.dumps(tools["prismctl"]["version"]) != "null"


def test_version_says_which_versions_work(prismctl: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "0")
    rows = [row.split() for row in prismctl("dev", "version", "-o", "text").out.splitlines()]
    assert rows[0] == ["TOOL", "VERSION", "SUPPORTED", "PATH", "FROM"]
    by_name = {row[0]: " ".join(row) for row in rows if row}
    assert ">=3.11 <4.0" in by_name["python"]
    assert ">=1.10 <2.0" in by_name["nomad"]
    assert ">=1.18 <2.0" in by_name["consul"]


def test_version_has_a_line_for_java_where_there_is_one_and_does_not_run_it(
    prismctl: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    binaries = tmp_path / "jdk" / "bin"
    binaries.mkdir(parents=True)
    monkeypatch.setenv("PATH", str(binaries))
    names = {each["name"] for each in prismctl("dev", "version", "-o", "json").document["tools"]}
    assert "java" not in names
    java = binaries / "java"
    java.write_text(f"#!/bin/sh\n: > {tmp_path}/was-run\n")
    java.chmod(0o755)
    for release, version in (("", None), ('IMPLEMENTOR="x"\nJAVA_VERSION="21"\n', "21")):
        (tmp_path / "jdk" / "release").write_text(release)
        tools = prismctl("dev", "version", "-o", "json").document["tools"]
        found = next(each for each in tools if each["name"] == "java")
        assert (found["version"], found["path"]) == (version, str(java))
    assert not (tmp_path / "was-run").exists()


def test_the_catalog_is_shown_without_creating_home(prismctl: Any, home: Home) -> None:
    names = [
        each["name"]
        for each in prismctl("dev", "catalog", "list", "-o", "json").document["services"]
    ]
    assert {"prism-admin", "redis", "kafka"} <= set(names)
    assert "redis" in prismctl("dev", "catalog", "show", "redis").out
    assert not home.directory.exists()


def test_a_catalog_with_mistakes_lists_all_of_them(prismctl: Any) -> None:
    Path("mine.yaml").write_text(
        "services:\n  - name: a\n    contianer: x\n  - name: b\n    command: b\n    port: 99999\n"
    )
    answer = prismctl("dev", "catalog", "validate", "mine.yaml", "-o", "json")
    assert answer.code == 2
    problems = answer.document["error"]["problems"]
    assert {problem["line"] for problem in problems} >= {3, 6}
    assert any(problem["suggestion"] == "container" for problem in problems)


def test_the_schema_is_one(prismctl: Any) -> None:
    assert (
        prismctl("dev", "catalog", "schema")
        .document["$schema"]
        .startswith("https://json-schema.org/")
    )


def test_addresses_with_credentials_are_shown_only_when_asked_for(
    prismctl: Any, daemon: Any
) -> None:
    prismctl("dev", "status")
    assert daemon.requests[-1][1] == "/v1/status"
    daemon.status["services"][1]["endpoints"] = {"db": "redis://:secret@127.0.0.1:6379"}
    answer = prismctl("dev", "status", "--show-secrets", "-o", "text")
    assert daemon.requests[-1][1] == "/v1/status?secrets=1"
    assert answer.out.splitlines()[-1] == "  redis  db  redis://:secret@127.0.0.1:6379"


@pytest.mark.usefixtures("daemon")
def test_variables_that_are_gone_are_taken_back(
    prismctl: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRISM_ENV_NAMES", "OLD_URL REDIS_URL")
    told = prismctl("dev", "env").out.splitlines()
    assert told[0] == "unset OLD_URL"
    assert "export PRISM_ENV_NAMES='NOMAD_ADDR REDIS_URL'" in told
    assert prismctl("dev", "env", "--format", "fish").out.startswith("set -e OLD_URL;\n")
    assert "OLD_URL" not in prismctl("dev", "env", "--format", "dotenv").out


def test_all_variables_are_taken_back_also_of_a_stack_that_has_stopped(
    prismctl: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert prismctl("dev", "env", "--unset").out == ""
    monkeypatch.setenv("PRISM_ENV_NAMES", "B A")
    answer = prismctl("dev", "env", "--unset")
    assert (answer.code, answer.out) == (0, "unset A\nunset B\nunset PRISM_ENV_NAMES\n")
    assert prismctl("dev", "env", "--unset", "--format", "json").code == 2

"""`dev add`, `dev remove` and `dev scale`: what they ask the daemon for, what they say, and what they refuse."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from prismctl.domain.plan import StackPlan, plan_to_json
from prismctl.domain.plan_change import scale_plan
from prismctl.domain.selection import needed_by
from prismctl.domain.service import ServiceName
from prismctl.files.last_selection import recall_last
from prismctl.planning import PlanRequest, make_plan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from prismctl.files.paths import Home
    from tests.cli.conftest import Answer, DaemonState

    Prismctl = Callable[..., Answer]


@pytest.fixture
def running(daemon: DaemonState, home: Home, tmp_path: Path) -> StackPlan:
    """The smallest stack, as the daemon tells of it."""
    plan = make_plan(
        PlanRequest(engine="local", auto_ports=True),
        home=home,
        environment={"PATH": "/usr/bin:/bin"},
        working_directory=tmp_path,
    )
    runs(daemon, plan)
    return plan


def runs(daemon: DaemonState, plan: StackPlan) -> None:
    daemon.plan = plan_to_json(plan)


def ends(daemon: DaemonState, *services: Any, outcome: str = "ready", failed: Any = ()) -> None:
    status = {**daemon.status, "services": list(services)} if services else daemon.status
    daemon.operation = [
        {
            "result": {
                "outcome": outcome,
                "failed": list(failed),
                "skipped": [],
                "status": status,
                "changes": {"added": [], "removed": [], "scaled": {}},
            }
        }
    ]


def asked(daemon: DaemonState, verb: str) -> list[dict[str, Any]]:
    return [body for _, path, body in daemon.requests if path == f"/v1/{verb}"]


def with_worker(running: StackPlan, **fields: Any) -> StackPlan:
    """The stack with a service that needs memstore."""
    memstore = running.service("memstore")
    fields.setdefault("source", "--with")
    worker = replace(
        memstore,
        name=ServiceName("worker"),
        depends_on=(ServiceName("memstore"),),
        ports=(),
        **fields,
    )
    return replace(running, services=(*running.services, worker))


# Scaling.


def test_scale_asks_for_the_number_by_the_full_name(
    prismctl: Prismctl, daemon: DaemonState, running: StackPlan
) -> None:
    del running
    ends(daemon)
    answer = prismctl("dev", "scale", "memstore", "3")
    assert (answer.code, answer.err) == (0, "")
    assert asked(daemon, "scale") == [{"service": "memstore", "replicas": 3}]
    assert answer.out.startswith("scaled memstore to 3 in ")
    prismctl("dev", "scale", "admin", "0")
    assert asked(daemon, "scale")[-1] == {"service": "prism-admin", "replicas": 0}


def test_scale_to_what_there_is_changes_nothing(
    prismctl: Prismctl, daemon: DaemonState, running: StackPlan
) -> None:
    runs(daemon, scale_plan(running, ServiceName("memstore"), 2))
    answer = prismctl("dev", "scale", "memstore", "2")
    assert (answer.code, answer.out) == (
        0,
        "memstore has 2 instances already; nothing was changed\n",
    )
    assert asked(daemon, "scale") == []
    assert prismctl("dev", "scale", "memstore", "2", "-o", "json").document["result"][
        "changes"
    ] == {
        "added": [],
        "removed": [],
        "scaled": {},
    }


@pytest.mark.parametrize("number", ["-1", "101", "99999999999999999999", "x", "1.5", "", "nan"])
def test_scale_refuses_what_is_no_number_of_instances(
    prismctl: Prismctl, daemon: DaemonState, running: StackPlan, number: str
) -> None:
    del running
    answer = prismctl("dev", "scale", "memstore", number)
    assert answer.code == 2
    assert f"`{number}` is not a number of instances (0 to 100)" in answer.err
    assert asked(daemon, "scale") == []


def test_scale_refuses_with_the_reason(
    prismctl: Prismctl, daemon: DaemonState, running: StackPlan
) -> None:
    del running
    answer = prismctl("dev", "scale", "admin", "2")
    assert answer.code == 5
    assert "there can be one prism-admin" in answer.err
    assert asked(daemon, "scale") == []


def test_a_scaled_service_that_does_not_come_up_is_partial_with_its_card(
    prismctl: Prismctl, daemon: DaemonState, running: StackPlan, make_service: Any
) -> None:
    del running
    ends(
        daemon,
        make_service("memstore", "failed", reason="exited 6 times with code 3"),
        make_service("redis"),
        outcome="partial",
        failed=["memstore"],
    )
    answer = prismctl("dev", "scale", "memstore", "2")
    assert answer.code == 7
    assert "memstore" in answer.err
    assert "the rest runs" in answer.err


def test_what_is_not_ready_in_time_is_named(
    prismctl: Prismctl, daemon: DaemonState, running: StackPlan, make_service: Any
) -> None:
    del running
    daemon.status["services"] = [
        make_service("memstore", "starting", reason="does not answer"),
        make_service("other", "unhealthy", reason="has been so for a while"),
    ]
    answer = prismctl("dev", "scale", "memstore", "2", "--wait-timeout", "0.2")
    assert answer.code == 6
    assert "memstore was not ready within 0.2 s: does not answer" in answer.err
    assert "other" not in answer.err


def test_what_is_still_to_go_when_the_time_is_up_is_named(
    prismctl: Prismctl, daemon: DaemonState, running: StackPlan, make_service: Any
) -> None:
    del running
    daemon.status["services"] = [make_service("memstore")]
    answer = prismctl("dev", "remove", "memstore", "--wait-timeout", "0.2")
    assert answer.code == 6
    assert "memstore could not be removed within 0.2 s; it goes on by itself" in answer.err
    answer = prismctl("dev", "scale", "memstore", "0", "--wait-timeout", "0.2")
    assert answer.code == 6
    assert "memstore could not be scaled to 0 within 0.2 s; it goes on by itself" in answer.err


# Removing.


def test_remove_asks_for_what_was_named_and_says_what_stays(
    prismctl: Prismctl, daemon: DaemonState, running: StackPlan, home: Home
) -> None:
    data = home.stack("default").data_of("memstore", 0)
    data.mkdir(parents=True)
    (data / "file").write_text("x")
    assert "memstore" in running.names
    ends(daemon)
    answer = prismctl("dev", "remove", "memstore")
    assert (answer.code, answer.err) == (0, "")
    assert asked(daemon, "remove") == [
        {"services": ["memstore"], "cascade": False, "dependencies": False}
    ]
    assert answer.out.startswith("removed memstore in ")
    assert "its data stays; `prismctl dev data reset memstore` puts it aside" in answer.out


def test_remove_leaves_dependents_to_the_daemons_refusal_without_a_terminal(
    prismctl: Prismctl, daemon: DaemonState, running: StackPlan
) -> None:
    runs(daemon, with_worker(running))
    daemon.refusal = (
        409,
        {"error": {"code": "rejected", "message": "worker needs memstore", "hint": "--cascade"}},
    )
    answer = prismctl("dev", "remove", "memstore")
    assert answer.code == 5
    assert "worker needs memstore" in answer.err
    assert asked(daemon, "remove")[0]["cascade"] is False


@pytest.mark.parametrize("flag", ["--cascade", "--yes"])
def test_remove_takes_dependents_along_where_that_is_said(
    prismctl: Prismctl, daemon: DaemonState, running: StackPlan, flag: str
) -> None:
    runs(daemon, with_worker(running))
    ends(daemon)
    answer = prismctl("dev", "remove", "memstore", flag)
    assert asked(daemon, "remove")[0]["cascade"] is True
    assert answer.out.startswith("removed memstore and worker in ")


def test_remove_says_what_came_along_only_for_it(
    prismctl: Prismctl, daemon: DaemonState, running: StackPlan
) -> None:
    plan = with_worker(running)
    came = replace(plan.service("memstore"), source=needed_by("worker"))
    runs(daemon, replace(plan, services=(*running.services[:-1], came, plan.services[-1])))
    ends(daemon)
    answer = prismctl("dev", "remove", "worker")
    assert (
        "memstore came along only for worker and runs on; `prismctl dev remove memstore` removes it, too"
        in answer.out
    )
    answer = prismctl("dev", "remove", "worker", "--with-dependencies")
    assert asked(daemon, "remove")[-1]["dependencies"] is True
    assert answer.out.startswith("removed memstore and worker in ")
    assert "came along" not in answer.out


def test_remove_refuses_what_has_to_stay(
    prismctl: Prismctl, daemon: DaemonState, running: StackPlan
) -> None:
    del running
    answer = prismctl("dev", "remove", "admin")
    assert answer.code == 5
    assert "prism-admin is required and cannot be removed" in answer.err
    assert asked(daemon, "remove") == []


def test_what_is_removed_is_not_offered_as_last_time(
    prismctl: Prismctl, daemon: DaemonState, running: StackPlan, home: Home
) -> None:
    runs(daemon, with_worker(running))
    ends(daemon)
    prismctl("dev", "remove", "worker")
    assert recall_last(home).services == ("memstore",)


def test_a_change_of_a_stack_keeps_the_profile_of_last_time(
    prismctl: Prismctl, daemon: DaemonState, running: StackPlan, home: Home
) -> None:
    runs(daemon, replace(with_worker(running), profile=str(home.profiles / "tuned.yaml")))
    ends(daemon)
    prismctl("dev", "remove", "worker")
    assert recall_last(home) == (("memstore",), "tuned")


# Adding.


def test_add_says_what_comes_along_and_for_whom(
    prismctl: Prismctl, daemon: DaemonState, running: StackPlan, home: Home
) -> None:
    del running
    home.catalog.write_text(
        "services:\n"
        "  - {name: db, command: [sleep, '1000']}\n"
        "  - {name: api, command: [sleep, '1000'], depends_on: [db, memstore]}\n"
        "  - {name: memstore}\n"
    )
    ends(daemon)
    answer = prismctl("dev", "add", "api")
    assert (answer.code, answer.err) == (0, "")
    rows = answer.out.splitlines()
    assert rows[0] == 'start    stack=default engine=local origin="added to minimal" services=2'
    assert any(row.startswith('plan     db source="needed by api"') for row in rows)
    assert rows[-1].startswith("added db and api in ")
    (body,) = asked(daemon, "add")
    assert [each["name"] for each in body["plan"]["services"]] == ["db", "api"]
    assert recall_last(home).services == ("memstore", "api")


def test_a_removed_service_is_added_back_to_what_was_chosen_and_not_to_what_lacks_it(
    prismctl: Prismctl, daemon: DaemonState, running: StackPlan, home: Home
) -> None:
    home.catalog.write_text("services:\n  - {name: worker, command: [sleep, '1000']}\n")
    runs(daemon, replace(running, origin="minimal + db without worker"))
    ends(daemon)
    answer = prismctl("dev", "add", "worker", "--dry-run")
    assert 'origin="added to minimal"' in answer.out.splitlines()[0]


def test_add_of_what_runs_changes_nothing(
    prismctl: Prismctl, daemon: DaemonState, running: StackPlan
) -> None:
    del running
    answer = prismctl("dev", "add", "memstore", "admin")
    assert (answer.code, answer.out) == (
        0,
        "memstore and prism-admin are in stack default already; nothing was changed\n",
    )
    assert asked(daemon, "add") == []


def test_add_of_what_stands_still_says_how_it_runs_again(
    prismctl: Prismctl, daemon: DaemonState, running: StackPlan
) -> None:
    runs(daemon, scale_plan(running, ServiceName("memstore"), 0))
    answer = prismctl("dev", "add", "memstore")
    assert "memstore is scaled to 0; `prismctl dev scale memstore 1` runs it" in answer.out


def test_add_of_a_name_that_nobody_knows_gets_the_nearest(
    prismctl: Prismctl, daemon: DaemonState, running: StackPlan
) -> None:
    del running
    answer = prismctl("dev", "add", "memstroe", "rdeis")
    assert answer.code == 2
    assert "did you mean `memstore`?" in answer.err
    assert "did you mean `redis`?" in answer.err
    assert asked(daemon, "add") == []


def test_add_lists_what_there_is_to_add_and_what_would_come_along(
    prismctl: Prismctl, daemon: DaemonState, running: StackPlan, home: Home
) -> None:
    del running
    home.catalog.write_text(
        "services:\n"
        "  - {name: db, command: [sleep, '1000']}\n"
        "  - {name: api, command: [sleep, '1000'], depends_on: [db, memstore], description: answers}\n"
        "  - {name: memstore}\n"
    )
    listed = prismctl("dev", "add", "--list", "-o", "json").document["services"]
    assert {each["name"]: each for each in listed}["api"] == {
        "name": "api",
        "description": "answers",
        "brings": ["db"],
    }
    assert "memstore" not in {each["name"] for each in listed}
    rows = prismctl("dev", "add", "--list").out.splitlines()
    assert rows[0].split() == ["SERVICE", "COMES", "ALONG", "WHAT", "IT", "IS"]
    assert any(row.split() == ["api", "db", "answers"] for row in rows)
    assert asked(daemon, "add") == []


@pytest.mark.parametrize("words", [(), ("redis", "--list")])
def test_add_wants_names_or_the_list_and_not_both(
    prismctl: Prismctl, running: StackPlan, words: tuple[str, ...]
) -> None:
    del running
    answer = prismctl("dev", "add", *words)
    assert answer.code == 2
    assert "name services, or ask for `--list`" in answer.err


def test_add_without_doing_it_shows_the_plan(
    prismctl: Prismctl, daemon: DaemonState, running: StackPlan, home: Home
) -> None:
    del running
    home.catalog.write_text("services: [{name: api, command: [sleep, '1']}]\n")
    answer = prismctl("dev", "add", "api", "--dry-run", "-o", "json")
    assert [each["name"] for each in answer.document["services"]] == ["api"]
    assert "api" in prismctl("dev", "add", "api", "--dry-run").out
    assert asked(daemon, "add") == []


def test_add_of_a_service_that_fails_says_how_to_take_it_out_again(
    prismctl: Prismctl, daemon: DaemonState, running: StackPlan, home: Home, make_service: Any
) -> None:
    del running
    home.catalog.write_text("services: [{name: api, command: [sleep, '1']}]\n")
    ends(
        daemon,
        make_service("api", "failed", reason="exited with code 3"),
        make_service("redis"),
        outcome="partial",
        failed=["api"],
    )
    answer = prismctl("dev", "add", "api")
    assert answer.code == 7
    assert "`prismctl dev remove api` takes it out again" in answer.err


# All of them.


@pytest.mark.parametrize(
    "command", [("scale", "redis", "2"), ("add", "redis"), ("remove", "redis")]
)
def test_without_a_stack_the_way_on_is_a_start(
    prismctl: Prismctl, command: tuple[str, ...]
) -> None:
    answer = prismctl("dev", *command)
    assert answer.code == 4
    assert "no stack `default` is running" in answer.err
    assert "`prismctl dev start` starts it" in answer.err


@pytest.mark.parametrize(
    "command", [("scale", "redis", "2"), ("add", "redis"), ("remove", "redis")]
)
def test_before_there_is_a_plan_they_say_so(
    prismctl: Prismctl, daemon: DaemonState, command: tuple[str, ...]
) -> None:
    assert daemon.plan is None
    answer = prismctl("dev", *command)
    assert answer.code == 4
    assert "nothing running yet" in answer.err


@pytest.mark.parametrize("command", [("scale", "x-y", "2"), ("remove", "x-y")])
def test_a_stranger_is_no_service_of_the_stack(
    prismctl: Prismctl, daemon: DaemonState, running: StackPlan, command: tuple[str, ...]
) -> None:
    del daemon, running
    answer = prismctl("dev", *command)
    assert answer.code == 2
    assert "unknown service `x-y`" in answer.err


@pytest.mark.parametrize("word", ["redis", "redsi", "radis"])
def test_a_misspelt_service_that_does_not_run_here_is_told_from_one_that_nobody_knows(
    prismctl: Prismctl, daemon: DaemonState, running: StackPlan, word: str
) -> None:
    del daemon, running
    answer = prismctl("dev", "remove", word)
    assert answer.code == 2
    assert "redis is not in stack `default`" in answer.err or (
        "redis is the nearest, and is not in stack `default`" in answer.err
    )


def test_a_misspelt_service_that_runs_is_what_was_meant(
    prismctl: Prismctl, daemon: DaemonState, running: StackPlan
) -> None:
    del daemon, running
    answer = prismctl("dev", "remove", "memstroe")
    assert "did you mean `memstore`?" in answer.err


@pytest.mark.parametrize(
    "command", [("scale", "memstore", "2"), ("remove", "memstore")], ids=lambda each: each[0]
)
def test_quiet_says_nothing_and_json_is_the_result(
    prismctl: Prismctl, daemon: DaemonState, running: StackPlan, command: tuple[str, ...]
) -> None:
    del running
    ends(daemon)
    quiet = prismctl("dev", *command, "-q")
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")
    (line,) = prismctl("dev", *command, "-o", "json").lines
    assert line["result"]["outcome"] == "ready"


def test_the_tab_key_knows_what_can_be_added_removed_and_scaled(
    prismctl: Prismctl,
    daemon: DaemonState,
    running: StackPlan,
    home: Home,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    del prismctl, daemon
    home.stack("default").plan.write_text(json.dumps(plan_to_json(running)))
    monkeypatch.setenv("PRISM_HOME", str(home.directory))
    from prismctl.cli.root import root

    def complete(*words: str) -> set[str]:
        from click.shell_completion import ShellComplete

        completion = ShellComplete(root, {}, "prismctl", "_PRISMCTL_COMPLETE")
        return {each.value for each in completion.get_completions(list(words), "")}

    assert "redis" in complete("dev", "add")
    assert not {"memstore", "prism-admin"} & complete("dev", "add")
    assert "nats" not in complete("dev", "add", "nats")
    assert complete("dev", "remove") == {"memstore"}
    assert complete("dev", "scale") == {"memstore", "prism-admin", "pattern-launcher"}

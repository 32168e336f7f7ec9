"""Saving, listing, showing and deleting profiles, as typed; the last use that a start notes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from prismctl.domain.plan import StackPlan, plan_to_json
from prismctl.errors import ExitCode
from prismctl.files.profiles import load_profile
from prismctl.planning import PlanRequest, make_plan
from tests.desk import Desk, ended_with, read_to_end, words

if TYPE_CHECKING:
    from collections.abc import Callable

    from prismctl.files.paths import Home

CORE = ["prism-admin", "pattern-launcher"]


def save(prismctl: Any, name: str, *flags: str) -> Any:
    answer = prismctl("dev", "profile", "save", name, *flags)
    assert answer.code == 0, answer.err
    return answer


def plan(home: Home, **request: Any) -> StackPlan:
    return make_plan(
        PlanRequest(engine="local", is_trial=True, auto_ports=True, **request),
        home=home,
        environment={"PATH": "/usr/bin:/bin"},
        working_directory=Path.cwd(),
    )


def test_where_nothing_is_saved_the_list_says_how_to_and_makes_nothing(
    prismctl: Any, home: Home
) -> None:
    answer = prismctl("dev", "profiles")
    assert answer.code == 0
    assert "no profile is saved; `prismctl dev profile save NAME --from-running`" in answer.out
    assert prismctl("dev", "profiles", "-o", "json").document["profiles"] == []
    assert not home.directory.exists()


def test_a_selection_is_saved_with_all_that_a_start_with_the_same_flags_has(
    prismctl: Any, home: Home
) -> None:
    answer = save(prismctl, "mine", "--preset=messaging", "--with-redis", "--without", "kafka")
    profile = load_profile(home, "mine")
    assert list(profile.services) == [*CORE, "memstore", "redis", "nats"]
    assert answer.out.startswith("saved profile mine: ")
    assert "`prismctl dev start --profile mine` starts it" in answer.out
    shown = prismctl("dev", "profile", "show", "mine", "-o", "json").document
    assert [each["name"] for each in shown["starts"]] == list(profile.services)


def test_a_random_selection_is_saved_as_a_start_with_the_same_seed_has_it(
    prismctl: Any, home: Home
) -> None:
    for seed in range(8):
        name = f"random-{seed}"
        save(prismctl, name, "--preset", "random", "--seed", str(seed))
        shown = prismctl(
            "dev",
            "config",
            "explain",
            "services",
            "--preset=random",
            f"--seed={seed}",
            "-o",
            "json",
        )
        assert shown.code == 0, shown.err
        assert ", ".join(load_profile(home, name).services) == shown.document["outcome"]


def test_a_selection_drawn_without_a_seed_says_which_one_draws_it_again(
    prismctl: Any, home: Home
) -> None:
    shown = save(prismctl, "lucky", "--preset", "random")
    said = re.search(r"`--preset=random --seed=(\d+)` drew this", shown.out)
    assert said, shown.out
    save(prismctl, "again", "--preset", "random", "--seed", said[1])
    assert load_profile(home, "again").services == load_profile(home, "lucky").services
    answer = save(prismctl, "third", "--preset", "random", "-o", "json").document
    assert answer["notes"] == [f"`--preset=random --seed={answer['seed']}` drew this"]
    assert "seed" not in save(prismctl, "plain", "--preset=redis", "-o", "json").document


def test_a_drawn_selection_that_would_replace_one_can_be_confirmed_as_it_was_drawn(
    prismctl: Any, home: Home
) -> None:
    # What is never drawn, so that whatever is drawn is something else.
    save(prismctl, "mine", "--with", "prism-proxy")
    refused = prismctl("dev", "profile", "save", "mine", "--preset", "random")
    assert refused.code == ExitCode.INVALID
    said = re.search(r"--seed=(\d+)", refused.err)
    assert said, refused.err
    save(prismctl, "mine", "--preset", "random", "--seed", said[1], "--yes")
    save(prismctl, "other", "--preset", "random", "--seed", said[1])
    assert load_profile(home, "mine").services == load_profile(home, "other").services


def test_the_list_has_services_description_and_last_use(prismctl: Any, home: Home) -> None:
    save(prismctl, "mine", "--with", "redis", "--description", "orders & payments", "--persist")
    save(prismctl, "other", "--preset", "minimal")
    (home.cache / "profile-uses").mkdir(parents=True)
    (home.cache / "profile-uses" / "mine").touch()

    first, second = prismctl("dev", "profiles", "-o", "json").document["profiles"]

    assert first["name"] == "mine"
    assert first["services"] == [*CORE, "memstore", "redis"]
    assert first["description"] == "orders & payments"
    assert first["persist"] is True
    assert first["last_used_seconds"] < 60
    assert first["last_used_at"].endswith("Z")
    assert (second["last_used_at"], second["last_used_seconds"]) == (None, None)
    rows = prismctl("dev", "profiles").out.splitlines()
    assert rows[0].split() == ["PROFILE", "LAST", "USE", "SERVICES", "DESCRIPTION"]
    assert "memstore, redis" in rows[1]
    assert "s ago" in rows[1]
    assert "never" in rows[2]
    assert all(len(row) <= 80 for row in rows[:-1])


def test_a_profile_with_mistakes_is_listed_with_them(prismctl: Any, home: Home) -> None:
    save(prismctl, "mine", "--with", "redis")
    (home.profiles / "broken.yaml").write_text("servics: [redis]\n")
    (home.profiles / "odd name.yaml").write_text("services: [redis]\n")
    answer = prismctl("dev", "profiles", "-o", "json")
    assert answer.code == 0
    broken, mine, odd = answer.document["profiles"]
    assert "broken.yaml:1:1: unknown key `servics`" in broken["problems"][0]
    assert mine["problems"] == []
    assert "is impossible" in odd["problems"][0]
    assert "unknown key `servics`" in prismctl("dev", "profiles").out


def test_what_is_there_is_written_over_only_when_that_is_confirmed(
    prismctl: Any, home: Home
) -> None:
    save(prismctl, "mine", "--with", "redis", "--description", "orders")
    file = home.profiles / "mine.yaml"
    before = file.read_text()
    refused = prismctl("dev", "profile", "save", "mine", "--with", "nats")
    assert refused.code == 2
    assert "is there already; it would get nats; it would lose redis" in refused.err
    assert "add --yes to write over it, or take another name" in refused.err
    assert file.read_text() == before
    save(prismctl, "mine", "--with", "nats", "--yes")
    profile = load_profile(home, "mine")
    assert (profile.description, profile.services[-1]) == ("orders", "nats")


def test_the_same_again_needs_no_confirmation_and_writes_nothing(prismctl: Any, home: Home) -> None:
    save(prismctl, "mine", "--with", "redis")
    written = (home.profiles / "mine.yaml").stat().st_mtime_ns
    answer = save(prismctl, "mine", "--with", "redis")
    assert "says that already" in answer.out
    assert (home.profiles / "mine.yaml").stat().st_mtime_ns == written
    again = save(prismctl, "mine", "--with", "redis", "-o", "json")
    assert again.document["action"] == "unchanged"


def test_only_another_description_leaves_the_services_alone(prismctl: Any, home: Home) -> None:
    save(prismctl, "mine", "--with", "redis")
    answer = save(prismctl, "mine", "--description", "orders", "--yes", "-o", "json")
    assert answer.document["action"] == "replaced"
    assert answer.document["services"] == [*CORE, "memstore", "redis"]
    assert load_profile(home, "mine").description == "orders"


def test_a_file_somebody_shared_is_saved_with_its_comments_and_settings(
    prismctl: Any, home: Home
) -> None:
    Path("team.yaml").write_text(
        "# of the team\nservices: [redis]  # 7\nconfig:\n  redis: {memory_mb: 64}\n"
    )
    save(prismctl, "team", "--profile", "./team.yaml", "--with", "nats")
    text = (home.profiles / "team.yaml").read_text()
    assert "# of the team\n" in text
    assert "services: [redis, prism-admin, pattern-launcher, nats]  # 7\n" in text
    profile = load_profile(home, "team")
    assert profile.config == {"redis": {"memory_mb": 64}}


def test_services_of_a_catalog_of_its_own_are_saved_and_the_catalog_is_named(
    prismctl: Any, home: Home
) -> None:
    Path("own.yaml").write_text(
        "core: false\nservices:\n  - {name: worker, command: sleep 9, default: true}\n"
    )
    answer = save(prismctl, "work", "--services", "own.yaml")
    assert load_profile(home, "work").services == ("worker",)
    assert "`prismctl dev start --profile work --services own.yaml` starts it" in answer.out


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["mine"], "nothing says what to save as `mine`"),
        (["mine", "--description", "x"], "nothing says what to save as `mine`"),
        (["mine", "--with", "rdeis"], "unknown service `rdeis`; did you mean `redis`?"),
        (["mine", "--preset", "mesaging"], "unknown preset `mesaging`; did you mean `messaging`?"),
        (["mine", "--profile", "nope"], "unknown profile `nope`; none is saved"),
        (["mine", "--preset", "full", "--seed", "7"], "`--seed` says nothing without"),
        (["Mine", "--with", "redis"], "profile name `Mine` is impossible"),
        (["mine.yaml", "--with", "redis"], "it would name a file"),
        (
            ["mine", "--from-running", "--with", "redis"],
            "--from-running takes what runs, and `--with` something else",
        ),
    ],
)
def test_what_cannot_be_saved_is_refused_and_writes_nothing(
    prismctl: Any, home: Home, flags: list[str], message: str
) -> None:
    answer = prismctl("dev", "profile", "save", *flags)
    assert answer.code == 2
    assert message in answer.err
    assert not home.directory.exists()


def test_without_a_running_stack_there_is_nothing_to_save_from(prismctl: Any) -> None:
    answer = prismctl("dev", "profile", "save", "mine", "--from-running")
    assert answer.code == 4
    assert "no stack `default` is running" in answer.err
    assert "`prismctl dev start` starts it" in answer.err


def test_what_runs_is_saved_with_replicas_persistence_and_the_settings_it_was_started_with(
    prismctl: Any, home: Home, daemon: Any
) -> None:
    file = home.profiles / "before.yaml"
    home.profiles.mkdir()
    file.write_text(
        "# measured\nservices: [admin, launcher, memstore]\nconfig: {admin: {env: {A: 1}}}\n"
    )
    running = plan(home, profile="before", persist=True)
    services = tuple(
        replace(each, replicas=2) if each.name == "memstore" else each for each in running.services
    )
    daemon.plan = plan_to_json(replace(running, services=services))

    answer = save(prismctl, "after", "--from-running")

    profile = load_profile(home, "after")
    assert set(profile.services) == {"admin", "launcher", "memstore"}
    assert profile.persist
    assert profile.config == {"admin": {"env": {"A": "1"}}, "memstore": {"replicas": 2}}
    assert "# measured" in (home.profiles / "after.yaml").read_text()
    assert "settings are those of" in answer.out
    file.unlink()
    again = save(prismctl, "again", "--from-running", "-o", "json").document
    assert "is gone: its settings are not saved" in again["notes"][0]


def test_what_runs_from_another_catalog_is_saved_with_that_catalog_only(
    prismctl: Any, home: Home, daemon: Any
) -> None:
    Path("own.yaml").write_text(
        "core: false\nservices:\n  - {name: worker, command: sleep 9, default: true}\n"
    )
    daemon.plan = plan_to_json(plan(home, services_file=Path("own.yaml")))
    refused = prismctl("dev", "profile", "save", "mine", "--from-running")
    assert refused.code == 2
    assert "worker runs, and" in refused.err
    assert "add --services FILE" in refused.err
    save(prismctl, "mine", "--from-running", "--services", "own.yaml")
    assert load_profile(home, "mine").services == ("worker",)


def test_a_profile_is_shown_as_it_is_written(prismctl: Any, home: Home) -> None:
    text = "# ours\nservices:   [redis]\n\n"
    home.profiles.mkdir(parents=True)
    (home.profiles / "mine.yaml").write_text(text)
    assert prismctl("dev", "profile", "show", "mine").out == text
    Path("team.yaml").write_text("services: [nats]")
    assert prismctl("dev", "profile", "show", "team.yaml").out == "services: [nats]\n"
    answer = prismctl("dev", "profile", "show", "mnie")
    assert answer.code == 2
    assert "unknown profile `mnie`; did you mean `mine`?" in answer.err


def test_as_json_a_profile_says_what_it_starts_and_why(prismctl: Any, home: Home) -> None:
    Path("team.yaml").write_text(
        "description: x\nservices: [redis]\nconfig: {redis: {memory_mb: 64, persist: true}}\n"
    )
    document = prismctl("dev", "profile", "show", "./team.yaml", "-o", "json").document
    assert document["name"] == "team"
    assert document["services"] == ["redis"]
    assert document["config"] == {"redis": {"memory_mb": 64, "persist": True}}
    assert {each["name"]: each["source"] for each in document["starts"]} == {
        "prism-admin": "required",
        "pattern-launcher": "required",
        "redis": "profile team",
    }
    assert not home.directory.exists()
    Path("team.yaml").write_text("services: [rdeis]\nconfig: {redis: {jetstream: true}}\n")
    refused = prismctl("dev", "profile", "show", "./team.yaml", "-o", "json")
    assert refused.code == 2
    messages = [each["message"] for each in refused.document["error"]["problems"]]
    assert any("unknown service `rdeis`" in each for each in messages)
    assert any("jetstream is for nats only" in each for each in messages)


def test_deleting_needs_confirmation_and_says_where_it_was(prismctl: Any, home: Home) -> None:
    save(prismctl, "mine", "--with", "redis")
    (home.cache / "profile-uses").mkdir(parents=True)
    (home.cache / "profile-uses" / "mine").touch()
    refused = prismctl("dev", "profile", "delete", "mine")
    assert refused.code == 2
    assert "mine.yaml will be gone, last used 0." in refused.err
    assert "add --yes" in refused.err
    assert (home.profiles / "mine.yaml").exists()
    answer = prismctl("dev", "profile", "delete", "mine", "--yes")
    assert answer.code == 0
    assert "deleted profile mine: it was " in answer.out
    assert "mine.yaml" in answer.out
    assert not (home.profiles / "mine.yaml").exists()
    # Another one of that name has not been used yet.
    save(prismctl, "mine", "--with", "nats")
    (profile,) = prismctl("dev", "profiles", "-o", "json").document["profiles"]
    assert profile["last_used_at"] is None


@pytest.mark.parametrize("command", [("profile", "show"), ("start", "--dry-run", "--profile")])
def test_a_file_in_the_home_of_nobody_is_not_there_rather_than_a_traceback(
    prismctl: Any, command: tuple[str, ...]
) -> None:
    answer = prismctl("dev", *command, "~nobody-of-this-name/team.yaml")
    assert answer.code == 2
    assert "there is no such file" in answer.err


@pytest.mark.parametrize("name", ["./team.yaml", "team.yaml"])
def test_a_file_that_is_not_home_s_is_not_deleted(prismctl: Any, home: Home, name: str) -> None:
    del home
    Path("team.yaml").write_text("services: [redis]\n")
    answer = prismctl("dev", "profile", "delete", name, "--yes")
    assert answer.code == 2
    assert "is a file, not the name of a saved profile" in answer.err
    assert Path("team.yaml").exists()


READY = [{"result": {"outcome": "ready", "failed": [], "skipped": [], "status": {}}}]


def test_a_start_notes_the_use_of_its_profile_and_a_dry_run_does_not(
    prismctl: Any, home: Home, daemon: Any, make_status: Any
) -> None:
    home.profiles.mkdir()
    (home.profiles / "mine.yaml").write_text("services: [memstore]\n")
    start = ("dev", "start", "--engine", "local", "--auto-ports", "--profile", "mine")

    def last_use() -> str | None:
        (profile,) = prismctl("dev", "profiles", "-o", "json").document["profiles"]
        return profile["last_used_at"]  # type: ignore[no-any-return]

    assert prismctl(*start, "--dry-run").code == 0
    assert last_use() is None
    daemon.refusal = (409, {"error": {"code": "busy", "message": "no", "hint": ""}})
    assert prismctl(*start).code != 0
    assert last_use() is None
    daemon.refusal = None
    daemon.operation = [{"result": {**READY[0]["result"], "status": make_status()}}]
    answer = prismctl(*start)
    assert answer.code == 0, answer.err
    assert last_use() is not None
    assert [each.name for each in (home.cache / "profile-uses").iterdir()] == ["mine"]


def test_somebody_at_a_terminal_is_asked_before_anything_is_lost(desk: Desk) -> None:
    profiles = desk.lab.home / "profiles"
    first = desk.pipe("dev", "profile", "save", "mine", "--with", "redis")
    assert first.returncode == 0, first.stderr
    file = profiles / "mine.yaml"
    before = file.read_text()

    child = desk.terminal(["dev", "profile", "save", "mine", "--with", "nats"])
    child.expect("it would lose redis")
    child.expect("leave it as it is")
    child.send("n")
    assert "nothing was written" in words(read_to_end(child))
    assert (ended_with(child), file.read_text()) == (1, before)

    child = desk.terminal(["dev", "profile", "save", "mine", "--with", "nats"])
    child.expect("leave it as it is")
    child.send("y")
    assert "saved profile mine" in words(read_to_end(child))
    assert (ended_with(child), "nats" in file.read_text()) == (0, True)

    child = desk.terminal(["dev", "profile", "delete", "mine"])
    child.expect("keep it")
    child.send("\r")
    assert "nothing was deleted" in words(read_to_end(child))
    assert file.exists()
    child = desk.terminal(["dev", "profile", "delete", "mine"])
    child.expect("keep it")
    child.send("y")
    assert "deleted profile mine" in words(read_to_end(child))
    assert not file.exists()


def test_a_shared_file_cannot_steer_the_terminal_that_shows_it(desk: Desk) -> None:
    (desk.directory / "team.yaml").write_text("services: [redis] # \x1b]0;title\x07\x1b[2J\n")
    child = desk.terminal(["dev", "profile", "show", "./team.yaml"])
    shown = read_to_end(child)
    assert "services: [redis] #" in shown
    assert "title" not in shown
    assert "\x1b[2J" not in shown


def complete(home: Home, *typed: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-m", "prismctl"],
        env={
            **os.environ,
            "PRISM_HOME": str(home.directory),
            "_PRISMCTL_COMPLETE": "bash_complete",
            "COMP_WORDS": " ".join(["prismctl", *typed]),
            "COMP_CWORD": str(len(typed)),
        },
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return [line for line in done.stdout.splitlines() if line]


@pytest.mark.parametrize(
    "typed",
    [
        ("dev", "start", "--profile", "my"),
        ("dev", "profile", "show", "my"),
        ("dev", "profile", "delete", "my"),
        ("dev", "profile", "save", "my"),
        ("dev", "profile", "save", "x", "--profile", "my"),
    ],
)
def test_the_tab_key_knows_profiles(home: Home, typed: tuple[str, ...]) -> None:
    home.profiles.mkdir(parents=True)
    for name in ("mine", "my-redis", "my-nats"):
        (home.profiles / f"{name}.yaml").write_text("services: [redis]\n")
    assert complete(home, *typed) == ["plain,my-nats", "plain,my-redis"]


def test_the_tab_key_completes_files_where_one_can_be_named(home: Home) -> None:
    assert complete(home, "dev", "profile", "show", "./te") == ["file,./te"]
    assert complete(home, "dev", "start", "--profile", "~/te") == ["file,~/te"]
    assert complete(home, "dev", "profile", "delete", "./te") == []


COPIED_CATALOG = """\
core: false
services:
  - name: web
    command: [sh, -c, 'echo "level=$LEVEL"; exec sleep 1000']
    env: {LEVEL: info}
  - name: other
    command: [sleep, "1000"]
    default: true
"""
COPIED_PROFILE = """\
services: [web]
persist: true
config:
  web:
    replicas: 2
    env: {LEVEL: debug}
"""


def start_copy(desk: Desk) -> dict[str, Any]:
    """Start the profile in a home of its own; what of it runs, and what that was given."""
    started = desk.pipe("dev", "start", "--profile=mine", "--engine=local", "--no-dashboard")
    assert started.returncode == 0, started.stderr
    (web,) = json.loads(desk.pipe("dev", "status", "-o", "json").stdout)["services"]
    plan = desk.lab.client.plan()["services"][0]
    texts = desk.pipe("dev", "logs", "web", "-o", "json").stdout.splitlines()
    return {
        "name": web["name"],
        "healthy": web["replicas"]["healthy"],
        "persist": plan["persist"],
        "printed": sorted(json.loads(each)["text"] for each in texts),
    }


def test_a_profile_that_was_copied_starts_the_same_in_another_home(
    new_lab: Callable[..., Any], tmp_path: Path
) -> None:
    found = []
    profile = COPIED_PROFILE.encode()
    for name in ("mine", "theirs"):
        desk = Desk(new_lab(), tmp_path / name)
        desk.directory.mkdir()
        home = desk.lab.home
        (home / "profiles").mkdir(parents=True)
        (home / "services.yaml").write_text(COPIED_CATALOG, encoding="utf-8")
        copy = home / "profiles" / "mine.yaml"
        copy.write_bytes(profile)
        found.append(start_copy(desk))
        profile = copy.read_bytes()
    ours, theirs = found
    assert ours == theirs
    assert theirs == {
        "name": "web",
        "healthy": 2,
        "persist": True,
        "printed": ["level=debug", "level=debug"],
    }


def test_the_schema_of_a_profile_that_was_copied_here_appears_beside_it(
    prismctl: Any, home: Home
) -> None:
    home.profiles.mkdir(parents=True)
    (home.profiles / "team.yaml").write_text("services: [redis]\n", encoding="utf-8")
    assert prismctl("dev", "profiles").code == 0
    assert (home.profiles / "profile.schema.json").is_file()


def test_an_unknown_service_of_a_profile_was_told_only_once_its_keys_were_right(
    prismctl: Any, home: Home
) -> None:
    home.profiles.mkdir(parents=True)
    text = "services: [reddis]\npersits: true\nconfig:\n  redis: {memroy_mb: 64}\n"
    file = home.profiles / "team.yaml"
    file.write_text(text, encoding="utf-8")
    answer = prismctl("dev", "start", "--dry-run", "--profile=team")
    assert answer.code == 2
    assert f"{file}:1:12   unknown service `reddis`; did you mean `redis`?" in answer.err
    assert "did you mean `persist`?" in answer.err
    assert "did you mean `memory_mb`?" in answer.err


def test_the_list_said_that_there_was_more_where_only_the_core_was_left_out(
    prismctl: Any, home: Home
) -> None:
    home.profiles.mkdir(parents=True)
    services = "[prism-admin, pattern-launcher, redis, nats]"
    (home.profiles / "team.yaml").write_text(f"services: {services}\n", encoding="utf-8")
    (home.profiles / "big.yaml").write_text(
        "services: [prism-admin, pattern-launcher, redis, nats, kafka, postgres, prometheus]\n",
        encoding="utf-8",
    )
    rows = {line.split()[0]: line for line in prismctl("dev", "profiles").out.splitlines() if line}
    assert "redis, nats" in rows["team"]
    assert "…" not in rows["team"]
    assert "redis, nats" in rows["big"]
    assert "…" in rows["big"]

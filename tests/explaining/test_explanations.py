from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prismctl.domain.service import ServiceName
from prismctl.domain.service_settings import known_keys
from prismctl.errors import ConfigError
from prismctl.explaining import Explanation, explain_selection
from prismctl.files.paths import Home
from prismctl.planning import PlanRequest, make_plan

if TYPE_CHECKING:
    from pathlib import Path

    from prismctl.domain.precedence import Setting

CATALOG = """\
services:
  - name: redis
    driver: redis
    container: redis:7-alpine
    port: 6390
    memory_mb: 512
    config:
      memory_mb: 128
  - name: worker
    command: [sleep, "60"]
    depends_on: [redis]
    env: {TOKEN: hush, LEVEL: info}
    secrets: [TOKEN]
"""
PROFILE = """\
name: team
services: [worker]
persist: true
config:
  redis:
    memory_mb: 64
  worker:
    env: {LEVEL: debug}
"""


class Desk:
    """A home with a catalog and a profile, and a directory to stand in."""

    def __init__(self, directory: Path) -> None:
        self.home = Home(directory / "home")
        self.project = directory / "shop"
        self.project.mkdir()
        self.home.profiles.mkdir(parents=True)
        self.environment = {"PATH": "/usr/bin:/bin", "HOME": str(directory)}
        self.write(self.home.catalog, CATALOG)
        self.write(self.home.profiles / "team.yaml", PROFILE)

    @staticmethod
    def write(path: Path, text: str) -> None:
        path.write_text(text, encoding="utf-8")

    def ask(self, **request: Any) -> Explanation:
        return explain_selection(
            PlanRequest(**request),
            home=self.home,
            environment=self.environment,
            working_directory=self.project,
        )


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def differences(explanation: Explanation, name: str) -> list[tuple[str, Any, str, int]]:
    return [
        (each.key, each.value, each.place.file.rpartition("/")[2], each.place.line)
        for each in explanation.explain_differences(ServiceName(name))
    ]


def test_what_is_different_about_a_service_is_what_somebody_made_different(desk: Desk) -> None:
    explanation = desk.ask(profile="team")
    assert differences(explanation, "redis") == [
        ("redis.memory_mb", 64, "team.yaml", 6),
        ("redis.persist", True, "team.yaml", 3),
        ("redis.port", 6390, "services.yaml", 5),
        ("redis.memory_limit_mb", 512, "services.yaml", 6),
    ]
    # Of a service of one's own, what its first description says is no difference.
    assert differences(explanation, "worker") == [
        ("worker.persist", True, "team.yaml", 3),
        ("worker.env.LEVEL", "debug", "team.yaml", 8),
    ]


def test_nothing_is_different_about_what_ships(desk: Desk) -> None:
    explanation = desk.ask(picked=("prism-admin",))
    assert differences(explanation, "prism-admin") == []
    assert differences(explanation, "pattern-launcher") == []


def told(setting: Setting) -> list[tuple[Any, str, str, int]]:
    """The winner and those it beat: value, source, name of the file, line."""
    winner = (setting.value, setting.source, setting.place)
    return [
        (value, source, place.file.rpartition("/")[2], place.line)
        for value, source, place in [winner, *setting.beaten]
    ]


def test_a_servers_setting_names_file_and_line_of_the_winner_and_of_those_it_beat(
    desk: Desk,
) -> None:
    explanation = desk.ask(profile="team")
    assert told(explanation.explain("redis.memory_mb")) == [
        (64, "profile team", "team.yaml", 6),
        (128, "services.yaml", "services.yaml", 8),
        ("no limit", "default", "", 0),
    ]
    assert told(desk.ask().explain("redis.memory_mb"))[0] == (
        128, "services.yaml", "services.yaml", 8,
    )  # fmt: skip


def test_keys_that_share_a_name_point_to_each_other(desk: Desk) -> None:
    explanation = desk.ask()
    assert explanation.related("redis.memory_mb") == (
        "redis.resources.memory",
        "redis.memory_limit_mb",
    )
    assert told(explanation.explain("redis.memory_limit_mb"))[0][0] == 512
    assert explanation.related("worker.memory_mb") == ()


def test_an_overlay_beats_the_catalog_and_the_project_beats_both(desk: Desk) -> None:
    overlay = desk.home.directory / "services.local.yaml"
    desk.write(overlay, "services:\n  - name: redis\n    port: 6391\n")
    desk.write(desk.project / "prism.yaml", "services:\n  - name: redis\n    port: 6392\n")
    assert told(desk.ask().explain("redis.port")) == [
        (6392, "prism.yaml", "prism.yaml", 3),
        (6391, "services.local.yaml", "services.local.yaml", 3),
        (6390, "services.yaml", "services.yaml", 5),
        (6379, "default", "", 0),
    ]


def test_persist_of_a_service_is_that_of_the_stack_where_that_is_on(desk: Desk) -> None:
    kept = desk.ask(profile="team")
    assert told(kept.explain("redis.persist"))[0] == (True, "profile team", "team.yaml", 3)
    assert told(kept.explain("persist"))[0][1] == "profile team"
    typed = desk.ask(profile="team", persist=True)
    assert [each[1] for each in told(typed.explain("persist"))] == [
        "--persist",
        "profile team",
        "default",
    ]
    assert told(desk.ask().explain("redis.persist"))[0] == (False, "default", "", 0)


def test_a_profile_that_says_no_to_persist_beats_settings_that_say_yes(desk: Desk) -> None:
    desk.write(desk.home.settings, "persist: true\n")
    profile = desk.home.profiles / "fresh.yaml"
    desk.write(
        profile,
        "services: [worker]\npersist: false\n",
    )
    assert told(desk.ask(profile="fresh").explain("persist")) == [
        (False, "profile fresh", "fresh.yaml", 2),
        (True, "config.yaml", "config.yaml", 1),
        (False, "default", "", 0),
    ]


def test_a_flag_beats_the_projects_file_and_that_beats_the_settings(desk: Desk) -> None:
    desk.write(desk.home.settings, "engine: nomad\nwait_timeout: 30s\n")
    desk.write(desk.project / "prism.yaml", "settings:\n  engine: auto\n  wait_timeout: 20s\n")
    explanation = desk.ask(engine="local")
    assert told(explanation.explain("engine")) == [
        ("local", "--engine", "", 0),
        ("auto", "prism.yaml", "prism.yaml", 2),
        ("nomad", "config.yaml", "config.yaml", 1),
        ("auto", "default", "", 0),
    ]
    assert told(explanation.explain("wait_timeout"))[0] == (20.0, "prism.yaml", "prism.yaml", 3)


def test_a_projects_file_cannot_say_where_programs_come_from(desk: Desk) -> None:
    desk.write(desk.project / "prism.yaml", "settings:\n  release_url: https://evil.example/\n")
    assert desk.ask().explain("release_url").is_default


def test_which_engine_auto_is_here_is_said(desk: Desk) -> None:
    outcome = desk.ask(without_services=()).explain("engine").outcome
    assert outcome.startswith(("local: Nomad", "nomad: "))


def test_who_chose_the_services_and_who_was_overruled(desk: Desk) -> None:
    desk.write(desk.project / "prism.yaml", "preset: messaging\n")
    explanation = desk.ask(profile="team", preset="minimal")
    assert [each[:2] for each in told(explanation.explain("services"))] == [
        ("profile team", "--profile"),
        ("preset minimal", "--preset"),
        ("preset messaging", "prism.yaml"),
        (str(desk.home.catalog), "default"),
    ]


def test_why_a_service_is_in_the_stack(desk: Desk) -> None:
    explanation = desk.ask(with_services=("worker",))
    redis = explanation.explain("redis")
    assert (redis.value, redis.source, redis.outcome) == (
        True,
        "needed by worker",
        "worker: --with",
    )
    assert (redis.place.file.rpartition("/")[2], redis.place.line) == ("services.yaml", 11)
    assert explanation.explain("admin").source == "required"
    listed = desk.ask(profile="team").explain("worker")
    assert told(listed)[0] == (True, "profile team", "team.yaml", 2)


def test_why_a_service_is_not_in_the_stack(desk: Desk) -> None:
    absent = desk.ask().explain("redis")
    assert (absent.value, absent.source) == (False, "not chosen")
    assert absent.outcome == "`--with redis` adds it"
    left_out = desk.ask(with_services=("redis",), profile="team")
    assert left_out.explain("redis").value is True
    desk.write(desk.home.profiles / "both.yaml", "services: [redis]\n")
    removed = desk.ask(profile="both", without_services=("redis",)).explain("redis")
    assert (removed.value, removed.source) == (False, "--without")


def test_who_left_a_service_out_is_named_only_where_that_counted(desk: Desk) -> None:
    file = desk.project / "prism.yaml"
    desk.write(desk.home.profiles / "lone.yaml", "services: [redis]\n")
    desk.write(file, "with: [redis]\nwithout: [worker]\n")
    assert told(desk.ask().explain("worker"))[0] == (False, "prism.yaml", "prism.yaml", 2)
    # Who says on the spot what shall run is not held to what the file leaves out.
    absent = desk.ask(profile="lone").explain("worker")
    assert (absent.value, absent.source) == (False, "not chosen")
    assert absent.place.file == ""
    removed = desk.ask(profile="lone", without_services=("worker",)).explain("worker")
    assert (removed.value, removed.source) == (False, "--without")


def test_secrets_are_not_told(desk: Desk) -> None:
    explanation = desk.ask(profile="team")
    assert told(explanation.explain("worker.env.LEVEL"))[0] == (
        "debug", "profile team", "team.yaml", 8,
    )  # fmt: skip
    token = explanation.explain("worker.env.TOKEN")
    assert "hush" not in str(token)
    assert "hush" not in str(explanation.explain("worker.env"))


def test_the_second_port_does_not_come_from_a_line_about_the_first(desk: Desk) -> None:
    desk.write(desk.home.catalog, "services:\n  - name: prism-admin\n    port: 8999\n")
    explanation = desk.ask()
    assert told(explanation.explain("admin.ports.grpc"))[0][2:] == ("services.yaml", 3)
    assert told(explanation.explain("admin.ports.metrics")) == [(9190, "default", "", 0)]


def test_a_second_stack_takes_free_ports_by_itself(desk: Desk) -> None:
    setting = desk.ask(stack="two").explain("auto_ports")
    assert told(setting) == [(True, "stack two", "", 0), (False, "default", "", 0)]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("redis.memroy_mb", "redis.memory_mb"),
        ("redis.memory", "redis.memory_mb"),
        ("rdis", "redis"),
        ("enigne", "engine"),
        ("admin.prot", "prism-admin.port"),
        ("worker.replica", "worker.replicas"),
    ],
)
def test_a_misspelt_key_gets_the_nearest(desk: Desk, typed: str, meant: str) -> None:
    with pytest.raises(ConfigError) as raised:
        desk.ask().explain(typed)
    assert raised.value.problems[0].suggestion == meant


def test_everything_that_is_listed_can_be_explained(desk: Desk) -> None:
    explanation = desk.ask(profile="team")
    for key in explanation.list_keys():
        assert explanation.explain(key).key == key
    shown = [each.key for each in explanation.explain_all(names_defaults=False)]
    assert {"engine", "services", "redis", "redis.memory_mb"} <= set(shown)
    assert len(shown) == len(set(shown))


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    entry=st.dictionaries(
        st.sampled_from(["replicas", "port", "cpu", "persist"]), st.integers(1, 9), max_size=4
    ),
    change=st.dictionaries(
        st.sampled_from(["replicas", "port", "cpu_mhz", "persist"]), st.integers(1, 9), max_size=4
    ),
)
def test_what_is_explained_is_what_is_planned(
    desk: Desk, entry: dict[str, int], change: dict[str, int]
) -> None:
    def lines(given_values: dict[str, int], indent: str) -> str:
        values = {
            key: ("true" if value % 2 else "false")
            if key == "persist"
            else (20000 + value if key == "port" else value)
            for key, value in given_values.items()
        }
        return "".join(f"{indent}{key}: {value}\n" for key, value in values.items())

    desk.write(
        desk.home.catalog,
        f"services:\n  - name: job\n    command: [sleep, '9']\n{lines(entry, '    ')}",
    )
    changed = lines(change, "    ")
    config = f"config:\n  job:\n{changed}" if changed else ""
    desk.write(desk.home.profiles / "team.yaml", f"services: [job]\n{config}")
    request = PlanRequest(profile="team", auto_ports=True, is_trial=True)
    explanation = desk.ask(profile="team", auto_ports=True)
    plan = make_plan(
        request,
        home=desk.home,
        environment=desk.environment,
        working_directory=desk.project,
    ).service(ServiceName("job"))
    values = {key: explanation.explain(f"job.{key}").value for key in ("replicas", "persist")}
    assert values == {"replicas": plan.replicas, "persist": plan.persist}
    assert explanation.explain("job.resources.cpu").value == plan.resources.cpu_mhz
    source = (
        "profile team"
        if "replicas" in change
        else "services.yaml"
        if "replicas" in entry
        else "default"
    )
    assert explanation.explain("job.replicas").source == source
    wanted = [port.wanted or port.number for port in plan.ports]
    written = explanation.explain("job.port").value
    assert wanted == ([] if written == "none" else [written])
    assert "replicas" in known_keys(explanation.decision.catalog.services[ServiceName("job")])

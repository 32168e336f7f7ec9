"""The parts of a translation: variables, ports, amounts, names, references, Procfiles, and YAML text."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prismctl.domain.importing.amounts import parse_go_duration, parse_size, write_duration
from prismctl.domain.importing.entry_text import render_entry
from prismctl.domain.importing.imported import RemarkKind
from prismctl.domain.importing.names import choose_names
from prismctl.domain.importing.ports import Mapped, PortError, parse_port
from prismctl.domain.importing.procfile import is_procfile
from prismctl.domain.importing.references import Finder
from prismctl.domain.importing.secret_names import is_secret
from prismctl.domain.importing.variables import (
    MOST_CHARACTERS,
    MOST_IN_ALL,
    TemplateError,
    evaluate,
    parse_dotenv,
    resolve_dotenv,
    translate,
)
from prismctl.domain.interpolation import Surroundings, interpolate
from prismctl.domain.project_text import render_project
from prismctl.domain.service import AGENT_NAMES
from prismctl.errors import ConfigError
from prismctl.files.foreign import load_foreign
from prismctl.files.yaml import parse_document

if TYPE_CHECKING:
    from prismctl.domain.importing.imported import Imported

HERE = Path(__file__).parent


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("plain", "plain"),
        ("$VAR/x", "${VAR:-}/x"),
        ("${VAR}", "${VAR:-}"),
        ("${VAR:-text}", "${VAR:-text}"),
        ("${VAR-text}", "${VAR:-text}"),
        ("${VAR:?must be set}", "${VAR}"),
        ("$$HOME", "$HOME"),
        ("$${HOME}", "$${HOME}"),
        ("100$$", "100$"),
        ("${GIVEN}", "${GIVEN:-from dotenv}"),
        ("${GIVEN:-text}", "${GIVEN:-from dotenv}"),
        ("${GIVEN:?why}", "${GIVEN:-from dotenv}"),
    ],
)
def test_variables_are_written_the_catalogs_way(written: str, expected: str) -> None:
    assert translate(written, {"GIVEN": "from dotenv"}) == (expected, ())


@pytest.mark.parametrize(
    ("written", "expected"),
    [("${A:-${B:-c}}", "${A:-c}"), ("${A:+yes}", ""), ("$$${A}", "${A:-}")],
)
def test_what_has_no_counterpart_is_lost_and_told(written: str, expected: str) -> None:
    text, losses = translate(written, {})
    assert text == expected
    assert len(losses) == 1


@pytest.mark.parametrize("written", ["$", "$5", "${", "${}", "${A", "${1}", "${A!x}"])
def test_a_dollar_that_compose_would_refuse_is_refused(written: str) -> None:
    with pytest.raises(TemplateError):
        translate(written, {})


@given(
    st.lists(st.sampled_from(["$$", "$A", "${A}", "${A:-x}", "{", "}", "a", ":", " "]), max_size=8)
)
def test_a_translated_text_means_what_compose_makes_of_it(parts: list[str]) -> None:
    written = "".join(parts)
    try:
        text, losses = translate(written, {})
    except TemplateError:
        return
    if losses:
        return
    mistakes: list[Any] = []
    around = Surroundings(
        service="s",
        data="",
        services={},
        full_name=str,
        known_services=(),
        stack={},
        variables={"A": ""},
    )
    assert interpolate(text, around, mistakes) == evaluate(written, {})
    assert mistakes == []


def test_variables_that_repeat_each_other_do_not_take_all_memory(tmp_path: Path) -> None:
    lines = ["A0=xxxxxxxxxx", *(f"A{n}=${{A{n - 1}}}${{A{n - 1}}}" for n in range(1, 60))]
    (tmp_path / ".env").write_text("\n".join(lines))
    file = tmp_path / "compose.yaml"
    file.write_text("services: {a: {image: redis, environment: {Z: '${A59}'}}}")

    resolved = resolve_dotenv("\n".join(lines))
    load_foreign(file, catalog_directory=tmp_path)

    assert resolved["A5"] == "x" * 320
    assert max(map(len, resolved.values())) <= MOST_CHARACTERS


def test_variables_that_all_repeat_a_long_one_do_not_take_all_memory() -> None:
    lines = [f"A={'x' * 100_000}", *(f"A{n}=x$A" for n in range(5_000))]

    resolved = resolve_dotenv("\n".join(lines))

    assert resolved["A0"] == "x" * 100_001
    assert sum(map(len, resolved.values())) < 2 * MOST_IN_ALL


def test_one_long_variable_in_many_places_does_not_take_all_memory(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"A={'x' * 100_000}")
    file = tmp_path / "compose.yaml"
    words = ", ".join("'$A'" for _ in range(5_000))
    file.write_text(f"services: {{a: {{image: redis, command: [{words}]}}}}")

    with pytest.raises(ConfigError) as refused:
        load_foreign(file, catalog_directory=tmp_path)

    (problem,) = refused.value.problems
    assert "comes to more than 1048576 characters" in problem.message


@pytest.mark.parametrize("work", [translate, evaluate])
@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("${A:-" * 5_000 + "x" + "}" * 5_000, "more than 16 references in each other"),
        ("$LONG" * 100, "more than 131072 characters"),
    ],
)
def test_a_text_out_of_bounds_is_refused(work: Any, written: str, why: str) -> None:
    with pytest.raises(TemplateError, match=why):
        work(written, {"LONG": "x" * 10_000})


def test_a_dotenv_file_is_read_with_quotes_comments_and_references() -> None:
    text = "# c\nA=1 # one\nexport B='$A'\nC=\"${A}\\n\"\nD=\nwhat is this\n"
    assert parse_dotenv(text)[1] == [6]
    assert resolve_dotenv(text) == {"A": "1", "B": "$A", "C": "1\n", "D": ""}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("3000", [Mapped(3000, None)]),
        ("8080:80", [Mapped(80, 8080)]),
        ("127.0.0.1:8080:80", [Mapped(80, 8080, "127.0.0.1")]),
        ("127.0.0.1::80", [Mapped(80, None, "127.0.0.1")]),
        ("[::1]:8080:80/tcp", [Mapped(80, 8080, "[::1]")]),
        ("6060:6060/udp", [Mapped(6060, 6060, protocol="udp")]),
        ("3000-3001", [Mapped(3000, None), Mapped(3001, None)]),
        ("9090-9091:80-81", [Mapped(80, 9090), Mapped(81, 9091)]),
        ("8000-8010:80", [Mapped(80, 8000)]),
    ],
)
def test_ports_are_read_in_all_short_forms(written: str, expected: list[Mapped]) -> None:
    assert parse_port(written) == expected


@pytest.mark.parametrize(
    "written", ["", "abc", "80:", "0", "65536", "9-8", "1-2:1-3", "80:80:80:80"]
)
def test_what_is_no_port_is_an_error(written: str) -> None:
    with pytest.raises(PortError):
        parse_port(written)


@pytest.mark.parametrize(
    ("written", "seconds", "shown"),
    [
        ("1m30s", 90.0, "90s"),
        ("500ms", 0.5, "500ms"),
        ("1h", 3600.0, "3600s"),
        ("5", 5.0, "5s"),
        ("1.5s", 1.5, "1500ms"),
    ],
)
def test_durations_of_go_are_those_of_the_catalog(written: str, seconds: float, shown: str) -> None:
    assert parse_go_duration(written) == seconds
    assert write_duration(seconds) == shown


def test_what_is_no_amount_is_none() -> None:
    assert parse_go_duration("soon") is None
    assert parse_size("much") is None
    assert parse_size("1.5g") == 3 << 29


@given(st.lists(st.text(min_size=1, max_size=80), unique=True, max_size=6))
def test_every_name_gets_one_of_its_own_that_the_catalog_allows(foreign: list[str]) -> None:
    chosen = choose_names(foreign)
    assert list(chosen) == foreign
    assert len(set(chosen.values())) == len(foreign)
    for name in chosen.values():
        assert name not in AGENT_NAMES
        assert len(name) <= 63
        assert name.replace("-", "a").isalnum()
        assert name == name.lower()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("db:5432", "<db 5432>"),
        ("http://db:80/x", "http://<db 80>/x"),
        ("postgres://u:p@db/x", "postgres://u:p@<db 5432>/x"),
        ("db:5432,db:5433", "<db 5432>,<db 5433>"),
        ("db:${PORT:-1}", "<db None>:${PORT:-1}"),
        ("my-db:5432", "my-db:5432"),
        ("db.example.com:5432", "db.example.com:5432"),
        ("/var/db:5432", "/var/db:5432"),
        ("db", "db"),
        ("db:5432name", "db:5432name"),
    ],
)
def test_addresses_are_found_and_nothing_else(text: str, expected: str) -> None:
    finder = Finder(("db",))
    assert finder.rewrite(text, lambda each: f"<{each.word} {each.number}>") == expected


def test_a_name_alone_is_a_host_only_in_a_variable_for_one() -> None:
    finder = Finder(("db",))
    for key, expected in (("DB_HOST", "X"), ("POSTGRES_USER", "db"), ("DB_SERVER", "X")):
        assert finder.rewrite("db", lambda _: "X", key=key) == expected


VALUES = st.one_of(st.text(max_size=30), st.booleans(), st.integers(0, 10**6))


@given(
    st.dictionaries(st.text(min_size=1, max_size=12), VALUES, max_size=4),
    st.lists(st.text(max_size=40)),
)
def test_whatever_is_rendered_is_read_back(mapping: dict[str, Any], words: list[str]) -> None:
    entry: dict[str, Any] = {"name": "web", "env": mapping, "args": words}
    if not mapping:
        del entry["env"]
    text = f"services:\n{render_entry(entry)}"
    tree: Any = parse_document(text, Path("/x")).tree
    assert tree == {"services": [entry]}


# Procfiles.


def test_a_procfile_is_told_from_a_compose_file_by_what_is_in_it() -> None:
    assert is_procfile("web: run\nworker: work\n")
    assert is_procfile("# c\n\nweb: run")
    assert not is_procfile('version: "3"\nservices:\n  web:\n    image: x\n')
    assert not is_procfile('{"services": {}}')
    assert not is_procfile("")


def test_the_processes_of_a_procfile_are_programs_of_this_machine(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SECRET_KEY=s\nMODE=dev\n")
    (tmp_path / "Procfile").write_text((HERE / "Procfile").read_text())
    imported = load_foreign(tmp_path / "Procfile", catalog_directory=tmp_path)
    found = {str(each.name): each.entry for each in imported.services}
    assert found["web"]["command"] == [
        "/bin/sh",
        "-c",
        "bundle exec puma -p $PORT -C config/puma.rb",
    ]
    assert found["web"]["port"] == 5000
    assert found["worker"]["command"] == ["./bin/worker", "--queues", "default,mail"]
    assert found["css"]["command"][:2] == ["/bin/sh", "-c"]
    assert found["release"]["one_shot"] is True
    for entry in found.values():
        assert entry["working_directory"] == "."
        assert entry["env"] == {"SECRET_KEY": "s", "MODE": "dev"}
        assert entry["secrets"] == ["SECRET_KEY"]


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        *((name, True) for name in ("SMTP_PASS", "MYSQL_PWD", "db_pass", "AUTH_KEY", "SENTRY_DSN")),
        *((name, True) for name in ("SIGNING_KEY", "ENCRYPTIONKEY", "DJANGO_SECRET", "PASS_1")),
        *((name, False) for name in ("PWD", "OLDPWD", "BYPASS", "COMPASS_URL", "AUTH_KEY_FILE")),
    ],
)
def test_short_names_of_secrets_are_known_and_the_shells_directory_is_none(
    name: str, *, secret: bool
) -> None:
    assert is_secret(name) is secret


def load_compose(text: str, directory: Path) -> Imported:
    (directory / "compose.yaml").write_text(text)
    return load_foreign(directory / "compose.yaml", catalog_directory=directory)


@pytest.mark.parametrize(
    ("variable", "is_secret", "told"),
    [
        ("DATABASE_URL: postgres://app:word@elsewhere/x", True, "the password in it is written"),
        ("DATABASE_URL: postgres://app:${WORD}@elsewhere/x", True, ""),
        ("DATABASE_URL: postgres://elsewhere/x", False, ""),
        ("DATABASE_URL: postgres://app@elsewhere:5432/x", False, ""),
        ("API_TOKEN: abc", True, "its value is written"),
        ("API_TOKEN: ${API_TOKEN}", True, ""),
    ],
)
def test_a_password_in_an_address_is_a_secret_and_told_where_it_is_written_down(
    variable: str, told: str, tmp_path: Path, *, is_secret: bool
) -> None:
    text = f"services:\n  web:\n    image: web\n    environment:\n      {variable}\n"
    imported = load_compose(text, tmp_path)
    (service,) = imported.services
    assert service.entry.get("secrets", []) == (
        [variable.split(":", maxsplit=1)[0]] if is_secret else []
    )
    warnings = [each.message for each in imported.remarks if "written into" in each.message]
    assert len(warnings) == bool(told)
    assert all(warning.startswith(told) for warning in warnings)


def test_what_compose_would_not_start_either_is_held_back_with_the_reason(tmp_path: Path) -> None:
    imported = load_compose(
        """
services:
  db: {image: redis}
  web: {build: ./web, depends_on: [db]}
  front: {image: nginx, depends_on: [web]}
  debug: {image: alpine, profiles: [debug]}
""",
        tmp_path,
    )
    assert [each.name for each in imported.chosen] == ["db"]
    assert {str(each.name): each.held_back for each in imported.services} == {
        "db": "",
        "web": "its image has to be built first",
        "front": "needs web",
        "debug": "only on request, its `profiles` say",
    }
    text = render_project("shop", imported=imported)
    assert "\nwith: [db]\n# Not among them: web (its image has to be built first)" in text


def test_a_named_volume_is_empty_after_the_next_start(tmp_path: Path) -> None:
    imported = load_compose(
        """
services:
  db: {image: "mysql:8", volumes: ["db-data:/var/lib/mysql"]}
  long: {image: "mysql:8", volumes: [{type: volume, source: long-data, target: /data}]}
  nameless: {image: "x:1", volumes: [/cache, {type: volume, target: /more}]}
  bound: {image: "x:1", volumes: ["./site:/srv", {type: bind, source: ./conf, target: /conf}]}
volumes: {db-data: , long-data: }
""",
        tmp_path,
    )
    kept = {each.source_name: each.entry.get("persist", False) for each in imported.services}
    assert kept == {"db": True, "long": True, "nameless": False, "bound": False}
    told = [each for each in imported.remarks if "persist: true" in each.message]
    assert [(each.service, each.subject) for each in told] == [
        ("db", "volumes"),
        ("long", "volumes"),
    ]


def test_health_is_waited_for_that_nobody_says_how_to_ask_for(tmp_path: Path) -> None:
    imported = load_compose(
        """
services:
  web:
    image: web:1
    depends_on:
      api: {condition: service_healthy}
      quiet: {condition: service_healthy}
      checked: {condition: service_healthy}
      redis: {condition: service_healthy}
  api: {image: "api:1", ports: [8000]}
  quiet: {image: "quiet:1"}
  checked: {image: "checked:1", healthcheck: {test: [CMD, "true"]}}
  redis: {image: "redis:7"}
""",
        tmp_path,
    )
    told = [each.message for each in imported.remarks if "has no healthcheck" in each.message]
    assert [each.partition(";")[0] for each in told] == [
        "api has no healthcheck: it is healthy once its port accepts",
        "quiet has no healthcheck: it is healthy once it has lived a moment",
    ]


def test_lines_of_a_procfile_that_are_no_processes_are_all_listed(tmp_path: Path) -> None:
    file = tmp_path / "Procfile"
    file.write_text("web: run\nthis is nothing\nweb: again\n")
    with pytest.raises(ConfigError) as raised:
        load_foreign(file, catalog_directory=tmp_path)
    assert [(each.line, each.column) for each in raised.value.problems] == [(2, 1), (3, 1)]


# What compose itself would refuse, and hostile files.


def problems_of(text: str, tmp_path: Path) -> list[str]:
    file = tmp_path / "compose.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as raised:
        load_foreign(file, catalog_directory=tmp_path)
    return [str(each).partition("compose.yaml:")[2] for each in raised.value.problems]


def test_what_a_service_can_do_without_stays_so_unless_its_address_is_used(tmp_path: Path) -> None:
    imported = load_compose(
        """
services:
  web:
    image: web:1
    environment: {CACHE: "cache:6379"}
    depends_on:
      cache: {condition: service_healthy, required: false}
      metrics: {condition: service_healthy, required: false}
      gone: {condition: service_healthy, required: false}
      api: {condition: service_healthy}
  cache: {image: "redis:7"}
  metrics: {build: .}
  api: {image: "api:1"}
""",
        tmp_path,
    )
    web = imported.services[0]
    assert web.entry["depends_on"] == {"cache": {}, "metrics": {"required": False}, "api": {}}
    assert render_entry({"name": "web", "depends_on": web.entry["depends_on"]}).endswith(
        "    depends_on:\n      cache:\n      metrics:\n        required: false\n      api:\n"
    )
    # It can be started without what has no image yet.
    assert web.held_back == ""
    told = [each.message for each in imported.remarks if each.subject == "depends_on"]
    assert "cache is needed, because its address is; `required: false` is left out" in told
    assert "`gone` is not in the file, and can be done without: nothing waits for it" in told


def test_what_only_has_to_have_started_is_waited_for_until_it_is_healthy(tmp_path: Path) -> None:
    imported = load_compose(
        """
services:
  web:
    image: web:1
    depends_on:
      cache: {condition: service_started}
      metrics: {condition: service_started, required: false}
      api: {condition: service_healthy}
  job: {image: "job:1", depends_on: [cache]}
  cache: {image: "redis:7"}
  metrics: {image: "metrics:1"}
  api: {image: "api:1", healthcheck: {test: [CMD, "true"]}}
""",
        tmp_path,
    )
    needs = {str(each.name): each.entry.get("depends_on") for each in imported.services}
    assert needs["web"] == {
        "cache": {"condition": "started"},
        "metrics": {"condition": "started", "required": False},
        "api": {},
    }
    # A plain list says nothing of how far the other has to be.
    assert needs["job"] == ["cache"]
    assert [each for each in imported.remarks if each.subject == "depends_on"] == []


def test_what_is_printed_elsewhere_is_missing_in_a_service(tmp_path: Path) -> None:
    imported = load_compose(
        "services: {web: {image: web, logging: {driver: json-file, options: {max-size: 10m}}}}",
        tmp_path,
    )
    (remark,) = imported.remarks
    assert (remark.kind, remark.subject) == (RemarkKind.CHANGED, "logging")
    assert "`prismctl dev logs`" in remark.message


def test_a_service_that_extends_another_has_no_image_for_no_reason(tmp_path: Path) -> None:
    text = "services:\n  web: {image: web}\n  worker: {extends: {service: web}}\n"
    assert problems_of(text, tmp_path) == [
        "3:3: worker: has neither `image` nor `build`, and what it `extends` is not looked at"
    ]


def test_every_mistake_of_a_compose_file_is_listed_with_its_place(tmp_path: Path) -> None:
    text = """\
services:
  web:
    ports: ["eighty:80"]
    depends_on: [bd]
    environment: {PRICE: "$5"}
  db:
    image: postgres
    healthcheck: {test: [pg_isready], interval: soon}
    deploy: {resources: {limits: {memory: much}}}
  odd: 7
"""
    found = problems_of(text, tmp_path)
    assert [each.split(": ", 1)[0] for each in found] == [
        "2:3",
        "3:13",
        "4:18",
        "5:19",
        "8:19",
        "8:39",
        "9:35",
        "10:3",
    ]
    assert "did you mean `db`?" in found[2]


def test_a_circle_of_dependencies_is_told_with_its_way(tmp_path: Path) -> None:
    text = """\
services:
  a: {image: x, depends_on: [b]}
  b: {image: x, depends_on: [c]}
  c: {image: x, depends_on: [a]}
"""
    (found,) = problems_of(text, tmp_path)
    assert found == "2:30: a: services depend on each other in a circle: a → b → c → a"


def test_a_service_that_needs_itself_is_an_error(tmp_path: Path) -> None:
    (found,) = problems_of("services:\n  a: {image: x, depends_on: [a]}\n", tmp_path)
    assert found == "2:30: a: depends on itself"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("services:\n  - web\n", "1:1: services is a list"),
        ("services: {}\n", "1:1: services is empty"),
        ("- a\n", "1:1: the file is a list"),
        ("volumes: {}\n", "1:1: services is missing"),
        ("services:\n\tweb: {}\n", "2:1: a tab indents this line"),
        ("services:\n  web: {image: *gone}\n", "2:16: alias"),
        ("services: &a\n  web: *a\n", "2:8: alias"),
        ("services:\n  web: {image: x}\n  web: {image: y}\n", "3:3: key `web` is there twice"),
    ],
)
def test_what_is_no_compose_file_is_said_to_be_none(
    text: str, expected: str, tmp_path: Path
) -> None:
    assert problems_of(text, tmp_path)[0].startswith(expected)


def test_a_bomb_of_aliases_is_refused_with_its_place(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    (found,) = problems_of("\n".join(["x: {}", *lines, "services: {}"]), tmp_path)
    assert "values, aliases followed" in found
    assert found[0].isdigit()


def test_a_file_of_five_megabytes_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "compose.yaml"
    file.write_text("services: {}\n" + "# filler\n" * 600_000)
    with pytest.raises(ConfigError, match="at most 1\\.0 MB are read"):
        load_foreign(file, catalog_directory=tmp_path)


def test_a_file_that_is_not_utf_8_is_refused_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "compose.yaml"
    file.write_bytes(b"services:\n  web: {image: caf\xe9}\n")
    with pytest.raises(ConfigError) as raised:
        load_foreign(file, catalog_directory=tmp_path)
    (problem,) = raised.value.problems
    assert (problem.line, problem.column) == (2, 19)


@given(st.text(alphabet=st.sampled_from("services:\n  web-image\t[]{}\"'$&*|>#,123"), max_size=120))
def test_whatever_a_file_says_it_is_translated_or_its_problems_are_listed(text: str) -> None:
    from prismctl.domain.importing.compose import translate_compose
    from prismctl.domain.importing.reading import Around

    around = Around(project="p", catalog_directory="/p", variables={}, read_text=lambda _: None)
    with contextlib.suppress(ConfigError):
        translate_compose(
            parse_document(f"services:\n  web:\n    {text}", Path("/p/c.yaml")), around
        )

"""`catalog import` and `init --project`: what they write, ask, tell and end with."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from prismctl.files.catalog import load_catalog
from prismctl.files.project import load_project
from prismctl.files.yaml import parse_document
from tests.desk import ended_with, read_to_end, words

if TYPE_CHECKING:
    from prismctl.files.paths import Home
    from tests.desk import Desk

COMPOSE = """\
services:
  web:
    image: example/web
    ports: ["8080:8080"]
    environment: {CACHE: "cache:6379", API_TOKEN: hush}
  cache:
    image: redis:7
"""
LOSSY = f"{COMPOSE}    privileged: true\n"


@pytest.fixture
def compose(home: Home) -> Path:
    del home
    file = Path("compose.yaml")
    file.write_text(COMPOSE)
    return file


def test_services_come_into_the_catalog_of_home(prismctl: Any, home: Home, compose: Path) -> None:
    answer = prismctl("dev", "catalog", "import", str(compose))
    assert answer.code == 0, answer.err
    assert "added    web" in answer.out
    assert "`cache:6379` is `${cache.host}:${cache.port}`" in answer.err
    assert "`prismctl dev start --with web --with cache` starts them" in answer.err
    catalog = load_catalog(home)
    assert {"web", "cache", "redis", "prism-admin"} <= set(catalog.names)
    # What was there stays, comments included.
    assert "# Core (always required)" in home.catalog.read_text()
    assert home.catalog.stat().st_mode & 0o777 == 0o600
    assert prismctl("dev", "catalog", "validate").code == 0


def test_a_dry_run_shows_the_entries_and_touches_nothing(
    prismctl: Any, home: Home, compose: Path
) -> None:
    answer = prismctl("dev", "catalog", "import", str(compose), "--dry-run")
    assert answer.code == 0
    assert answer.out.startswith("  - name: web\n")
    assert "hush" not in answer.out
    assert "nothing was written" in answer.err
    assert not home.directory.exists()


def test_what_is_left_out_ends_with_partial_and_is_listed_even_quietly(
    prismctl: Any, compose: Path
) -> None:
    compose.write_text(LOSSY)
    answer = prismctl("dev", "catalog", "import", str(compose), "--into", "own.yaml", "-q")
    assert answer.code == 7
    assert "cache privileged" in answer.err
    assert "compose.yaml:8:5" in answer.err
    assert "1 thing of compose.yaml could not be taken over; all else was" in answer.err
    assert prismctl("dev", "catalog", "validate", "own.yaml").code == 0


def test_the_document_has_entries_and_remarks_with_places(prismctl: Any, compose: Path) -> None:
    compose.write_text(LOSSY)
    answer = prismctl("dev", "catalog", "import", str(compose), "--into", "own.yaml", "-o", "json")
    assert answer.code == 7
    assert answer.err == ""
    document = answer.document
    assert set(document) == {
        "schema", "file", "kind", "into", "written", "services", "remarks", "summary",
    }  # fmt: skip
    assert (document["kind"], document["written"]) == ("compose", True)
    assert [each["action"] for each in document["services"]] == ["added", "added"]
    assert document["services"][0]["entry"]["env"]["API_TOKEN"] == "(secret)"
    (left_out,) = [each for each in document["remarks"] if each["kind"] == "left-out"]
    assert (left_out["service"], left_out["subject"], left_out["line"]) == (
        "cache",
        "privileged",
        8,
    )
    assert document["summary"]["left-out"] == 1


def test_services_that_are_there_already_are_refused_and_replaced_with_yes(
    prismctl: Any, compose: Path
) -> None:
    own = Path("own.yaml")
    text = "# mine\nservices:\n  - name: cache\n    container: old/cache\n"
    own.write_text(text)
    arguments = ("dev", "catalog", "import", str(compose), "--into", "own.yaml")
    answer = prismctl(*arguments)
    assert answer.code == 2
    assert "compose.yaml:6:3: cache: own.yaml has a service of this name" in answer.err
    assert own.read_text() == text
    answer = prismctl(*arguments, "--yes")
    assert answer.code == 0
    assert "replaced cache" in answer.out
    assert own.read_text().startswith("# mine\n")
    assert "old/cache" not in own.read_text()


@pytest.mark.parametrize(("key", "code", "kept"), [("r", 0, False), ("k", 7, True), ("q", 1, True)])
def test_on_a_terminal_somebody_is_asked_about_what_is_there(
    desk: Desk, key: str, code: int, *, kept: bool
) -> None:
    own = desk.directory / "own.yaml"
    own.write_text("services:\n  - name: cache\n    container: old/cache\n    port: 6379\n")
    (desk.directory / "compose.yaml").write_text(COMPOSE)
    child = desk.terminal(["dev", "catalog", "import", "compose.yaml", "--into", "own.yaml"])
    child.expect("own.yaml has cache already")
    child.expect("write nothing")
    child.send(key)
    shown = words(read_to_end(child))
    assert ended_with(child) == code, shown
    assert ("old/cache" in own.read_text()) is kept
    assert ("name: web" in own.read_text()) is (key != "q")


def test_mistakes_of_the_file_are_listed_and_nothing_is_written(
    prismctl: Any, home: Home, compose: Path
) -> None:
    compose.write_text("services:\n  web: {image: x, depends_on: [gone]}\n  odd: 7\n")
    answer = prismctl("dev", "catalog", "import", str(compose))
    assert answer.code == 2
    assert "compose.yaml:2:32" in answer.err
    assert "compose.yaml:3:3" in answer.err
    assert not home.directory.exists()
    assert prismctl("dev", "catalog", "import", "not-there.yaml").code == 2


def test_a_procfile_is_imported_too(prismctl: Any, home: Home) -> None:
    del home
    Path("Procfile").write_text("web: ./serve --port $PORT\n")
    answer = prismctl("dev", "catalog", "import", "Procfile", "--into", "own.yaml", "-o", "json")
    assert answer.code == 0
    assert answer.document["kind"] == "procfile"
    assert prismctl("dev", "catalog", "validate", "own.yaml").code == 0


# A project.


def test_a_project_file_is_written_and_valid(prismctl: Any, home: Home) -> None:
    Path("build/binaries").mkdir(parents=True)
    Path("build/binaries/prism-proxy").touch()
    answer = prismctl("dev", "init", "--project")
    assert answer.code == 0, answer.err
    text = Path("prism.yaml").read_text()
    assert "of their names: prism-proxy" in text
    project = load_project(Path.cwd())
    assert project is not None
    assert (project.stack, project.preset) == ("work", "minimal")
    assert not home.directory.exists()
    assert prismctl("dev", "start", "--dry-run", "--engine", "local").code == 0


def test_the_service_in_a_new_project_file_is_started_once_the_marks_are_off(
    prismctl: Any,
) -> None:
    assert prismctl("dev", "init", "--project").code == 0
    Path("bin").mkdir()
    Path("bin/api").write_text("#!/bin/sh\n")
    Path("bin/api").chmod(0o755)
    file = Path("prism.yaml")
    written = file.read_text()
    example = re.search(r"(?m)^# with: \[api\].*\n# services:\n(?:#  .*\n)+", written)
    assert example is not None
    bare = re.sub(r"(?m)^# ", "", example[0])
    words = ("dev", "start", "--dry-run", "--engine", "local", "--auto-ports")

    file.write_text(written.replace(example[0], bare))
    chosen = prismctl(*words)
    file.write_text(written.replace(example[0], bare.partition("\n")[2]))
    forgotten = prismctl(*words)

    assert chosen.code == 0, chosen.err
    assert re.search(r"(?m)^\W*(plan +)?api\b", chosen.out), chosen.out
    assert "nobody chose" not in chosen.err
    assert forgotten.code == 0, forgotten.err
    assert "prism.yaml describes api, which nobody chose: `with: [api]` in it" in forgotten.err


def test_a_catalog_that_was_imported_starts_none_of_its_services_without_a_word(
    prismctl: Any,
) -> None:
    Path("compose.yaml").write_text(
        "services: {web: {image: 'web:1', logging: {driver: none}, init: true}}"
    )
    tried = prismctl("dev", "catalog", "import", "compose.yaml", "--into", "own.yaml", "--dry-run")
    assert "`prismctl dev catalog import compose.yaml --into own.yaml` writes what can" in tried.err
    assert "starts it" not in tried.err
    brought = prismctl("dev", "catalog", "import", "compose.yaml", "--into", "own.yaml")
    assert "`prismctl dev start --services own.yaml --with web` starts it" in brought.err

    words = ("dev", "start", "--services", "own.yaml", "--dry-run", "--engine", "local")
    forgotten = prismctl(*words, "--auto-ports")
    assert forgotten.code == 0, forgotten.err
    assert "own.yaml describes web, which nobody chose: `default: true`" in forgotten.err
    assert "`--with web`" in forgotten.err
    # Who says what to start has not forgotten anything.
    assert "nobody chose" not in prismctl(*words, "--auto-ports", "--preset=minimal").err
    own = Path("own.yaml")
    own.write_text(own.read_text().replace("container: web:1", "command: sh\n    default: true"))
    chosen = prismctl(*words, "--auto-ports")
    assert chosen.code == 0, chosen.err
    assert "nobody chose" not in chosen.err
    assert re.search(r"(?m)^\W*(plan +)?web\b", chosen.out), chosen.out


def test_every_commented_key_of_a_project_file_is_one_that_there_is(
    prismctl: Any, home: Home
) -> None:
    del home
    prismctl("dev", "init", "--project")
    file = Path("prism.yaml")
    begins = ("# stack:", "# with:", "# without:", "# settings:", "#   ", "# services:")
    kept = [
        line
        for line in file.read_text().splitlines()
        if not line.startswith("# ") or line.startswith(begins)
    ]
    file.write_text("\n".join(line.removeprefix("# ") for line in kept) + "\n")
    project = load_project(Path.cwd())
    assert project is not None
    assert project.settings is not None
    assert project.has_services
    assert project.with_services == ("api",)


def test_a_compose_file_beside_it_is_named_or_with_yes_imported(
    prismctl: Any, compose: Path
) -> None:
    assert prismctl("dev", "init", "--project").code == 0
    text = Path("prism.yaml").read_text()
    assert "prismctl dev catalog import compose.yaml --into prism.yaml" in text
    answer = prismctl("dev", "init", "--project", "--yes", "-o", "json")
    assert answer.code == 0
    assert answer.document["import"]["summary"]["services"] == 2
    project = load_project(Path.cwd())
    assert project is not None
    assert project.with_services == ("web", "cache")
    # Into the file that is there, with a question about neither.
    prismctl("dev", "init", "--project", "--dry-run")
    assert load_project(Path.cwd()) == project
    compose.write_text(COMPOSE.replace("cache", "other"))
    assert prismctl("dev", "catalog", "import", "compose.yaml", "--into", "prism.yaml").code == 2


WITH_FILES = """\
services:
  web:
    image: example/web
    env_file: app.env
    environment:
      OWN_TOKEN: from-the-compose-file
      DB_PASS: ${DB_PASS}
      LITERAL: $${DB_PASS}
"""
APP_ENV = "MODE=dev\nSMTP_PASS=hush\nDATABASE_URL=postgres://app:hush@elsewhere/x\nOWN_TOKEN=hush\n"
WITHHELD = {
    "MODE": "dev",
    "SMTP_PASS": "${SMTP_PASS}",
    "DATABASE_URL": "${DATABASE_URL}",
    "OWN_TOKEN": "from-the-compose-file",
    "DB_PASS": "${DB_PASS}",
    "LITERAL": "$${DB_PASS}",
}


@pytest.fixture
def with_files(compose: Path) -> Path:
    compose.write_text(WITH_FILES)
    for name, text in (("app.env", APP_ENV), (".env", "DB_PASS=hush{}\n")):
        Path(name).write_text(text)
        Path(name).chmod(0o600)
    return compose


def entry_of(file: str) -> dict[str, Any]:
    tree = parse_document(Path(file).read_text(), Path(file)).tree
    assert isinstance(tree, dict)
    (entry,) = tree["services"]
    return dict(entry)


@pytest.mark.parametrize(
    "command",
    [
        ("dev", "init", "--project", "--yes"),
        ("dev", "catalog", "import", "compose.yaml", "--into", "prism.yaml"),
    ],
)
def test_secrets_of_files_of_variables_do_not_come_into_a_project_file(
    prismctl: Any, with_files: Path, command: tuple[str, ...]
) -> None:
    del with_files
    answer = prismctl(*command)
    assert answer.code == 0, answer.err
    entry = entry_of("prism.yaml")
    assert entry["env"] == WITHHELD
    assert sorted(entry["secrets"]) == ["DATABASE_URL", "DB_PASS", "OWN_TOKEN", "SMTP_PASS"]
    assert "hush" not in Path("prism.yaml").read_text() + answer.out + answer.err
    told = " ".join(answer.err.split())
    assert "its value stays in `app.env`, `${SMTP_PASS}` reads it from your shell" in told
    assert "`set -a; . ./app.env; set +a` puts it there" in told
    assert "its value stays in `.env`, `${DB_PASS}` reads it from your shell" in told
    assert Path("prism.yaml").stat().st_mode & 0o777 == 0o600


def test_a_catalog_with_secrets_of_files_of_variables_is_for_nobody_else(
    prismctl: Any, with_files: Path
) -> None:
    prismctl("dev", "catalog", "import", str(with_files), "--into", "own.yaml")
    assert entry_of("own.yaml")["env"]["SMTP_PASS"] == "hush"
    assert Path("own.yaml").stat().st_mode & 0o777 == 0o600


def test_secrets_beside_a_procfile_do_not_come_into_a_project_file(
    prismctl: Any, home: Home
) -> None:
    del home
    Path("Procfile").write_text("web: ./bin/web\n")
    Path(".env").write_text("SMTP_PASS=hush\nMODE=dev\n")
    answer = prismctl("dev", "init", "--project", "--yes")
    assert answer.code == 0, answer.err
    assert entry_of("prism.yaml")["env"] == {"SMTP_PASS": "${SMTP_PASS}", "MODE": "dev"}
    assert "`set -a; . ./.env; set +a` puts it there" in " ".join(answer.err.split())


@pytest.mark.parametrize(("key", "code"), [("y", 0), ("n", 0), ("q", 1)])
def test_on_a_terminal_a_compose_file_is_offered(desk: Desk, key: str, code: int) -> None:
    (desk.directory / "repository").mkdir()
    (desk.directory / "repository" / "compose.yaml").write_text(COMPOSE)
    child = desk.terminal(["dev", "init", "--project", "repository"])
    child.expect("compose.yaml describes 2 services")
    child.expect("write nothing")
    child.send(key)
    shown = words(read_to_end(child))
    assert ended_with(child) == code, shown
    file = desk.directory / "repository" / "prism.yaml"
    assert file.exists() is (key != "q")
    if file.exists():
        assert ("  - name: web" in file.read_text()) is (key == "y")


def test_a_project_file_that_is_there_is_kept(prismctl: Any, home: Home) -> None:
    del home
    Path("prism.yaml").write_text("stack: mine\n")
    answer = prismctl("dev", "init", "--project")
    assert answer.code == 2
    assert "prism.yaml: is there already" in answer.err
    assert Path("prism.yaml").read_text() == "stack: mine\n"
    assert prismctl("dev", "init", "--project", "--yes").code == 0
    assert "preset: minimal" in Path("prism.yaml").read_text()


def test_no_project_is_made_of_a_home_or_of_everything(
    prismctl: Any, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(Path.cwd()))
    answer = prismctl("dev", "init", "--project")
    assert answer.code == 2
    assert "is a home directory" in answer.err
    assert "is the top of everything" in prismctl("dev", "init", "--project", "/").err
    home.directory.mkdir()
    assert "is prismctl's own" in prismctl("dev", "init", "--project", str(home.directory)).err
    assert prismctl("dev", "init", "--project", "gone").code == 2
    assert not Path("prism.yaml").exists()

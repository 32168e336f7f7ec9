from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from prismctl.domain.absent_dependencies import find_absent_dependencies
from prismctl.domain.service import ServiceName
from prismctl.errors import ConfigError, PrismError
from prismctl.files.catalog import load_catalog
from prismctl.files.catalog_names import recall_names
from prismctl.files.paths import Home
from prismctl.present.catalog import catalog_lines, render_catalog_list

if TYPE_CHECKING:
    from pathlib import Path

    from prismctl.domain.service import ServiceDefinition

CATALOG = """\
services:
  - name: web
    command: [./web, --fast]
    env: {A: "1", B: "2"}
    port: 8080
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    directory = tmp_path / "home"
    directory.mkdir(mode=0o700)
    return Home(directory)


def load(home: Home, overlay: str, *, catalog: str = CATALOG) -> dict[str, ServiceDefinition]:
    home.catalog.write_text(catalog)
    (home.directory / "services.local.yaml").write_text(overlay)
    return {str(name): each for name, each in load_catalog(home).services.items()}


def test_an_overlay_completes_services_and_adds_its_own(home: Home) -> None:
    overlay = "services: [{name: web, env: {B: mine}, port: 9090}, {name: extra, command: [./x]}]"
    services = load(home, overlay)
    assert services["web"].env == {"A": "1", "B": "mine"}
    assert services["web"].command == (f"{home.directory}/web", "--fast")
    assert [port.number for port in services["web"].ports] == [9090]
    assert services["extra"].command == (f"{home.directory}/x",)


def test_an_overlay_lies_over_an_untouched_catalog_and_over_none(home: Home) -> None:
    overlay = home.directory / "services.local.yaml"
    overlay.write_text("services: [{name: redis, port: 6380}]")
    for creates in (False, True):
        redis = load_catalog(home, creates=creates).find("redis")
        assert redis is not None
        assert [port.number for port in redis.ports] == [6380]
    assert home.catalog.exists()


def test_a_file_given_for_one_call_has_an_overlay_of_its_own(home: Home, tmp_path: Path) -> None:
    given = tmp_path / "mine.yaml"
    given.write_text(CATALOG)
    (tmp_path / "mine.local.yaml").write_text("services: [{name: web, replicas: 3}]")
    web = load_catalog(home, given).find("web")
    assert web is not None
    assert web.replicas == 3


def test_an_overlay_does_not_stand_in_for_a_file_that_is_not_there(
    home: Home, tmp_path: Path
) -> None:
    (tmp_path / "mine.local.yaml").write_text("services: [{name: web, command: x}]")
    with pytest.raises(PrismError, match=r"mine\.yaml"):
        load_catalog(home, tmp_path / "mine.yaml")


def test_both_files_are_named_where_services_are_listed(home: Home) -> None:
    load(home, "services: [{name: web, replicas: 2}]")
    catalog = load_catalog(home)
    assert catalog.file.endswith("services.yaml + services.local.yaml")
    document = render_catalog_list(catalog)
    assert [each.rpartition("/")[2] for each in document["sources"]] == [
        "services.yaml",
        "services.local.yaml",
    ]
    last = catalog_lines(catalog, width=120)[-1]
    assert "services.local.yaml" in str(last)


@pytest.mark.parametrize("overlay", ["", "# services:\n#   - name: web\n", "services: []"])
def test_an_overlay_without_services_changes_nothing(home: Home, overlay: str) -> None:
    assert load(home, overlay)["web"].env == {"A": "1", "B": "2"}


@pytest.mark.parametrize(
    ("overlay", "problem"),
    [
        ("service: []", "services.local.yaml:1:1: unknown key `service`; did you mean `services`?"),
        ("core: false\nservices: []", "services.local.yaml:1:1: unknown key `core`"),
        (
            "services:\n  - {name: web, prot: 1}",
            "services.local.yaml:2:17: web: unknown key `prot`; did you mean `port`?",
        ),
        ("services:\n  - {name: wbe, port: 1}", "wbe: has neither `command` nor `container`"),
        (
            "services:\n  - {name: web, depends_on: [wbe]}",
            "services.local.yaml:2:30: web: depends on `wbe`, which is not in the file",
        ),
    ],
)
def test_mistakes_of_an_overlay_stand_at_their_place_in_it(
    home: Home, overlay: str, problem: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        load(home, overlay)
    assert problem in "\n".join(str(each) for each in raised.value.problems)
    assert raised.value.hint is not None
    assert "services.yaml" in raised.value.hint


def test_what_a_catalog_can_do_without_may_come_with_the_overlay(home: Home) -> None:
    needs = "services: [{name: api, command: x, depends_on: {extra: {required: false}}}]"
    home.catalog.write_text(needs)
    overlay = home.directory / "services.local.yaml"
    # The entry over it says nothing of what it depends on.
    overlay.write_text("services: [{name: api, env: {A: b}}]")
    catalog = load_catalog(home)
    (note,) = find_absent_dependencies(catalog)
    assert (note.file, note.line) == (str(home.catalog), 1)
    overlay.write_text("services: [{name: extra, command: x}]")
    catalog = load_catalog(home)
    assert find_absent_dependencies(catalog) == ()
    assert catalog.services[ServiceName("api")].depends_on == ("extra",)


def test_names_that_an_overlay_brings_are_not_missed_by_the_tab_key(home: Home) -> None:
    load(home, "services: []")
    known = recall_names(home)
    assert known is not None
    assert "extra" not in known
    (home.directory / "services.local.yaml").write_text("services: [{name: extra, command: x}]")
    assert recall_names(home) is None
    load_catalog(home)
    assert "extra" in (recall_names(home) or ())

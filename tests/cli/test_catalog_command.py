"""What `prismctl dev catalog` says to somebody who writes one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prismctl.files.paths import Home


def validate(prismctl: Any, text: str) -> Any:
    Path("own.yaml").write_text(text)
    return prismctl("dev", "catalog", "validate", "own.yaml", "-o", "json")


def test_validate_finds_a_port_that_two_default_services_have(prismctl: Any) -> None:
    text = """
core: false
services:
  - {name: a, command: x, port: 18081}
  - {name: b, command: x, ports: [18082, 18081], default: true, depends_on: a}
"""
    answer = validate(prismctl, text)
    assert answer.code == 2
    (problem,) = answer.document["error"]["problems"]
    assert problem["message"] == "port 18081 is asked for by both a and b"
    assert (problem["line"], problem["column"]) == (5, 34)
    assert "`auto` for a free one" in answer.document["error"]["hint"]
    # Of what nothing brings together, one or the other can be started.
    assert validate(prismctl, text.replace(", default: true, depends_on: a", "")).code == 0


def test_validate_does_not_advise_to_validate(prismctl: Any) -> None:
    answer = validate(prismctl, "services: [{name: a, contianer: x, command: x}]")
    assert answer.code == 2
    assert answer.document["error"]["hint"] == ""
    elsewhere = prismctl("dev", "catalog", "list", "--services", "own.yaml", "-o", "json")
    assert "catalog validate own.yaml" in elsewhere.document["error"]["hint"]


def test_a_catalog_that_is_not_there_is_not_called_valid(prismctl: Any, home: Home) -> None:
    answer = prismctl("dev", "catalog", "validate", "-o", "text")
    assert answer.code == 0
    assert answer.out.startswith("there is no ")
    assert answer.out.endswith("services.yaml yet; what ships is valid: 10 services\n")
    assert prismctl("dev", "catalog", "validate", "-o", "json").document["exists"] is False
    home.directory.mkdir()
    (home.directory / "services.local.yaml").write_text("services: [{name: web, command: x}]\n")
    assert "services.local.yaml is valid: 11 services" in (
        prismctl("dev", "catalog", "validate", "-o", "text").out
    )


def test_a_dependency_that_nothing_is_called_is_a_note_and_no_mistake(prismctl: Any) -> None:
    needs = "{backedn: {required: false}}"
    text = f"core: false\nservices: [{{name: backend, command: sh}}, {{name: web, command: sh, default: true, depends_on: {needs}}}]"
    Path("noted.yaml").write_text(text)
    note = "web: does not wait for `backedn`, which is not in the file"
    answer = prismctl("dev", "catalog", "validate", "noted.yaml", "-o", "text")
    assert answer.code == 0
    assert answer.out.splitlines()[-1] == (
        f"note: noted.yaml:2:95: {note}; did you mean `backend`?"
    )
    (found,) = validate(prismctl, text).document["notes"]
    assert (found["message"], found["suggestion"], found["column"]) == (note, "backend", 95)
    started = prismctl("dev", "start", "--services", "noted.yaml", "--dry-run", "-o", "json")
    assert started.code == 0
    services = {each["name"]: each for each in started.document["services"]}
    assert services["web"]["depends_on"] == []


def test_the_list_has_no_way_to_look_for_a_service(prismctl: Any) -> None:
    Path("own.yaml").write_text(
        """
core: false
services:
  - {name: web, command: x, tags: [shop, http]}
  - {name: api, command: x, description: "Orders of the SHOP"}
  - {name: shop-db, command: x, tags: http}
  - {name: other, command: x}
"""
    )

    def found(*words: str) -> list[str]:
        answer = prismctl("dev", "catalog", "list", *words, "--services", "own.yaml", "-o", "json")
        assert answer.code == 0
        return [each["name"] for each in answer.document["services"]]

    assert found() == ["web", "api", "shop-db", "other"]
    assert found("shop") == ["web", "api", "shop-db"]
    assert found("Shop", "HTTP") == ["web", "shop-db"]
    nothing = prismctl("dev", "catalog", "list", "othr", "--services", "own.yaml", "-o", "json")
    assert nothing.code == 1
    assert nothing.document["error"]["message"] == (
        "no service has `othr` in its name, tags or description; did you mean `other`?"
    )


def test_a_mistake_in_a_service_of_the_project_is_called_valid(prismctl: Any) -> None:
    Path("prism.yaml").write_text("services:\n  - {name: web, command: x, one_shott: true}\n")
    for words in (["validate"], ["validate", "prism.yaml"], ["list"], ["show", "web"]):
        answer = prismctl("dev", "catalog", *words, "-o", "json")
        assert answer.code == 2
        (problem,) = answer.document["error"]["problems"]
        assert problem["file"].endswith("prism.yaml")
        assert (problem["line"], problem["suggestion"]) == (2, "one_shot")


def test_the_catalog_does_not_know_the_services_of_the_project(prismctl: Any, home: Home) -> None:
    """Nor is the project file taken for a catalog, which has no `preset` and nothing of what ships."""
    Path("prism.yaml").write_text(
        "preset: minimal\nwith: [web]\nservices:\n  - {name: web, command: x, depends_on: redis}\n"
    )
    for words in ([], ["prism.yaml"]):
        answer = prismctl("dev", "catalog", "validate", *words, "-o", "text")
        assert answer.code == 0, answer.err
        assert answer.out.endswith("services.yaml + prism.yaml is valid: 11 services\n")
    listed = prismctl("dev", "catalog", "list", "-o", "json").document
    assert "web" in {each["name"] for each in listed["services"]}
    assert listed["sources"][-1] == "prism.yaml"
    assert prismctl("dev", "catalog", "show", "web", "-o", "json").document["name"] == "web"
    assert not home.catalog.exists()
    # A catalog that is named stands for itself.
    Path("own.yaml").write_text("core: false\nservices: [{name: api, command: x}]\n")
    own = prismctl("dev", "catalog", "list", "--services", "own.yaml", "-o", "json").document
    assert [each["name"] for each in own["services"]] == ["api"]

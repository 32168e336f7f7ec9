"""What a clean takes and what it leaves, planned from what lies in a home."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from prismctl.errors import PrismError
from prismctl.files.paths import Home
from prismctl.install.cleaning.by_manifest import what_remains
from prismctl.install.cleaning.by_name import find_short_place
from prismctl.install.cleaning.planning import plan_cleaning
from prismctl.install.cleaning.targets import (
    NOT_OURS,
    WITH_ALL,
    CleaningPlan,
    Kind,
    Removal,
)
from prismctl.install.manifest import (
    InstalledPackages,
    InstalledTool,
    Manifest,
    with_created,
    with_packages,
    with_tool,
)
from prismctl.install.package_managers.removal import removal_command

if TYPE_CHECKING:
    from collections.abc import Mapping


def tool(file: str) -> InstalledTool:
    return InstalledTool(
        file=file,
        version=file.rpartition("-")[2],
        provider="release",
        source="https://releases.example/x.zip",
        sha256="0" * 64,
        verified="by a test",
    )


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home with one of everything, and things that are somebody else's."""
    home = Home(tmp_path / "home")
    for directory in (
        *(home.stacks / "default" / each for each in ("logs", "data/redis")),
        home.cache,
        home.downloads,
        home.profiles,
        home.tools,
        home.directory / "crashes",
        home.directory / "notes",
        home.snapshots / "default" / "before",
    ):
        directory.mkdir(parents=True)
    for file in (
        home.catalog,
        home.settings,
        home.manifest,
        home.profiles / "mine.yaml",
        home.profiles / "README",
        home.profiles / "profile.schema.json",
        home.directory / "services.schema.json",
        home.history,
        home.history_journal,
        home.damaged_history,
        home.directory / "init.lock",
        home.directory / ".manifest.json.4711.0badcafe",
        home.directory / ".mine.4711.0badcafe",
        home.directory / "notes" / "todo",
        home.tools / "nomad-1.11.3",
        home.tools / "consul-1.20.4",
        home.tools / "mine",
        home.stacks / "letter",
    ):
        file.write_text("x")
    (home.tools / "nomad").symlink_to("nomad-1.11.3")
    (home.tools / ".nomad.4711.0badcafe").symlink_to("nomad-1.11.3")
    return home


def plan(
    home: Home, manifest: Manifest | None = None, environment: Mapping[str, str] | None = None
) -> CleaningPlan:
    built = {"PRISM_TOOLS_DIR": str(home.directory.parent / "tools")}
    return plan_cleaning(home, manifest=manifest, environment=environment or built)


def goes(planned: CleaningPlan, home: Home) -> list[str]:
    return [
        str(each.path.relative_to(home.directory)) for each in (*planned.targets, *planned.last)
    ]


def stays(planned: CleaningPlan, home: Home) -> dict[str, str]:
    return {str(each.path.relative_to(home.directory)): each.why for each in planned.kept}


def test_state_goes_and_everything_else_stays(home: Home) -> None:
    planned = plan(home)
    assert set(goes(planned, home)) == {
        "run/default",
        "cache",
        "downloads",
        "crashes",
        "history.db.damaged",
        ".manifest.json.4711.0badcafe",
        "init.lock",
    }
    assert stays(planned, home) == {
        ".mine.4711.0badcafe": NOT_OURS,
        "notes": NOT_OURS,
        "run/letter": NOT_OURS,
        "bin": WITH_ALL,
        "config.yaml": WITH_ALL,
        "manifest.json": WITH_ALL,
        "history.db": WITH_ALL,
        "history.db-journal": WITH_ALL,
        "profiles": WITH_ALL,
        "services.schema.json": WITH_ALL,
        "services.yaml": WITH_ALL,
        "snapshots": WITH_ALL,
    }
    assert planned.stacks == ("default",)
    assert planned.size_bytes > 0


def test_all_takes_tools_and_settings_and_the_manifest_last(home: Home) -> None:
    planned = plan(home, with_tool(Manifest(), "nomad", tool("nomad-1.11.3")))
    names = goes(planned, home)
    assert set(names) >= {
        "bin/.nomad.4711.0badcafe",
        "bin/nomad",
        "bin/nomad-1.11.3",
        "services.yaml",
        "services.schema.json",
        "config.yaml",
        "history.db",
        "history.db-journal",
        "history.db.damaged",
        "profiles/mine.yaml",
        "profiles/profile.schema.json",
        "snapshots",
    }
    assert names[-2:] == ["manifest.json", "init.lock"]
    assert stays(planned, home) == {
        ".mine.4711.0badcafe": NOT_OURS,
        "bin/mine": NOT_OURS,
        "notes": NOT_OURS,
        "profiles/README": NOT_OURS,
        "run/letter": NOT_OURS,
    }


def test_a_program_that_was_placed_but_not_yet_written_down_is_ours_by_its_name(home: Home) -> None:
    assert "bin/consul-1.20.4" in goes(plan(home, Manifest()), home)


def test_a_name_never_outlives_its_program(home: Home) -> None:
    names = goes(plan(home, Manifest()), home)
    assert names.index("bin/nomad") < names.index("bin/nomad-1.11.3")


def test_a_program_somebody_put_into_bin_under_a_tools_name_stays(home: Home) -> None:
    (home.tools / "consul").write_text("mine")
    assert stays(plan(home, Manifest()), home)["bin/consul"] == NOT_OURS


@pytest.mark.parametrize("name", ["run", "cache", "profiles", "bin"])
def test_a_link_in_place_of_a_directory_goes_and_is_not_looked_into(
    name: str, home: Home, tmp_path: Path
) -> None:
    (home.directory / name).rename(tmp_path / "elsewhere")
    (home.directory / name).symlink_to(tmp_path / "elsewhere")
    names = goes(plan(home, Manifest()), home)
    assert name in names
    assert not any(each.startswith(f"{name}/") for each in names)


def test_stacks_behind_a_link_are_stopped_all_the_same(home: Home, tmp_path: Path) -> None:
    home.stacks.rename(tmp_path / "elsewhere")
    home.stacks.symlink_to(tmp_path / "elsewhere")
    assert plan(home).stacks == ("default",)


def test_what_the_manifest_says_was_made_goes(home: Home, tmp_path: Path) -> None:
    built = tmp_path / "tools" / "nomad-1.11.3-0123456789ab"
    built.parent.mkdir()
    built.write_text("x")
    (built.parent / ".nomad.lock").touch()
    (built.parent / "other").touch()
    (home.directory / "containers.conf").write_text("x")
    manifest = with_created(with_created(Manifest(), "containers.conf"), built)
    planned = plan(home, manifest)
    paths = [each.path for each in planned.targets]
    assert home.directory / "containers.conf" in paths
    assert built in paths
    assert [each.path.name for each in planned.targets if each.removal is Removal.LOCK] == [
        ".nomad.lock"
    ]
    assert built.parent / "other" not in paths
    assert built.parent in planned.emptied
    assert planned.emptied[-1] == home.directory
    assert "containers.conf" not in stays(planned, home)


@pytest.mark.parametrize(
    "created", ["/etc/passwd", "../other", "bin/../../other", "/", "notes/../..", "..", "."]
)
def test_a_path_outside_of_what_we_look_after_is_refused(
    created: str, home: Home, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    planned = plan(home, with_created(Manifest(), created))
    before = plan(home, Manifest())
    assert planned.targets == before.targets
    if created != ".":
        assert len(planned.kept) == len(before.kept) + 1


def test_a_path_behind_a_link_is_refused(home: Home, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_text("x")
    (home.directory / "link").symlink_to(tmp_path / "outside")
    planned = plan(home, with_created(Manifest(), "link/file"))
    assert not any(each.startswith("link") for each in goes(planned, home))
    assert stays(planned, home)["link/file"] == "it lies behind a link"


def test_the_manifest_cannot_make_the_settings_of_somebody_disappear_without_all(
    home: Home,
) -> None:
    planned = plan(home)
    assert not [each for each in planned.targets if each.kind is not Kind.STATE]


def test_the_user_home_and_everything_above_it_is_never_cleaned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "ana"))
    (tmp_path / "ana" / ".prism").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "ana")
    for directory in (tmp_path / "ana", tmp_path, Path("/"), tmp_path / "link"):
        with pytest.raises(PrismError, match="not cleaned"):
            plan(Home(directory))
    assert not plan(Home(tmp_path / "ana" / ".prism")).kept


def test_a_home_that_is_not_there_has_nothing_to_remove(tmp_path: Path) -> None:
    assert plan(Home(tmp_path / "none")).is_empty
    assert plan(Home(tmp_path / "none"), Manifest()).is_empty


def test_a_home_that_is_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "home").touch()
    with pytest.raises(PrismError, match="cannot read"):
        plan(Home(tmp_path / "home"))


def test_sockets_in_a_short_place_go_before_the_stack_that_knows_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path / ("long" * 30))
    paths = home.stack("default")
    with tempfile.TemporaryDirectory(prefix="prism-lab-") as runtime:
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
        paths.ensure()
        # In another shell, with another place of its own.
        monkeypatch.delenv("XDG_RUNTIME_DIR")
        place = paths.socket_directory
        assert place.parent == Path(runtime)
        planned = plan(home)
    assert [each.path for each in planned.targets] == [place, paths.directory]


@pytest.mark.parametrize("pointer", ["/etc", "{top}/somewhere", "{top}/prismctl-0000000000000000"])
def test_a_pointer_to_anything_but_the_stacks_own_place_is_not_followed(
    pointer: str, tmp_path: Path
) -> None:
    paths = Home(tmp_path / "home").stack("default")
    paths.directory.mkdir(parents=True)
    place = Path(pointer.format(top=tmp_path))
    place.mkdir(exist_ok=True)
    paths.socket_pointer.write_text(f"{place}\n")
    assert find_short_place(paths) is None


def test_images_and_packages_come_from_the_manifest(home: Home) -> None:
    manifest = Manifest(images=("sha256:" + "a" * 64, "--all", "redis"))
    manifest = with_packages(manifest, InstalledPackages(manager="apt", names=("podman", "crun")))
    manifest = with_packages(manifest, InstalledPackages(manager="apt", names=("--force",)))
    manifest = with_packages(manifest, InstalledPackages(manager="pacman", names=("x",)))
    planned = plan(home, manifest)
    assert planned.images == ("sha256:" + "a" * 64,)
    assert [removal_command(each) for each in planned.packages] == [
        ("dpkg", "--purge", "podman", "crun")
    ]


def test_the_manifest_keeps_what_is_still_there(home: Home) -> None:
    manifest = with_tool(Manifest(), "nomad", tool("nomad-1.11.2"))
    manifest = with_tool(manifest, "nomad", tool("nomad-1.11.3"))
    manifest = with_tool(manifest, "consul", tool("consul-1.20.5"))
    for created in ("notes", "gone", "/etc"):
        manifest = with_created(manifest, created)
    packages = InstalledPackages(manager="apt", names=("podman",))
    rest = what_remains(manifest, home, plan(home, manifest), packages=[packages], images=["a"])
    assert rest.created == ("notes",)
    assert list(rest.tools) == ["nomad"]
    assert rest.tools["nomad"].current == "nomad-1.11.3"
    assert rest.tools["nomad"].previous == ""
    assert rest.packages == (packages,)
    assert rest.images == ("a",)


def test_planning_touches_nothing(home: Home) -> None:
    def look() -> list[tuple[str, int]]:
        return sorted((str(each), each.lstat().st_mtime_ns) for each in home.directory.rglob("*"))

    before = look()
    plan(home, Manifest())
    assert look() == before
    assert os.access(home.directory, os.W_OK)

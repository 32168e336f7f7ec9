"""The record of what was put onto a machine: read back as written, refused when it cannot be trusted."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from prismctl.errors import PrismError
from prismctl.files.paths import Home
from prismctl.install.manifest import (
    InstalledPackages,
    InstalledTool,
    Manifest,
    change_manifest,
    read_manifest,
    rolled_back,
    with_created,
    with_image,
    with_packages,
    with_tool,
    write_manifest,
)

if TYPE_CHECKING:
    from pathlib import Path


def tool(version: str) -> InstalledTool:
    return InstalledTool(
        file=f"nomad-{version}",
        version=version,
        provider="release",
        source="https://releases.example/x.zip",
        sha256="0" * 64,
        verified="by a test",
    )


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "home").mkdir()
    return Home(tmp_path / "home")


def document(**changed: Any) -> str:
    full = {
        "schema": 1,
        "written_by": "0.1.0",
        "tools": {},
        "packages": [],
        "created": [],
        "images": [],
    }
    return json.dumps({**full, **changed})


def test_no_manifest_is_an_empty_one(home: Home) -> None:
    assert read_manifest(home) == Manifest()
    assert not home.manifest.exists()


def test_what_was_written_is_read(home: Home) -> None:
    manifest = with_tool(Manifest(images=("a",)), "nomad", tool("1.11.2"))
    manifest = with_tool(manifest, "nomad", tool("1.11.3"))
    manifest = with_created(manifest, "containers.conf")
    manifest = with_packages(manifest, InstalledPackages(manager="apt", names=("podman", "crun")))
    write_manifest(home, manifest)
    assert read_manifest(home) == manifest
    assert home.manifest.stat().st_mode & 0o777 == 0o600


def test_a_new_version_remembers_the_one_before() -> None:
    manifest = with_tool(with_tool(Manifest(), "nomad", tool("1.11.2")), "nomad", tool("1.11.3"))
    history = manifest.tools["nomad"]
    assert (history.current, history.previous) == ("nomad-1.11.3", "nomad-1.11.2")
    assert [each.version for each in history.installed] == ["1.11.2", "1.11.3"]


def test_the_same_version_again_keeps_the_way_back() -> None:
    manifest = with_tool(with_tool(Manifest(), "nomad", tool("1.11.2")), "nomad", tool("1.11.3"))
    again = with_tool(manifest, "nomad", tool("1.11.3"))
    assert again.tools["nomad"].previous == "nomad-1.11.2"
    assert len(again.tools["nomad"].installed) == 2


def test_going_back_twice_is_going_forth() -> None:
    manifest = with_tool(with_tool(Manifest(), "nomad", tool("1.11.2")), "nomad", tool("1.11.3"))
    assert rolled_back(manifest, "nomad").tools["nomad"].current == "nomad-1.11.2"
    assert rolled_back(rolled_back(manifest, "nomad"), "nomad") == manifest


def test_there_is_no_way_back_from_the_first() -> None:
    for manifest in (Manifest(), with_tool(Manifest(), "nomad", tool("1.11.3"))):
        with pytest.raises(PrismError, match="no earlier nomad"):
            rolled_back(manifest, "nomad")


def test_a_package_is_brought_once() -> None:
    first = InstalledPackages(manager="apt", names=("podman", "crun"))
    manifest = with_packages(Manifest(), first)
    assert with_packages(manifest, first) == manifest
    more = with_packages(manifest, InstalledPackages(manager="apt", names=("crun", "slirp4netns")))
    assert more.packages[1].names == ("slirp4netns",)
    assert with_created(with_created(Manifest(), "a"), "a").created == ("a",)


def test_a_manifest_of_a_newer_prismctl_is_refused(home: Home) -> None:
    home.manifest.write_text(json.dumps({"schema": 2, "written_by": "9.9.9", "new": True}))
    with pytest.raises(PrismError, match=r"written by prismctl 9\.9\.9") as caught:
        read_manifest(home)
    assert "PRISM_HOME" in caught.value.hint


def history(**changed: str) -> dict[str, Any]:
    return {"nomad": {"current": "nomad-1.11.3", "previous": "", "installed": [], **changed}}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "\x00\xff",
        "{}",
        document(schema="1"),
        document(tools=[]),
        document(tools={"nomad": {}}),
        document(tools={"nomad": None}),
        document(packages=[{"manager": "apt"}]),
        document(created=None),
        document(tools=history(current="../../../bin/sh")),
        document(tools=history(previous="a/b")),
        document(tools=history(current="..")),
        document(tools={"../nomad": history()["nomad"]}),
        document()[:-20],
    ],
)
def test_a_damaged_manifest_is_named_with_a_way_on(text: str, home: Home) -> None:
    home.manifest.write_bytes(text.encode("latin-1"))
    with pytest.raises(PrismError) as caught:
        read_manifest(home)
    assert str(home.manifest) in caught.value.message
    assert "damaged" in caught.value.message
    assert f"mv {home.manifest}" in caught.value.hint


def test_a_manifest_that_cannot_be_read_is_an_error(home: Home) -> None:
    home.manifest.mkdir()
    with pytest.raises(PrismError, match="cannot read"):
        read_manifest(home)


def test_a_manifest_that_cannot_be_written_leaves_the_old_one(home: Home) -> None:
    write_manifest(home, Manifest(images=("a",)))
    before = home.manifest.read_bytes()
    home.directory.rename(home.directory.with_name("elsewhere"))
    with pytest.raises(PrismError, match="cannot write"):
        write_manifest(home, Manifest())
    home.directory.with_name("elsewhere").rename(home.directory)
    assert home.manifest.read_bytes() == before


def test_two_who_change_it_at_once_lose_nothing_of_each_other(home: Home) -> None:
    is_second_through = threading.Event()

    def change_second() -> None:
        change_manifest(home, lambda manifest: with_image(manifest, "second"))
        is_second_through.set()

    second = threading.Thread(target=change_second)

    def change_first(manifest: Manifest) -> Manifest:
        second.start()
        # It gets through while this one is at it only where nothing keeps them apart.
        is_second_through.wait(0.3)
        return with_image(manifest, "first")

    change_manifest(home, change_first)
    second.join()
    assert read_manifest(home).images == ("first", "second")


def test_what_changes_nothing_is_not_written(home: Home) -> None:
    assert change_manifest(home, lambda manifest: manifest) == Manifest()
    assert not home.manifest.exists()


def test_a_home_that_is_gone_is_an_error(home: Home) -> None:
    home.directory.rmdir()
    with pytest.raises(PrismError, match="cannot open"):
        change_manifest(home, lambda manifest: with_image(manifest, "x"))

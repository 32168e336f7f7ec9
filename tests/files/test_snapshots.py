from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING

import pytest

from prismctl.errors import ConfigError, PrismError, RejectedError
from prismctl.files.data_changes import copy_data, prepare_restore
from prismctl.files.passwords import Passwords, adopt_passwords
from prismctl.files.paths import Home, StackPaths
from prismctl.files.service_data import ServiceData
from prismctl.files.snapshots import MAX_SNAPSHOTS, Snapshots

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def paths(tmp_path: Path) -> StackPaths:
    made = Home(tmp_path / "home").stack("default")
    for service in ("redis", "postgres"):
        (made.data / service).mkdir(parents=True)
        (made.data / service / "file").write_text(service)
    return made


def take(paths: StackPaths, name: str, **options: bool) -> None:
    copy_data(paths, (), name=name, replaces=options.get("replaces", False), removes=())


def test_a_snapshot_holds_each_service_and_is_closed_to_others(paths: StackPaths) -> None:
    change = copy_data(paths, (), name="one", replaces=False, removes=())

    assert set(change.sizes) == {"redis", "postgres"}
    found = Snapshots(paths.snapshots).find("one")
    assert found is not None
    assert (found.data("redis") / "redis/file").read_text() == "redis"
    assert paths.snapshots == paths.directory.parent.parent / "snapshots/default"
    for directory in (paths.snapshots.parent, paths.snapshots, found.directory):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_IMODE((found.directory / "about.json").stat().st_mode) == 0o600


def test_a_snapshot_that_was_not_finished_is_none(paths: StackPaths) -> None:
    take(paths, "one")
    snapshots = Snapshots(paths.snapshots)
    (paths.snapshots / "one").rename(paths.snapshots / ".taking-0123")
    assert snapshots.list_all() == []
    assert snapshots.settle() == []
    assert list(paths.snapshots.iterdir()) == []


def test_a_snapshot_that_was_whole_takes_its_place_after_a_crash(paths: StackPaths) -> None:
    take(paths, "one")
    whole = (paths.snapshots / "one").rename(paths.data.parent / "whole")
    (paths.data / "redis/file").write_text("changed")
    take(paths, "one")
    whole.rename(paths.snapshots / ".taken-one")

    finished = Snapshots(paths.snapshots).settle()

    assert finished == ["snapshot one"]
    found = Snapshots(paths.snapshots).find("one")
    assert found is not None
    assert (found.data("redis") / "redis/file").read_text() == "redis"


def test_a_name_that_is_taken_is_refused_unless_it_may_be_replaced(paths: StackPaths) -> None:
    take(paths, "one")
    (paths.data / "redis/file").write_text("changed")
    with pytest.raises(RejectedError, match="has a snapshot `one` already"):
        take(paths, "one")
    take(paths, "one", replaces=True)
    assert (paths.snapshots / "one/redis/redis/file").read_text() == "changed"
    assert [path.name for path in paths.snapshots.iterdir()] == ["one"]


@pytest.mark.parametrize("name", ["../up", ".hidden", "a/b", "", "a" * 64, "-o"])
def test_names_that_lead_elsewhere_are_refused(paths: StackPaths, name: str) -> None:
    with pytest.raises(ConfigError):
        Snapshots(paths.snapshots).take(name, {})
    assert Snapshots(paths.snapshots).find(name) is None


def test_one_more_than_the_most_needs_the_oldest_to_go(paths: StackPaths) -> None:
    for number in range(MAX_SNAPSHOTS):
        take(paths, f"s{number:02d}")
    with pytest.raises(RejectedError, match="the oldest is `s00`"):
        take(paths, "more")

    change = copy_data(paths, (), name="more", replaces=False, removes=["s00"])

    assert change.removed == ("s00",)
    names = [each.name for each in Snapshots(paths.snapshots).list_all()]
    assert len(names) == MAX_SNAPSHOTS
    assert (names[0], names[-1]) == ("more", "s01")


def test_data_that_is_not_whole_is_not_copied(paths: StackPaths) -> None:
    (paths.data / "postgres.begun").touch()
    with pytest.raises(RejectedError, match="the data of postgres is not whole"):
        take(paths, "one")
    assert not paths.snapshots.exists()


def test_a_copy_that_is_given_up_leaves_nothing(paths: StackPaths) -> None:
    def give_up() -> None:
        raise PrismError("given up")

    with pytest.raises(PrismError, match="given up"):
        copy_data(paths, (), name="one", replaces=False, removes=(), check=give_up)
    assert list(paths.snapshots.iterdir()) == []


def test_the_newest_snapshot_that_has_the_services_is_meant(paths: StackPaths) -> None:
    take(paths, "both")
    copy_data(paths, ["redis"], name="redis-alone", replaces=False, removes=())

    def source(*names: str) -> str:
        change = prepare_restore(paths, names, snapshot="", is_previous=False, keeps=False)
        for each in change.exchanges:
            ServiceData(paths.data).give_up(each)
        return change.snapshot

    assert source() == "redis-alone"
    assert source("redis", "postgres") == "both"
    with pytest.raises(RejectedError, match="no snapshot of nats"):
        source("nats")


def test_a_damaged_description_is_no_snapshot(paths: StackPaths) -> None:
    take(paths, "one")
    for text in ("", "[]", json.dumps({"taken_at": "x", "services": {}})):
        (paths.snapshots / "one/about.json").write_text(text)
        assert Snapshots(paths.snapshots).list_all() == []


def test_data_brings_the_password_that_is_inside_it(paths: StackPaths) -> None:
    """As after a clean: the stack has made a new one, and the snapshot has the old one inside."""
    old = Passwords(paths, saves=True).find("postgres")
    take(paths, "one")
    paths.secrets.unlink()
    new = Passwords(paths, saves=True).find("postgres")

    with pytest.raises(RejectedError, match="another password inside for postgres"):
        prepare_restore(paths, (), snapshot="one", is_previous=False, keeps=False)
    change = prepare_restore(paths, (), snapshot="one", is_previous=False, keeps=True)
    adopt_passwords(paths, change.passwords)

    assert new != old
    assert Passwords(paths, saves=True).find("postgres") == old
    again = prepare_restore(paths, (), snapshot="one", is_previous=False, keeps=False)
    assert again.passwords == {}
    for each in (*change.exchanges, *again.exchanges):
        ServiceData(paths.data).give_up(each)
    assert old not in repr(Snapshots(paths.snapshots).find("one"))

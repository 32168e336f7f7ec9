from __future__ import annotations

import resource
import tomllib

import pytest

from prismctl.install.containers.settings import (
    Settings,
    find_way,
    merge_tables,
    render_settings,
)
from prismctl.install.containers.toml import write_toml

BOTH = ("crun", "runc")
CRUN_LIMIT = "crun: setrlimit `RLIMIT_NOFILE`: Operation not permitted: OCI permission denied"
RUNC_LIMIT = (
    "runc: runc create failed: unable to start container process: error during container init:"
    " error setting rlimits for ready process: error setting rlimit type 7: operation not permitted"
)
HYBRID = "OCI runtime error: crun: cgroups in hybrid mode not supported, drop all controllers from cgroupv2"


@pytest.mark.parametrize("said", [CRUN_LIMIT, RUNC_LIMIT])
def test_limits_that_are_too_high_become_those_of_this_process(said: str) -> None:
    way = find_way(said, Settings(), runtime="crun", runtimes=BOTH)
    assert way is not None
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    expected = 1 << 20 if files == resource.RLIM_INFINITY else min(files, 1 << 20)
    assert way.settings.open_files == expected
    assert way.settings.processes > 0
    assert way.why == "Podman asks for higher limits than this machine allows"


def test_limits_that_are_still_too_high_are_halved_until_that_makes_no_sense() -> None:
    settings = Settings(open_files=4096, processes=4096)
    seen = []
    while way := find_way(CRUN_LIMIT, settings, runtime="crun", runtimes=BOTH):
        settings = way.settings
        seen.append(settings.open_files)
    assert seen == [2048, 1024]


def test_a_runtime_that_does_not_know_the_cgroups_gives_way_to_the_other() -> None:
    way = find_way(HYBRID, Settings(open_files=9, processes=9), runtime="crun", runtimes=BOTH)
    assert way is not None
    assert way.settings == Settings(runtime="runc", open_files=9, processes=9)


def test_without_another_runtime_there_is_no_way() -> None:
    assert find_way(HYBRID, Settings(), runtime="crun", runtimes=("crun",)) is None
    assert find_way(HYBRID, Settings(runtime="runc"), runtime="runc", runtimes=BOTH) is None


def test_an_unknown_failure_has_no_way() -> None:
    assert find_way("the moon is full", Settings(), runtime="crun", runtimes=BOTH) is None


@pytest.mark.parametrize(
    ("said", "settings"),
    [
        ("sd-bus call: Interactive authentication required.", Settings(cgroup_manager="cgroupfs")),
        ('default OCI runtime "crun" not found: invalid argument', Settings(runtime="runc")),
        (
            'failed to find plugin "bridge" in path [/usr/lib/cni]',
            Settings(network_backend="netavark"),
        ),
    ],
)
def test_other_known_failures_have_a_setting_each(said: str, settings: Settings) -> None:
    way = find_way(said, Settings(), runtime="crun", runtimes=BOTH)
    assert way is not None
    assert way.settings == settings


def test_settings_are_tables_that_podman_reads() -> None:
    settings = Settings(runtime="runc", cgroup_manager="cgroupfs", open_files=10, processes=20)
    assert tomllib.loads(write_toml(render_settings(settings))) == {
        "containers": {"default_ulimits": ["nofile=10:10", "nproc=20:20"]},
        "engine": {"runtime": "runc", "cgroup_manager": "cgroupfs"},
    }
    assert render_settings(Settings()) == {}


def test_what_is_merged_keeps_what_is_not_spoken_of() -> None:
    below = {"engine": {"runtime": "crun", "runtimes": {"kata": ["/k"]}}, "network": {"a": 1}}
    above = {"engine": {"runtime": "runc"}}
    assert merge_tables(below, above) == {
        "engine": {"runtime": "runc", "runtimes": {"kata": ["/k"]}},
        "network": {"a": 1},
    }


def test_written_toml_reads_back_as_it_was() -> None:
    document = {
        "top": True,
        "text": 'a "quoted" \\ back\nslash \x7f ü',
        "table": {
            "numbers": [1, 2.5],
            "odd key": {"inner.dotted": "x"},
            "inline": [{"a": [1], "b c": "d"}],
        },
    }
    assert tomllib.loads(write_toml(document)) == document

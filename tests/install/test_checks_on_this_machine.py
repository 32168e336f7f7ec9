"""Facts gathered from real things: programs that hang, ports that are held, processes that are marked, open homes."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from prismctl.domain.host_port import PortProtocol
from prismctl.domain.offering import Catalog
from prismctl.domain.packaged import PACKAGED
from prismctl.domain.service import PortDefinition, ServiceDefinition, ServiceName
from prismctl.files.paths import Home
from prismctl.install.checks.before_start import examine_before_start
from prismctl.install.checks.clock import measure_file_skew
from prismctl.install.checks.configuration import read_catalog, read_others
from prismctl.install.checks.finding import State
from prismctl.install.checks.home import (
    gather_directory,
    gather_secrets,
    judge_directory,
    judge_secrets,
)
from prismctl.install.checks.kernel import gather_inotify
from prismctl.install.checks.layout import gather_layout, judge_layout
from prismctl.install.checks.leftovers import gather_leftovers
from prismctl.install.checks.network import gather_network, resolve_within
from prismctl.install.checks.ports import gather_ports, judge_ports
from prismctl.install.checks.registry import examine, run_aside
from prismctl.install.checks.repairs import repair_all
from prismctl.install.checks.resources import gather_disk, gather_file_limit, gather_memory
from prismctl.install.checks.skipped import gather_skipped, judge_skipped
from prismctl.install.checks.supervisors import find_lost, read_supervisor
from prismctl.install.checks.surroundings import Misread, StackSeen, Surroundings
from prismctl.install.checks.tools import check_tools
from prismctl.install.manifest import InstalledTool, Manifest, ToolHistory, write_manifest
from tests.free_ports import take_port
from tests.port_holder import holding

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def home() -> Iterator[Home]:
    """In a short place: the sockets of its stacks are in it, and not beside it in the temporary directory."""
    with tempfile.TemporaryDirectory(prefix="prism-home-") as place:
        directory = Path(place, "home")
        directory.mkdir(mode=0o700)
        yield Home(directory)


def around(home: Home, **changes: Any) -> Surroundings:
    given: dict[str, Any] = {
        "home": home,
        "working_directory": home.directory.parent,
        "environment": {"PATH": "/usr/bin:/bin", "HOME": str(home.directory.parent)},
        "catalog": Catalog(services=PACKAGED, file=""),
    }
    return Surroundings(**{**given, **changes})


def judged_skipped(surroundings: Surroundings) -> list[Any]:
    return list(judge_skipped(gather_skipped(surroundings)))


def test_a_program_that_others_can_change_is_said_to_be_not_used(
    home: Home, tmp_path: Path
) -> None:
    open_place, closed = tmp_path / "open", tmp_path / "closed"
    for name in ("redis-server", "nomad"):
        write_program(open_place / name, "exit 0")
        write_program(closed / name, "exit 0")
    built = write_program(tmp_path / "build" / "binaries" / "prism-admin", "exit 0")
    built.chmod(0o757)
    open_place.chmod(0o1777)
    environment = {"PATH": f"{open_place}:{closed}", "HOME": str(tmp_path / "nobody")}
    found = judged_skipped(around(home, environment=environment, working_directory=tmp_path))
    assert {each.name: each.detail for each in found} == {
        "skipped-nomad": f"{open_place}/nomad is not used: everybody can write to {open_place}",
        "skipped-redis-server": (
            f"{open_place}/redis-server is not used: everybody can write to {open_place}"
        ),
        "skipped-prism-admin": f"{built} is not used: everybody can write to {built}",
    }
    assert {each.state for each in found} == {State.WARNING}
    assert f"chmod o-w {open_place}" in found[0].fix


def test_what_comes_after_the_program_that_is_used_is_of_no_interest(
    home: Home, tmp_path: Path
) -> None:
    open_place, closed = tmp_path / "open", tmp_path / "closed"
    write_program(open_place / "redis-server", "exit 0")
    write_program(closed / "redis-server", "exit 0")
    open_place.chmod(0o777)
    environment = {"PATH": f"{closed}:{open_place}", "HOME": str(tmp_path / "nobody")}
    assert judged_skipped(around(home, environment=environment, working_directory=tmp_path)) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a program away")
def test_a_built_program_of_somebody_else_is_said_to_be_not_used(
    home: Home, tmp_path: Path
) -> None:
    built = write_program(tmp_path / "build" / "binaries" / "memstore", "exit 0")
    os.chown(built, 12345, -1)
    environment = {"PATH": str(tmp_path / "none"), "HOME": str(tmp_path / "nobody")}
    (found,) = judged_skipped(around(home, environment=environment, working_directory=tmp_path))
    assert found.detail == f"{built} is not used: {built} belongs to user 12345"


def write_program(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@contextlib.contextmanager
def running(*command: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        command, env={**os.environ, **environment}, stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


SLEEPER = (sys.executable, "-S", "-c", "import time; print('up', flush=True); time.sleep(600)")


# Tools.


async def test_what_is_found_of_each_tool_is_judged(home: Home, tmp_path: Path) -> None:
    write_program(home.tools / "nomad", "echo roaming 1.11.2")
    write_program(tmp_path / "path" / "nomad", "exit 1")
    write_program(tmp_path / "path" / "consul", "echo Consul v1.20.5")
    environment = {
        "PATH": str(tmp_path / "path"),
        "HOME": str(tmp_path),
        "PRISM_TOOLS_DIR": str(tmp_path / "none"),
    }
    nomad, consul, podman = await check_tools(
        around(home, environment=environment, working_directory=tmp_path)
    )
    assert nomad.state is State.PROBLEM
    assert f"{home.tools / 'nomad'} is not Nomad: roaming 1.11.2" in nomad.detail
    assert (consul.title, consul.state) == ("Consul 1.20.5", State.FINE)
    assert podman.detail.startswith("not installed")


# Ports.


def catalog_with(number: int) -> Catalog:
    service = ServiceDefinition(
        name=ServiceName("db"),
        default=True,
        ports=(PortDefinition(name="main", number=number),),
    )
    return Catalog(services={service.name: service}, file="")


LISTENING = (
    "import socket, sys, time; s = socket.create_server(('127.0.0.1', int(sys.argv[1])));"
    "print('up', flush=True); time.sleep(600)"
)
LISTENER = (sys.executable, "-S", "-c", LISTENING)


def test_a_held_port_is_told_with_the_pid_and_the_command_of_its_holder(home: Home) -> None:
    number = take_port()
    with running(*LISTENER, str(number)) as process:
        facts = gather_ports(around(home, catalog=catalog_with(number)))
    _, held = judge_ports(facts)
    assert held.state is State.PROBLEM
    assert f"PID {process.pid}, python" in held.detail
    assert held.fix.startswith(f"kill {process.pid}, or ")


def test_a_held_udp_port_is_told_and_the_same_number_of_tcp_is_free(home: Home) -> None:
    number = take_port()
    ports = tuple(
        PortDefinition(name=protocol.value, number=number, protocol=protocol)
        for protocol in PortProtocol
    )
    dns = ServiceDefinition(name=ServiceName("dns"), ports=ports)
    with holding(number, protocol="udp") as process:
        facts = gather_ports(around(home, catalog=Catalog(services={dns.name: dns}, file="")))
    assert [each.is_free for each in facts] == [True, False]
    general, held = judge_ports(facts)
    assert general.detail.startswith("1 of the catalog's 2 are free")
    assert f"PID {process.pid}, python" in held.detail


def test_a_free_port_is_free(home: Home) -> None:
    (facts,) = gather_ports(around(home, catalog=catalog_with(take_port())))
    assert facts.is_free


def test_a_port_of_a_process_with_this_homes_mark_is_our_own(home: Home) -> None:
    number = take_port()
    mark = home.stack("two").keeper_id
    with running("/bin/sh", "-c", f"{shlex.join(LISTENER)} {number} & wait", PRISM_KEEPER=mark):
        (facts,) = gather_ports(around(home, catalog=catalog_with(number), marks={mark: "two"}))
        assert facts.holder is not None
        assert facts.holder.pid is not None
        (foreign,) = gather_ports(around(home, catalog=catalog_with(number)))
    assert facts.stack == "two"
    assert (foreign.stack, foreign.is_other_home) == ("", True)


# What earlier runs left.


def test_a_marked_process_of_a_stack_that_nobody_looks_after_is_an_orphan(home: Home) -> None:
    paths = home.stack("default")
    marks = {paths.keeper_id: "default"}
    with running(*SLEEPER, PRISM_KEEPER=paths.keeper_id) as process:
        (facts,) = gather_leftovers(around(home, marks=marks))
        assert [each.pid for each in facts.orphans] == [process.pid]
        assert facts.orphans[0].command.startswith("python")
        attended = (StackSeen(paths=paths, is_attended=True),)
        assert gather_leftovers(around(home, marks=marks, stacks=attended)) == ()
        assert gather_leftovers(around(home)) == ()
    assert gather_leftovers(around(home, marks=marks)) == ()


def test_an_orphan_of_a_stack_whose_directory_is_gone_is_known_by_its_name(home: Home) -> None:
    mark = home.stack("gone").keeper_id
    with running(*SLEEPER, PRISM_KEEPER=mark, PRISM_STACK="gone") as process:
        (facts,) = gather_leftovers(around(home))
        assert (facts.stack, facts.orphans[0].pid) == ("gone", process.pid)
        another = Home(home.directory / "other")
        assert gather_leftovers(around(another)) == ()


def test_sockets_at_which_nobody_answers_are_counted(home: Home) -> None:
    paths = home.stack("default")
    paths.ensure()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(paths.daemon_socket))
    stacks = (StackSeen(paths=paths, is_attended=False),)
    (facts,) = gather_leftovers(around(home, stacks=stacks))
    assert facts.dead_sockets == 1


def test_a_daemon_is_known_by_its_command_line_and_that_of_another_home_is_not(home: Home) -> None:
    daemon = ["python", "-P", "-m", "prismctl.daemon", "--home", str(home.directory)]
    daemon += ["--stack", "two"]
    lock = str(home.stack("two").keeper_lock)
    keeper = ["python", "/lib/prismctl/keeper/__main__.py", "--lock", lock, "--id", "x"]
    for words in (daemon, keeper):
        found = read_supervisor(1, words, home)
        assert found is not None
        assert found.stack == "two"
        assert read_supervisor(1, words, Home(Path("/elsewhere"))) is None
    assert read_supervisor(1, [*daemon, "--sweep"], home) is None
    assert read_supervisor(1, ["vim", "prismctl/keeper/__main__.py"], home) is None


def test_a_keeper_without_its_lock_is_lost_and_one_with_it_is_not(home: Home) -> None:
    paths = home.stack("two")
    paths.ensure()
    script = (
        "import fcntl, sys, time; lock = open(sys.argv[2], 'w');"
        "fcntl.flock(lock, fcntl.LOCK_EX); print('up', flush=True); time.sleep(600)"
    )
    fake = home.directory / "prismctl" / "keeper" / "__main__.py"
    fake.parent.mkdir(parents=True)
    fake.write_text(script.replace("; ", "\n").replace(";", "\n"), encoding="utf-8")
    command = (sys.executable, "-S", str(fake), "--lock", str(paths.keeper_lock))
    with running(*command) as process:
        assert find_lost(home, (), settled_seconds=0) == []
        paths.keeper_lock.unlink()
        assert [each.pid for each in find_lost(home, (), settled_seconds=0)] == [process.pid]
        assert find_lost(home, ("two",), settled_seconds=0) == []
        assert find_lost(home, (), settled_seconds=3600) == []


# Home.


def test_a_home_that_others_can_look_into_is_closed_by_its_repair(home: Home) -> None:
    home.directory.chmod(0o755)
    findings = judge_directory(gather_directory(around(home)))
    assert findings[0].state is State.WARNING
    done, failed = repair_all(findings, home, lambda _: [])
    assert failed == []
    assert "mode 0700 now, not 0755" in done[0]
    assert home.directory.stat().st_mode & 0o777 == 0o700
    assert judge_directory(gather_directory(around(home)))[0].state is State.FINE


def test_secrets_are_closed_by_their_repair_and_links_are_left_alone(
    home: Home, tmp_path: Path
) -> None:
    paths = home.stack("default")
    paths.ensure()
    outside = tmp_path / "outside"
    outside.touch(mode=0o644)
    outside.chmod(0o644)
    paths.state.symlink_to(outside)
    for secret in (paths.plan, paths.environments / "redis", paths.agents / "credentials.json"):
        secret.write_text("{}", encoding="utf-8")
        secret.chmod(0o644)
    stacks = (StackSeen(paths=paths, is_attended=False),)
    findings = judge_secrets(gather_secrets(around(home, stacks=stacks)))
    assert findings[0].state is State.PROBLEM
    done, _ = repair_all(findings, home, lambda _: [])
    assert len(done) == 3
    facts = gather_secrets(around(home, stacks=stacks))
    assert (facts.total, facts.open_to_others) == (3, ())
    assert outside.stat().st_mode & 0o777 == 0o644


def test_a_link_that_means_another_version_is_set_right_by_its_repair(home: Home) -> None:
    installed = tuple(
        InstalledTool(
            file=f"nomad-{version}",
            version=version,
            provider="go",
            source="",
            sha256="",
            verified="",
        )
        for version in ("1.10.0", "1.11.3")
    )
    for tool in installed:
        write_program(home.tools / tool.file, "true")
    (home.tools / "nomad").symlink_to("nomad-1.10.0")
    history = ToolHistory(current="nomad-1.11.3", previous="nomad-1.10.0", installed=installed)
    write_manifest(home, Manifest(tools={"nomad": history}))
    findings = judge_layout(gather_layout(around(home)))
    assert findings[0].state is State.WARNING
    repair_all(findings, home, lambda _: [])
    assert str((home.tools / "nomad").readlink()) == "nomad-1.11.3"
    assert judge_layout(gather_layout(around(home)))[0].state is State.FINE
    (home.tools / "nomad-1.11.3").unlink()
    assert gather_layout(around(home)).lost_tools == ("nomad-1.11.3",)


def test_a_home_that_a_newer_prismctl_wrote_is_told(home: Home) -> None:
    home.manifest.write_text(json.dumps({"schema": 99, "written_by": "9.9.9"}), encoding="utf-8")
    (found,) = judge_layout(gather_layout(around(home)))
    assert found.state is State.PROBLEM
    assert "was written by prismctl 9.9.9" in found.detail


def test_missing_directories_of_a_stack_are_made_by_their_repair(home: Home) -> None:
    paths = home.stack("two")
    paths.ensure()
    paths.environments.rmdir()
    stacks = (StackSeen(paths=paths, is_attended=False),)
    findings = judge_layout(gather_layout(around(home, stacks=stacks)))
    assert [each.name for each in findings if each.repair] == ["directories"]
    repair_all(findings, home, lambda _: [])
    assert paths.environments.is_dir()
    assert gather_layout(around(home, stacks=stacks)).incomplete_stacks == ()


def test_a_repair_that_fails_is_told_and_stops_no_other(home: Home) -> None:
    paths = home.stack("two")
    home.directory.chmod(0o755)
    findings = judge_directory(gather_directory(around(home)))
    gone = findings[0].repair
    assert gone is not None
    broken = gone._replace(paths=(paths.plan,))
    done, failed = repair_all([replace(findings[0], repair=broken), *findings], home, lambda _: [])
    assert len(done) == 1
    assert len(failed) == 1
    assert str(paths.plan) in failed[0]


def test_mistakes_in_the_files_that_people_write_are_noted_and_the_rest_goes_on(
    home: Home, tmp_path: Path
) -> None:
    home.catalog.write_text("services:\n  - nmae: x\n    command: sleep 1\n", encoding="utf-8")
    home.settings.write_text("engine: nomda\n", encoding="utf-8")
    misread: list[Misread] = []
    assert read_catalog(home, misread).services == PACKAGED
    read_others(home, tmp_path, misread)
    assert len(misread) == 2
    assert "services.yaml" in misread[0].message
    assert "did you mean `nomad`?" in misread[1].message


# The machine.


def test_memory_disk_and_limits_of_this_machine_can_be_read(home: Home) -> None:
    memory = gather_memory(around(home))
    assert memory.available_bytes is not None
    assert memory.available_bytes > 10_000_000
    assert "full" in memory.needs
    disk = gather_disk(around(Home(home.directory / "a" / "b")))
    assert disk.directory == home.directory
    assert disk.free_bytes is not None
    limit = gather_file_limit(around(home))
    assert limit.soft is None or limit.soft > 0


@pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")
def test_inotify_limits_of_this_machine_can_be_read(home: Home) -> None:
    facts = gather_inotify(around(home))
    assert facts.limits is not None
    assert set(facts.limits) == {"fs.inotify.max_user_watches", "fs.inotify.max_user_instances"}
    assert facts.refusal == ""


@pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")
def test_a_process_that_gets_no_inotify_instance_says_so() -> None:
    script = (
        "import os, resource\n"
        "from prismctl.install.checks.kernel import try_inotify\n"
        "import ctypes\n"
        "ctypes.CDLL(None)\n"
        "highest = os.open('/', os.O_RDONLY)\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, highest + 1))\n"
        "print(try_inotify())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "all instances of this user are in use\n"


def test_files_in_a_local_directory_have_the_time_of_the_clock(home: Home) -> None:
    skew = measure_file_skew(home.directory)
    assert skew is not None
    assert abs(skew) < 1
    assert measure_file_skew(home.directory / "gone") is None
    assert list(home.directory.iterdir()) == []


def test_a_name_that_is_not_looked_up_in_time_is_no_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert resolve_within("localhost", 10)
    is_over = threading.Event()
    is_done = threading.Event()

    def hang(*_: object, **__: object) -> list[Any]:
        is_over.wait()
        is_done.set()
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    assert resolve_within("localhost", 0.05) is None
    is_over.set()
    assert is_done.wait(10)


def test_only_variables_of_proxies_that_are_set_count(home: Home) -> None:
    environment = {"HTTPS_PROXY": "http://user:word@proxy:1", "http_proxy": "", "NO_PROXY": "*"}
    facts = gather_network(around(home, environment=environment))
    assert (facts.proxies, facts.exceptions) == (("HTTPS_PROXY",), "*")


# Altogether.


async def test_everything_is_looked_at_without_a_wait_and_named_once(home: Home) -> None:
    write_program(home.tools / "nomad", "echo Nomad v1.11.3")
    began = time.monotonic()
    findings = await examine(around(home))
    # Half a second on a quiet machine; nothing here may wait for its bound.
    assert time.monotonic() - began < 4
    names = [finding.name for finding in findings]
    assert len(set(names)) == len(names)
    expected = {"nomad", "consul", "podman", "python", "home", "ports", "memory", "disk"}
    expected |= {"file-limit", "inotify", "cgroups", "clock", "proxies", "localhost", "terminal"}
    assert expected <= set(names)


async def test_what_cannot_be_looked_at_is_a_warning_of_its_own(home: Home) -> None:
    check = run_aside("disk", lambda _: (home.directory / "gone").stat(), lambda _: ())
    (found,) = await check(around(home))
    assert (found.name, found.state) == ("disk", State.WARNING)
    assert "No such file or directory" in found.detail


def test_before_a_start_no_program_is_run_and_a_tenth_of_a_second_is_enough(home: Home) -> None:
    marker = home.directory / "asked"
    write_program(home.tools / "nomad", f"touch {marker}; echo Nomad v1.11.3")
    examine_before_start(around(home))
    began = time.process_time()
    findings = examine_before_start(around(home))
    assert time.process_time() - began < 0.1
    assert not marker.exists()
    names = [finding.name for finding in findings]
    assert names == ["home", "disk", "memory", "file-limit", "inotify"]

"""What each check says about facts, without a machine that has them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from prismctl.domain.addressing import PortHolder
from prismctl.domain.capacity import Need
from prismctl.domain.host_port import PortProtocol
from prismctl.domain.offering import Catalog
from prismctl.domain.packaged import PACKAGED
from prismctl.domain.port_owner import ContainerOwner, StackOwner
from prismctl.domain.service import PortDefinition, ServiceDefinition, ServiceName
from prismctl.install.checks.clock import ClockFacts, judge_clock
from prismctl.install.checks.configuration import judge_configuration
from prismctl.install.checks.finding import Finding, RepairKind, State, render_findings
from prismctl.install.checks.home import (
    DirectoryFacts,
    SecretFacts,
    judge_directory,
    judge_secrets,
)
from prismctl.install.checks.kernel import (
    GroupFacts,
    InotifyFacts,
    judge_groups,
    judge_inotify,
    name_group_version,
)
from prismctl.install.checks.layout import LayoutFacts, judge_layout
from prismctl.install.checks.leftovers import LeftoverFacts, judge_leftovers
from prismctl.install.checks.marked import MarkedProcess
from prismctl.install.checks.network import NetworkFacts, judge_network
from prismctl.install.checks.platform import PlatformFacts, judge_platform
from prismctl.install.checks.ports import PortFacts, find_unit_name, judge_ports, list_ports
from prismctl.install.checks.resources import (
    DiskFacts,
    FileLimitFacts,
    MemoryFacts,
    find_needs,
    judge_disk,
    judge_file_limit,
    judge_memory,
)
from prismctl.install.checks.surroundings import Misread
from prismctl.install.checks.terminal import TerminalFacts, judge_terminal
from prismctl.install.checks.tools import judge_tool
from prismctl.install.existing import Existing
from prismctl.install.target import Target
from prismctl.install.tools import CONSUL, NOMAD, PODMAN
from prismctl.install.versions import Version

if TYPE_CHECKING:
    from collections.abc import Sequence

MB = 1000**2
WATCHES = "fs.inotify.max_user_watches"
INSTANCES = "fs.inotify.max_user_instances"


def only(findings: Sequence[Finding]) -> Finding:
    (finding,) = findings
    return finding


# Tools.


def existing(
    path: str, *, version: Version | None = None, problem: str = "", hint: str = ""
) -> Existing:
    return Existing(path=Path(path), origin="on PATH", version=version, problem=problem, hint=hint)


def test_a_tool_that_will_do_is_named_with_its_version_and_origin() -> None:
    found = judge_tool(NOMAD, existing("/opt/nomad", version=Version(1, 11, 3)))
    assert (found.title, found.state) == ("Nomad 1.11.3", State.FINE)
    assert found.detail == "/opt/nomad, on PATH"
    assert found.fix == ""


@pytest.mark.parametrize("version", [Version(1, 4, 3), None], ids=["old", "hangs"])
def test_a_nomad_that_will_not_do_is_a_problem_in_the_words_of_whoever_looked(
    version: Version | None,
) -> None:
    found = judge_tool(NOMAD, existing("/bin/nomad", version=version, problem="it will not do"))
    assert found.state is State.PROBLEM
    assert found.title == ("Nomad 1.4.3" if version else "Nomad")
    assert found.detail == "it will not do (on PATH)"
    assert found.fix.startswith("prismctl dev init")


def test_a_required_tool_that_is_missing_is_a_warning_since_the_local_engine_needs_none() -> None:
    found = judge_tool(CONSUL, None)
    assert (found.state, found.fix) == (State.WARNING, "prismctl dev init")
    assert "local engine" in found.detail


def test_podman_that_is_missing_or_broken_never_stops_anybody() -> None:
    assert judge_tool(PODMAN, None).state is State.FINE
    broken = judge_tool(PODMAN, existing("/usr/bin/podman", problem="it failed", hint="try `x`"))
    assert (broken.state, broken.fix) == (State.WARNING, "try x")


# Python and platform.


@pytest.mark.parametrize(
    ("python", "implementation", "target", "states"),
    [
        (Version(3, 11), "CPython", Target("linux", "amd64"), (State.FINE, State.FINE)),
        (Version(3, 10, 9), "CPython", Target("darwin", "arm64"), (State.PROBLEM, State.FINE)),
        (Version(3, 12), "PyPy", Target("linux", "riscv64"), (State.WARNING, State.WARNING)),
        (Version(3, 12), "CPython", Target("windows", "amd64"), (State.FINE, State.PROBLEM)),
    ],
)
def test_python_and_platform_are_judged_apart(
    python: Version, implementation: str, target: Target, states: tuple[State, State]
) -> None:
    facts = PlatformFacts(python, implementation, "/usr/bin/python3", target)
    assert tuple(finding.state for finding in judge_platform(facts)) == states


# Ports.


def port(number: int, *, is_usual: bool = True) -> PortFacts:
    return PortFacts(number=number, services=("postgres",), is_usual=is_usual)


def test_a_port_of_a_stranger_is_a_problem_with_pid_command_and_a_way_out() -> None:
    holder = PortHolder(pid=811, command="postgres -D /data", user="postgres")
    general, held = judge_ports((port(1), port(5432)._replace(is_free=False, holder=holder)))
    assert general.detail == "1 of the catalog's 2 are free"
    assert (held.name, held.title, held.state) == ("port-5432", "port 5432", State.PROBLEM)
    assert held.detail == "postgres: held by PID 811, postgres -D /data, user postgres"
    assert held.fix == "kill 811, or start with --auto-ports"


def test_a_port_of_a_system_service_is_given_back_by_stopping_the_service() -> None:
    holder = PortHolder(pid=811, command="postgres")
    facts = port(5432)._replace(is_free=False, holder=holder, unit="postgresql@15-main")
    assert judge_ports((facts,))[1].fix.startswith("systemctl stop postgresql@15-main, or")


def test_a_port_of_this_homes_stack_is_fine_and_said_so() -> None:
    facts = port(8981)._replace(is_free=False, holder=PortHolder(pid=1), stack="default")
    found = only(judge_ports((facts,)))
    assert found.state is State.FINE
    assert "8981 held by stack `default`, which is this home's" in found.detail


def test_a_port_of_another_homes_stack_is_not_to_be_killed() -> None:
    facts = port(8981)._replace(is_free=False, holder=PortHolder(pid=9), is_other_home=True)
    assert "prismctl dev stop" in judge_ports((facts,))[1].fix
    assert "kill" not in judge_ports((facts,))[1].fix


def test_what_holds_the_port_of_a_container_is_not_to_be_killed() -> None:
    holder = PortHolder(pid=9, command="conmon", container=ContainerOwner("podman", "shop-db"))
    found = judge_ports((port(5432)._replace(is_free=False, holder=holder),))[1]
    assert found.detail == "postgres: held by container shop-db (PID 9)"
    assert found.fix.startswith("podman stop shop-db, or")


def test_a_port_of_another_homes_stack_says_how_to_stop_that_stack() -> None:
    owner = StackOwner("prism-0", stack="u1", service="db", home="/h", is_other_home=True)
    holder = PortHolder(pid=9, owner=owner)
    facts = port(5432)._replace(is_free=False, holder=holder, is_other_home=True)
    found = judge_ports((facts,))[1]
    assert found.detail == "postgres: held by db of stack u1 of the home /h (PID 9)"
    assert found.fix == "PRISM_HOME=/h prismctl dev stop --stack u1, or start with --auto-ports"


def test_a_holder_that_cannot_be_seen_is_to_be_looked_for_as_root() -> None:
    facts = port(5432)._replace(is_free=False, holder=PortHolder(user="postgres"))
    found = judge_ports((facts,))[1]
    assert "another process, user postgres" in found.detail
    assert found.fix.startswith("sudo ss -ltnp 'sport = :5432'")


def test_a_udp_port_is_called_one_and_looked_for_as_one() -> None:
    holder = PortHolder(user="avahi")
    facts = port(5353)._replace(is_free=False, holder=holder, protocol=PortProtocol.UDP)
    found = judge_ports((facts,))[1]
    assert (found.name, found.title) == ("port-5353-udp", "port 5353/udp")
    assert found.fix.startswith("sudo ss -lunp 'sport = :5353'")


def test_a_port_in_place_of_which_a_start_takes_another_is_only_told() -> None:
    holder = PortHolder(pid=811, command="postgres")
    facts = port(5432)._replace(is_free=False, holder=holder, is_replaced=True)
    found = judge_ports((facts,))[1]
    assert (found.state, found.fix) == (State.FINE, "")
    assert found.detail == "postgres: held by PID 811, postgres; a start takes another one"


def test_a_port_that_only_services_outside_of_presets_want_is_a_warning() -> None:
    facts = port(3000, is_usual=False)._replace(is_free=False, holder=PortHolder(pid=9))
    assert judge_ports((facts,))[1].state is State.WARNING


def test_the_packaged_ports_are_those_of_the_catalog_and_none_twice() -> None:
    catalog = Catalog(services=PACKAGED, file="")
    listed = list_ports(catalog)
    numbers = [facts.number for facts in listed]
    wanted = {each.number for service in PACKAGED.values() for each in service.ports}
    assert len(numbers) == len(set(numbers))
    assert set(numbers) == wanted - {None}
    assert {facts.number for facts in listed if facts.is_usual} >= {8981, 7070, 6379, 5432}


def test_one_number_of_both_protocols_is_two_ports() -> None:
    dns = ServiceDefinition(
        name=ServiceName("dns"),
        ports=tuple(
            PortDefinition(name=protocol.value, number=5353, protocol=protocol)
            for protocol in PortProtocol
        ),
    )
    listed = list_ports(Catalog(services={dns.name: dns}, file=""))
    assert [str(facts.port) for facts in listed] == ["5353", "5353/udp"]


def test_the_unit_of_a_process_is_read_from_its_control_groups() -> None:
    nested = "0::/system.slice/system-postgresql.slice/postgresql@15-main.service\n"
    assert find_unit_name(nested) == "postgresql@15-main"
    assert find_unit_name("1:cpu:/x\n0::/system.slice/nginx.service\n") == "nginx"
    assert find_unit_name("0::/user.slice/user-0.slice/session-1.scope\n") == ""


# Memory, disk, files.


@pytest.mark.parametrize(
    ("free", "state", "words"),
    [
        (18_200 * MB, State.FINE, "18 GB free; `full` may need 2.0 GB"),
        (1500 * MB, State.WARNING, "1.5 GB free; `full` may need 2.0 GB, kafka 1.1 GB of it"),
        (500 * MB, State.WARNING, "500 MB free; `minimal` may need 900 MB, admin 900 MB of it"),
        (100 * MB, State.PROBLEM, "100 MB free: any service needs 128 MB"),
    ],
)
def test_memory_is_held_against_the_presets(free: int, state: State, words: str) -> None:
    needs = {
        "full": (Need("admin", 900 * MB), Need("kafka", 1100 * MB)),
        "minimal": (Need("admin", 900 * MB),),
    }
    found = only(judge_memory(MemoryFacts(free, needs)))
    assert (found.state, found.detail) == (state, words)
    assert bool(found.fix) is (state is not State.FINE)


def test_a_memory_limit_of_a_control_group_is_named() -> None:
    found = only(judge_memory(MemoryFacts(900 * MB, {}, "the limit of this control group")))
    assert found.detail == "900 MB free (the limit of this control group)"


def test_the_needs_of_presets_are_those_of_the_catalog_with_what_services_depend_on() -> None:
    needs = find_needs(Catalog(services=PACKAGED, file=""))
    assert [need.service for need in needs["redis"]] == [
        "prism-admin",
        "pattern-launcher",
        "memstore",
        "redis",
    ]
    megabytes = PACKAGED[ServiceName("redis")].resources.memory_mb
    assert needs["redis"][-1].memory_bytes == megabytes << 20


def test_presets_that_a_catalog_has_no_services_for_are_left_out() -> None:
    services = {name: each for name, each in PACKAGED.items() if name != "kafka"}
    assert set(find_needs(Catalog(services=services, file=""))) == {"minimal", "redis", "postgres"}


@pytest.mark.parametrize(
    ("free", "inodes", "state"),
    [
        (5000 * MB, None, State.FINE),
        (5000 * MB, 10, State.PROBLEM),
        (500 * MB, 10**6, State.WARNING),
        (50 * MB, 10**6, State.WARNING),
        (5 * MB, 10**6, State.PROBLEM),
        (None, None, State.FINE),
    ],
)
def test_disk_is_judged_by_bytes_and_by_inodes(
    free: int | None, inodes: int | None, state: State
) -> None:
    assert only(judge_disk(DiskFacts(Path("/srv"), free, inodes))).state is state


@pytest.mark.parametrize(
    ("soft", "hard", "state", "fix"),
    [
        (20000, 20000, State.FINE, ""),
        (None, None, State.FINE, ""),
        (256, None, State.WARNING, "ulimit -n 4096"),
        (256, 2048, State.WARNING, "ulimit -n 2048"),
        (512, 512, State.WARNING, "limits.conf"),
        (100, 100, State.PROBLEM, "limits.conf"),
    ],
)
def test_the_file_limit_can_be_raised_by_the_user_up_to_the_hard_one(
    soft: int | None, hard: int | None, state: State, fix: str
) -> None:
    found = only(judge_file_limit(FileLimitFacts(soft, hard)))
    assert found.state is state
    assert fix in found.fix


# The kernel.


def test_inotify_limits_are_told_by_their_sysctl_names() -> None:
    found = only(judge_inotify(InotifyFacts({WATCHES: 524288, INSTANCES: 128})))
    assert found.state is State.FINE
    assert found.detail == f"{WATCHES} = 524288, {INSTANCES} = 128"


def test_low_inotify_limits_are_a_warning_with_one_command() -> None:
    found = only(judge_inotify(InotifyFacts({WATCHES: 100, INSTANCES: 1})))
    assert found.state is State.WARNING
    assert found.fix == f"sudo sysctl {WATCHES}=524288 {INSTANCES}=512"


def test_inotify_instances_that_are_used_up_are_a_problem_and_the_limit_is_doubled() -> None:
    facts = InotifyFacts({WATCHES: 524288, INSTANCES: 1024}, "all instances are in use")
    found = only(judge_inotify(facts))
    assert found.state is State.PROBLEM
    assert found.detail.startswith("all instances are in use; ")
    assert found.fix == f"sudo sysctl {INSTANCES}=2048"


def test_a_system_without_inotify_needs_none() -> None:
    assert only(judge_inotify(InotifyFacts(None))).state is State.FINE


def test_control_groups_matter_to_containers_only() -> None:
    hybrid = "1 and 2 (hybrid)"
    assert only(judge_groups(GroupFacts(hybrid))).state is State.FINE
    assert only(judge_groups(GroupFacts(hybrid, has_podman=True))).state is State.FINE
    assert only(judge_groups(GroupFacts("2", has_podman=True))).state is State.FINE
    assert only(judge_groups(GroupFacts("", has_podman=True))).state is State.WARNING


def test_the_version_of_control_groups_is_read_from_what_is_mounted(tmp_path: Path) -> None:
    assert name_group_version(tmp_path) == ""
    (tmp_path / "memory").mkdir()
    assert name_group_version(tmp_path) == "1"
    (tmp_path / "unified").mkdir()
    (tmp_path / "unified" / "cgroup.procs").touch()
    assert name_group_version(tmp_path) == "1 and 2 (hybrid)"
    (tmp_path / "cgroup.controllers").touch()
    assert name_group_version(tmp_path) == "2"


# Home.


@pytest.mark.parametrize(
    ("facts", "state", "words"),
    [
        (DirectoryFacts(Path("/h"), 0o700), State.FINE, "/h, mode 0700"),
        (DirectoryFacts(Path("/h"), None), State.FINE, "/h is not there yet"),
        (DirectoryFacts(Path("/h"), 0o755), State.WARNING, "others can look into it"),
        (DirectoryFacts(Path("/h"), 0o770), State.PROBLEM, "others can put programs into it"),
        (DirectoryFacts(Path("/h"), 0o700, owner="eve"), State.PROBLEM, "/h belongs to eve"),
        (DirectoryFacts(Path("/h"), 0o644, is_directory=False), State.PROBLEM, "not a directory"),
        (DirectoryFacts(Path("/h"), 0o500, is_writable=False), State.PROBLEM, "mode 0500"),
        (
            DirectoryFacts(Path("/p/h"), None, is_writable=False, blocked_at=Path("/p")),
            State.PROBLEM,
            "/p/h cannot be made: /p cannot be written",
        ),
    ],
)
def test_home_has_to_be_ours_writable_and_closed(
    facts: DirectoryFacts, state: State, words: str
) -> None:
    found = only(judge_directory(facts))
    assert found.state is state
    assert words in found.detail


def test_only_permissions_of_home_are_mended_by_themselves() -> None:
    opened = only(judge_directory(DirectoryFacts(Path("/h"), 0o755)))
    assert opened.repair is not None
    assert (opened.repair.kind, opened.repair.paths) == (RepairKind.CLOSE, (Path("/h"),))
    assert opened.fix == "chmod 700 /h"
    assert only(judge_directory(DirectoryFacts(Path("/h"), 0o700, owner="eve"))).repair is None


def test_secrets_that_others_can_read_are_all_closed_by_one_command() -> None:
    paths = (Path("/h/plan.json"), Path("/h/token.json"))
    found = only(judge_secrets(SecretFacts(5, paths)))
    assert found.state is State.PROBLEM
    assert found.fix == "chmod go= /h/plan.json /h/token.json"
    assert found.repair is not None
    assert found.repair.paths == paths


def test_a_home_of_a_newer_prismctl_is_a_problem_in_the_manifests_words() -> None:
    complaint = "/h was written by prismctl 9.0.0; this is 0.1.0"
    found = only(judge_layout(LayoutFacts(complaint=complaint, hint="upgrade it")))
    assert (found.state, found.detail, found.fix) == (State.PROBLEM, complaint, "upgrade it")


def test_links_that_mean_something_else_and_missing_directories_can_be_mended() -> None:
    facts = LayoutFacts(has_tools=True, wrong_links=("nomad",), incomplete_stacks=("two",))
    found = judge_layout(facts)
    kinds = [each.repair.kind for each in found if each.repair]
    assert kinds == [RepairKind.LINK, RepairKind.MAKE]
    assert all(each.state is State.WARNING for each in found)


def test_a_tool_that_is_gone_can_only_be_installed_again() -> None:
    found = only(judge_layout(LayoutFacts(has_tools=True, lost_tools=("nomad-1.11.3",))))
    assert (found.state, found.fix, found.repair) == (State.WARNING, "prismctl dev init", None)


def test_files_with_mistakes_are_problems_each() -> None:
    assert only(judge_configuration(())).state is State.FINE
    found = judge_configuration((Misread("a.yaml:1:1: no", "look"), Misread("b", "")))
    assert [each.state for each in found] == [State.PROBLEM, State.PROBLEM]
    assert found[0].fix == "look"


# What earlier runs left.


def test_a_stack_that_was_killed_is_a_warning_until_something_of_it_runs() -> None:
    killed = LeftoverFacts(stack="two", has_plan=True)
    found = only(judge_leftovers((killed,)))
    assert found.state is State.WARNING
    assert found.detail == "stack `two` ended without being stopped"
    assert found.fix == "prismctl dev stop --stack two"
    orphan = MarkedProcess(12, "two", "redis-server")
    found = only(judge_leftovers((killed._replace(orphans=(orphan,)),)))
    assert found.state is State.PROBLEM
    assert found.detail.endswith("and PID 12 (redis-server) still runs")


def test_a_container_that_nobody_keeps_is_a_problem() -> None:
    found = only(judge_leftovers((LeftoverFacts(stack="two", containers=("box",)),)))
    assert found.state is State.PROBLEM
    assert found.detail == "stack `two` is not running, but container box is still there"
    assert found.fix == "prismctl dev doctor --fix"
    found = only(judge_leftovers((LeftoverFacts(stack="two", unknown="no answer"),)))
    assert found.state is State.WARNING
    assert found.detail == "stack `two` may have left containers: no answer"


def test_a_daemon_that_lost_its_directory_is_ended_together_with_its_keeper_only() -> None:
    orphan = MarkedProcess(12, "two", "redis-server")
    found = only(judge_leftovers((LeftoverFacts(stack="two", orphans=(orphan,), lost=(7, 8)),)))
    assert (found.state, found.fix, found.repair) == (State.PROBLEM, "kill 7 8", None)


def test_nothing_left_is_one_line() -> None:
    assert only(judge_leftovers(())).state is State.FINE


# Clock, network, terminal.


def test_a_clock_before_the_release_is_a_problem() -> None:
    past = datetime(2020, 1, 1, tzinfo=UTC).timestamp()
    assert only(judge_clock(ClockFacts(past, 0.0))).state is State.PROBLEM
    now = datetime(2027, 1, 1, tzinfo=UTC).timestamp()
    assert only(judge_clock(ClockFacts(now, None))).state is State.FINE


@pytest.mark.parametrize(("skew", "words"), [(90.0, "90 s ahead of it"), (-90.0, "90 s behind it")])
def test_a_disk_with_another_clock_is_a_warning(skew: float, words: str) -> None:
    now = datetime(2027, 1, 1, tzinfo=UTC).timestamp()
    found = only(judge_clock(ClockFacts(now, skew)))
    assert found.state is State.WARNING
    assert words in found.detail


def network(**changes: Any) -> NetworkFacts:
    return NetworkFacts(proxies=(), exceptions="", addresses=("127.0.0.1", "::1"))._replace(
        **changes
    )


@pytest.mark.parametrize(
    ("exceptions", "state"),
    [
        ("", State.WARNING),
        ("example.org", State.WARNING),
        ("localhost", State.WARNING),
        ("localhost,127.0.0.1,::1", State.FINE),
        ("localhost, 127.0.0.0/8, ::1", State.FINE),
        ("*", State.FINE),
    ],
)
def test_a_proxy_that_loopback_would_go_through_is_a_warning(exceptions: str, state: State) -> None:
    proxies = judge_network(network(proxies=("HTTPS_PROXY",), exceptions=exceptions))[0]
    assert proxies.state is state
    assert "HTTPS_PROXY" in proxies.detail


def test_the_fix_for_proxies_keeps_what_was_excepted_before() -> None:
    facts = network(proxies=("http_proxy",), exceptions="example.org,localhost")
    wanted = "example.org,localhost,127.0.0.1,::1"
    assert judge_network(facts)[0].fix == f"export NO_PROXY={wanted} no_proxy={wanted}"


@pytest.mark.parametrize(
    ("addresses", "state"),
    [
        (("127.0.0.1",), State.FINE),
        (("::1", "127.0.0.1"), State.FINE),
        (("127.0.0.1", "10.0.0.9"), State.PROBLEM),
        ((), State.PROBLEM),
        (None, State.WARNING),
    ],
)
def test_localhost_has_to_be_loopback(addresses: tuple[str, ...] | None, state: State) -> None:
    assert judge_network(network(addresses=addresses))[1].state is state


def terminal(**changes: Any) -> TerminalFacts:
    return TerminalFacts(
        is_terminal=True,
        columns=120,
        lines=40,
        kind="xterm",
        has_colour=True,
        colour_reason="",
        encoding="utf-8",
    )._replace(**changes)


def test_a_small_or_a_latin_terminal_is_a_warning_and_a_pipe_is_fine() -> None:
    assert only(judge_terminal(terminal())).state is State.FINE
    assert only(judge_terminal(terminal(columns=79))).state is State.WARNING
    assert only(judge_terminal(terminal(lines=10))).state is State.WARNING
    latin = only(judge_terminal(terminal(encoding="iso8859-1")))
    assert (latin.state, latin.fix) == (State.WARNING, "export LC_ALL=C.UTF-8")
    assert only(judge_terminal(terminal(is_terminal=False, columns=0))).state is State.FINE


def test_a_terminal_without_colour_says_why() -> None:
    found = only(judge_terminal(terminal(has_colour=False, colour_reason="NO_COLOR is set")))
    assert "without colour (NO_COLOR is set)" in found.detail


# The document.


def test_the_document_counts_every_state_and_tells_what_can_be_mended() -> None:
    home = only(judge_directory(DirectoryFacts(Path("/h"), 0o755)))
    memory = only(judge_memory(MemoryFacts(1, {})))
    document = render_findings((home, memory), ["did it"])
    assert document["schema"] == 1
    assert document["summary"] == {"checks": 2, "ok": 0, "warnings": 1, "problems": 1}
    assert [each["fixable"] for each in document["checks"]] == [True, False]
    assert document["fixed"] == ["did it"]
    assert set(document["checks"][0]) == {"name", "title", "state", "detail", "fix", "fixable"}

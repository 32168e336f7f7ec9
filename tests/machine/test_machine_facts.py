from __future__ import annotations

import os
import pwd
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from prismctl.domain.containers import no_containers
from prismctl.domain.host_port import HostPort, PortProtocol
from prismctl.machine import (
    find_program,
    find_tool,
    gather_facts,
    holders,
    is_own_script,
    is_port_free,
    kernel_sockets,
    memory,
    programs,
    release_ports,
    reserve_port,
    who_holds,
)
from tests.free_ports import take_port

if TYPE_CHECKING:
    from collections.abc import Iterator

LISTENER = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
is_tcp = sys.argv[3] == "tcp"
listener = socket.socket(family, socket.SOCK_STREAM if is_tcp else socket.SOCK_DGRAM)
if family is socket.AF_INET6:
    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(sys.argv[2]))
listener.bind((sys.argv[1], int(sys.argv[4])))
if is_tcp:
    listener.listen()
print(listener.getsockname()[1], flush=True)
sys.stdin.read()
"""


@contextmanager
def listening(
    address: str, *, only_v6: bool = False, protocol: PortProtocol = PortProtocol.TCP
) -> Iterator[tuple[int, int]]:
    """Another process that listens; its port and its PID."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            LISTENER,
            address,
            str(int(only_v6)),
            protocol.value,
            str(take_port()),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline()), process.pid
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(timeout=10)


def program(path: Path, text: str = "#!/bin/sh\n") -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("address", "only_v6"),
    [("127.0.0.1", False), ("0.0.0.0", False), ("::", False), ("::", True), ("::1", True)],
)
@pytest.mark.parametrize("protocol", PortProtocol)
def test_a_listener_on_any_address_takes_the_port(
    address: str, protocol: PortProtocol, *, only_v6: bool
) -> None:
    (other,) = set(PortProtocol) - {protocol}
    with listening(address, only_v6=only_v6, protocol=protocol) as (port, pid):
        assert not is_port_free(port, protocol)
        holder = who_holds(port, protocol)
        assert holder is not None
        assert holder.pid == pid
        assert is_port_free(port, other)
        assert who_holds(port, other) is None
    assert is_port_free(port, protocol)
    assert who_holds(port, protocol) is None


def test_a_udp_port_is_not_shared_with_one_who_would_share_it() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as shared:
        shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        shared.bind(("0.0.0.0", 0))
        assert not is_port_free(shared.getsockname()[1], PortProtocol.UDP)


def test_who_talks_to_somebody_from_a_udp_port_holds_it_too() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", take_port()))
        port = client.getsockname()[1]
        assert not is_port_free(port, PortProtocol.UDP)
        holder = who_holds(port, PortProtocol.UDP)
        assert holder is not None
        assert holder.pid == os.getpid()


def test_a_holder_has_a_command_a_user_and_a_start_time() -> None:
    began = time.time()
    with listening("127.0.0.1") as (port, _):
        holder = who_holds(port)
    assert holder is not None
    assert holder.command.startswith(f"{Path(sys.executable).name} -c import socket, sys")
    assert len(holder.command) <= 60
    assert holder.user == pwd.getpwuid(os.getuid()).pw_name
    assert holder.since is not None
    assert abs(holder.since - began) < 30


@pytest.mark.parametrize("protocol", PortProtocol)
def test_without_proc_a_holder_is_found_too(protocol: PortProtocol) -> None:
    with listening("127.0.0.1", protocol=protocol) as (port, pid):
        holder = holders._holder_from_psutil(port, protocol)
        assert holder is not None
        assert (holder.pid, holder.user) == (pid, pwd.getpwuid(os.getuid()).pw_name)
        assert holder.command == getattr(who_holds(port, protocol), "command", "")
    assert holders._holder_from_psutil(port, protocol) is None


def test_a_connection_that_has_ended_does_not_hold_its_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        served, _ = listener.accept()
    # The end that closes first is the one that waits for late packets.
    served.close()
    assert client.recv(1) == b""
    client.close()
    states = [each.state for each in kernel_sockets.find_sockets(port)]
    assert kernel_sockets.TIME_WAIT in states, states
    assert is_port_free(port)
    assert who_holds(port) is None


def test_a_port_only_root_may_use_is_not_taken_by_somebody() -> None:
    code = "from prismctl.machine import is_port_free; print(is_port_free(1))"
    done = subprocess.run(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable, "-c", code]
        if os.geteuid() == 0
        else [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "True\n"


def test_a_tool_of_the_home_goes_before_the_cache_and_that_before_path(tmp_path: Path) -> None:
    home, cache, path = tmp_path / "bin", tmp_path / "tools", tmp_path / "path"
    environment = {"PRISM_TOOLS_DIR": str(cache), "PATH": str(path)}
    assert find_tool("nomad", home, environment) is None
    on_path = program(path / "nomad")
    assert find_tool("nomad", home, environment) == (on_path, "on PATH")
    cached = program(cache / "nomad-1.11.3-0123456789ab")
    (cache / "nomad").symlink_to(cached)
    assert find_tool("nomad", home, environment) == (
        str(cache / "nomad"),
        "built on this machine",
    )
    own = program(home / "nomad")
    assert find_tool("nomad", home, environment) == (own, "installed by init")


def test_the_cache_is_in_the_users_cache_directory(tmp_path: Path) -> None:
    assert programs.tools_directory({"HOME": "/home/ana"}) == Path(
        "/home/ana/.cache/prismctl/tools"
    )
    assert programs.tools_directory({"XDG_CACHE_HOME": str(tmp_path)}) == (
        tmp_path / "prismctl" / "tools"
    )


def test_a_broken_link_and_a_file_that_cannot_be_executed_are_no_programs(tmp_path: Path) -> None:
    (tmp_path / "nomad").symlink_to(tmp_path / "gone")
    (tmp_path / "consul").write_text("", encoding="utf-8")
    environment = {"PATH": str(tmp_path), "PRISM_TOOLS_DIR": str(tmp_path)}
    assert find_tool("nomad", tmp_path, environment) is None
    assert find_tool("consul", tmp_path, environment) is None


OWN_SCRIPT = """\
#!/venv/bin/python
import sys
from prism_services.admin.main import main
if __name__ == "__main__":
    sys.exit(main())
"""


def test_commands_of_this_package_are_not_programs_of_somebody_else(tmp_path: Path) -> None:
    own = program(tmp_path / "a" / "prism-admin", OWN_SCRIPT)
    assert is_own_script(own)
    environment = {"PATH": f"{tmp_path / 'a'}:{tmp_path / 'b'}"}
    assert find_program("prism-admin", environment) == ""
    other = program(tmp_path / "b" / "prism-admin", "#!/bin/sh\nexec real-admin\n")
    assert find_program("prism-admin", environment) == other


def test_the_installed_commands_are_recognised() -> None:
    scripts = Path(sys.executable).parent
    for name in ("prism-admin", "pattern-launcher", "prism-memstore", "prismctl"):
        if (scripts / name).exists():
            assert is_own_script(str(scripts / name)), name


def test_the_working_directory_is_not_on_path_by_an_empty_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "redis-server")
    monkeypatch.chdir(tmp_path)
    assert find_program("redis-server", {"PATH": ":/nowhere:"}) == ""


def test_a_program_with_a_slash_is_a_path(tmp_path: Path) -> None:
    path = program(tmp_path / "server")
    assert find_program(path, {"PATH": ""}) == path
    assert find_program(str(tmp_path / "other"), {"PATH": ""}) == ""


def test_facts_are_gathered_when_they_are_asked_for(tmp_path: Path) -> None:
    facts = gather_facts(
        look_for_containers=lambda: no_containers("not asked"),
        home_tools=tmp_path,
        project_directory=tmp_path,
        environment={"PATH": str(tmp_path / "path"), "HOME": str(tmp_path)},
    )
    assert facts.tools == {}
    assert facts.memory_bytes > 0
    assert facts.find_binary("prism-admin") == ""
    built = program(tmp_path / "build" / "binaries" / "prism-admin")
    assert facts.find_binary("prism-admin") == built
    redis = program(tmp_path / "path" / "redis-server")
    assert facts.find_program("redis-server") == redis


RESERVE = """
import sys
from prismctl.domain.host_port import HostPort, PortProtocol
from prismctl.machine import reserve_port
number, owner, protocol = sys.argv[1:]
print(reserve_port(HostPort(int(number), PortProtocol(protocol)), owner), flush=True)
sys.stdin.read()
"""


def test_two_starts_at_once_never_choose_the_same_port() -> None:
    number = str(30_000 + os.getpid() % 2_000)

    def ask(owner: str, protocol: str = "tcp") -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", RESERVE, number, owner, protocol],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    with ask("one") as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "True\n"
        with ask("two") as second, ask("one") as attaching, ask("two", "udp") as datagrams:
            assert second.stdout is not None
            assert attaching.stdout is not None
            assert datagrams.stdout is not None
            assert datagrams.stdout.readline() == "True\n"
            assert second.stdout.readline() == "False\n"
            assert attaching.stdout.readline() == "True\n"
    with ask("two") as later:
        assert later.stdout is not None
        assert later.stdout.readline() == "True\n"


def test_ports_that_nobody_needs_any_more_are_given_back() -> None:
    kept, given_back = HostPort(take_port()), HostPort(take_port())
    assert reserve_port(kept, "one")
    assert reserve_port(given_back, "one")
    release_ports(kept=[kept])

    def can_have(port: HostPort) -> str:
        words = [sys.executable, "-c", RESERVE, str(port.number), "two", port.protocol.value]
        asked = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True
        )
        return asked.stdout

    assert (can_have(kept), can_have(given_back)) == ("False\n", "True\n")


def test_a_server_that_packages_hide_is_found_the_newest_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version in ("9.6", "15", "16"):
        make_program(tmp_path / version / "bin" / "postgres")
    monkeypatch.setitem(programs.SERVER_PLACES, "postgres", (f"{tmp_path}/*/bin",))
    environment = {"PATH": "/nowhere", "HOME": str(tmp_path)}
    assert find_program("postgres", environment) == f"{tmp_path}/16/bin/postgres"

    make_program(tmp_path / "path" / "postgres")
    on_path = {**environment, "PATH": f"{tmp_path}/path"}
    assert find_program("postgres", on_path) == f"{tmp_path}/path/postgres"


def test_the_kafka_that_a_variable_names_goes_before_all_others(tmp_path: Path) -> None:
    for place in ("mine/bin", "path", "tools/kafka/bin"):
        make_program(tmp_path / place / "kafka-server-start.sh")
    environment = {
        "PATH": f"{tmp_path}/path",
        "PRISM_TOOLS_DIR": f"{tmp_path}/tools",
        "HOME": str(tmp_path),
    }
    name = "kafka-server-start.sh"
    assert find_program(name, environment) == f"{tmp_path}/path/{name}"
    named = {**environment, "KAFKA_HOME": f"{tmp_path}/mine"}
    assert find_program(name, named) == f"{tmp_path}/mine/bin/{name}"
    (tmp_path / "mine" / "bin").chmod(0o777)
    assert find_program(name, named) == f"{tmp_path}/path/{name}"
    without_path = {**environment, "PATH": "/nowhere"}
    assert find_program(name, without_path) == f"{tmp_path}/tools/kafka/bin/{name}"


def make_program(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)


def test_what_is_available_is_no_more_than_the_machine_has() -> None:
    available, limit = memory.read_available_memory()
    assert available is not None
    assert 0 < available <= memory.read_memory_bytes()
    assert limit in {"", "the limit of this control group"}


def test_the_lowest_limit_of_all_groups_around_a_process_counts(tmp_path: Path) -> None:
    inner = tmp_path / "user" / "shell"
    inner.mkdir(parents=True)
    for group, limit, used in (
        (inner, "max", 10),
        (inner.parent, "1000", 400),
        (tmp_path, "5000", 500),
    ):
        (group / "memory.max").write_text(f"{limit}\n")
        (group / "memory.current").write_text(f"{used}\n")
        (group / "memory.stat").write_text("anon 1\ninactive_file 100\n")
    found = memory._read_allowances(tmp_path, "/user/shell", memory._GROUP_FILES)
    assert found == [700, 4600]

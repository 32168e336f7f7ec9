"""What `init` asks, leaves out and says, with tools and package managers that a test owns."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from prismctl.files.paths import Home
from prismctl.install.manifest import InstalledTool, Manifest, with_tool, write_manifest
from prismctl.install.proof import remember_proof
from tests.desk import read_to_end, words
from tests.install.package_desk import PackageDesk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.desk import Desk

QUESTION = "stop here"
GO = """#!/bin/sh
case "$1" in
version) echo "go version go1.26.8 linux/amd64" ;;
*) echo "go: no network here" >&2; exit 1 ;;
esac
"""


class Machine:
    """A machine with nothing but what a test puts on its PATH; nothing can be fetched."""

    def __init__(self, desk: Desk, packages: PackageDesk, port: int) -> None:
        self.desk = desk
        self.packages = packages
        self.home = Home(Path(desk.environment["PRISM_HOME"]))
        desk.environment.update(packages.environment)
        desk.environment["PRISM_TOOLS_DIR"] = str(packages.directory / "none")
        desk.environment["PRISM_RELEASE_URL"] = f"http://127.0.0.1:{port}"

    def put(self, name: str, script: str) -> Path:
        return self.packages.program(name, script)

    def put_agents(self) -> None:
        """Nomad and Consul are here, and have been tried."""
        programs = [
            self.put("consul", "#!/bin/sh\necho Consul v1.20.5\n"),
            self.put("nomad", "#!/bin/sh\necho Nomad v1.11.3\n"),
        ]
        self.home.directory.mkdir(mode=0o700)
        remember_proof(self.home, "trial", programs, "it worked")

    @property
    def installs(self) -> list[str]:
        """What apt was really asked to install; looking is no installing."""
        return [
            call
            for call in self.packages.log
            if "install" in call and "-s " not in call and "--print-uris" not in call
        ]


@pytest.fixture
def machine(desk: Desk, tmp_path: Path) -> Iterator[Machine]:
    with socket.socket() as nobody:
        # Bound and never listened on: nothing else can answer there.
        nobody.bind(("127.0.0.1", 0))
        yield Machine(desk, PackageDesk(tmp_path / "desk"), nobody.getsockname()[1])


def steps(document: Any) -> dict[str, Any]:
    return {step["name"]: step for step in document["steps"]}


def test_a_dry_run_shows_everything_and_touches_nothing(machine: Machine) -> None:
    machine.put("go", GO)
    shown = machine.desk.pipe("dev", "init", "--dry-run")
    assert shown.returncode == 0, shown.stderr
    text = " ".join(shown.stdout.split())
    assert "1.11.3 from go: github.com/hashicorp/nomad@v1.11.3" in text
    assert "licence: Business Source License 1.1, https://www.hashicorp.com/bsl" in text
    assert "from apt" in text
    assert "apt-get install" in text
    assert "nothing was changed (--dry-run)" in shown.stderr
    assert not machine.home.directory.exists()
    assert machine.installs == []


def test_a_dry_run_can_be_read_by_programs(machine: Machine) -> None:
    machine.put("go", GO)
    document = json.loads(machine.desk.pipe("dev", "init", "--dry-run", "-o", "json").stdout)
    tools = {tool["tool"]: tool for tool in document["tools"]}
    assert tools["nomad"]["install"]["provider"] == "go"
    assert tools["nomad"]["install"]["licence"]["name"] == "Business Source License 1.1"
    assert tools["podman"]["install"]["provider"] == "apt"
    assert tools["podman"]["install"]["size_bytes"] == 1000


def test_a_dry_run_of_what_cannot_be_had_ends_as_init_would(machine: Machine) -> None:
    shown = machine.desk.pipe("dev", "init", "--dry-run", "--without", "podman")
    done = machine.desk.pipe("dev", "init", "--without", "podman")
    assert (shown.returncode, done.returncode) == (4, 4)
    assert shown.stderr.splitlines()[0] == "nothing was changed (--dry-run)"
    assert shown.stderr.splitlines()[1:] == done.stderr.splitlines()
    assert "Nomad cannot be had" in " ".join(shown.stdout.split())


def test_a_dry_run_that_fails_is_one_document_for_programs(machine: Machine) -> None:
    said = machine.desk.pipe("dev", "init", "--dry-run", "--provider", "path", "-o", "json")
    assert said.returncode == 3
    document = json.loads(said.stdout)
    assert [tool["tool"] for tool in document["tools"]] == ["consul", "nomad", "podman"]
    assert document["error"]["message"] == "Consul is not on this machine"


def test_a_dry_run_without_podman_ends_as_partly_done(machine: Machine) -> None:
    machine.put_agents()
    (machine.packages.directory / "bin" / "apt-get").unlink()
    said = machine.desk.pipe("dev", "init", "--dry-run")
    assert said.returncode == 7
    assert "everything else would be ready; without Podman" in said.stderr
    assert machine.desk.pipe("dev", "init").returncode == 7


def test_a_dry_run_finds_mistakes_in_the_catalog_that_is_there(machine: Machine) -> None:
    machine.put_agents()
    machine.home.catalog.write_text("services: 7\n")
    before = sorted(machine.home.directory.rglob("*"))
    shown = machine.desk.pipe("dev", "init", "--dry-run", "--without", "podman")
    assert shown.returncode == 2
    assert "services.yaml" in shown.stderr
    assert sorted(machine.home.directory.rglob("*")) == before
    assert machine.desk.pipe("dev", "init", "--without", "podman").returncode == 2


def test_what_changes_the_machine_is_left_out_where_nobody_can_be_asked(machine: Machine) -> None:
    machine.put_agents()
    said = machine.desk.pipe("dev", "init", "-o", "json")
    assert said.returncode == 7, said.stderr
    podman = steps(json.loads(said.stdout.splitlines()[0]))["podman"]
    assert podman["state"] == "left out"
    assert "apt-get install" in podman["fix"]
    assert machine.installs == []


def test_yes_installs_it_without_a_question(machine: Machine) -> None:
    machine.put_agents()
    machine.desk.pipe("dev", "init", "--yes")
    assert len(machine.installs) == 1
    brought = json.loads(machine.home.manifest.read_text())["packages"]
    assert brought == [{"manager": "apt", "names": ["conmon", "podman"]}]


@pytest.mark.parametrize(
    ("key", "code", "is_installed"),
    [("y", None, True), ("n", 7, False), ("q", 1, False), ("\r", 1, False)],
    ids=["yes", "no", "stop", "enter"],
)
def test_on_a_terminal_it_asks_once_and_does_what_was_answered(
    machine: Machine, key: str, code: int | None, *, is_installed: bool
) -> None:
    machine.put_agents()
    child = machine.desk.terminal(["dev", "init"], size=(40, 120))
    child.expect(QUESTION)
    asked = words(child.before)
    assert "4.3.1 from apt" in asked
    assert "apt-get install" in asked
    assert machine.installs == []
    child.send(key)
    read_to_end(child)
    assert (len(machine.installs) == 1) is is_installed
    if code is not None:
        assert child.exitstatus == code


def test_nothing_to_be_had_is_told_for_each_tool_and_home_is_made(machine: Machine) -> None:
    said = machine.desk.pipe("dev", "init", "--without", "podman")
    assert said.returncode == 4, said.stdout + said.stderr
    assert "Traceback" not in said.stderr
    assert "failed   nomad" in said.stdout
    assert "failed   consul" in said.stdout
    assert "left-out trial  needs Consul, Nomad" in said.stdout
    assert machine.home.catalog.exists()


def test_provider_path_installs_nothing(machine: Machine) -> None:
    said = machine.desk.pipe("dev", "init", "--without", "podman", "--provider", "path")
    assert said.returncode == 3
    assert "is not on this machine" in said.stderr


def test_an_old_nomad_is_named_and_left_alone(machine: Machine) -> None:
    machine.put_agents()
    old = machine.put("nomad", "#!/bin/sh\necho Nomad v1.6.1\n")
    said = machine.desk.pipe("dev", "init", "--without", "podman", "--dry-run")
    assert f"Nomad 1.6.1 at {old} is too old" in " ".join(said.stdout.split())
    assert "it is left as it is" in " ".join(said.stdout.split())


def test_a_home_of_a_newer_prismctl_is_refused(machine: Machine) -> None:
    machine.home.directory.mkdir()
    machine.home.manifest.write_text('{"schema": 99, "written_by": "9.9.9"}')
    said = machine.desk.pipe("dev", "init")
    assert said.returncode == 1
    assert "was written by prismctl 9.9.9" in said.stderr


def test_a_start_without_nomad_asks_and_local_is_an_answer(machine: Machine) -> None:
    child = machine.desk.terminal(["dev", "start", "--services", "web.yaml", "--no-dashboard"])
    child.expect("always use the local engine")
    assert "Nomad and Consul are not installed" in words(child.before)
    child.send("q")  # no answer to this question
    child.send("\x03")
    read_to_end(child)
    assert child.exitstatus == 130
    assert machine.desk.lab.own_processes() == []


def test_always_is_written_down_and_not_asked_again(machine: Machine) -> None:
    catalog = (
        "core: false\nservices:\n  - {name: web, command: [/bin/sleep, '600'], default: true}\n"
    )
    (machine.desk.directory / "web.yaml").write_text(catalog)
    machine.home.directory.mkdir(mode=0o700)
    machine.home.settings.write_text("# mine\nauto_ports: true  # as I like it\n")
    start = ["dev", "start", "--services", "web.yaml", "--no-dashboard"]
    child = machine.desk.terminal(start)
    child.expect("always use the local engine")
    child.send("a")
    read_to_end(child)
    assert child.exitstatus == 0
    written = machine.home.settings.read_text()
    assert written == "# mine\nauto_ports: true  # as I like it\nengine: local\n"
    assert machine.desk.state() == "running"
    machine.desk.pipe("dev", "stop")

    again = machine.desk.terminal(start)
    shown = words(read_to_end(again))
    assert again.exitstatus == 0
    assert "always use" not in shown
    machine.desk.pipe("dev", "stop")


def test_an_installation_that_fails_leaves_the_choice_to_do_without(machine: Machine) -> None:
    catalog = (
        "core: false\nservices:\n  - {name: web, command: [/bin/sleep, '600'], default: true}\n"
    )
    (machine.desk.directory / "web.yaml").write_text(catalog)
    start = ["dev", "start", "--services", "web.yaml", "--no-dashboard"]
    child = machine.desk.terminal(start, size=(40, 120))
    child.expect("always use the local engine")
    child.send("i")
    child.expect(QUESTION)
    assert "cannot be had" in words(child.before)
    child.send("l")
    read_to_end(child)
    assert child.exitstatus == 0
    assert machine.desk.state() == "running"
    machine.desk.pipe("dev", "stop")


def test_a_build_that_nobody_agreed_to_is_not_begun(machine: Machine) -> None:
    log = machine.packages.directory / "go.log"
    machine.put("go", f'#!/bin/sh\necho "$1" >> {log}\n' + GO.partition("\n")[2])
    said = machine.desk.pipe("dev", "init", "--without", "podman")
    assert said.returncode == 3, said.stdout + said.stderr
    assert "nobody agreed to install Consul and Nomad" in said.stderr
    assert "`prismctl dev init --yes`" in said.stderr
    assert set(log.read_text().split()) == {"version"}


def test_a_group_alone_shows_its_help(machine: Machine) -> None:
    for words_typed in ((), ("completion",), ("dev", "catalog")):
        shown = machine.desk.pipe(*words_typed)
        assert shown.returncode == 0, shown.stderr
        assert shown.stdout.count("\n") > 3
        assert shown.stderr == ""


def test_a_log_file_in_no_directory_is_refused_before_anything_starts(machine: Machine) -> None:
    said = machine.desk.pipe("dev", "start", "--log-file", "/nonexistent/x")
    assert said.returncode == 2
    assert "--log-file: /nonexistent is not a directory" in said.stderr


def test_what_neighbours_call_a_command_leads_to_ours(machine: Machine) -> None:
    assert "did you mean `start`?" in machine.desk.pipe("dev", "up").stderr
    assert "did you mean `status`?" in machine.desk.pipe("dev", "ps").stderr
    assert "did you mean `stop`?" in machine.desk.pipe("dev", "down").stderr


def test_a_rollback_can_be_tried_before_it_is_done(machine: Machine) -> None:
    home = machine.home
    home.directory.mkdir(mode=0o700)
    manifest = Manifest()
    home.tools.mkdir()
    for version in ("1.10.5", "1.11.3"):
        (home.tools / f"nomad-{version}").write_text(f"#!/bin/sh\necho Nomad v{version}\n")
        (home.tools / f"nomad-{version}").chmod(0o755)
        manifest = with_tool(
            manifest,
            "nomad",
            InstalledTool(
                file=f"nomad-{version}",
                version=version,
                provider="release",
                source="",
                sha256="",
                verified="",
            ),
        )
    write_manifest(home, manifest)
    (home.tools / "nomad").symlink_to("nomad-1.11.3")

    tried = machine.desk.pipe("dev", "init", "--rollback", "nomad", "--dry-run")
    assert "nomad-1.10.5 would be in use" in tried.stdout
    assert (home.tools / "nomad").readlink() == Path("nomad-1.11.3")

    done = machine.desk.pipe("dev", "init", "--rollback", "nomad")
    assert "nomad-1.10.5 is in use" in done.stdout
    assert (home.tools / "nomad").readlink() == Path("nomad-1.10.5")


def test_programs_get_one_document_however_it_ends(machine: Machine) -> None:
    said = machine.desk.pipe("dev", "init", "--without", "podman", "-o", "json")
    assert said.returncode == 4
    document = json.loads(said.stdout)
    assert document["error"]["message"].startswith("Consul cannot be had")
    assert steps(document)["nomad"]["state"] == "failed"


def test_without_a_package_manager_podman_is_refused_in_words_about_podman(
    machine: Machine,
) -> None:
    machine.put_agents()
    for name in ("apt-get", "apt-cache", "dpkg-query"):
        (machine.packages.directory / "bin" / name).unlink()
    said = machine.desk.pipe("dev", "init")
    assert said.returncode == 7
    assert "no package manager that Podman could come from is on PATH" in said.stdout
    assert "--without podman" in said.stderr


def test_a_start_in_a_pipe_says_which_engine_it_took_and_why(machine: Machine) -> None:
    catalog = (
        "core: false\nservices:\n  - {name: web, command: [/bin/sleep, '600'], default: true}\n"
    )
    (machine.desk.directory / "web.yaml").write_text(catalog)
    said = machine.desk.pipe("dev", "start", "--services", "web.yaml")
    assert said.returncode == 0, said.stderr
    assert "engine=local Nomad and Consul are not installed; `prismctl dev init`" in said.stdout
    machine.desk.pipe("dev", "stop")


def test_a_directory_that_everybody_shares_is_no_home_and_stays_as_it_was(machine: Machine) -> None:
    shared = machine.home.directory
    shared.mkdir()
    shared.chmod(0o1777)
    said = machine.desk.pipe("dev", "init")
    assert said.returncode == 1
    assert "everybody shares it" in said.stderr
    assert "point PRISM_HOME at a directory of its own" in said.stderr
    assert shared.stat().st_mode & 0o7777 == 0o1777
    assert list(shared.iterdir()) == []

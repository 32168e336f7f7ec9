"""``dev doctor`` and what a start looks at, in this process and on real homes."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from prismctl.cli.invocation import Invocation
from prismctl.cli.preflight import NotFitError, check_before_start, judge_fitness
from prismctl.install.checks.finding import Finding, State
from tests.free_ports import take_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prismctl.files.paths import Home

CATALOG = """core: false
services:
  - name: db
    command: /bin/sleep 1000
    default: true
    port: {port}
"""
SCRIPT = "import time; print('up', flush=True); time.sleep(600)"


@pytest.fixture
def fit(home: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home in which nothing is a problem: no tools, and a catalog whose only port is free."""
    empty = home.directory.parent / "path"
    empty.mkdir()
    monkeypatch.setenv("PATH", str(empty))
    monkeypatch.setenv("PRISM_TOOLS_DIR", str(empty))
    home.directory.mkdir(mode=0o700)
    write_catalog(home, take_port())
    return home


def write_catalog(home: Home, port: int) -> None:
    home.catalog.write_text(CATALOG.format(port=port), encoding="utf-8")


def find(document: Any, name: str) -> Any:
    return next(each for each in document["checks"] if each["name"] == name)


@contextlib.contextmanager
def running(**environment: str) -> Iterator[int]:
    process = subprocess.Popen(
        [sys.executable, "-S", "-c", SCRIPT],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_a_machine_without_problems_is_zero_with_a_summary(fit: Home, prismctl: Any) -> None:
    del fit
    answer = prismctl("dev", "doctor")
    assert answer.code == 0, answer.out
    *_, blank, summary = answer.out.splitlines()
    assert blank == ""
    assert " checks: " in summary
    assert "problem" not in summary
    assert answer.err == ""


def test_the_document_has_every_check_and_the_sums(fit: Home, prismctl: Any) -> None:
    del fit
    answer = prismctl("dev", "doctor", "-o", "json")
    document = answer.document
    assert document["schema"] == 1
    assert document["summary"]["checks"] == len(document["checks"])
    assert find(document, "nomad")["state"] == "warning"
    assert find(document, "nomad")["fix"] == "prismctl dev init"
    assert find(document, "home")["fixable"] is False


def test_a_problem_is_exit_code_one_in_both_formats(fit: Home, prismctl: Any) -> None:
    fit.settings.write_text("engine: nomda\n", encoding="utf-8")
    for words in (["dev", "doctor"], ["dev", "doctor", "-o", "json"]):
        assert prismctl(*words).code == 1
    document = prismctl("dev", "doctor", "-o", "json").document
    assert find(document, "configuration")["state"] == "problem"
    assert document["summary"]["problems"] == 1


def test_quiet_is_only_what_is_not_good(fit: Home, prismctl: Any) -> None:
    fit.settings.write_text("engine: nomda\n", encoding="utf-8")
    answer = prismctl("dev", "doctor", "-q")
    assert "✗ configuration" in answer.out
    assert "✓" not in answer.out


@pytest.mark.parametrize("place", ["home", "project", "another-stack"])
def test_a_held_port_that_a_start_would_replace_is_no_problem(
    fit: Home, prismctl: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    import socket

    if place == "home":
        fit.settings.write_text("auto_ports: true\n")
    elif place == "project":
        (tmp_path / "prism.yaml").write_text("stack: default\nsettings: {auto_ports: true}\n")
        monkeypatch.chdir(tmp_path)
    else:
        monkeypatch.setenv("PRISM_STACK", "another-stack")
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = server.getsockname()[1]
        write_catalog(fit, number)
        answer = prismctl("dev", "doctor", "-o", "json")
    held = find(answer.document, f"port-{number}")
    assert held["state"] == "ok"
    assert held["detail"].endswith("; a start takes another one")
    assert not held["fix"]


def test_a_held_port_is_a_problem_with_its_holder(fit: Home, prismctl: Any) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        number = server.getsockname()[1]
        write_catalog(fit, number)
        answer = prismctl("dev", "doctor", "-o", "json")
    assert answer.code == 1
    held = find(answer.document, f"port-{number}")
    assert held["state"] == "problem"
    assert f"PID {os.getpid()}" in held["detail"]


def test_fix_closes_an_open_home_and_says_so(fit: Home, prismctl: Any) -> None:
    fit.directory.chmod(0o755)
    before = prismctl("dev", "doctor", "-o", "json").document
    assert find(before, "home")["state"] == "warning"
    assert find(before, "home")["fixable"] is True
    answer = prismctl("dev", "doctor", "--fix", "-o", "json")
    assert find(answer.document, "home")["state"] == "ok"
    assert len(answer.document["fixed"]) == 1
    assert fit.directory.stat().st_mode & 0o777 == 0o700


def list_files(home: Home) -> list[Path]:
    """What is in a home, apart from what can be made anew at any time."""
    return sorted(
        each for each in home.directory.rglob("*") if home.cache not in (each, *each.parents)
    )


def test_without_fix_nothing_is_changed(fit: Home, prismctl: Any) -> None:
    fit.directory.chmod(0o755)
    before = list_files(fit)
    prismctl("dev", "doctor")
    assert fit.directory.stat().st_mode & 0o777 == 0o755
    assert list_files(fit) == before


def test_a_home_that_is_not_there_is_not_made(home: Home, prismctl: Any) -> None:
    document = prismctl("dev", "doctor", "-o", "json").document
    assert find(document, "home")["state"] == "ok"
    assert "not there yet" in find(document, "home")["detail"]
    assert not home.directory.exists()


def test_fix_ends_an_orphan_with_this_homes_mark_and_no_other(fit: Home, prismctl: Any) -> None:
    mine = fit.stack("default").keeper_id
    with running(PRISM_KEEPER=mine) as orphan, running(PRISM_KEEPER="prism-other") as stranger:
        before = prismctl("dev", "doctor", "-o", "json")
        found = find(before.document, "leftovers-default")
        assert (before.code, found["state"], found["fixable"]) == (1, "problem", True)
        assert f"PID {orphan} " in found["detail"]
        answer = prismctl("dev", "doctor", "--fix", "-o", "json")
        assert answer.code == 0, answer.out
        assert find(answer.document, "leftovers")["state"] == "ok"
        assert any(f"PID {orphan} " in words for words in answer.document["fixed"])
        os.kill(stranger, 0)
        assert os.waitid(os.P_PID, orphan, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None
        assert os.waitid(os.P_PID, stranger, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None


def test_fix_clears_up_after_a_stack_that_was_killed(
    lab: Any, wait_until: Any, monkeypatch: pytest.MonkeyPatch, prismctl: Any
) -> None:
    status = lab.start_with(lab.service("sleeper"))
    assert status["state"] == "running"
    keeper, daemon = lab.keeper_pid(), lab.daemon_pid()
    monkeypatch.setenv("PRISM_HOME", str(lab.home))
    running_now = prismctl("dev", "doctor", "-o", "json").document
    assert find(running_now, "leftovers")["state"] == "ok"
    for pid in (daemon, keeper):
        os.kill(pid, signal.SIGSTOP)
    for pid in (daemon, keeper):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not lab.own_processes())
    before = prismctl("dev", "doctor", "-o", "json").document
    assert "ended without being stopped" in find(before, "leftovers-default")["detail"]
    after = prismctl("dev", "doctor", "--fix", "-o", "json").document
    assert find(after, "leftovers")["state"] == "ok"
    assert "removed the plan of stack default" in after["fixed"]
    assert not lab.paths.plan.exists()


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="drops root's powers with setpriv")
def test_a_user_without_powers_gets_findings_and_no_traceback(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    theirs = home.directory
    (theirs / "run" / "default").mkdir(parents=True)
    theirs.chmod(0o000)
    drop = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    try:
        done = subprocess.run(
            [*drop, sys.executable, "-m", "prismctl", "dev", "doctor", "--fix"],
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        theirs.chmod(0o700)
    assert done.returncode == 1, done.stdout
    assert "cannot be written (mode 0000)" in done.stdout
    assert "bug" not in done.stderr
    assert "Traceback" not in done.stderr


# Before a start.


def test_a_start_in_a_home_that_others_can_write_is_refused_in_doctors_words(
    fit: Home, prismctl: Any
) -> None:
    fit.directory.chmod(0o777)
    answer = prismctl("dev", "start", "--engine", "local", "-o", "json")
    assert answer.code == 1
    error = answer.document["error"]
    assert error["code"] == "not-fit"
    assert error["message"].endswith("has mode 0777: others can put programs into it")
    assert error["hint"] == f"chmod 700 {fit.directory}"
    assert not fit.stacks.exists()


def test_a_start_warns_of_an_open_home_and_goes_on(
    fit: Home, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    fit.directory.chmod(0o755)
    check_before_start(Invocation(home=fit, stack="default"))
    warned = capsys.readouterr()
    assert "! home" in warned.err
    assert "has mode 0755: others can look into it" in warned.err
    assert warned.out == ""
    fit.directory.chmod(0o700)
    check_before_start(Invocation(home=fit, stack="default"))
    assert "! home" not in capsys.readouterr().err


def test_several_reasons_are_all_listed(home: Home) -> None:
    findings = [
        Finding(name=name, title=name, state=State.PROBLEM, detail="is bad", fix="mend it")
        for name in ("disk", "memory")
    ]
    with pytest.raises(NotFitError) as raised:
        judge_fitness(Invocation(home=home, stack="default"), findings)
    assert [problem.message for problem in raised.value.problems] == [
        "disk: is bad",
        "memory: is bad",
    ]
    assert "prismctl dev doctor" in raised.value.hint


def test_a_dry_run_checks_nothing_of_the_machine(fit: Home, prismctl: Any) -> None:
    fit.directory.chmod(0o777)
    assert prismctl("dev", "start", "--engine", "local", "--dry-run").code == 0


def test_doctor_is_completed(home: Home) -> None:
    from prismctl.cli.root import dev

    del home
    import click

    items = dev.shell_complete(click.Context(dev), "doc")
    assert [item.value for item in items] == ["doctor"]


def test_the_page_names_every_check(fit: Home, prismctl: Any) -> None:
    del fit
    page = Path(__file__).parents[2] / "docs" / "reference" / "doctor.md"
    table = page.read_text(encoding="utf-8").partition("## Mending")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`([a-z-]+)`", row)}
    given = {each["name"] for each in prismctl("dev", "doctor", "-o", "json").document["checks"]}
    assert given <= named
    # What is told of containers depends on whether Podman is on this machine.
    assert named - given - {"containers"} == {"name", "directories"}

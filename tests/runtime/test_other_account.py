from __future__ import annotations

import os
import pwd
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from prismctl.domain.plan import EngineName, ServicePlan, StackPlan
from prismctl.domain.service import DEFAULT_STACK, Runtime, ServiceName, ServiceType
from prismctl.errors import PrismError
from prismctl.files.paths import StackPaths
from prismctl.runtime import other_account
from prismctl.runtime.command import render_command

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
NOBODY = pwd.getpwnam("nobody")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A directory behind one that only its owner may pass."""
    made = tmp_path / "closed" / "data" / "db"
    made.mkdir(parents=True)
    (tmp_path / "closed").chmod(0o700)
    return made


def run(data: Path, script: str, *, user: str = "nobody") -> tuple[int, str]:
    words = [sys.executable, "-I", "-S", other_account.__file__, user, str(data)]
    said = subprocess.run(
        [*words, "/bin/sh", "-c", script],
        cwd=data,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    return said.returncode, said.stdout + said.stderr


def test_a_command_is_somebody_else_for_good_and_owns_its_data(data: Path) -> None:
    (data / "earlier").touch()
    code, said = run(data, f"id -u; id -g; id -G; echo $HOME $USER; pwd; echo made > {data}/made")
    home = f"{NOBODY.pw_dir} nobody"
    assert (code, said.splitlines()) == (
        0,
        [*[str(NOBODY.pw_uid)], *[str(NOBODY.pw_gid)] * 2, home, str(data)],
    )
    assert {path.stat().st_uid for path in (data, *data.iterdir())} == {NOBODY.pw_uid}
    assert (data / "made").read_text() == "made\n"


def test_the_way_to_the_data_stays_closed_and_shows_nothing_else(data: Path) -> None:
    (data.parent.parent / "secret").write_text("x")
    (data.parent / "other").mkdir()
    code, said = run(data, f"ls {data.parent.parent} {data.parent}; touch {data.parent}/x")
    assert "secret" not in said
    assert "other" not in said
    assert code != 0
    assert data.parent.parent.stat().st_mode & 0o777 == 0o700
    assert str(data) not in Path("/proc/self/mountinfo").read_text(encoding="utf-8")


def test_the_death_of_the_parent_is_still_told(data: Path) -> None:
    code = (
        "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 9); os.execv(sys.argv[1], sys.argv[1:])"
    )
    ask = "import ctypes; n = ctypes.c_int(); ctypes.CDLL(None).prctl(2, ctypes.byref(n)); print(n.value)"
    words = [sys.executable, "-I", "-S", other_account.__file__, "nobody", str(data)]
    said = subprocess.run(
        ["/usr/bin/python3", "-c", code, *words, "/usr/bin/python3", "-c", ask],
        cwd=data,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert said.stdout == f"{signal.SIGKILL.value}\n"


def test_a_user_that_is_not_there_is_told(data: Path) -> None:
    assert run(data, "true", user="no-such-user") == (127, "there is no user no-such-user\n")


def plan(user: str, init: tuple[str, ...] = ()) -> StackPlan:
    service = ServicePlan(
        name=ServiceName("db"),
        type=ServiceType.BACKEND,
        source="--with",
        runtime=Runtime.NATIVE,
        runtime_reason="",
        command=("sh", "-c", "id -un"),
        init=init,
        user=user,
    )
    return StackPlan(
        stack=DEFAULT_STACK,
        engine=EngineName.LOCAL,
        engine_reason="",
        origin="test",
        services=(service,),
        base_env={"PATH": os.environ["PATH"]},
    )


def test_a_planned_service_and_what_precedes_it_run_as_their_user(tmp_path: Path) -> None:
    paths = StackPaths(tmp_path / "run" / "default", "default")
    stack = plan("nobody", ("sh", "-c", "id -un > who; echo prepared by $(id -un)"))
    command = render_command(stack.services[0], 0, stack, paths)
    command.data_directory.mkdir(parents=True)
    said = [
        subprocess.run(
            command.argv, cwd=command.cwd, env=command.env, capture_output=True, check=True
        ).stdout
        for _ in range(2)
    ]
    assert said == [b"prepared by nobody\nnobody\n", b"nobody\n"]
    assert (command.data_directory / "who").read_text() == "nobody\n"


def test_a_planned_user_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    paths = StackPaths(tmp_path / "run" / "default", "default")
    stack = plan("no-such-user")
    with pytest.raises(PrismError, match="db: there is no user `no-such-user`") as raised:
        render_command(stack.services[0], 0, stack, paths)
    assert "native.user" in raised.value.hint


def test_data_of_a_third_account_is_not_silently_taken_over(data: Path) -> None:
    (data / "theirs").touch()
    daemon = pwd.getpwnam("daemon").pw_uid
    for each in (data, data / "theirs"):
        os.chown(each, daemon, -1)
    code, said = run(data, "echo started")
    assert code == other_account.EXIT_CANNOT_START
    assert "started" not in said
    assert f"it belongs to daemon; `chown -R nobody {data}` gives it away" in said
    assert (data / "theirs").stat().st_uid == daemon


def test_data_of_whoever_has_home_is_given_to_the_account(data: Path) -> None:
    daemon = pwd.getpwnam("daemon").pw_uid
    for each in (data, data.parent):
        os.chown(each, daemon, -1)
    code, said = run(data, "id -u")
    assert (code, said.strip()) == (0, str(NOBODY.pw_uid))

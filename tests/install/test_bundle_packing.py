from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from prismctl.errors import PrismError, UnavailableError
from prismctl.files.catalog import ensure_catalog
from prismctl.files.paths import Home
from prismctl.install.bundle.images import load_images
from prismctl.install.bundle.staging import Staging
from prismctl.install.bundle.wheels import (
    find_requirement,
    gather_wheels,
    list_constraints,
    name_requirement,
)
from prismctl.install.manifest import read_manifest
from prismctl.install.steps import StepState
from tests.free_ports import take_port
from tests.install.bundle_lab import BUILT, Contents
from tests.install.release_lab import ARCHIVE, SUMS, TARGET

if TYPE_CHECKING:
    from aiohttp import web

    from prismctl.install.steps import StepStatus
    from tests.install.bundle_lab import Packer


def names_in(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()} if directory.exists() else set()


async def test_a_bundle_is_closed_to_others_and_nothing_else_stays(packer: Packer) -> None:
    file = await packer.pack_well()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert names_in(file.parent) == {file.name}
    assert names_in(packer.home.downloads) == set()


async def test_a_bundle_replaces_the_one_before(packer: Packer) -> None:
    first = (await packer.pack_well()).read_bytes()
    packer.have_program("consul", b"#!/bin/sh\necho Consul v1.19.2\n")
    assert (await packer.pack_well()).read_bytes() != first


async def test_the_program_that_is_here_is_packed_where_the_release_cannot_be_had(
    packer: Packer,
) -> None:
    packer.lab.behaviours[SUMS] = [packer.lab.answer(404)]
    packer.have_program("nomad", b"#!/bin/sh\necho Nomad v1.11.3\n")
    await packer.pack_well()
    detail = packer.statuses["nomad"].detail
    assert "signed by nobody" in detail
    assert "it answered 404" in detail
    assert Contents.read(packer.file).index["tools"]["nomad"]["kind"] == "built"


async def test_the_program_that_is_here_is_not_packed_where_a_release_was_asked_for(
    packer: Packer,
) -> None:
    packer.have_program("nomad", b"#!/bin/sh\necho Nomad v1.11.3\n")
    packer.lab.behaviours[SUMS] = [packer.lab.answer(404)]
    await packer.pack(accepts_unsigned=False)
    assert packer.statuses["nomad"].state is StepState.FAILED
    assert not packer.file.exists()


async def test_a_release_that_was_forged_is_not_replaced_by_what_is_here(packer: Packer) -> None:
    packer.have_program("nomad", b"#!/bin/sh\necho Nomad v1.11.3\n")
    packer.lab.files[ARCHIVE] = b"something else"
    await packer.pack()
    error = packer.statuses["nomad"].error
    assert isinstance(error, PrismError)
    assert not isinstance(error, UnavailableError)
    assert packer.statuses["bundle"].state is StepState.LEFT_OUT
    assert not packer.file.exists()
    assert names_in(packer.home.downloads) == set()


async def test_a_tool_that_is_neither_here_nor_to_be_had_is_an_error_with_both_reasons(
    packer: Packer,
) -> None:
    packer.lab.behaviours[SUMS] = [packer.lab.answer(404)]
    await packer.pack()
    status = packer.statuses["nomad"]
    assert "it answered 404" in status.detail
    assert "no program of it is here" in status.detail
    assert "prismctl dev init" in status.fix


async def test_what_was_fetched_is_used_by_the_next_packing(packer: Packer) -> None:
    file = packer.file
    file.parent.mkdir()
    file.mkdir()
    await packer.pack()
    assert packer.statuses["bundle"].state is StepState.FAILED
    assert f"{ARCHIVE}.part" in names_in(packer.home.downloads)
    file.rmdir()
    await packer.pack_well()
    assert len(packer.lab.asked(ARCHIVE)) == 1


async def test_a_packing_that_is_cancelled_leaves_nothing_but_what_it_fetched(
    packer: Packer,
) -> None:
    packing: asyncio.Task[Path]

    def tell(status: StepStatus) -> None:
        if status.name == "bundle" and status.progress is not None:
            packing.cancel()

    packing = asyncio.create_task(packer.pack(tell))
    with pytest.raises(asyncio.CancelledError):
        await packing
    assert names_in(packer.file.parent) == set()
    left = names_in(packer.home.downloads)
    assert left == {f"{ARCHIVE}.part", f"{ARCHIVE}.part.json"}


WRITE = """
import pathlib, sys
from prismctl.install.bundle.index import Index
from prismctl.install.bundle.writing import measure, write_bundle

class Course:
    def advance(self, size):
        if size:
            print("writing", flush=True)
            sys.stdin.read()

source, target = map(pathlib.Path, sys.argv[1:])
file = measure(source, "tools/any", Course())
index = Index(written_by="1", target="any", files={file.path: file})
write_bundle(target, index, {file.path: source}, Course())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="files without a name are Linux's")
def test_a_packing_that_is_killed_leaves_no_file(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(bytes(3 << 20))
    out = tmp_path / "out"
    out.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", WRITE, str(source), str(out / "tools.tar")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"writing\n"
        process.kill()
    assert names_in(out) == set()


@pytest.mark.parametrize("system", ["", "import os; vars(os).pop('O_TMPFILE', None)\n"])
def test_a_disk_that_is_full_is_named_and_nothing_stays(tmp_path: Path, system: str) -> None:
    source = tmp_path / "source"
    source.write_bytes(bytes(3 << 20))
    out = tmp_path / "out"
    out.mkdir()
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))\n"
    done = subprocess.run(
        [sys.executable, "-c", limit + system + WRITE, str(source), str(out / "tools.tar")],
        input="",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert f"cannot write {out / 'tools.tar'}: File too large" in done.stderr
    assert names_in(out) == set()


async def test_a_directory_that_is_not_there_is_named(packer: Packer, tmp_path: Path) -> None:
    await packer.pack(file=tmp_path / "absent" / "tools.tar")
    status = packer.statuses["bundle"]
    assert "absent/tools.tar: No such file or directory" in status.detail
    assert "directory that can be written" in status.fix


PODMAN = b"""#!/bin/sh
store=$(dirname "$0")/store; mkdir -p "$store"
for last; do :; done
case "$1 $2" in
"image inspect") [ -f "$store/$(echo "$last" | tr / _)" ] && echo "id-of-$last" ;;
"save --quiet") echo "the image $last" > "$6" ;;
"load --quiet") read -r _ _ name < "$last"; touch "$store/$(echo "$name" | tr / _)" ;;
*) exit 9 ;;
esac
"""


async def test_images_that_podman_has_come_along_and_the_others_are_named(
    packer: Packer, tmp_path: Path
) -> None:
    packer.have_program("podman", PODMAN)
    (packer.directory / "bin" / "store").mkdir()
    (packer.directory / "bin" / "store" / "example_here:1").touch()
    ensure_catalog(packer.home)
    packer.home.catalog.write_text(
        "core: false\nservices:\n"
        "  - {name: one, container: 'example/here:1'}\n"
        "  - {name: two, container: 'example/absent:2'}\n"
    )
    file = await packer.pack_well(has_images=True)
    assert packer.statuses["images"].detail == "1 image; not in Podman here: example/absent:2"

    (packer.directory / "bin" / "store" / "example_here:1").unlink()
    home = Home(tmp_path / "other")
    outcome = await load_images(file, home, packer.environment, target=TARGET)
    assert (outcome.detail, outcome.is_changed) == ("1 image loaded", True)
    assert read_manifest(home).images == ("id-of-example/here:1",)
    assert names_in(home.downloads) == set()
    again = await load_images(file, home, packer.environment, target=TARGET)
    assert (again.detail, again.is_changed) == ("1 image here already", False)


@pytest.mark.parametrize(
    ("origin", "requirement"),
    [
        (None, "prismctl==1.2.3"),
        ("damaged", "prismctl==1.2.3"),
        ('{"url": "file:///a/check%20out", "dir_info": {"editable": true}}', "/a/check out"),
        ('{"url": "file:///a/b.whl", "archive_info": {}}', "/a/b.whl"),
        ('{"url": "https://example.com/b.whl"}', "prismctl @ https://example.com/b.whl"),
        (
            '{"url": "https://example.com/r", "vcs_info": {"vcs": "git", "commit_id": "abc"}}',
            "prismctl @ git+https://example.com/r@abc",
        ),
    ],
)
def test_pip_is_told_to_get_the_prismctl_that_is_installed(
    origin: str | None, requirement: str
) -> None:
    assert name_requirement(origin, "1.2.3") == requirement


def test_a_prismctl_that_pip_did_not_install_has_no_wheels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(PrismError, match="is not installed as a package") as caught:
        find_requirement()
    assert "--without-wheels" in caught.value.hint


def test_pip_is_bound_to_the_versions_that_are_installed() -> None:
    from importlib import metadata

    lines = list_constraints(metadata.distributions()).splitlines()
    assert f"click=={metadata.version('click')}" in lines
    assert not any(line.startswith("prismctl=") for line in lines)


async def test_wheels_that_cannot_be_fetched_are_an_error_with_a_way_out(tmp_path: Path) -> None:
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "PIP_NO_CACHE_DIR": "1",
        "PIP_RETRIES": "0",
        "PIP_INDEX_URL": f"http://127.0.0.1:{take_port()}/",
    }
    with pytest.raises(UnavailableError, match="wheels of prismctl cannot be had") as caught:
        await gather_wheels(Staging(directory=tmp_path), environment, lambda _: None)
    assert "--without-wheels" in caught.value.hint


async def test_a_python_without_pip_is_an_error_with_a_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'ensurepip is not available'; exit 1\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(PrismError, match="`ensurepip` is missing") as caught:
        await gather_wheels(Staging(directory=tmp_path), {"PATH": "/bin"}, lambda _: None)
    assert "python3-venv" in caught.value.hint


def start_init(packer: Packer, *arguments: str, **variables: str) -> subprocess.Popen[str]:
    packer.file.parent.mkdir(exist_ok=True)
    return subprocess.Popen(
        [Path(sys.executable).with_name("prismctl"), "dev", "init", *arguments],
        env={
            **{name: value for name, value in os.environ.items() if name != "PRISM_STACK"},
            **packer.environment,
            "PRISM_HOME": str(packer.home.directory),
            **variables,
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_command_packs_what_is_here_without_a_network(packer: Packer) -> None:
    packer.have_program("nomad", b"#!/bin/sh\necho Nomad v1.11.3\n")
    arguments = ("--make-bundle", str(packer.file), "--without-wheels", "--offline")
    with start_init(packer, *arguments) as process:
        output, complaint = process.communicate(timeout=60)
    assert process.returncode == 0, complaint
    assert "packed in" in output
    assert "prismctl dev init --from-bundle tools.tar" in complaint
    assert BUILT in Contents.read(packer.file).names
    assert packer.lab.requests == []


def test_the_command_refuses_to_pack_and_to_install_at_once(packer: Packer) -> None:
    packer.file.parent.mkdir()
    packer.file.touch()
    arguments = ("--make-bundle", str(packer.file), "--from-bundle", str(packer.file))
    with start_init(packer, *arguments) as process:
        _, complaint = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "--make-bundle cannot be combined with --from-bundle" in complaint


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_the_command_that_is_interrupted_says_that_nothing_was_written(
    packer: Packer, number: signal.Signals, code: int
) -> None:
    reached = asyncio.Event()
    stall = packer.lab.stall()

    async def behave(request: web.Request, content: bytes) -> web.StreamResponse:
        reached.set()
        return await stall(request, content)

    packer.lab.behaviours[SUMS] = [behave]
    arguments = ("--make-bundle", str(packer.file), "--without-wheels")
    variables = {
        "PRISM_RELEASE_URL": packer.lab.url,
        "SSL_CERT_FILE": os.environ["SSL_CERT_FILE"],
    }
    with start_init(packer, *arguments, **variables) as process:
        await reached.wait()
        process.send_signal(number)
        _, complaint = await asyncio.to_thread(process.communicate, timeout=60)
    assert process.returncode == code, complaint
    assert "was not written" in complaint
    assert names_in(packer.file.parent) == set()
    assert names_in(packer.home.downloads) == set()

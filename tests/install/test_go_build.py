"""Building with Go: what is asked of it, what is kept, and what is left when it fails, hangs or is stopped."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from prismctl.errors import PrismError, UnavailableError
from prismctl.install.go_build import TOOLCHAIN, Go, GoProvider, find_go
from prismctl.install.tools import CONSUL, NOMAD
from prismctl.install.versions import Version
from tests.install.provider_contract import ProviderContract, program_saying

if TYPE_CHECKING:
    from collections.abc import Callable

    from prismctl.install.provider import Progress, Provider
    from prismctl.install.tools import Tool

PACKAGES = ("internal/abi", "github.com/hashicorp/raft", "golang.org/x/net/http2")
GO = """#!/bin/sh
# The last but one word of a build is where the program goes: -o OUTPUT PACKAGE.
echo "$*" >> {log}
case "$1" in
version) echo "go version go1.26.8 linux/amd64" ;;
list) printf '%s\\n' {packages} ;;
build)
{before}
  for word in "$@"; do output=$last; last=$word; done
  printf '%s\\n' {packages}
  cp {program} "$output"
{after}
  ;;
esac
"""


@dataclass
class GoLab:
    """A machine with a Go that does what a test wants."""

    top: Path

    def __post_init__(self) -> None:
        module = self.top / "toolchain" / "nomad"
        module.mkdir(parents=True)
        (module / "go.mod").write_text(
            "module tools\n\ngo 1.25.8\n\nrequire github.com/hashicorp/nomad v1.11.3\n"
        )
        (module / "go.sum").write_text("github.com/hashicorp/nomad v1.11.3 h1:abc=\n")
        self.cache.parent.mkdir(exist_ok=True)
        self.write_go()

    @property
    def cache(self) -> Path:
        return self.top / "cache" / "tools"

    @property
    def log(self) -> list[str]:
        path = self.top / "log"
        return path.read_text().splitlines() if path.exists() else []

    def write_go(self, before: str = "", after: str = "", says: str = "Nomad v1.11.3") -> None:
        program = self.top / "program"
        program.write_text(program_saying(says))
        program.chmod(0o755)
        go = self.top / "path" / "go"
        go.parent.mkdir(exist_ok=True)
        go.write_text(
            GO.format(
                log=self.top / "log",
                program=program,
                packages=" ".join(PACKAGES),
                before=before,
                after=after,
            )
        )
        go.chmod(0o755)

    def provider(self, version: Version | None = Version(1, 26, 8)) -> GoProvider:  # noqa: B008 - a constant
        go = Go(path=self.top / "path" / "go", version=version) if version else None
        return GoProvider(self.cache, {"PATH": os.defpath}, go=go, toolchain=self.top / "toolchain")


@pytest.fixture
def go_lab(tmp_path: Path) -> GoLab:
    return GoLab(tmp_path)


def ignore(_progress: Progress) -> None:
    """Nobody wants to know."""


class TestGoProvider(ProviderContract):
    """What every provider keeps, kept by Go."""

    @pytest.fixture
    def provider(self, go_lab: GoLab) -> Provider:
        return go_lab.provider()

    @pytest.fixture
    def wanted(self) -> Tool:
        return NOMAD


async def test_what_was_built_is_kept_under_a_name_with_its_pins(go_lab: GoLab) -> None:
    told: list[Progress] = []
    built = await go_lab.provider().build(NOMAD, NOMAD.version, told.append)
    pins = hashlib.sha256((go_lab.top / "toolchain/nomad/go.sum").read_bytes()).hexdigest()
    assert built == go_lab.cache / f"nomad-1.11.3-{pins[:12]}"
    assert sorted(each.name for each in go_lab.cache.iterdir()) == [".nomad.lock", built.name]
    assert (told[0].done, told[0].total) == (0, None)
    assert [(each.done, each.total) for each in told[-3:]] == [(1, 3), (2, 3), (3, 3)]


async def test_nothing_is_built_twice_and_no_go_is_needed_the_second_time(go_lab: GoLab) -> None:
    first = await go_lab.provider().offer(NOMAD, NOMAD.version)
    assert "ten minutes" in first.warning
    assert first.command
    await go_lab.provider().build(NOMAD, NOMAD.version, ignore)
    count = len(go_lab.log)
    again = go_lab.provider(version=None)
    offer = await again.offer(NOMAD, NOMAD.version)
    assert (offer.warning, offer.command) == ("", ())
    await again.build(NOMAD, NOMAD.version, ignore)
    assert len(go_lab.log) == count


async def test_other_pins_are_another_program(go_lab: GoLab) -> None:
    first = await go_lab.provider().build(NOMAD, NOMAD.version, ignore)
    (go_lab.top / "toolchain/nomad/go.sum").write_text("other\n")
    second = await go_lab.provider().build(NOMAD, NOMAD.version, ignore)
    assert first != second
    assert first.exists()


async def test_the_build_is_that_of_a_release(go_lab: GoLab) -> None:
    await go_lab.provider().build(NOMAD, NOMAD.version, ignore)
    command = next(each for each in go_lab.log if each.startswith("build"))
    assert "-mod=readonly -trimpath" in command
    assert "-tags ui codegen_generated release hashicorpmetrics" in command
    assert command.endswith(" github.com/hashicorp/nomad")


async def test_go_is_not_let_fetch_another_go(go_lab: GoLab) -> None:
    go_lab.write_go(before='  env > "$PWD/../environment"')
    await go_lab.provider().build(NOMAD, NOMAD.version, ignore)
    environment = (go_lab.top / "toolchain" / "environment").read_text().splitlines()
    assert {"GOTOOLCHAIN=local", "GOWORK=off", "CGO_ENABLED=0", "GOFLAGS="} <= {*environment}


async def test_the_pinned_version_is_the_only_one(go_lab: GoLab) -> None:
    with pytest.raises(UnavailableError, match=r"only Nomad 1\.11\.3"):
        await go_lab.provider().offer(NOMAD, Version(1, 10, 0))


async def test_no_go_and_one_that_is_too_old_are_told_apart(go_lab: GoLab) -> None:
    with pytest.raises(UnavailableError, match="there is no Go") as none:
        await go_lab.provider(version=None).offer(NOMAD, NOMAD.version)
    assert "install Go 1.25.8 or newer" in none.value.hint
    with pytest.raises(UnavailableError, match=r"Go 1\.24\.0 at .*/go is too old"):
        await go_lab.provider(version=Version(1, 24)).offer(NOMAD, NOMAD.version)


async def test_a_tool_without_a_module_cannot_be_built(go_lab: GoLab) -> None:
    with pytest.raises(UnavailableError, match="Consul cannot be built with Go"):
        await go_lab.provider().offer(CONSUL, CONSUL.version)


async def fails(go_lab: GoLab, kind: type[PrismError]) -> PrismError:
    """The error of a build, of which nothing is left."""
    with pytest.raises(kind) as caught:
        await go_lab.provider().build(NOMAD, NOMAD.version, ignore)
    assert [each.name for each in go_lab.cache.iterdir()] == [".nomad.lock"]
    return caught.value


async def test_a_module_that_cannot_be_fetched_is_the_networks_fault(go_lab: GoLab) -> None:
    said = "go: github.com/x@v1: dial tcp: lookup proxy.example: no such host"
    go_lab.write_go(before=f"  echo '{said}'; exit 1")
    error = await fails(go_lab, UnavailableError)
    assert said in error.message
    assert "GOPROXY" in error.hint


async def test_a_build_that_fails_says_the_last_that_go_said(go_lab: GoLab) -> None:
    go_lab.write_go(before="  seq -f 'x.go:%g: undefined: y' 9 >&2; exit 1")
    error = await fails(go_lab, PrismError)
    assert not isinstance(error, UnavailableError)
    assert "x.go:9: undefined: y" in error.message
    assert "x.go:4:" not in error.message


async def test_a_build_that_says_nothing_says_how_it_ended(go_lab: GoLab) -> None:
    go_lab.write_go(before="  exit 3")
    assert "go ended with 3" in (await fails(go_lab, PrismError)).message


async def test_a_build_of_another_version_is_not_kept(go_lab: GoLab) -> None:
    go_lab.write_go(says="Nomad v1.10.0")
    error = await fails(go_lab, PrismError)
    assert "says that it is Nomad 1.10.0, not 1.11.3" in error.message


async def test_a_build_that_does_not_run_is_not_kept(go_lab: GoLab) -> None:
    go_lab.write_go(after='  printf "\\177ELF" > "$output"')
    await fails(go_lab, PrismError)


async def test_a_cache_that_cannot_be_made_is_an_error(go_lab: GoLab) -> None:
    go_lab.cache.write_text("in the way")
    with pytest.raises(PrismError, match="cannot create") as caught:
        await go_lab.provider().build(NOMAD, NOMAD.version, ignore)
    assert "PRISM_TOOLS_DIR" in caught.value.hint


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


async def test_stopped_in_the_middle_nothing_is_left_of_it(
    go_lab: GoLab, wait_until: Callable[..., None]
) -> None:
    pids = go_lab.top / "pids"
    output = '$(for word in "$@"; do o=$l; l=$word; done; echo "$o")'
    compiler = f'echo "$PPID $$" > {pids}.new; mv {pids}.new {pids}; exec sleep 1000'
    go_lab.write_go(before=f"  echo half > \"{output}\"; sh -c '{compiler}'")
    work = asyncio.ensure_future(go_lab.provider().build(NOMAD, NOMAD.version, ignore))
    while not pids.exists():
        assert not work.done(), work.result()
        await asyncio.sleep(0.01)
    assert len(list(go_lab.cache.iterdir())) == 2
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert [each.name for each in go_lab.cache.iterdir()] == [".nomad.lock"]
    numbers = [int(each) for each in pids.read_text().split()]
    wait_until(lambda: not any(map(is_alive, numbers)), seconds=10)


async def test_what_a_killed_build_left_goes_with_the_next(go_lab: GoLab) -> None:
    go_lab.cache.mkdir()
    (go_lab.cache / ".nomad-1.11.3-0123456789ab.building").write_text("half")
    (go_lab.cache / ".consul-1.20.5-0123456789ab.building").write_text("somebody else's")
    built = await go_lab.provider().build(NOMAD, NOMAD.version, ignore)
    assert sorted(each.name for each in go_lab.cache.iterdir()) == [
        ".consul-1.20.5-0123456789ab.building",
        ".nomad.lock",
        built.name,
    ]


async def test_two_at_once_build_once(go_lab: GoLab) -> None:
    async with asyncio.timeout(30):
        first, second = await asyncio.gather(
            go_lab.provider().build(NOMAD, NOMAD.version, ignore),
            go_lab.provider().build(NOMAD, NOMAD.version, ignore),
        )
    assert first == second
    assert sum(each.startswith("build") for each in go_lab.log) == 1


async def test_waiting_for_another_build_can_be_stopped(go_lab: GoLab) -> None:
    go_lab.cache.mkdir()
    with (go_lab.cache / ".nomad.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await go_lab.provider().build(NOMAD, NOMAD.version, ignore)
    assert go_lab.log == []


async def test_the_go_on_path_says_its_version(go_lab: GoLab) -> None:
    path = str(go_lab.top / "path")
    found = await find_go({"PATH": f"{path}:{os.defpath}"})
    assert found == Go(path=Path(path, "go"), version=Version(1, 26, 8))
    assert await find_go({"PATH": str(go_lab.top)}) is None
    (go_lab.top / "path" / "go").write_text("#!/bin/sh\nexit 1\n")
    assert await find_go({"PATH": path}) is None


def test_the_packaged_modules_pin_what_is_installed() -> None:
    for tool in (NOMAD, CONSUL):
        text = (TOOLCHAIN / tool.name / "go.mod").read_text(encoding="utf-8")
        assert f"github.com/hashicorp/{tool.name} v{tool.version}" in text
        assert (TOOLCHAIN / tool.name / "go.sum").is_file()


async def test_a_module_that_pins_nothing_is_an_error(go_lab: GoLab) -> None:
    (go_lab.top / "toolchain/nomad/go.mod").write_text("module tools\n")
    with pytest.raises(PrismError, match="does not say"):
        await go_lab.provider().offer(NOMAD, NOMAD.version)


async def test_a_program_is_provided_as_a_copy_that_is_closed_to_others(go_lab: GoLab) -> None:
    provider = go_lab.provider()
    workspace = go_lab.top / "workspace"
    workspace.mkdir()
    offer = await provider.offer(NOMAD, NOMAD.version)
    provided = await provider.provide(offer, workspace, ignore)
    assert provided.path.parent == workspace
    assert provided.path.stat().st_mode & 0o077 == 0
    assert "Go 1.26.8" in provided.verified
    assert [each.parent for each in provided.created] == [go_lab.cache]
    again = await provider.provide(offer, workspace, ignore)
    assert again.created == ()
    with pytest.raises(PrismError, match="cannot write"):
        await provider.provide(offer, go_lab.top / "none", ignore)

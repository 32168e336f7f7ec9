"""Who is asked for a tool, in which order, and what is decided from the answers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from prismctl.errors import MissingToolError, PrismError, UnavailableError
from prismctl.files.paths import Home
from prismctl.install.existing import Existing
from prismctl.install.go_build import TOOLCHAIN
from prismctl.install.installation import Decision, carry_out, clear_workspace, decide
from prismctl.install.manifest import InstalledTool, Manifest, read_manifest, with_tool
from prismctl.install.provider import GO, ProviderName, Situation, explain_nobody, order_providers
from prismctl.install.tools import NOMAD, PODMAN
from prismctl.install.versions import Version, parse_version
from tests.install.provider_contract import ProviderContract, ScriptedProvider, look

if TYPE_CHECKING:
    from pathlib import Path

    from prismctl.install.provider import Provider
    from prismctl.install.tools import Tool

LINUX: dict[str, Any] = {"target": "linux_amd64", "is_released": True}


class TestScriptedProvider(ProviderContract):
    """The scripted provider may stand for the real ones, because it keeps what they keep."""

    @pytest.fixture
    def provider(self) -> Provider:
        return ScriptedProvider(ProviderName.RELEASE)

    @pytest.fixture
    def wanted(self) -> Tool:
        return NOMAD


@pytest.mark.parametrize(
    ("situation", "order"),
    [
        ({}, ["release"]),
        ({"go": "1.26.8"}, ["release", "go"]),
        ({"is_released": False}, []),
        ({"is_released": False, "go": "1.26.8"}, ["go"]),
        ({"is_offline": True, "go": "1.26.8"}, []),
        ({"bundle": "tools.tar"}, ["bundle"]),
        ({"bundle": "tools.tar", "is_offline": True}, ["bundle"]),
        ({"bundle": "tools.tar", "go": "1.26.8"}, ["bundle"]),
        ({"forced": ProviderName.GO}, ["go"]),
        ({"forced": ProviderName.APT, "go": "1.26.8"}, ["apt"]),
        ({"forced": ProviderName.RELEASE, "is_released": False}, ["release"]),
        ({"forced": ProviderName.RELEASE, "bundle": "tools.tar"}, ["release"]),
    ],
)
def test_providers_are_asked_in_an_order_that_the_situation_gives(
    situation: dict[str, Any], order: list[str]
) -> None:
    found = order_providers(Situation(**{**LINUX, **situation}))
    assert [each.provider.value for each in found] == order
    assert all(each.why for each in found)


def test_go_says_why_it_was_not_the_release() -> None:
    released = order_providers(Situation(**LINUX, go="1.26.8"))[1]
    assert released.why == "the release cannot be had, and Go 1.26.8 is here"
    alone = order_providers(Situation(target="linux_riscv64", is_released=False, go="1.26.8"))[0]
    assert alone.why == "nothing is released for linux_riscv64, and Go 1.26.8 is here"


def test_nobody_to_ask_is_explained_by_what_is_in_the_way() -> None:
    offline = explain_nobody(NOMAD, Situation(**LINUX, is_offline=True))
    assert "--offline" in offline.message
    assert "--engine local" in offline.hint
    strange = explain_nobody(NOMAD, Situation(target="linux_riscv64", is_released=False))
    assert "linux_riscv64" in strange.message


@pytest.mark.parametrize(
    "module", sorted(TOOLCHAIN.glob("*/go.mod")), ids=lambda file: file.parent.name
)
def test_the_go_that_somebody_is_told_to_install_builds_every_tool(module: Path) -> None:
    needed = re.search(r"^go (\S+)$", module.read_text(), re.MULTILINE)
    assert needed is not None
    assert (parse_version(needed[1]) or ()) <= (parse_version(GO) or ())


def existing(path: Path, version: Version = NOMAD.version, problem: str = "") -> Existing:
    return Existing(path=path, origin="on PATH", version=version, problem=problem)


async def decided(
    *providers: ScriptedProvider,
    tool: Tool = NOMAD,
    found: Existing | None = None,
    manifest: Manifest | None = None,
    home_tools: Path | None = None,
    **situation: Any,
) -> Decision:
    from pathlib import Path

    return await decide(
        tool,
        existing=found,
        situation=Situation(**{**LINUX, **situation}),
        providers={each.name: each for each in providers},
        manifest=manifest or Manifest(),
        home_tools=home_tools or Path("/nowhere"),
    )


async def test_a_tool_that_works_is_left_as_it_is(tmp_path: Path) -> None:
    release = ScriptedProvider(ProviderName.RELEASE)
    decision = await decided(release, found=existing(tmp_path / "nomad"))
    assert decision.is_there
    assert release.asked == []


async def test_a_tool_that_does_not_work_is_got(tmp_path: Path) -> None:
    release = ScriptedProvider(ProviderName.RELEASE)
    decision = await decided(release, found=existing(tmp_path / "nomad", problem="too old"))
    assert decision.offer is not None
    assert decision.offer.provider is ProviderName.RELEASE


async def test_the_next_is_asked_only_when_the_one_before_is_not_available() -> None:
    refusal = UnavailableError("releases.example did not answer", hint="look at the network")
    release = ScriptedProvider(ProviderName.RELEASE, refusal=refusal)
    go = ScriptedProvider(ProviderName.GO, warning="ten minutes")
    decision = await decided(release, go, go="1.26.8")
    assert decision.offer is not None
    assert decision.offer.provider is ProviderName.GO
    assert decision.why.startswith("releases.example did not answer; ")
    assert decision.needs_consent


async def test_nobody_is_asked_behind_the_back_of_an_answer_that_must_not_be_trusted() -> None:
    release = ScriptedProvider(ProviderName.RELEASE, refusal=PrismError("the signature is wrong"))
    go = ScriptedProvider(ProviderName.GO)
    decision = await decided(release, go, go="1.26.8")
    assert decision.error is not None
    assert decision.error.message == "the signature is wrong"
    assert go.asked == []


async def test_what_everybody_refuses_says_every_reason_and_the_first_way_out() -> None:
    release = ScriptedProvider(ProviderName.RELEASE, refusal=UnavailableError("no network"))
    go = ScriptedProvider(ProviderName.GO, refusal=UnavailableError("Go is old", hint="a new Go"))
    decision = await decided(release, go, go="1.1.0")
    assert decision.error is not None
    assert decision.error.message == "Nomad cannot be had: no network; Go is old"
    assert decision.error.hint == "a new Go"
    assert not decision.is_there


async def test_a_provider_that_is_not_here_is_named() -> None:
    decision = await decided(forced=ProviderName.BREW)
    assert decision.error is not None
    assert "`brew`" in decision.error.message


async def test_path_alone_never_installs(tmp_path: Path) -> None:
    release = ScriptedProvider(ProviderName.RELEASE)
    missing = await decided(release, forced=ProviderName.PATH)
    assert isinstance(missing.error, MissingToolError)
    bad = await decided(
        release, forced=ProviderName.PATH, found=existing(tmp_path / "nomad", problem="too old")
    )
    assert bad.error is not None
    assert bad.error.message == "too old"
    assert (await decided(forced=ProviderName.PATH, found=existing(tmp_path / "nomad"))).is_there
    assert release.asked == []


async def test_offline_without_a_bundle_there_is_nobody() -> None:
    decision = await decided(ScriptedProvider(ProviderName.RELEASE), is_offline=True)
    assert isinstance(decision.error, MissingToolError)


async def test_an_optional_tool_comes_from_the_package_manager_only() -> None:
    apt = ScriptedProvider(ProviderName.APT, needs_root=True)
    release = ScriptedProvider(ProviderName.RELEASE)
    decision = await decided(release, apt, tool=PODMAN)
    assert decision.offer is not None
    assert decision.offer.provider is ProviderName.APT
    assert decision.needs_consent
    assert release.asked == []
    assert (await decided(apt, tool=PODMAN, is_offline=True)).error is not None


def installed(version: Version, provider: ProviderName = ProviderName.RELEASE) -> InstalledTool:
    return InstalledTool(
        file=f"nomad-{version}",
        version=str(version),
        provider=provider,
        source="",
        sha256="",
        verified="",
    )


async def test_our_own_older_version_is_replaced_and_that_of_others_is_not(tmp_path: Path) -> None:
    old = Version(1, 10, 1)
    ours = with_tool(Manifest(), "nomad", installed(old))
    release = ScriptedProvider(ProviderName.RELEASE)
    found = existing(tmp_path / "nomad", old)
    decision = await decided(release, found=found, manifest=ours, home_tools=tmp_path)
    assert decision.offer is not None
    elsewhere = await decided(release, found=found, manifest=ours)
    assert elsewhere.is_there


async def test_who_went_back_to_the_version_before_stays_there(tmp_path: Path) -> None:
    old = Version(1, 10, 1)
    both = with_tool(
        with_tool(Manifest(), "nomad", installed(old)), "nomad", installed(NOMAD.version)
    )
    decision = await decided(
        ScriptedProvider(ProviderName.RELEASE),
        found=existing(tmp_path / "nomad", old),
        manifest=both,
        home_tools=tmp_path,
    )
    assert decision.is_there


async def test_a_provider_that_is_named_replaces_what_another_one_brought(tmp_path: Path) -> None:
    go = ScriptedProvider(ProviderName.GO)
    found = existing(tmp_path / "nomad")
    ours = with_tool(Manifest(), "nomad", installed(NOMAD.version))
    decision = await decided(
        go, found=found, manifest=ours, home_tools=tmp_path, forced=ProviderName.GO
    )
    assert decision.offer is not None
    by_go = with_tool(Manifest(), "nomad", installed(NOMAD.version, ProviderName.GO))
    again = await decided(
        go, found=found, manifest=by_go, home_tools=tmp_path, forced=ProviderName.GO
    )
    assert again.is_there


async def carried_out(home: Home, provider: ScriptedProvider, tool: Tool = NOMAD) -> str:
    decision = await decided(provider, tool=tool, forced=provider.name)
    return (await carry_out(decision, home, provider, lambda _: None)).detail


async def test_what_was_decided_is_in_use_afterwards(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    detail = await carried_out(home, ScriptedProvider(ProviderName.RELEASE))
    assert detail.startswith(f"1.11.3 at {home.tools / 'nomad-1.11.3'}")
    assert (home.tools / "nomad").exists()
    assert read_manifest(home).tools["nomad"].current == "nomad-1.11.3"


async def test_a_failure_leaves_what_was_in_use(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    await carried_out(home, ScriptedProvider(ProviderName.RELEASE))
    before = look(home.tools)
    broken = ScriptedProvider(ProviderName.GO, failure=PrismError("it could not be built"))
    with pytest.raises(PrismError, match="could not be built"):
        await carried_out(home, broken)
    assert look(home.tools) == before


async def test_what_a_package_manager_brought_is_written_down(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    apt = ScriptedProvider(ProviderName.APT, is_system=True, packages=("podman", "crun"))
    await carried_out(home, apt, PODMAN)
    assert [(each.manager, each.names) for each in read_manifest(home).packages] == [
        ("apt", ("podman", "crun"))
    ]
    assert not home.tools.exists()


def test_the_workspace_is_cleared_of_all_but_downloads_that_can_go_on(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    clear_workspace(home)
    home.downloads.mkdir(parents=True)
    (home.downloads / "unpacked").mkdir()
    (home.downloads / "unpacked" / "nomad").write_text("x")
    for name in ("nomad.zip.part", "nomad.zip.part.json", "nomad.zip"):
        (home.downloads / name).write_text("x")
    (home.downloads / "link").symlink_to(tmp_path)
    clear_workspace(home)
    assert sorted(each.name for each in home.downloads.iterdir()) == [
        "nomad.zip.part",
        "nomad.zip.part.json",
    ]

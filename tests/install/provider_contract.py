"""What every provider has to keep, as tests that are run by deriving from `ProviderContract`; and one that is scripted."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from prismctl.errors import PrismError, UnavailableError
from prismctl.install.provider import Offer, Progress, Provided, ProviderName, Unit
from prismctl.install.versions import Version

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from prismctl.install.provider import Provider
    from prismctl.install.tools import Tool

UNKNOWN_VERSION = Version(0, 0, 1)
"""One that nobody has."""


def program_saying(words: str) -> str:
    """A program that prints one line, whatever it is asked."""
    return f"#!/bin/sh\necho '{words}'\n"


def look(directory: Path) -> list[tuple[str, int]]:
    """Everything below a directory, with its size."""
    return sorted((str(each), each.lstat().st_size) for each in directory.rglob("*"))


class ProviderContract:
    """Derive from it, and give it the fixtures ``provider`` and ``wanted``."""

    @pytest.fixture
    def workspace(self, tmp_path: Path) -> Path:
        directory = tmp_path / "workspace"
        directory.mkdir()
        return directory

    async def test_an_offer_changes_nothing(
        self, provider: Provider, wanted: Tool, tmp_path: Path
    ) -> None:
        before = look(tmp_path)
        await provider.offer(wanted, wanted.version)
        assert look(tmp_path) == before

    async def test_an_offer_says_what_it_is_for(self, provider: Provider, wanted: Tool) -> None:
        offer = await provider.offer(wanted, wanted.version)
        assert (offer.tool, offer.provider) == (wanted.name, provider.name)
        assert offer.source
        assert offer.licence == wanted.licence
        assert offer.version in wanted.supported

    async def test_a_version_nobody_has_is_unavailable(
        self, provider: Provider, wanted: Tool
    ) -> None:
        with pytest.raises(UnavailableError) as caught:
            await provider.offer(wanted, UNKNOWN_VERSION)
        assert wanted.title in caught.value.message

    async def test_what_is_provided_is_a_program_that_was_verified(
        self, provider: Provider, wanted: Tool, workspace: Path
    ) -> None:
        told: list[Progress] = []
        offer = await provider.offer(wanted, wanted.version)
        provided = await provider.provide(offer, workspace, told.append)
        assert os.access(provided.path, os.X_OK)
        assert provided.verified
        if not provided.is_system:
            assert workspace in provided.path.parents
            assert provided.sha256 == hashlib.sha256(provided.path.read_bytes()).hexdigest()
        assert all(each.total is None or each.done <= each.total for each in told)
        for unit in Unit:
            done = [each.done for each in told if each.unit is unit]
            assert done == sorted(done)

    async def test_providing_twice_gives_the_same(
        self, provider: Provider, wanted: Tool, workspace: Path
    ) -> None:
        offer = await provider.offer(wanted, wanted.version)
        first = await provider.provide(offer, workspace, lambda _: None)
        second = await provider.provide(offer, workspace, lambda _: None)
        assert second.sha256 == first.sha256


@dataclass
class ScriptedProvider:
    """A provider that says what a test wants it to."""

    name: ProviderName
    refusal: PrismError | None = None
    """Said when it is asked."""
    failure: PrismError | None = None
    """Said when it is to provide."""
    warning: str = ""
    needs_root: bool = False
    is_system: bool = False
    packages: tuple[str, ...] = ()
    asked: list[str] = field(default_factory=list)
    """The tools it was asked for."""

    async def offer(self, tool: Tool, version: Version) -> Offer:
        self.asked.append(tool.name)
        if self.refusal is not None:
            raise self.refusal
        if version != tool.version:
            raise UnavailableError(f"there is no {tool.title} {version}")
        return Offer(
            tool=tool.name,
            version=version,
            provider=self.name,
            source=f"script://{tool.name}",
            licence=tool.licence,
            warning=self.warning,
            needs_root=self.needs_root,
        )

    async def provide(
        self, offer: Offer, workspace: Path, report: Callable[[Progress], None]
    ) -> Provided:
        if self.failure is not None:
            raise self.failure
        report(Progress(done=1, total=1, unit=Unit.BYTES))
        path = workspace / f"{offer.tool}-{offer.version}"
        path.write_text(program_saying(f"{offer.tool} v{offer.version}"))
        path.chmod(0o755)
        return Provided(
            path=path,
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            verified="as the test says",
            is_system=self.is_system,
            packages=self.packages,
        )

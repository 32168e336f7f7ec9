"""What `init` is asked for, and what it finds before it does anything: what is here, and who would provide the rest."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from prismctl.files.settings import load_settings
from prismctl.files.text import name_for_people, read_text
from prismctl.install.existing import look_for_all
from prismctl.install.go_build import find_go
from prismctl.install.installation import Decision, decide
from prismctl.install.kafka import KafkaWish, look_for_kafka
from prismctl.install.manifest import read_manifest
from prismctl.install.provider import ProviderName, Situation
from prismctl.install.providers import gather_providers
from prismctl.install.target import find_target
from prismctl.install.tools import TOOLS, Tool, ToolName

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prismctl.files.paths import Home
    from prismctl.files.settings import Settings
    from prismctl.install.provider import Provider


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What somebody wants to have, and from where."""

    provider: ProviderName | None = None
    """Whom to ask for what is required; ``None``: whoever fits."""
    is_offline: bool = False
    """Whether nothing may be fetched."""
    bundle: Path | None = None
    """A file or a directory to install from."""
    without: frozenset[ToolName] = frozenset()
    has_kafka: bool = False
    """Whether Kafka is to be had as well, to run without a container."""

    @property
    def tools(self) -> tuple[Tool, ...]:
        """What shall be there in the end, by name."""
        return tuple(TOOLS[name] for name in sorted(TOOLS.keys() - self.without))


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What was found and decided, before anything is done."""

    decisions: tuple[Decision, ...]
    providers: Mapping[ProviderName, Provider]
    bundle: Path | None
    """What is installed from."""
    kafka: KafkaWish | None = None
    """``None``: nobody wants one."""


async def survey_machine(home: Home, wanted: Wanted, environment: Mapping[str, str]) -> Survey:
    """What is here, and who would provide the rest; nothing is changed.

    Args:
        home: that is installed into.
        wanted: says what and from where.
        environment: says where programs, caches and package managers are.

    Raises:
        PrismError: the settings or the manifest of home cannot be used.
    """
    settings = load_settings(home)
    manifest = read_manifest(home)
    existing = await look_for_all(wanted.tools, home.tools, environment)
    # Whoever has everything need not wait for a toolchain to say its version.
    is_all_there = all(each is not None and each.is_usable for each in existing.values())
    go = None if is_all_there and wanted.provider is None else await find_go(environment)
    providers = gather_providers(
        environment,
        go=go,
        release_url=settings.release_url,
        release_key=read_release_key(home, settings),
        bundle=wanted.bundle,
    )
    target = find_target()

    async def decide_one(tool: Tool) -> Decision:
        situation = Situation(
            target=str(target),
            is_released=target in tool.checksums,
            forced=wanted.provider if tool.is_required else None,
            bundle=name_for_people(wanted.bundle) if wanted.bundle else "",
            is_offline=wanted.is_offline,
            go=str(go.version) if go else "",
        )
        return await decide(
            tool,
            existing=existing[tool.name],
            situation=situation,
            providers=providers,
            manifest=manifest,
            home_tools=home.tools,
        )

    decisions = await asyncio.gather(*(decide_one(tool) for tool in wanted.tools))
    return Survey(
        decisions=tuple(decisions),
        providers=providers,
        bundle=wanted.bundle,
        kafka=look_for_kafka(environment, is_offline=wanted.is_offline)
        if wanted.has_kafka
        else None,
    )


def read_release_key(home: Home, settings: Settings) -> str:
    """The key that a mirror signs with, empty where there is none; its path is the settings' or absolute.

    Raises:
        PrismError: it cannot be read.
    """
    if not settings.release_key:
        return ""
    return read_text(home.directory / Path(settings.release_key).expanduser())

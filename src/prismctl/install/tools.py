"""The tools that prismctl can install: which version, from whom, under which licence, and what its archives must be.

The versions are those that the tests run on; `toolchain/` builds the same ones. The checksums are the vendor's,
as its package manager's formulae publish them (hashicorp/homebrew-tap): an archive of these versions is
checked against them without asking anybody.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from prismctl.install.target import Target
from prismctl.install.versions import Version, VersionRange

if TYPE_CHECKING:
    from collections.abc import Mapping


class ToolName(StrEnum):
    """A tool by the name of its program."""

    NOMAD = "nomad"
    CONSUL = "consul"
    PODMAN = "podman"


@dataclass(frozen=True, slots=True, kw_only=True)
class Licence:
    """What somebody agrees to by installing a tool."""

    name: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One tool as prismctl wants it."""

    name: ToolName
    title: str
    """As people write it."""
    version: Version
    """What is installed unless somebody asks for another."""
    supported: VersionRange
    """What works when it is there already."""
    licence: Licence
    is_required: bool = True
    """Whether the Nomad engine needs it."""
    version_arguments: tuple[str, ...] = ("version",)
    """How the program is asked for its version."""
    checksums: Mapping[Target, str] = field(default_factory=dict)
    """SHA-256 of the release archive of `version`, in hexadecimal, for each target it is released for."""


def _published(**checksums: str) -> dict[Target, str]:
    """The vendor's checksums by target, which are named as in ``linux_amd64``."""
    return {Target(*name.split("_")): checksum for name, checksum in checksums.items()}


BUSINESS_SOURCE: Final = Licence(
    name="Business Source License 1.1", url="https://www.hashicorp.com/bsl"
)

NOMAD: Final = Tool(
    name=ToolName.NOMAD,
    title="Nomad",
    version=Version(1, 11, 3),
    # Jobs use what 1.10 brought; 2.0 has not been tried.
    supported=VersionRange(Version(1, 10), Version(2, 0)),
    licence=BUSINESS_SOURCE,
    checksums=_published(
        darwin_amd64="ca8bf44452296db8750b411c73c6d38a872a9fae2632f93164edbc6573433814",
        darwin_arm64="8f8bbc6064a039df772fa7daa865185760111d2e2a1f2953ade2b126dff8e5dd",
        linux_amd64="19dac5642a2ba5305e6ff8efee06a708d760ebe4d1cd7936bc3dc526f477dc12",
        linux_arm64="902e44260fcd9297af7042fb33ccd5a29cc2202b57199724f17c96fcd67414d2",
    ),
)
CONSUL: Final = Tool(
    name=ToolName.CONSUL,
    title="Consul",
    version=Version(1, 20, 5),
    supported=VersionRange(Version(1, 18), Version(2, 0)),
    licence=BUSINESS_SOURCE,
    checksums=_published(
        darwin_amd64="8eb12717124944f3177a4de8fae265d173c60c7219728fe9fa7dbbb3100f3567",
        darwin_arm64="1bac78ed8a2ea869e227f9503db4fa2b04f90e4b7e8f19a285475a338d8dd755",
        linux_amd64="75132816072b3c7da86f04153fc58fcfcf39abadee5279b3f72bec3cce01a16b",
        linux_arm64="e6bf36bc8ae110c2a2594e7713ed7bd7828851dc869e35d042a7c36620bbbbd4",
    ),
)
PODMAN: Final = Tool(
    name=ToolName.PODMAN,
    title="Podman",
    version=Version(4, 3, 1),
    supported=VersionRange(Version(4, 0), Version(7, 0)),
    licence=Licence(
        name="Apache License 2.0", url="https://github.com/containers/podman/blob/main/LICENSE"
    ),
    is_required=False,
    version_arguments=("--version",),
)
TOOLS: Final = {tool.name: tool for tool in (NOMAD, CONSUL, PODMAN)}
"""In the order in which they are shown."""

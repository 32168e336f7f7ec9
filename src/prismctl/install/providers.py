"""All providers of this machine, made ready to be asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prismctl.install.go_build import GoProvider
from prismctl.install.packages import find_package_managers
from prismctl.install.provider import ProviderName
from prismctl.install.release.provider import ReleaseProvider
from prismctl.machine import tools_directory

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from prismctl.install.go_build import Go
    from prismctl.install.provider import Provider


def gather_providers(
    environment: Mapping[str, str],
    *,
    go: Go | None,
    release_url: str = "",
    release_key: str = "",
    bundle: Path | None = None,
) -> dict[ProviderName, Provider]:
    """Whoever could be asked here.

    Args:
        environment: says where caches and package managers are.
        go: the Go toolchain, where there is one.
        release_url: of a mirror; empty for the vendor's own server.
        release_key: public key of a mirror that signs its own builds; empty for the vendor's.
        bundle: a file or directory that tools were packed into.
    """
    found: dict[ProviderName, Provider] = {
        ProviderName.RELEASE: ReleaseProvider(
            base_url=release_url, key=release_key, has_pins=not release_key
        ),
        ProviderName.GO: GoProvider(tools_directory(environment), environment, go=go),
        **find_package_managers(environment),
    }
    if bundle is not None:
        from prismctl.install.bundle import BundleProvider

        found[ProviderName.BUNDLE] = BundleProvider(
            bundle, key=release_key, has_pins=not release_key
        )
    return found

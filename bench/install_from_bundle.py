"""What installing from a bundle costs: Nomad and Consul into an empty home, with and without the trial run.

python bench/install_from_bundle.py [ROUNDS] [BUNDLE]

Without a bundle, one is packed first from the tools of this machine. Nothing is fetched from anywhere.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path

from measuring import Figure, fresh_home, timed

from prismctl.install.bundle import BundleProvider
from prismctl.install.tools import CONSUL, NOMAD

_CLOSED = "http://127.0.0.1:9"
"""Nobody is there: whatever tries the network anyway fails."""


async def _provide(bundle: Path, workspace: Path) -> None:
    provider = BundleProvider(bundle)
    for tool in (CONSUL, NOMAD):
        offer = await provider.offer(tool, tool.version)
        await provider.provide(offer, workspace, lambda _: None)


def _pack(file: Path) -> float:
    with fresh_home() as home:
        return timed(
            home, "dev", "init", "--make-bundle", str(file), "--offline", "--without-wheels"
        )


def _hide_tools(directory: Path) -> None:
    """Leave nothing to be found but what comes out of the bundle."""
    os.environ["PRISM_TOOLS_DIR"] = str(directory / "none")
    os.environ["PATH"] = "/usr/bin:/bin"
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        os.environ[name] = _CLOSED


def _measure_verifying(bundle: Path) -> float:
    with tempfile.TemporaryDirectory(prefix="prism-bench-") as workspace:
        began = time.perf_counter()
        asyncio.run(_provide(bundle, Path(workspace)))
        return time.perf_counter() - began


def _measure_command(bundle: Path) -> tuple[float, float]:
    """Seconds of the first `init`, and of one more."""
    with fresh_home() as home:
        arguments = ("dev", "init", "--from-bundle", str(bundle), "--without", "podman", "--yes")
        first = timed(home, *arguments)
        again = timed(home, *arguments)
        return first, again


def main() -> None:
    """Print the table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory(prefix="prism-bench-") as scratch:
        packing: list[float] = []
        if len(sys.argv) > 2:
            bundle = Path(sys.argv[2])
        else:
            bundle = Path(scratch) / "tools.tar"
            packing = [_pack(bundle) for _ in range(rounds)]
        _hide_tools(Path(scratch))
        verifying = [_measure_verifying(bundle) for _ in range(rounds)]
        commands = [_measure_command(bundle) for _ in range(rounds)]
    figures = (
        Figure(
            what="pack Consul and Nomad, built here, without wheels",
            unit="s",
            target=15,
            samples=tuple(packing),
            remark="" if packing else "a bundle was given",
        ),
        Figure(
            what="copy, verify and try both, one after the other",
            unit="s",
            target=5,
            samples=tuple(verifying),
        ),
        Figure(
            what="init --from-bundle in an empty home, trial run included",
            unit="s",
            target=15,
            samples=tuple(first for first, _ in commands),
        ),
        Figure(
            what="init --from-bundle again, nothing to do",
            unit="s",
            target=2,
            samples=tuple(again for _, again in commands),
        ),
    )
    for figure in figures:
        print(figure.render())


if __name__ == "__main__":
    main()

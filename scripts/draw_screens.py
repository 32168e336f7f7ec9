"""Draws the pictures of the docs: each screen of the picker as it is with the packaged catalog, on no machine in particular.

python scripts/draw_screens.py [DIRECTORY]
"""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from prismctl.domain.host_port import HostPort
from prismctl.domain.offering import Catalog
from prismctl.domain.packaged import PACKAGED
from prismctl.domain.presets import PRESETS
from prismctl.domain.selection import default_layer, preset_layer
from prismctl.domain.service import ServiceName
from prismctl.tui.picker.app import PickerApp
from prismctl.tui.picker.doing import Doing
from prismctl.tui.picker.preview import Preview, ServicePreview
from prismctl.tui.picker.state import begin

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prismctl.tui.picker.doing import Picked

IMAGES: Final = Path(__file__).parents[1] / "docs" / "images"
SIZE: Final = (110, 26)
SCREENS: Final[Mapping[str, Sequence[str]]] = {
    "picker": ("j", "space"),
    "picker-find": ("slash", *"sto"),
    "picker-keys": ("question_mark",),
    "picker-save": ("p", "s", *"orders"),
}
"""The keys that lead to each."""

_FONT: Final = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)
_NATIVE: Final = ("redis", "postgres", "nats", "kafka")
_BYTES_OF_ONE: Final = 32_000_000


def look(picked: Picked) -> Preview:
    """What a selection would be on a machine that has everything."""
    services = {}
    for number, name in enumerate(picked.services):
        written = [port.number for port in PACKAGED[name].ports]
        ports = tuple(HostPort(each or 24632 + number) for each in written)
        services[name] = ServicePreview("native" if name in _NATIVE else "builtin", ports=ports)
    different = {ServiceName("redis"): "memory_mb 64 (services.local.yaml:4)"}
    return Preview(
        engine="Nomad",
        services=services,
        startup="about 1.2-1.8 s (from 9 starts here)",
        explain=lambda name: different.get(name, ""),
        memory_bytes=_BYTES_OF_ONE * len(services),
        free_bytes=24_000_000_000,
    )


async def draw(keys: Sequence[str]) -> str:
    """The picker as an SVG, after some keys."""
    catalog = Catalog(services=PACKAGED, file="services.yaml", is_generated=True)
    points = [
        default_layer(catalog),
        *(preset_layer(each) for each in PRESETS.values() if each.name != "minimal"),
    ]
    doing = Doing(look=look, save=lambda name, _: name)
    app = PickerApp(begin(catalog, points), doing, stack="default")
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press(*keys)
        await app.workers.wait_for_complete()
        await pilot.pause()
        drawn = app.export_screenshot(title="prismctl dev start")
    # A page shall not have to ask strangers for a font: any of fixed width will do.
    return _FONT.sub("", drawn)


def main() -> None:
    """Write the pictures."""
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES
    directory.mkdir(parents=True, exist_ok=True)
    for name, keys in SCREENS.items():
        (directory / f"{name}.svg").write_text(asyncio.run(draw(keys)), encoding="utf-8")


if __name__ == "__main__":
    main()

"""Ready-made selections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from prismctl.domain.service import ServiceName

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

RANDOM: Final = "random"
"""The preset whose services are drawn anew each time."""


class Preset(NamedTuple):
    """A selection with a name."""

    name: str
    services: tuple[ServiceName, ...]
    description: str


def _preset(name: str, description: str, *more: str) -> Preset:
    services = ("prism-admin", "pattern-launcher", "memstore", *more)
    return Preset(name, tuple(ServiceName(service) for service in services), description)


PRESETS: Final = {
    preset.name: preset
    for preset in (
        _preset("minimal", "quick tests, nothing external"),
        _preset("redis", "key-value patterns on Redis", "redis"),
        _preset("messaging", "PubSub and queue patterns", "nats", "kafka"),
        _preset("postgres", "SQL backend", "postgres"),
        _preset("full", "everything, for integration tests", "redis", "postgres", "nats", "kafka"),
    )
}

PRESET_NAMES: Final = (*PRESETS, RANDOM)

_ADJECTIVES: Final = (
    "bold", "brisk", "calm", "curious", "daring", "eager", "gentle", "jolly",
    "lucky", "mellow", "nimble", "quiet", "sunny", "swift", "witty", "zesty",
)  # fmt: skip
_NOUNS: Final = (
    "badger", "beacon", "comet", "falcon", "glacier", "heron", "lantern", "maple",
    "meteor", "otter", "prism", "puffin", "quartz", "rainbow", "sparrow", "walrus",
)  # fmt: skip


def draw_preset(random: Random, candidates: Sequence[ServiceName]) -> Preset:
    """A fun name and some of the candidates, beside what every preset has."""
    name = f"{random.choice(_ADJECTIVES)}-{random.choice(_NOUNS)}"
    base = PRESETS["minimal"].services
    drawable = [candidate for candidate in candidates if candidate not in base]
    size = random.randint(min(1, len(drawable)), len(drawable))
    drawn = set(random.sample(drawable, size))
    chosen = [candidate for candidate in drawable if candidate in drawn]
    return Preset(name, (*base, *chosen), "drawn at random")

"""Which layer a value comes from: flags, picker, profile, preset, the project's file, settings, catalog, defaults.

The one rule is that the highest layer that says anything wins. What it beats is kept beside it, so that
whoever wonders about a value can be shown every place that names one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from prismctl.domain.problems import NOWHERE, Place

if TYPE_CHECKING:
    from collections.abc import Iterable

DEFAULT: Final = "default"
"""The source of what nobody has said anything about."""


class Given(NamedTuple):
    """What one layer says about a setting."""

    value: Any
    source: str
    """As a person would name the layer: ``--engine``, ``profile team``, ``services.yaml``, ``default``."""
    place: Place = NOWHERE
    """Where it is written, for a layer that is a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A value, who said so, and whom they overruled."""

    key: str
    """As it is asked for: ``engine``, ``redis.memory_mb``."""
    value: Any
    source: str
    place: Place = NOWHERE
    beaten: tuple[Given, ...] = ()
    """What the layers below say, from the highest down."""
    outcome: str = ""
    """What this machine makes of the value, where that is more than the value: which engine ``auto`` is."""

    @property
    def is_default(self) -> bool:
        """Whether nobody has said anything."""
        return self.source == DEFAULT


def resolve_setting(key: str, layers: Iterable[Given | None]) -> Setting:
    """The value of the highest layer that has one.

    >>> resolve_setting("engine", [None, Given("local", "config.yaml"), Given("auto", DEFAULT)]).source
    'config.yaml'

    Args:
        key: what it is called.
        layers: from the highest down; ``None`` says nothing. The last one says what holds otherwise.

    Raises:
        ValueError: no layer says anything.
    """
    said = [layer for layer in layers if layer is not None]
    if not said:
        raise ValueError(f"no layer has a value for {key}")
    first, *rest = said
    return Setting(
        key=key, value=first.value, source=first.source, place=first.place, beaten=tuple(rest)
    )

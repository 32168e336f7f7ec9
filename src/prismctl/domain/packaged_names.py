"""The names of the services that ship, apart from what they are: the tab key wants no more, and at once."""

from __future__ import annotations

TYPE_CHECKING = False
"""Known to type checkers by its name; importing `typing` for it would cost more than all the rest."""

if TYPE_CHECKING:
    from typing import Final

PACKAGED_NAMES: Final = (
    "prism-admin",
    "pattern-launcher",
    "memstore",
    "redis",
    "postgres",
    "nats",
    "kafka",
    "keyvalue-runner",
    "pubsub-runner",
    "prism-proxy",
)
"""In the order of the generated catalog."""

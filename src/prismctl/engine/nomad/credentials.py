"""The agents' secrets: made once a stack, kept in a file of ours before anybody is told."""

from __future__ import annotations

import base64
import json
import os
import uuid
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from prismctl.files.atomic import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

GOSSIP_KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Tokens, which are UUIDs, and keys; all secret."""

    nomad_management: str
    """What Nomad's ACLs are bootstrapped with."""
    consul_management: str
    """What Consul's ACLs are bootstrapped with; only this engine uses it."""
    consul_nomad: str
    """With which Nomad registers services in Consul, and nothing else."""
    nomad_gossip: str
    """Without it, nobody is heard by Nomad's gossip, so no other server joins; in base64."""
    consul_gossip: str
    """The same for Consul's."""


def ensure_credentials(path: Path) -> Credentials:
    """The recorded secrets, or new ones, recorded (0600) before they are used.

    Raises:
        PrismError: the record cannot be written.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return Credentials(**{name: str(data[name]) for name in Credentials.__dataclass_fields__})
    except (OSError, ValueError, KeyError, TypeError):
        made = Credentials(
            nomad_management=str(uuid.uuid4()),
            consul_management=str(uuid.uuid4()),
            consul_nomad=str(uuid.uuid4()),
            nomad_gossip=_make_gossip_key(),
            consul_gossip=_make_gossip_key(),
        )
        write_atomically(path, json.dumps(asdict(made), indent=1) + "\n")
        return made


def _make_gossip_key() -> str:
    return base64.b64encode(os.urandom(GOSSIP_KEY_BYTES)).decode()

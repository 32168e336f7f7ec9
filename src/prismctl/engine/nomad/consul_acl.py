"""Who may do what in Consul: Nomad registers services, everybody on this machine may look, nobody else may write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from prismctl.engine.nomad.client import ConsulClient
    from prismctl.engine.nomad.credentials import Credentials

NOMAD_POLICY: Final = "prism-nomad"
NOMAD_RULES: Final = """
service_prefix "" { policy = "write" }
node_prefix "" { policy = "read" }
agent_prefix "" { policy = "read" }
"""
READER_POLICY: Final = "prism-readers"
READER_RULES: Final = """
service_prefix "" { policy = "read" }
node_prefix "" { policy = "read" }
agent_prefix "" { policy = "read" }
key_prefix "prism/" { policy = "read" }
"""
"""For requests without a token, so that DNS, the user interface and `curl` show what runs."""
ANONYMOUS_ACCESSOR: Final = "00000000-0000-0000-0000-000000000002"
NOMAD_ACCESSOR: Final = "6e6f6d61-6400-4000-8000-707269736d00"


async def ensure_access(consul: ConsulClient, credentials: Credentials) -> None:
    """Make policies and tokens what they should be; a Consul that started anew knows none of them.

    Raises:
        UnavailableError: Consul does not answer.
        HttpRejectedError: it has no leader yet.
    """
    await consul.put_policy(NOMAD_POLICY, NOMAD_RULES)
    await consul.put_token(NOMAD_ACCESSOR, credentials.consul_nomad, NOMAD_POLICY)
    await consul.put_policy(READER_POLICY, READER_RULES)
    await consul.put_token(ANONYMOUS_ACCESSOR, "anonymous", READER_POLICY)

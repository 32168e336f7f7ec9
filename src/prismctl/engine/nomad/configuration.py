"""The agents' configuration and surroundings, rendered from values; pure."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Final

from prismctl.domain.plan import LOOPBACK
from prismctl.files.paths import MAX_SOCKET_PATH_BYTES
from prismctl.keeper.protocol import ProcessSpec, RestartPolicy, StopStep

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from prismctl.engine.nomad.certificates import CertificateFiles
    from prismctl.engine.nomad.credentials import Credentials
    from prismctl.engine.nomad.layout import AgentLayout
    from prismctl.engine.nomad.ports import AgentPorts
    from prismctl.engine.nomad.tools import NomadTools

NODE_NAME: Final = "prism-dev"
DATACENTER: Final = "dc1"
REGION: Final = "global"
"""Of what the agents are servers; their certificates name it."""
CONSUL_KEY: Final = "consul"
NOMAD_KEY: Final = "nomad"
"""The agents' names with the keeper, and in observations."""
TITLES: Final = {CONSUL_KEY: "Consul", NOMAD_KEY: "Nomad"}
"""What people call them; Consul comes first, as it does at a start."""
AGENTS_VARIABLE: Final = "PRISM_AGENTS"
"""In the environment of both agents, inherited by Nomad's helpers: whose they are, for the sweep."""

ENOUGH_MHZ: Final = 1_000_000_000
ENOUGH_MB: Final = 1_000_000_000
"""The scheduler counts what tasks ask for; on one machine the kernel shares out better than it does.

A thousand times the most that a catalog can ask for: nothing is ever left out because of it.
"""
HOLD_PIPES: Final = (
    ("/bin/sh", "-c", 'exec 8</proc/self/fd/1 9</proc/self/fd/2 && exec "$@"', "nomad")
    if sys.platform == "linux"
    else ()
)
"""Nomad ends its tasks when the keeper dies, and says so to the keeper's pipes; a pipe that nobody can read any
more would kill it in the middle of that, so it keeps a reading end of each to itself."""
MAX_KILL_SECONDS: Final = 60
_TERMINATE: Final = 15


def render_consul_configuration(
    ports: AgentPorts, credentials: Credentials, certificate: CertificateFiles
) -> dict[str, Any]:
    """Consul's configuration file."""
    return {
        "bind_addr": LOOPBACK,
        "client_addr": LOOPBACK,
        "node_name": NODE_NAME,
        "datacenter": DATACENTER,
        "disable_update_check": True,
        "log_level": "INFO",
        "connect": {"enabled": False},
        "ports": {
            "http": ports.consul_http,
            "dns": ports.consul_dns,
            "server": ports.consul_server,
            "serf_lan": ports.consul_serf,
            "serf_wan": -1,
            "grpc": -1,
            "grpc_tls": -1,
        },
        "limits": {"http_max_conns_per_client": 0},
        "enable_script_checks": False,
        "enable_local_script_checks": False,
        "dns_config": {"service_ttl": {"*": "0s"}},
        "performance": {"raft_multiplier": 1},
        "acl": {
            "enabled": True,
            "default_policy": "deny",
            "tokens": {
                "initial_management": credentials.consul_management,
                "agent": credentials.consul_management,
            },
        },
        # One member has nobody to gossip with; the 100 ms of development mode cost idle CPU.
        "gossip_lan": {"gossip_interval": "1s", "probe_interval": "5s"},
        # A server that joins gets everything, tokens included, and any user can reach loopback.
        "encrypt": credentials.consul_gossip,
        "tls": {
            "internal_rpc": {
                "verify_incoming": True,
                "verify_outgoing": True,
                "verify_server_hostname": True,
                **_render_certificate(certificate),
            }
        },
    }


def render_nomad_configuration(
    ports: AgentPorts, credentials: Credentials, certificate: CertificateFiles
) -> dict[str, Any]:
    """Nomad's configuration file."""
    return {
        "name": NODE_NAME,
        "region": REGION,
        "datacenter": DATACENTER,
        "bind_addr": LOOPBACK,
        "disable_update_check": True,
        "log_level": "INFO",
        "ports": {
            "http": ports.nomad_http,
            "rpc": ports.nomad_rpc,
            "serf": ports.nomad_serf,
        },
        "acl": {"enabled": True},
        "limits": {"http_max_conns_per_client": 0, "rpc_max_conns_per_client": 0},
        "server": {
            "enabled": True,
            "bootstrap_expect": 1,
            "encrypt": credentials.nomad_gossip,
            "num_schedulers": 2,
            "event_buffer_size": 4096,
            "heartbeat_grace": "30s",
            "default_scheduler_config": {"memory_oversubscription_enabled": True},
        },
        "client": {
            "enabled": True,
            "network_interface": "lo" if sys.platform == "linux" else "lo0",
            "cpu_total_compute": ENOUGH_MHZ,
            "memory_total_mb": ENOUGH_MB,
            "disk_free_mb": ENOUGH_MB,
            "gc_max_allocs": 2000,
            "max_kill_timeout": f"{MAX_KILL_SECONDS}s",
            "options": {
                # With TLS, env_aws must be on the list: Nomad does not start otherwise.
                "driver.allowlist": "raw_exec",
                "fingerprint.denylist": (
                    "env_aws,env_gce,env_azure,env_digitalocean,vault,cni,plugins_cni,bridge"
                ),
            },
        },
        "consul": {
            "address": f"{LOOPBACK}:{ports.consul_http}",
            "token": credentials.consul_nomad,
            "auto_advertise": False,
            "server_auto_join": False,
            "client_auto_join": False,
        },
        # A server that joins gets everything, tokens included, and any user can reach loopback.
        "tls": {
            "rpc": True,
            "http": False,
            "verify_server_hostname": True,
            **_render_certificate(certificate),
        },
        # Usage is read from /proc; every collection would ask each task's executor.
        "telemetry": {
            "collection_interval": "60s",
            "prometheus_metrics": True,
            "publish_allocation_metrics": True,
            "publish_node_metrics": True,
            "disable_hostname": True,
        },
    }


def _render_certificate(files: CertificateFiles) -> dict[str, str]:
    return {
        "ca_file": str(files.authority),
        "cert_file": str(files.certificate),
        "key_file": str(files.key),
    }


def render_agent_environment(
    base: Mapping[str, str], directory: Path, sockets: Path
) -> dict[str, str]:
    """All that an agent may know: tasks inherit it, proxies would catch loopback, sd_notify may crash Nomad.

    Nomad's helpers leave their sockets behind when they are killed, which is how Nomad ends them: they get a place of
    their own.
    """
    kept = {name: base[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in base}
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        "HOME": str(directory),
        **kept,
        AGENTS_VARIABLE: str(directory),
        "CHECKPOINT_DISABLE": "1",
        **({"PLUGIN_UNIX_SOCKET_DIR": str(sockets)} if is_short_enough(sockets) else {}),
    }


def is_short_enough(sockets: Path) -> bool:
    """Whether a helper of Nomad can listen in a directory; an older version may have settled on a longer one."""
    return len(os.fsencode(sockets)) + len("/plugin4294967295") <= MAX_SOCKET_PATH_BYTES


def render_consul_process(
    tools: NomadTools, layout: AgentLayout, environment: Mapping[str, str]
) -> ProcessSpec:
    """Consul as the keeper starts it."""
    return ProcessSpec(
        key=CONSUL_KEY,
        argv=(
            str(tools.consul),
            "agent",
            "-dev",
            "-config-file",
            str(layout.consul_configuration),
        ),
        env=dict(environment),
        cwd=str(layout.directory),
        log_path=str(layout.consul_log),
        restart=RestartPolicy(max_restarts=0),
        stop=(StopStep(signal=_TERMINATE, grace_seconds=2.0),),
        parent_death_signal=_TERMINATE,
    )


def render_nomad_process(
    tools: NomadTools, layout: AgentLayout, environment: Mapping[str, str]
) -> ProcessSpec:
    """Nomad as the keeper starts it; asked to end, it ends its tasks first."""
    return ProcessSpec(
        key=NOMAD_KEY,
        argv=(
            *HOLD_PIPES,
            str(tools.nomad),
            "agent",
            "-dev",
            "-config",
            str(layout.nomad_configuration),
            "-data-dir",
            str(layout.nomad_data),
        ),
        env=dict(environment),
        cwd=str(layout.directory),
        log_path=str(layout.nomad_log),
        restart=RestartPolicy(max_restarts=0),
        stop=(StopStep(signal=_TERMINATE, grace_seconds=10.0, whole_tree=False),),
        parent_death_signal=_TERMINATE,
    )
